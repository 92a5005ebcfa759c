"""Exact optimal transport: the network simplex, and on the line the quantiles."""

from __future__ import annotations

import functools
import inspect
import warnings
from dataclasses import dataclass

import numpy as np
from scipy.sparse import coo_array
from scipy.spatial.distance import cdist

from meanfield.arrays import Array
from meanfield.errors import NotConverged
from meanfield.transport.base import (
    Cost,
    Distance,
    Method,
    Potentials,
    check_order,
    methods,
)
from meanfield.transport.measures import Measure

PIVOTS = 10**9
SECONDS = (
    1.3e-10  # of the simplex, times (N M)^1.5, measured with POT 0.9.7 for N from 500 to 4,000
)
BYTES = 48  # for every pair: costs, flows and the arcs of the simplex


@methods.register("exact")
@dataclass(frozen=True)
class Exact(Method):
    """W_p = (min over couplings γ of ∫ |θ - θ'|^p dγ)^(1/p), exactly.

    On the line the quantiles are coupled; otherwise by the network simplex of POT.

    Parameters
    ----------
    order : float
        p ≥ 1: 1 and 2 are the distances W₁ and W₂.

    References
    ----------
    N. Bonneel, M. van de Panne, S. Paris, W. Heidrich, ACM Transactions on Graphics 2011 (the
    simplex); R. Flamary et al., JMLR 2021 (POT).
    """

    order: float = 2.0

    def __post_init__(self) -> None:
        check_order(self.order)

    def cost(self, first: int, second: int, dim: int) -> Cost:
        if dim == 1:
            return Cost(3e-7 * (first + second), 1e-7 * (first + second))
        pairs = float(first) * second
        return Cost(SECONDS * pairs**1.5, 1e-9 * BYTES * pairs)

    def between(self, first: Measure, second: Measure, near: Potentials | None = None) -> Distance:
        shape = len(first), len(second)
        potentials = None
        if first.dim == 1:
            x, y = first.points[:, 0], second.points[:, 0]
            rows, columns, mass = monotone(x, first.shares, y, second.shares)
            lengths = np.abs(x[rows] - y[columns]) ** self.order
        else:
            costs = powers(first.points, second.points, self.order)
            plan, potentials = _simplex(first.shares, second.shares, costs, near)
            rows, columns = np.nonzero(plan)
            mass, lengths = plan[rows, columns], costs[rows, columns]
        value = float(mass @ lengths) ** (1 / self.order)
        return Distance(
            value,
            self,
            status="sorted" if first.dim == 1 else "optimal",
            potentials=potentials,
            coupling=lambda: coo_array((mass, (rows, columns)), shape=shape),
        )


def powers(x: Array, y: Array, order: float) -> Array:
    """|x_i - y_j|^p, (N, M)."""
    if order == 2:
        return cdist(x, y, metric="sqeuclidean")
    lengths = cdist(x, y)
    return lengths if order == 1 else np.power(lengths, order, out=lengths)


def monotone(x: Array, a: Array, y: Array, b: Array) -> tuple[Array, Array, Array]:
    """The coupling of two measures on the line that crosses nothing.

    Parameters
    ----------
    x, y : (N,), (M,) arrays
    a, b : (N,), (M,) arrays
        Masses, of the same total.

    Returns
    -------
    rows, columns, mass : arrays of at most N + M - 1 entries
        Which points of x and y exchange how much.
    """
    first, second = np.argsort(x), np.argsort(y)
    rows, columns, mass = levels(a[first], b[second])
    return first[rows], second[columns], mass


def levels(a: Array, b: Array) -> tuple[Array, Array, Array]:
    """The same for points that are sorted already."""
    ends = [np.cumsum(part) for part in (a, b)]
    for end in ends:
        end *= ends[0][-1] / end[-1]
    merged = np.concatenate([[0.0], np.sort(np.concatenate(ends))])
    mass = np.diff(merged)
    there = mass > 0
    middle = (merged[:-1] + 0.5 * mass)[there]
    rows, columns = (np.minimum(np.searchsorted(end, middle), len(end) - 1) for end in ends)
    return rows, columns, mass[there]


def _simplex(a: Array, b: Array, costs: Array, near: Potentials | None) -> tuple[Array, Potentials]:
    """The optimal plan (N, M), and potentials f_i + g_j ≤ c_ij that prove it."""
    import ot

    start = {}
    if near is not None and _starts_warm() and (len(near[0]), len(near[1])) == costs.shape:
        start["potentials_init"] = near
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the status is checked below
        plan, log = ot.emd(a, b, costs, numItermax=PIVOTS, log=True, **start)
    if log["warning"] is not None:
        raise NotConverged(f"the network simplex stopped before the optimum: {log['warning']}")
    return plan, (log["u"], log["v"])


@functools.cache
def _starts_warm() -> bool:
    """Whether this version of POT takes potentials to start from."""
    import ot

    return "potentials_init" in inspect.signature(ot.emd).parameters
