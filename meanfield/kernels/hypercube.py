"""Averages of neurons over the corners of the hypercube {-1, +1}^d, of any dimension.

The coordinates are independent, so that sines, cosines and exponentials average to products over
coordinates, and polynomials to sums; a bias is the weight of one more coordinate, which is always
1. Each class of `AVERAGES` says so for one activation.

Gradients of products come from the products of all factors before, and of all factors after, each
coordinate: a factor of zero is a number like any other.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod

import numpy as np

from meanfield.arrays import Array
from meanfield.kernels.blas import single_threaded
from meanfield.kernels.compile import jit, prange, threads
from meanfield.kernels.counter import counter, take

LANES = 32  # sources treated together, one in each lane of the vector unit


@jit(reorder=True)
def _block(
    share, sign, even1, odd1, d_even1, d_odd1, even2, odd2, a1, c2, outer, slope, back, before
):
    """One target against a few sources, for one product over coordinates."""
    product = np.ones(LANES, before.dtype)
    for j in range(even2.shape[0]):
        even, odd = even1[j], sign * odd1[j]
        for q in range(LANES):
            before[j, q] = product[q]
            product[q] *= even * even2[j, q] + odd * odd2[j, q]
    after = np.zeros(LANES, before.dtype)
    for k in range(a1.shape[0]):
        total = 0.0
        for q in range(LANES):
            total += c2[k, q] * product[q]
            after[q] += share * a1[k] * c2[k, q]
        outer[k] += share * total
    # Backwards, but in an order read from memory: a descending index is not vectorised.
    for r in range(even2.shape[0]):
        j = back[r]
        even, odd = even1[j], sign * odd1[j]
        d_even, d_odd = d_even1[j], sign * d_odd1[j]
        total = 0.0
        for q in range(LANES):
            total += before[j, q] * after[q] * (d_even * even2[j, q] + d_odd * odd2[j, q])
            after[q] *= even * even2[j, q] + odd * odd2[j, q]
        slope[j] += total


@jit(parallel=True)
def _products(
    workers, rows, share, sign, even1, odd1, d_even1, d_odd1, even2, odd2, a, c, outer, slope
):
    back = np.arange(even1.shape[1])[::-1].copy()
    for _ in prange(workers):
        i, before = take(rows), np.empty((even1.shape[1], LANES), even1.dtype)
        while i < even1.shape[0]:
            for q in range(even2.shape[0]):
                _block(
                    *(share, sign, even1[i], odd1[i], d_even1[i], d_odd1[i]),
                    *(even2[q], odd2[q], a[i], c[q], outer[i], slope[i], back, before),
                )
            i = take(rows)


def _lanes(rows: Array) -> Array:
    """Rows (M, p) in blocks (ceil(M / LANES), p, LANES), filled up with zeros."""
    blocks = -(-len(rows) // LANES)
    filled = np.zeros((blocks * LANES, rows.shape[1]), rows.dtype)
    filled[: len(rows)] = rows
    return np.ascontiguousarray(filled.reshape(blocks, LANES, -1).transpose(0, 2, 1))


class Averages(ABC):
    """What neurons of one activation s average to over the corners."""

    @abstractmethod
    def interact(
        self, targets: Array, target_weights: Array, sources: Array, source_weights: Array
    ) -> tuple[Array, Array]:
        """Sum K = E[s(u)s(v)] and its gradient over the sources, for every target.

        Parameters
        ----------
        targets, sources : (N, d + 1) and (M, d + 1) arrays
            Inner weights, with the bias last; all arrays have one precision.
        target_weights : (N, k) array
            Outer weights a_i.
        source_weights : (M, k) array
            Outer weights times masses, m_j a_j.

        Returns
        -------
        outer : (N, k) array
            ``sum_j m_j a_j K_ij``.
        inner : (N, d + 1) array
            ``sum_j m_j <a_i, a_j> grad K_ij``.
        """

    @abstractmethod
    def with_parity(self, targets: Array, support: list[int]) -> tuple[Array, Array]:
        """E[y s(u)] (N,) and its gradient (N, d + 1), y the product of the given coordinates."""


class _Products(Averages):
    """K is a sum of products over coordinates of ``even even' ± odd odd'``."""

    shares: tuple[float, float]  # of the products with + and with -

    @abstractmethod
    def _parts(self, weights: Array) -> tuple[Array, Array, Array, Array]:
        """Even and odd part for every weight, and their derivatives, each (N, d + 1)."""

    @abstractmethod
    def _factors(self, weights: Array, support: list[int]) -> tuple[Array, Array]:
        """Factors of E[y s(u)], one for every weight, and their derivatives, each (N, d + 1)."""

    def interact(
        self, targets: Array, target_weights: Array, sources: Array, source_weights: Array
    ) -> tuple[Array, Array]:
        parts = self._parts(targets)
        even, odd, _, _ = self._parts(sources)
        theirs = _lanes(even), _lanes(odd)
        weights = np.ascontiguousarray(target_weights), _lanes(source_weights)
        outer, inner = np.zeros_like(target_weights), np.zeros_like(targets)
        for sign, share in zip((1.0, -1.0), self.shares, strict=True):
            if share:
                _products(
                    threads(), counter(), share, sign, *parts, *theirs, *weights, outer, inner
                )
        return outer, inner

    def with_parity(self, targets: Array, support: list[int]) -> tuple[Array, Array]:
        factor, slope = self._factors(targets, support)
        before, after = np.ones_like(factor), np.ones_like(factor)
        before[:, 1:] = np.cumprod(factor[:, :-1], axis=1)
        after[:, :-1] = np.cumprod(factor[:, :0:-1], axis=1)[:, ::-1]
        return before[:, -1] * factor[:, -1], before * slope * after


class _Wave(_Products):
    """``cos(t - phase π/2)``: products of ``cos(w_j ∓ w'_j) = cos cos ± sin sin``."""

    def __init__(self, phase: int) -> None:
        self._phase = phase
        self.shares = (0.5, 0.5 if phase == 0 else -0.5)

    def _parts(self, weights: Array) -> tuple[Array, Array, Array, Array]:
        cos, sin = np.cos(weights), np.sin(weights)
        return cos, sin, -sin, cos

    def _factors(self, weights: Array, support: list[int]) -> tuple[Array, Array]:
        # E[y exp(iu)] = exp(ib) Π i sin w_j Π cos w_j: a factor i for every coordinate in y.
        factor, sin, slope, _ = self._parts(weights)
        bias, turn = factor[:, -1].copy(), len(support) - self._phase
        cycle = (bias, -sin[:, -1], -bias, sin[:, -1])
        slope[:, support] = factor[:, support]
        factor[:, support] = sin[:, support]
        factor[:, -1], slope[:, -1] = cycle[turn % 4], cycle[(turn + 1) % 4]
        return factor, slope


class _Exponential(_Products):
    """``exp t``: products of ``cosh(w_j + w'_j)``, as sums of exponentials of one sign."""

    shares = (1.0, 0.0)

    def _parts(self, weights: Array) -> tuple[Array, Array, Array, Array]:
        half = math.sqrt(0.5)
        rise, fall = half * np.exp(weights), half * np.exp(-weights)
        rise[:, -1], fall[:, -1] = np.exp(weights[:, -1]), 0.0
        return rise, fall, rise, -fall

    def _factors(self, weights: Array, support: list[int]) -> tuple[Array, Array]:
        factor, slope = np.cosh(weights), np.sinh(weights)
        factor[:, support], slope[:, support] = slope[:, support], factor[:, support]
        factor[:, -1] = slope[:, -1] = np.exp(weights[:, -1])
        return factor, slope


class _Linear(Averages):
    """``t``: K = <w, w'>."""

    def interact(
        self, targets: Array, target_weights: Array, sources: Array, source_weights: Array
    ) -> tuple[Array, Array]:
        with single_threaded():
            total = sources.T @ source_weights
            return targets @ total, target_weights @ total.T

    def with_parity(self, targets: Array, support: list[int]) -> tuple[Array, Array]:
        value, slope = np.zeros(len(targets), targets.dtype), np.zeros_like(targets)
        if len(support) == 1:
            value += targets[:, support[0]]
            slope[:, support] = 1.0
        return value, slope


class _Quadratic(Averages):
    """``t²``: K = |w|²|w'|² + 2 <w, w'>² - 2 Σ_j w_j² w'_j².

    Only products of two different coordinates correlate with one another. Summed over the
    sources, K is a quadratic form; its matrix takes the place of the pairs.
    """

    def interact(
        self, targets: Array, target_weights: Array, sources: Array, source_weights: Array
    ) -> tuple[Array, Array]:
        outer, inner = np.empty_like(target_weights), np.zeros_like(targets)
        size = np.einsum("ij,ij->i", targets, targets)
        with single_threaded():
            for k, c in enumerate(source_weights.T):
                form = (sources.T * c) @ sources
                trace = np.trace(form)
                np.fill_diagonal(form, 0.0)
                image = targets @ form
                outer[:, k] = trace * size + 2.0 * np.einsum("ij,ij->i", targets, image)
                inner += target_weights[:, [k]] * (2.0 * trace * targets + 4.0 * image)
        return outer, inner

    def with_parity(self, targets: Array, support: list[int]) -> tuple[Array, Array]:
        value, slope = np.zeros(len(targets), targets.dtype), np.zeros_like(targets)
        if len(support) <= 2:
            # One coordinate alone is correlated with its product with the bias.
            p, q = (*support, targets.shape[1] - 1)[:2]
            value += 2.0 * targets[:, p] * targets[:, q]
            slope[:, p], slope[:, q] = 2.0 * targets[:, q], 2.0 * targets[:, p]
        return value, slope


AVERAGES: dict[str, Averages] = {
    "cos": _Wave(phase=0),
    "sin": _Wave(phase=1),
    "exp": _Exponential(),
    "linear": _Linear(),
    "quadratic": _Quadratic(),
}
