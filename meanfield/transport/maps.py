"""What a plan is good for: matching neurons, interpolating between measures, averaging them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from meanfield.arrays import Array
from meanfield.ensemble import Ensemble, Layout
from meanfield.errors import NotConverged, require, require_count, require_positive
from meanfield.transport.base import Distance, distance
from meanfield.transport.measures import Measure, measure, pair

Limits = Any


@dataclass(frozen=True)
class Matching:
    """Which particle of one measure goes to which of the other, by the exact plan for W₂.

    Attributes
    ----------
    rows, columns, mass : arrays (K,)
        Particle ``rows[k]`` of the first sends ``mass[k]`` to ``columns[k]`` of the second; at
        most N + M - 1 of them, and N for equal numbers and masses.
    partner : (N,) integer array
        Where most of each particle goes; -1 for particles without mass.
    target : (N, p) array
        Where each goes on average: the barycentric map T(θ_i); itself without mass.
    distance : Distance
    """

    rows: Array
    columns: Array
    mass: Array
    partner: Array
    target: Array
    distance: Distance

    def __repr__(self) -> str:
        return f"Matching({len(self.partner)} particles, W2 = {self.distance.value:.6g})"


def matching(first: Any, second: Any, **limits: Limits) -> Matching:
    """Match the particles of two measures, as those of a run at two times.

    Parameters
    ----------
    first, second
        As in `meanfield.transport.distance`, as are further arguments: ``most_seconds``, ….
    """
    one, other = pair(first, second)
    found = distance(one, other, "exact", **limits)
    plan = found.plan
    rows, columns, mass = plan.row, plan.col, plan.data
    order = np.lexsort((columns, mass, rows))  # the last entry of each row is the largest
    partner = np.full(len(one), -1)
    partner[rows[order]] = columns[order]
    target = one.points.copy()
    sent = np.bincount(rows, mass, len(one))
    there = sent > 0
    target[there] = (plan.tocsr() @ other.points)[there] / sent[there, None]
    return Matching(rows, columns, mass, partner, target, found)


def interpolate(first: Any, second: Any, time: float, **limits: Limits) -> Ensemble:
    """The measure on the geodesic of W₂ between two others: mass moves straight along the plan.

    Parameters
    ----------
    first, second
        As in `meanfield.transport.distance`, as are further arguments.
    time : float
        In [0, 1].

    Returns
    -------
    Ensemble
        At most N + M - 1 particles, of total mass 1, at (1 - t) θ + t θ'. Its distances from the
        two are t W₂ and (1 - t) W₂ (McCann 1997).
    """
    require(0 <= time <= 1, "time", time, "a number in [0, 1]")
    one, other = pair(first, second)
    found = matching(one, other, **limits)
    points = (1 - time) * one.points[found.rows] + time * other.points[found.columns]
    layout = one.layout or other.layout or Layout.plain(one.dim)
    return Ensemble(points, found.mass, layout)


def barycentre(
    measures: Sequence[Any],
    weights: Sequence[float] | None = None,
    start: Any = None,
    tolerance: float = 1e-9,
    iterations: int = 100,
    **limits: Limits,
) -> Ensemble:
    """A mean of several measures, as of runs from several seeds: least Σ λ_k W₂²(ρ, ρ_k).

    Every particle goes to the weighted mean of where the plans to the measures send it, again and
    again; the sum falls at every step, to a minimum that need not be the only one.

    Parameters
    ----------
    measures : sequence
        Each as in `meanfield.transport.distance`.
    weights : sequence of float, optional
        λ_k ≥ 0, scaled to sum 1; default: equal.
    start : optional
        A measure with as many particles, and the masses, that the mean shall have; default: the
        first of the measures.
    tolerance : float
        It ends when the sum falls by less than this, relatively.
    iterations : int

    Raises
    ------
    NotConverged
        If it still falls by more after so many iterations.

    References
    ----------
    M. Cuturi, A. Doucet, ICML 2014; P. Álvarez-Esteban, E. del Barrio, J. Cuesta-
    Albertos, C. Matrán, Journal of Mathematical Analysis and Applications 2016.
    """
    require(len(measures) > 0, "measures", measures, "one measure or more")
    require_positive("tolerance", tolerance)
    require_count("iterations", iterations)
    given = [measure(each) for each in measures]
    shares = np.ones(len(given)) if weights is None else np.asarray(weights, dtype=float)
    fits = shares.shape == (len(given),) and bool((shares >= 0).all()) and shares.sum() > 0
    require(fits, "weights", weights, f"{len(given)} numbers ≥ 0, not all 0")
    shares = shares / shares.sum()
    here: Measure = given[0] if start is None else measure(start)
    layout = here.layout or Layout.plain(here.dim)
    before = np.inf
    for _ in range(iterations):
        found = [matching(here, each, **limits) for each in given]
        value = float(sum(w * m.distance.value**2 for w, m in zip(shares, found, strict=True)))
        if before - value <= tolerance * value:
            return Ensemble(here.points, here.shares, layout)
        before = value
        there = sum(w * m.target for w, m in zip(shares, found, strict=True))
        here = replace(here, points=np.asarray(there))
    raise NotConverged(
        f"barycentre: after {iterations} iterations the sum of squared distances is {value:.6g} "
        "and still falls: raise iterations or tolerance"
    )
