"""Transport along directions: the mean over them, and the largest."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize

from meanfield import random
from meanfield.arrays import Array
from meanfield.errors import require_count
from meanfield.transport.base import Cost, Distance, Method, Potentials, check_order, methods
from meanfield.transport.exact import levels, monotone
from meanfield.transport.measures import Measure

ENTRIES = 2**20  # projections that one thread holds at once


@dataclass(frozen=True)
class _AlongDirections(Method):
    """What the two share.

    Parameters
    ----------
    directions : int
        How many, uniform on the sphere.
    order : float
        p ≥ 1.
    seed : int
        Decides the directions: the same ones for all measures of a dimension.
    """

    directions: int = 100
    order: float = 2.0
    seed: int = 0

    def __post_init__(self) -> None:
        require_count("directions", self.directions, least=2)
        check_order(self.order)
        random.check_seed(self.seed)

    def cost(self, first: int, second: int, dim: int) -> Cost:
        numbers = float(first + second)
        seconds = 1e-8 * self.directions * numbers * (10 + 0.1 * dim)
        return Cost(seconds, 1e-9 * (24 * numbers + 16 * 8 * ENTRIES))

    def _drawn(self, dim: int) -> Array:
        """Directions (L, p)."""
        drawn = random.normal(self.seed, random.Stream.SLICES, 0, (self.directions, dim))
        return drawn / np.linalg.norm(drawn, axis=1, keepdims=True)


@methods.register("sliced")
@dataclass(frozen=True)
class Sliced(_AlongDirections):
    """SW_p = (mean over directions u of W_p^p of the projections on u)^(1/p), in O(N log N).

    It is at most W_p; of two points it is |θ - θ'|/√d for p = 2: nothing is multiplied by √d. The
    standard error is that of the mean over random directions, and ``bias`` that of taking the root
    of it, both to first order.

    References
    ----------
    J. Rabin, G. Peyré, J. Delon, M. Bernot, SSVM 2011; N. Bonneel, J. Rabin, G. Peyré, H. Pfister,
    Journal of Mathematical Imaging and Vision 2015.
    """

    samples = True

    def between(self, first: Measure, second: Measure, near: Potentials | None = None) -> Distance:
        p = self.order
        if first.dim == 1:
            values = along(first, second, np.ones((1, 1)), p)
            return Distance(float(values[0]) ** (1 / p), self, status="sorted")
        values = along(first, second, self._drawn(first.dim), p)
        mean = float(values.mean())
        if mean == 0:
            return Distance(0.0, self, status=f"{self.directions} directions")
        spread = float(values.std(ddof=1)) / np.sqrt(len(values)) / mean
        value = mean ** (1 / p)
        return Distance(
            value,
            self,
            standard_error=value * spread / p,
            bias=value * spread**2 * (1 / p - 1) / (2 * p),
            status=f"{self.directions} directions",
        )


@methods.register("max-sliced")
@dataclass(frozen=True)
class MaxSliced(_AlongDirections):
    """max over directions u of W_p of the projections on u.

    By ascent (L-BFGS) from the best of the random directions and from the difference of the means.
    The maximum need not be the only one: the value is a lower bound of it.

    Parameters
    ----------
    directions, order, seed
        As in `Sliced`.
    starts : int
        How many directions the ascent starts from.

    References
    ----------
    I. Deshpande et al., CVPR 2019.
    """

    starts: int = 4

    def __post_init__(self) -> None:
        super().__post_init__()
        require_count("starts", self.starts)

    def cost(self, first: int, second: int, dim: int) -> Cost:
        each = super().cost(first, second, dim)
        return Cost((1 + 1.5 * self.starts) * each.seconds, 3 * each.gigabytes)

    def between(self, first: Measure, second: Measure, near: Potentials | None = None) -> Distance:
        drawn = self._drawn(first.dim)
        best = np.argsort(-along(first, second, drawn, self.order), kind="stable")
        starts = list(drawn[best[: self.starts]])
        apart = first.mean - second.mean
        if np.any(apart):
            starts[-1] = apart / np.linalg.norm(apart)

        def descent(vector: Array) -> tuple[float, Array]:
            """Minus W_p^p along a vector, and its gradient: tangent to the sphere."""
            length = np.linalg.norm(vector)
            u = vector / length
            x, y = first.points @ u, second.points @ u
            rows, columns, mass = monotone(x, first.shares, y, second.shares)
            gap = x[rows] - y[columns]
            pull = mass * np.sign(gap) * np.abs(gap) ** (self.order - 1)
            slope = np.bincount(rows, pull, len(x)) @ first.points
            slope -= np.bincount(columns, pull, len(y)) @ second.points
            return -float(mass @ np.abs(gap) ** self.order), (self.order / length) * (
                u * (slope @ u) - slope
            )

        ends = [minimize(descent, start, jac=True, method="L-BFGS-B") for start in starts]
        value = max(0.0, *(-float(end.fun) for end in ends)) ** (1 / self.order)
        return Distance(value, self, status=f"the best of {len(ends)} ascents, a lower bound")


def along(first: Measure, second: Measure, directions: Array, order: float) -> Array:
    """W_p^p of the projections on each direction, (L,).

    Parameters
    ----------
    directions : (L, p) array
        Unit vectors.
    """
    from meanfield.kernels.compile import threads

    # Without weights, sorted points meet in the same pairs along every direction.
    even = first.is_even and second.is_even
    pairs = levels(first.shares, second.shares) if even and len(first) != len(second) else None

    def one(chunk: Array) -> Array:
        x, y = chunk @ first.points.T, chunk @ second.points.T
        if not even:
            sides = zip(x, y, strict=True)
            return np.array([_weighted(u, first.shares, v, second.shares, order) for u, v in sides])
        x.sort(axis=1)
        y.sort(axis=1)
        if pairs is None:
            return _power(np.subtract(x, y, out=x), order).mean(axis=1)
        rows, columns, mass = pairs
        return _power(x[:, rows] - y[:, columns], order) @ mass

    with ThreadPoolExecutor(threads()) as pool:
        return np.concatenate(list(pool.map(one, _chunks(directions, len(first) + len(second)))))


def _chunks(directions: Array, numbers: int) -> Iterator[Array]:
    step = max(1, ENTRIES // numbers)
    return (directions[i : i + step] for i in range(0, len(directions), step))


def _weighted(x: Array, a: Array, y: Array, b: Array, order: float) -> float:
    rows, columns, mass = monotone(x, a, y, b)
    return float(mass @ _power(x[rows] - y[columns], order))


def _power(gap: Array, order: float) -> Array:
    if order == 2:
        return np.square(gap, out=gap)
    np.abs(gap, out=gap)
    return gap if order == 1 else np.power(gap, order, out=gap)
