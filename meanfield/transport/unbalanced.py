"""Transport where mass may also grow and shrink: Gaussian-Hellinger-Kantorovich and its kin.

All solve, with μ and ν of any total masses and a penalty ℓ² for what is made or destroyed,

    min over γ ≥ 0 of ∫ c dγ + ℓ² KL(γ₁|μ) + ℓ² KL(γ₂|ν),    KL(σ|μ) = ∫ (s log s - s + 1) dμ,

with s = dσ/dμ and γ₁, γ₂ the marginals of γ. The methods differ in the cost c.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.linalg import cho_factor, cho_solve
from scipy.spatial.distance import cdist
from scipy.special import kl_div

from meanfield.arrays import Array
from meanfield.errors import NotConverged, require_positive
from meanfield.transport.base import Cost, Distance, Method, Potentials, methods
from meanfield.transport.measures import Measure

TOLERANCE = 1e-10  # of the duality gap, relative to the value
ENOUGH = 1e-7  # where rounding ends the steps; the gap is part of the result
ROUNDING = 1e-15  # of the value, relative to the masses
STEPS = 100
FAR = 80.0  # cost from which nothing moves: e^{-c/2} of the mass would, and is rounded away
HIGH = 8.0  # of a potential at the start
LEAP = 2.0  # of a potential in one step


@dataclass(frozen=True)
class _Unbalanced(Method):
    """A distance with a length ℓ: mass that would move much farther is destroyed and made anew.

    Parameters
    ----------
    length : float
        ℓ.
    """

    balanced = False
    length: float = 1.0

    def __post_init__(self) -> None:
        require_positive("length", self.length)

    def cost(self, first: int, second: int, dim: int) -> Cost:
        pairs = float(first) * second
        return Cost(40 * pairs * (6e-8 + 5e-11 * min(first, second)), 1.1e-7 * pairs)

    @abstractmethod
    def costs(self, x: Array, y: Array) -> Array:
        """c / ℓ², (N, M); infinite where nothing moves."""

    def between(self, first: Measure, second: Measure, near: Potentials | None = None) -> Distance:
        square, gap, plan = solve(first.mass, second.mass, self.costs(first.points, second.points))
        return self._found(square, gap, lambda: plan)

    def _found(
        self, square: float, gap: float, coupling: Callable[[], Array] | None = None
    ) -> Distance:
        value = self.length * np.sqrt(square)
        error = gap * self.length**2 / max(value, np.sqrt(gap) * self.length, 1e-300)
        return Distance(
            float(value), self, bias=float(error), status="duality gap closed", coupling=coupling
        )


@methods.register("unbalanced")
@dataclass(frozen=True)
class GaussianHellingerKantorovich(_Unbalanced):
    """Gaussian-Hellinger-Kantorovich: the cost |θ - θ'|², and ℓ² for mass.

    The value is the root of the minimum, a metric. With equal total masses it tends to W₂ times the
    root of the mass as ℓ → ∞; for ℓ → 0 its square is ℓ² times the squared Hellinger distance
    Σ (√μ - √ν)². The ``bias`` is a bound: half the duality gap.

    References
    ----------
    M. Liero, A. Mielke, G. Savaré, Inventiones Mathematicae 2018.
    """

    def costs(self, x: Array, y: Array) -> Array:
        return cdist(x / self.length, y / self.length, metric="sqeuclidean")


@methods.register("wfr")
@dataclass(frozen=True)
class WassersteinFisherRao(_Unbalanced):
    """Wasserstein-Fisher-Rao, or Hellinger-Kantorovich: the geodesic distance of both motions.

    Its square is the least ∫₀¹∫ (|v|² + ¼ ℓ² w²) dρ dt with ∂ρ + div(v ρ) = w ρ. The cost is
    -2 ℓ² log cos(|θ - θ'|/ℓ), infinite from ℓπ/2 on. The flow "wasserstein-fisher-rao" with α and β
    descends in this metric, times 1/α, for ℓ = 2 (α/β)^½. Chizat et al. have ℓ = 2δ and half the
    square. The ``bias`` is a bound: half the duality gap.

    References
    ----------
    M. Liero, A. Mielke, G. Savaré, Inventiones Mathematicae 2018 (there ℓ = 1);
    L. Chizat, G. Peyré, B. Schmitzer, F.-X. Vialard, Foundations of Computational Mathematics 2018.
    """

    def costs(self, x: Array, y: Array) -> Array:
        return _cone_costs(cdist(x / self.length, y / self.length))


@methods.register("cone")
@dataclass(frozen=True)
class Cone(_Unbalanced):
    """The distance of Wasserstein-Fisher-Rao on the sphere, for homogeneous and signed particles.

    A particle of mass m at θ counts as mass m|θ|² in the direction θ/|θ|, and distances are angles:
    2-homogeneous neurons (a, w) of the same function count as the same. On points of the unit
    sphere, as those modulo scaling, that is their mass as it is. Positive and negative masses do
    not meet: squared distances of the two add up. With ℓ = 1 it is at most W₂ of the particles
    themselves, of which the sphere is the cone. The ``bias`` is a bound: half the duality gap.

    References
    ----------
    L. Chizat, F. Bach, NeurIPS 2018; L. Chizat, Mathematical Programming 2022 (signed).
    """

    signed = True

    def costs(self, x: Array, y: Array) -> Array:
        # Chords keep the digits of small angles.
        chords = np.clip(cdist(x, y), 0.0, 2.0)
        return _cone_costs(2.0 * np.arcsin(0.5 * chords) / self.length)

    def between(self, first: Measure, second: Measure, near: Potentials | None = None) -> Distance:
        square, gap = 0.0, 0.0
        for sign in (1.0, -1.0):
            (x, a), (y, b) = (_directions(each, sign) for each in (first, second))
            more, wider, _ = solve(a, b, self.costs(x, y))
            square, gap = square + more, gap + wider
        return self._found(square, gap)


def _directions(measure: Measure, sign: float) -> tuple[Array, Array]:
    """Directions (n, p) and masses (n,) of the particles of a sign."""
    square = (measure.points**2).sum(axis=1)
    mass = np.maximum(sign * measure.mass, 0.0) * square
    there = mass > 0
    return measure.points[there] / np.sqrt(square[there, None]), mass[there]


def _cone_costs(angle: Array) -> Array:
    with np.errstate(divide="ignore"):
        return np.where(
            angle < 0.5 * np.pi, -2.0 * np.log(np.cos(np.minimum(angle, 0.5 * np.pi))), np.inf
        )


def solve(a: Array, b: Array, costs: Array) -> tuple[float, float, Array]:
    """min over γ ≥ 0 of <c, γ> + KL(γ₁|a) + KL(γ₂|b), by a primal-dual interior point method.

    Parameters
    ----------
    a, b : (N,), (M,) arrays
        Masses ≥ 0.
    costs : (N, M) array
        c ≥ 0, infinite where γ must be 0; above 80 it is taken as infinite.

    Returns
    -------
    value, gap : float
        The minimum lies within value ± gap: between the value of γ and that of the potentials
        f_i + g_j ≤ c_ij, Σ a (1 - e^{-f}) + Σ b (1 - e^{-g}).
    plan : (N, M) array

    Raises
    ------
    NotConverged
        If the gap does not close.
    """
    plan = np.zeros(costs.shape)
    finite = (costs < FAR) & (a[:, None] > 0) & (b > 0)
    rows, columns = np.flatnonzero(finite.any(axis=1)), np.flatnonzero(finite.any(axis=0))
    # What nothing can move to is destroyed, or made.
    alone = float(a.sum() - a[rows].sum() + b.sum() - b[columns].sum())
    if not len(rows):
        return max(0.0, alone), 0.0, plan
    total = float(a.sum() + b.sum())
    c = np.where(finite, costs, np.inf)[np.ix_(rows, columns)]
    left, right = a[rows] / total, b[columns] / total
    if len(rows) < len(columns):
        above, below, inner = _interior_point(right, left, np.ascontiguousarray(c.T))
        inner = inner.T
    else:
        above, below, inner = _interior_point(left, right, c)
    plan[np.ix_(rows, columns)] = total * inner
    middle, gap = 0.5 * total * (above + below), 0.5 * total * max(0.0, above - below)
    return max(0.0, alone + middle), gap, plan


def _interior_point(a: Array, b: Array, c: Array) -> tuple[float, float, Array]:
    """The least value found of the primal, the largest of the dual problem, and the plan.

    The potentials satisfy a e^{-f} = γ₁, b e^{-g} = γ₂ and γ s = τ with the slack s = c - f - g,
    and τ → 0 by steps of Newton with a predictor and a corrector (Mehrotra, SIAM Journal on
    Optimization 1992).
    """
    f, g = (np.minimum(0.5 * c.min(axis=axis), HIGH) - 1.0 for axis in (1, 0))
    slack = c - f[:, None] - g
    plan = 1.0 / slack  # 0 where the cost is infinite
    pairs = np.count_nonzero(plan)
    plan *= math.sqrt((a @ np.exp(-f)) * (b @ np.exp(-g))) / plan.sum()
    above, below = np.inf, -np.inf
    for _ in range(STEPS):
        above = min(above, _primal(a, b, c, plan))
        below = max(below, float(a @ -np.expm1(-f) + b @ -np.expm1(-g)))
        if above - below <= max(TOLERANCE * above, ROUNDING):
            return above, below, plan
        try:
            newton = _Newton(plan, plan / slack, a * np.exp(-f), b * np.exp(-g))
        except np.linalg.LinAlgError:  # no digits are left
            break
        df, dg, change = newton.step(-plan)
        here = _together(plan, slack) / pairs
        shift = -df[:, None] - dg
        length = min(_reach(slack, shift), _reach(plan, change))
        there = _together(plan + length * change, slack + length * shift) / pairs
        target = here * min(1.0, there / here) ** 3
        df, dg, change = newton.step((target - shift * change) / slack - plan)
        shift = -df[:, None] - dg
        length = min(_reach(slack, shift), _reach(plan, change), _tame(df), _tame(dg))
        f, g = f + length * df, g + length * dg
        plan = plan + length * change
        slack = slack + length * shift  # c - f - g would lose the digits of small ones
    if above - below <= ENOUGH * above:
        return above, below, plan
    raise NotConverged(
        f"unbalanced transport: after at most {STEPS} steps the value lies between {below:.6g} and "
        f"{above:.6g} (of total mass 1); a larger length makes the problem easier"
    )


def _together(plan: Array, slack: Array) -> float:
    """Σ γ s over the pairs that can meet."""
    return float(np.multiply(plan, slack, out=np.zeros(plan.shape), where=plan > 0).sum())


def _primal(a: Array, b: Array, c: Array, plan: Array) -> float:
    moved = float(np.where(plan > 0, c, 0.0).ravel() @ plan.ravel())
    return moved + float(kl_div(plan.sum(axis=1), a).sum() + kl_div(plan.sum(axis=0), b).sum())


class _Newton:
    """Newton's matrix at a point, reduced to the smaller of its two diagonal blocks.

    Parameters
    ----------
    plan, ratio : (N, M) arrays
        γ and γ/s, N ≥ M.
    left, right : (N,), (M,) arrays
        a e^{-f}, b e^{-g}.
    """

    def __init__(self, plan: Array, ratio: Array, left: Array, right: Array) -> None:
        self.plan, self.ratio, self.left, self.right = plan, ratio, left, right
        self.diagonal = left + ratio.sum(axis=1)
        # Negative off the diagonal, with row sums > 0 that would be lost among entries of 1e15.
        reduced = -(ratio / self.diagonal[:, None]).T @ ratio
        np.fill_diagonal(reduced, 0.0)
        excess = right + (left / self.diagonal) @ ratio
        np.fill_diagonal(reduced, excess - reduced.sum(axis=1))
        self.factor = cho_factor(reduced, overwrite_a=True)

    def step(self, wanted: Array) -> tuple[Array, Array, Array]:
        """df, dg and dγ = wanted + γ/s (df + dg), with which marginals meet to first order."""
        plan = self.plan + wanted
        r, s = self.left - plan.sum(axis=1), self.right - plan.sum(axis=0)
        dg = cho_solve(self.factor, s - self.ratio.T @ (r / self.diagonal))
        df = (r - self.ratio @ dg) / self.diagonal
        return df, dg, wanted + self.ratio * (df[:, None] + dg)


def _tame(change: Array) -> float:
    """How far one can go without e^{-f} growing beyond what a linear model knows of it."""
    return LEAP / max(LEAP, float(-change.min()))


def _reach(here: Array, change: Array) -> float:
    """How far one can go, at most 1, and stay positive."""
    falling = (change < 0) & (here > 0) & np.isfinite(here)
    if not falling.any():
        return 1.0
    return min(1.0, 0.99 * float((-here[falling] / change[falling]).min()))
