"""Kernels of Stein's method: positive definite k(x, y), and the sums over pairs that it takes.

Sums visit all ordered pairs in blocks of rows, as matrix products: memory is O(N), however many
particles there are.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import ClassVar

import numpy as np
from scipy.spatial.distance import pdist

from meanfield.arrays import Array, dots
from meanfield.errors import require, require_positive
from meanfield.registry import Registry

PAIRS = 2**20  # held at once
SAMPLE = 2000  # particles that a median is taken over


class SteinKernel(ABC):
    """A positive definite k(x, y) with its derivatives."""

    kind: ClassVar[str]

    def at(self, x: Array) -> SteinKernel:
        """The kernel at particles (N, p): itself, unless it depends on them."""
        return self

    @abstractmethod
    def transport(self, x: Array, mass: Array, vectors: Array) -> tuple[Array, Array]:
        """``Σ_j m_j k(x_i, x_j) v_j`` and ``Σ_j m_j ∇_{x_j} k(x_j, x_i)``, both (N, p)."""

    @abstractmethod
    def curvature(self, x: Array, mass: Array, speeds: Array) -> float:
        """``Σ_ij m_i m_j Σ_c M_c ∂²k(x_i, x_j)/∂x_ic∂x_jc`` with speeds M (p,)."""


stein_kernels: Registry[SteinKernel] = Registry("kernel")


class RadialKernel(SteinKernel):
    """k(x, y) = ψ(|x - y|²)."""

    def at(self, x: Array) -> RadialKernel:
        return self

    @abstractmethod
    def derivatives(self, u: Array, order: int) -> list[Array]:
        """ψ, ψ', … up to an order, at u = r²."""

    def transport(self, x: Array, mass: Array, vectors: Array) -> tuple[Array, Array]:
        kernel, near, weight = self.at(x), centred(x), mass.astype(x.dtype)[:, None]
        smoothed, push = np.empty_like(x), np.empty_like(x)
        sources = weight * vectors, weight * near
        for rows, u in squared_distances(near):
            value, slope = kernel.derivatives(u, 1)
            smoothed[rows] = value @ sources[0]
            push[rows] = 2 * (slope @ sources[1] - (slope @ weight) * near[rows])
        return smoothed, push

    def curvature(self, x: Array, mass: Array, speeds: Array) -> float:
        kernel, near = self.at(x), centred(x)
        scaled = near * np.sqrt(speeds).astype(x.dtype)
        total = 0.0
        pairs = zip(squared_distances(near), squared_distances(scaled), strict=True)
        for (rows, u), (_, v) in pairs:
            _, slope, bend = kernel.derivatives(u, 2)
            total -= float(mass[rows] @ ((2 * speeds.sum() * slope + 4 * bend * v) @ mass))
        return total


def centred(x: Array) -> Array:
    """Positions around their mean: far from 0, squares of distances would lose their digits."""
    return x - x.mean(axis=0)


def squared_distances(x: Array) -> Iterator[tuple[slice, Array]]:
    """Blocks of rows, and their |x_i - x_j|² to all particles."""
    squares = dots(x, x)
    step = max(1, PAIRS // len(x))
    for start in range(0, len(x), step):
        rows = slice(start, start + step)
        u = squares[rows, None] + squares - 2 * (x[rows] @ x.T)
        yield rows, np.maximum(u, 0, out=u)


@stein_kernels.register("rbf")
class RBF(RadialKernel):
    """k = exp(-r²/2l²).

    Parameters
    ----------
    length : float, optional
        l. Left out, it is that of the median heuristic, anew at every evaluation:
        2l² = med²/log N, with med the median distance of two distinct particles, whatever their
        masses; the particles that surround one then weigh about as much as itself. Of more than
        2000 particles, the median is that of every second, or third, … one. The velocity then has
        kinks in time, where another pair becomes the median: schemes of high order lose theirs.

    References
    ----------
    Q. Liu, D. Wang, NeurIPS 2016, section 5 (there h = 2l²).
    """

    def __init__(self, length: float | None = None) -> None:
        if length is not None:
            require_positive("length", length)
        self.length = None if length is None else float(length)

    def at(self, x: Array) -> RBF:
        return self if self.length is not None else RBF(median_length(x))

    def derivatives(self, u: Array, order: int) -> list[Array]:
        assert self.length is not None
        rate = -0.5 / self.length**2
        found = [np.exp(rate * u)]
        for _ in range(order):
            found.append(rate * found[-1])
        return found


def median_length(x: Array) -> float:
    """l of the median heuristic; see `RBF`."""
    if len(x) == 1:
        return 1.0  # a particle alone has no neighbours: any length is right
    median = float(np.median(pdist(x[:: math.ceil(len(x) / SAMPLE)].astype(float))))
    # Infinite or lost positions are for the guard of the run to tell.
    require(median != 0.0, "kernel.length", None, "a number, as half of all distances are 0")
    return median / math.sqrt(2.0 * math.log(len(x)))


@stein_kernels.register("imq")
class InverseMultiquadric(RadialKernel):
    """k = (c² + r²)^(-β), whose tail is heavy enough to see mass that has drifted far away.

    Parameters
    ----------
    offset : float
        c.
    exponent : float
        β; Gorham and Mackey ask for β < 1.

    References
    ----------
    J. Gorham, L. Mackey, ICML 2017, theorem 8.
    """

    def __init__(self, offset: float = 1.0, exponent: float = 0.5) -> None:
        require_positive("offset", offset)
        require_positive("exponent", exponent)
        self.offset, self.exponent = float(offset), float(exponent)

    def derivatives(self, u: Array, order: int) -> list[Array]:
        base = self.offset**2 + u
        found = [base**-self.exponent]
        for k in range(order):
            found.append(-(self.exponent + k) * found[-1] / base)
        return found


@stein_kernels.register("bilinear")
class Bilinear(SteinKernel):
    """k = <x, y> + 1, in O(N): it sees means and covariances, and nothing else.

    References
    ----------
    Q. Liu, D. Wang, NeurIPS 2018 (exact moments of Gaussian targets).
    """

    def transport(self, x: Array, mass: Array, vectors: Array) -> tuple[Array, Array]:
        weighted = mass.astype(x.dtype)[:, None] * vectors
        return x @ (x.T @ weighted) + weighted.sum(axis=0), float(mass.sum()) * x

    def curvature(self, x: Array, mass: Array, speeds: Array) -> float:
        return float(mass.sum()) ** 2 * float(speeds.sum())
