"""Flows of normal laws on quadratic energies, and of one Gaussian on a quartic.

Sources of the equations are with each class; the conventions are those of ``docs/conventions.md``.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
from numpy.typing import ArrayLike
from scipy.linalg import expm

from meanfield.arrays import Array
from meanfield.errors import require, require_count, require_nonnegative, require_positive
from meanfield.limits.base import Limit, checked_times, oracles
from meanfield.limits.integration import looked_at
from meanfield.limits.normal import NormalFlow, covariance, square

Matrix = float | Sequence[Sequence[float]] | Array


class _AroundCentre(NormalFlow):
    """Where a normal law starts, and the centre that it is drawn to."""

    centre: Sequence[float]
    initial_mean: Sequence[float]
    initial_covariance: Matrix
    temperature: float

    def __post_init__(self) -> None:
        fits = np.ndim(self.centre) == 1 and len(self.centre) > 0
        require(fits, "centre", self.centre, "one number for each coordinate")
        shape = np.shape(self.initial_mean)
        fits = shape == np.shape(self.centre)
        require(fits, "initial_mean", shape, f"the shape {np.shape(self.centre)} of the centre")
        require_nonnegative("temperature", self.temperature)
        self.start()

    @property
    def dim(self) -> int:
        """Number of coordinates p."""
        return len(self.centre)

    def start(self) -> tuple[Array, Array]:
        mean = np.array(self.initial_mean, dtype=float)
        return mean, covariance("initial_covariance", self.initial_covariance, self.dim)


@oracles.register("linear-quadratic")
@dataclass(frozen=True)
class LinearQuadratic(_AroundCentre):
    """F = constant + ½⟨m - c, B (m - c)⟩ + ½ tr(L S) + τ Ent: exact for N = ∞ and for every N.

    m and S are mean and covariance of the measure. B acts on the common mean of all particles, L on
    each one's distance from it; both are closed forms, matrix exponentials. The special cases:

    * Ornstein–Uhlenbeck, V = ½⟨θ - c, A (θ - c)⟩: B = L = A.
    * Attraction, V and W = κ/2 |θ - θ′|²: B = A, L = A + κ I (McKean 1966).
    * Linear neurons of a ridge λ, R = ½⟨m - μ, Σ (m - μ)⟩: B = Σ + λ I, L = λ I, B c = Σ μ, with
      the constant ½⟨μ, Σ μ⟩ - ½⟨c, B c⟩.

    With `particles` = N the series are the expectations over runs from N independent particles:
    the mean X̄ feels B and the noise τ/N, and N - 1 combinations of the others feel L and τ, so that
    what chaos costs is exact and not only O(1/N). ``second_moment`` is that of one particle.

    Parameters
    ----------
    common, own : number or (p, p)
        B and L, symmetric. On a number, p is the length of the centre.
    centre : (p,)
        c.
    initial_mean, initial_covariance : (p,), number or (p, p)
    temperature : float
        τ ≥ 0.
    particles : int
        N; 0: infinitely many.
    constant : float
        Of the energy.
    """

    common: Matrix
    own: Matrix
    centre: Sequence[float]
    initial_mean: Sequence[float]
    initial_covariance: Matrix
    temperature: float = 0.0
    particles: int = 0
    constant: float = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        require_count("particles", self.particles, least=0)
        self._matrices()

    def at(self, times: ArrayLike) -> Limit:
        when = checked_times(times)
        return Limit(when, looked_at(when[:, None], lambda time: self._seen(float(time[0]))))

    def law(self, time: float) -> tuple[Array, Array]:
        require_nonnegative("time", time)
        mean, around, of_mean = self.pieces(time)
        return mean, around + of_mean

    def pieces(self, time: float) -> tuple[Array, Array, Array]:
        """E X̄ (p,), the expected covariance of the particles about X̄, and Cov X̄, at a time or ∞.

        One particle has the sum of the two as its covariance.
        """
        first, cov = self.start()
        centre = np.asarray(self.centre, dtype=float)
        common, own = self._matrices()
        share = 1.0 / self.particles if self.particles else 0.0
        relaxed_own = _relaxed(own, cov, self.temperature, time)
        around = (1.0 - share) * relaxed_own
        of_mean = share * _relaxed(common, cov, self.temperature, time)
        return centre + _decay(common, time) @ (first - centre), around, of_mean

    def force(self, mean: Array, cov: Array) -> tuple[Array, Array]:
        common, own = self._matrices()
        return own, common @ (mean - np.asarray(self.centre)) - own @ mean

    def parts(self, mean: Array, cov: Array) -> Mapping[str, float]:
        common, own = self._matrices()
        away = mean - np.asarray(self.centre)
        return {"energy": self.constant + 0.5 * float(away @ common @ away + np.sum(own * cov))}

    def _matrices(self) -> tuple[Array, Array]:
        return square("common", self.common, self.dim), square("own", self.own, self.dim)

    def _seen(self, time: float) -> dict[str, ArrayLike]:
        mean, around, of_mean = self.pieces(time)
        found = self.look(mean, around)
        if not self.particles:
            return found
        # The expectation of a square is that of its mean and its variance.
        common, _ = self._matrices()
        more = 0.5 * float(np.sum(common * of_mean))
        energy = float(np.asarray(found["energy"])) + more
        dissipation = float(np.asarray(found["dissipation"]))
        dissipation += float(np.einsum("ij,jk,ik->", common, of_mean, common))
        second = np.asarray(found["second_moment"]) + np.diag(of_mean)
        # A few particles have no density.
        dropped = ("entropy", "free_energy")
        kept = {name: value for name, value in found.items() if name not in dropped}
        return {**kept, "energy": energy, "dissipation": dissipation, "second_moment": second}


def ornstein_uhlenbeck(
    stiffness: Matrix,
    centre: Sequence[float],
    initial_mean: Sequence[float],
    initial_covariance: Matrix,
    temperature: float = 0.0,
    attraction: float = 0.0,
    particles: int = 0,
) -> LinearQuadratic:
    """Particles in a quadratic well that attract each other by W = attraction/2 |θ - θ′|²."""
    own = square("stiffness", stiffness, len(centre)) + attraction * np.eye(len(centre))
    return LinearQuadratic(
        *(stiffness, own, centre, initial_mean, initial_covariance, temperature, particles)
    )


def linear_neurons(
    target: Sequence[float],
    ridge: float,
    initial_mean: Sequence[float],
    initial_covariance: Matrix,
    temperature: float = 0.0,
    inputs: Matrix = 1.0,
    particles: int = 0,
) -> LinearQuadratic:
    """φ = ⟨w, x⟩ with x of covariance `inputs` = Σ, y = ⟨target, x⟩, and a ridge > 0 on w."""
    require_positive("ridge", ridge)
    wanted = np.asarray(target, dtype=float)
    sigma = square("inputs", inputs, len(wanted))
    common = sigma + ridge * np.eye(len(wanted))
    centre = np.linalg.solve(common, sigma @ wanted).tolist()
    constant = 0.5 * float(wanted @ sigma @ wanted - wanted @ sigma @ centre)
    found = LinearQuadratic(
        common, float(ridge), centre, initial_mean, initial_covariance, temperature, particles
    )
    return replace(found, constant=constant)


def _decay(matrix: Array, time: float) -> Array:
    if math.isinf(time):
        return np.zeros_like(matrix)
    return expm(-matrix * time)


def _relaxed(matrix: Array, start: Array, temperature: float, time: float) -> Array:
    """Solution of dS/dt = -(A S + S A) + 2τ I, from its start."""
    if math.isinf(time):
        return temperature * np.linalg.inv(matrix)
    values, vectors = np.linalg.eigh(matrix)
    sums = values[:, None] + values
    # (1 - e^{-sum t})/sum, which is t where the sum vanishes.
    share = np.where(sums == 0.0, time, -np.expm1(-sums * time) / np.where(sums == 0.0, 1.0, sums))
    turned = vectors.T @ start @ vectors
    noise = 2.0 * temperature * np.eye(len(values))
    return vectors @ (np.exp(-sums * time) * turned + share * noise) @ vectors.T


@oracles.register("gaussian-wasserstein-fisher-rao")
@dataclass(frozen=True)
class GaussianWassersteinFisherRao(_AroundCentre):
    """Wasserstein–Fisher–Rao flow of a normal law on F = ½∫⟨θ - c, A (θ - c)⟩ dρ + τ Ent.

    With speeds α of transport and β of reaction,

        dm/dt = -(α I + β S) A (m - c),
        dS/dt = α (2τ I - A S - S A) + β (τ S - S A S).

    For α = 0 it is the Fisher–Rao flow, a closed form: log densities move on a line, so with
    κ = e^{-βτt} the natural parameters are S⁻¹ = κ S₀⁻¹ + (1 - κ) A/τ, and S⁻¹m alike. For β = 0 it
    is that of Bures and Wasserstein, the law of an Ornstein–Uhlenbeck process. The metric is that
    of Chizat, Peyré, Schmitzer and Vialard (2018) and Liero, Mielke and Savaré (2018). Without
    noise, ``energy`` holds the entropy, as the part ``weighted_entropy``.

    Parameters
    ----------
    stiffness : number or (p, p)
        A.
    centre : (p,)
        c.
    initial_mean, initial_covariance : (p,), number or (p, p)
        The covariance is invertible if α = 0.
    temperature : float
        τ ≥ 0.
    alpha, beta : float
        As of the flow `WassersteinFisherRao`.
    """

    stiffness: Matrix
    centre: Sequence[float]
    initial_mean: Sequence[float]
    initial_covariance: Matrix
    temperature: float = 0.0
    alpha: float = 1.0
    beta: float = 1.0
    entropy_part: ClassVar[str] = "weighted_entropy"

    def __post_init__(self) -> None:
        super().__post_init__()
        require_nonnegative("alpha", self.alpha)
        require_nonnegative("beta", self.beta)
        square("stiffness", self.stiffness, self.dim)
        _, cov = self.start()
        wide = self.alpha > 0 or bool(np.linalg.eigvalsh(cov)[0] > 0)
        require(wide, "initial_covariance", self.initial_covariance, "invertible, as alpha is 0")

    def rate(self, mean: Array, cov: Array) -> tuple[Array, Array]:
        stiffness, away = self._stiffness(), mean - np.asarray(self.centre)
        drift, spread = super().rate(mean, cov)
        grown = self.temperature * cov - cov @ stiffness @ cov
        return (
            self.alpha * drift - self.beta * cov @ stiffness @ away,
            self.alpha * spread + self.beta * grown,
        )

    def at(self, times: ArrayLike) -> Limit:
        return super().at(times) if self.alpha else self.closed_form(times)

    def law(self, time: float) -> tuple[Array, Array]:
        if self.alpha:
            return super().law(time)
        require_nonnegative("time", time)
        mean, cov = self.start()
        stiffness, tau = self._stiffness(), self.temperature
        kept = math.exp(-self.beta * tau * time)
        # (1 - κ)/τ, which is βt without a temperature.
        grown = -math.expm1(-self.beta * tau * time) / tau if tau else self.beta * time
        precision = kept * np.linalg.inv(cov) + grown * stiffness
        pull = kept * np.linalg.solve(cov, mean) + grown * stiffness @ np.asarray(self.centre)
        return np.linalg.solve(precision, pull), np.linalg.inv(precision)

    def dissipation(self, mean: Array, cov: Array) -> float:
        matrix, slope = self.slopes(mean, cov)
        variance = slope @ cov @ slope + 0.5 * np.trace(matrix @ cov @ matrix @ cov)
        return self.alpha * super().dissipation(mean, cov) + self.beta * float(variance)

    def force(self, mean: Array, cov: Array) -> tuple[Array, Array]:
        return self._stiffness(), -self._stiffness() @ np.asarray(self.centre)

    def parts(self, mean: Array, cov: Array) -> Mapping[str, float]:
        away = mean - np.asarray(self.centre)
        stiffness = self._stiffness()
        return {"potential": 0.5 * float(away @ stiffness @ away + np.sum(stiffness * cov))}

    def _stiffness(self) -> Array:
        return square("stiffness", self.stiffness, self.dim)


@oracles.register("bures-wasserstein")
@dataclass(frozen=True)
class BuresWasserstein(_AroundCentre):
    """Variational inference by one Gaussian: Wasserstein flow on ∫V dρ + τ Ent among normal laws.

    V = ½⟨θ - c, A (θ - c)⟩ + q/4 Σ_j (θ_j - c_j)⁴, whose averages over normal laws are
    polynomials:

        dm/dt = -E ∇V,      dS/dt = 2τ I - S E∇²V - E∇²V S.

    It is no Wasserstein flow unless q = 0: normal laws do not stay normal then (Lambert, Chewi,
    Bach, Bonnabel and Rigollet 2022).

    Parameters
    ----------
    stiffness : number or (p, p)
        A.
    quartic : float
        q ≥ 0.
    centre, initial_mean, initial_covariance
        (p,), (p,), and a number or (p, p).
    temperature : float
    """

    stiffness: Matrix
    quartic: float
    centre: Sequence[float]
    initial_mean: Sequence[float]
    initial_covariance: Matrix
    temperature: float = 1.0
    entropy_part: ClassVar[str] = "mixture_entropy"

    def __post_init__(self) -> None:
        super().__post_init__()
        require_nonnegative("quartic", self.quartic)
        square("stiffness", self.stiffness, self.dim)

    def force(self, mean: Array, cov: Array) -> tuple[Array, Array]:
        # The affine function nearest to ∇V under the law: slope E∇²V, and E∇V in the middle.
        stiffness = square("stiffness", self.stiffness, self.dim)
        away, variance = mean - np.asarray(self.centre), np.diag(cov)
        slope = stiffness + 3.0 * self.quartic * np.diag(away**2 + variance)
        middle = stiffness @ away + self.quartic * (away**3 + 3.0 * away * variance)
        return slope, middle - slope @ mean

    def parts(self, mean: Array, cov: Array) -> Mapping[str, float]:
        stiffness = square("stiffness", self.stiffness, self.dim)
        away, variance = mean - np.asarray(self.centre), np.diag(cov)
        fourth = away**4 + 6.0 * away**2 * variance + 3.0 * variance**2
        quadratic = 0.5 * float(away @ stiffness @ away + np.sum(stiffness * cov))
        return {"potential": quadratic + 0.25 * self.quartic * float(fourth.sum())}
