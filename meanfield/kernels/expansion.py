"""The interaction of neurons in finite rank: O(N rank) instead of O(N²).

With a kernel of the form ``K_L = Σ_t σ_t g_p(θ) g_p(θ') P_l(ρ)`` (`meanfield.kernels.bases`), the
sum over all sources needs one moment Σ_j c_j g_p(θ_j) Y_f(n_j) for each term and each harmonic of
its degree; potential and gradient of a target are then sums over the moments. Neurons go through
in groups, side by side; no array has N times rank entries.
"""

from __future__ import annotations

import bisect
import functools
from typing import NamedTuple

import numpy as np

from meanfield.arrays import Array
from meanfield.kernels import harmonics
from meanfield.kernels.bases import Basis, Radial
from meanfield.kernels.compile import jit, prange
from meanfield.kernels.harmonics import LANES, backward, forward
from meanfield.kernels.projected import Projected

SLAB = 8192  # neurons whose columns are in memory at a time
CHUNKS = 16  # partial sums of the moments; their number decides the last bits of a result


@functools.lru_cache(maxsize=32)
def largest_degree(basis: Basis, rank: int) -> int:
    """The largest degree of a basis whose rank is at most `rank`; -1 if there is none."""
    degrees = range(basis.highest + 1)
    return bisect.bisect_right(degrees, rank, key=basis.rank) - 1


def truncation(basis: Basis, seen: Projected, c: Array, degree: int) -> Array:
    """Bounds on the error of the potential of any neuron, (L + 2,).

    ``max_i e_i · Σ_j |c_j| e_j`` for the degrees 0 … L, after the same for K itself (no terms). It
    is about K_L: the rounding of the sums comes on top.

    Parameters
    ----------
    basis : Basis
    seen : Projected
        N neurons.
    c : (N, k) array
        Their outer weights times masses.
    degree : int
        L.
    """
    worst, total = np.zeros((2, degree + 2))
    for part in _slabs(len(seen.m)):
        m, s = seen.m[part].astype(float), seen.s[part].astype(float)
        e = basis.tails(m, s, degree)
        worst = np.maximum(worst, e.max(axis=0))
        total += np.linalg.norm(c[part], axis=1) @ e
    return worst * total


def interact(
    basis: Basis,
    degree: int,
    targets: Projected,
    target_weights: Array,
    sources: Projected,
    source_weights: Array,
) -> tuple[Array, Array, Array]:
    """Sum K_L and its gradients over the sources, for every target: O((N + M) rank d).

    Sums are in float64 whatever the precision of the neurons.

    Parameters
    ----------
    basis : Basis
    degree : int
        L.
    targets, sources : Projected
        N and M neurons.
    target_weights : (N, k) array
        Outer weights a_i.
    source_weights : (M, k) array
        Outer weights times masses, m_j a_j.

    Returns
    -------
    outer : (N, k) array
    d_mean : (N,) array
        0 in a homogeneous basis, where means do not occur.
    inner : (N, d) array
        All as in `meanfield.kernels.population.interact`.
    """
    plan = _plan(basis, degree)
    shape = plan.tables, plan.wanted, plan.column, plan.degree

    @functools.lru_cache(maxsize=1)  # one slab is both, where sources are the targets
    def columns(seen: Projected, start: int, stop: int) -> Radial:
        m, s = seen.m[start:stop].astype(float), seen.s[start:stop].astype(float)
        return Radial(*map(np.ascontiguousarray, basis.radial(m, s, degree)))

    moments = np.zeros((CHUNKS, len(plan.scale), source_weights.shape[1]))
    for part in _slabs(len(sources.m)):
        radial = columns(sources, part.start, part.stop)
        neurons = sources.n[part].astype(float), radial.value, source_weights[part].astype(float)
        _add_moments(*neurons, *shape, moments)
    coefficients = plan.scale[:, None] * moments.sum(axis=0)

    found = np.empty_like(target_weights), np.empty_like(targets.m), np.empty_like(targets.n)
    for part in _slabs(len(targets.m)):
        radial = columns(targets, part.start, part.stop)
        n, a = targets.n[part].astype(float), target_weights[part].astype(float)
        doubles = np.empty(a.shape), np.empty(len(a)), np.empty(n.shape)
        _apply(n, radial, a, *shape, coefficients, *doubles)
        for values, computed in zip(found, doubles, strict=True):
            values[part] = computed
    return found


class _Plan(NamedTuple):
    """What the kernels need for one basis and degree; ``scale`` is σ_t norm_f of every moment."""

    tables: harmonics.Tables
    wanted: np.ndarray
    column: np.ndarray
    degree: np.ndarray
    scale: Array


@functools.lru_cache(maxsize=8)
def _plan(basis: Basis, degree: int) -> _Plan:
    terms, (tables, norm) = basis.terms(degree), harmonics.tables(basis.dim, degree)
    start = tables.end - tables.number[basis.dim]
    blocks = [norm[start[l] : tables.end[l]] for l in terms.degree]
    scale = [sigma * block for sigma, block in zip(terms.weight, blocks, strict=True)]
    wanted = np.isin(np.arange(degree + 1), terms.degree)
    return _Plan(tables, wanted, terms.column, terms.degree, np.concatenate([[], *scale]))


def _slabs(count: int) -> list[slice]:
    return [slice(start, min(start + SLAB, count)) for start in range(0, count, SLAB)]


@jit
def _load(values, start, out):
    """Rows ``start`` … of ``values`` (N, q) side by side in ``out`` (q, LANES); zeros beyond N."""
    for b in range(LANES):
        i = start + b
        for q in range(out.shape[0]):
            out[q, b] = values[i, q] if i < values.shape[0] else 0.0


@jit(reorder=True)
def _gather(y, end, number, column, degree, g, c, out):
    """Add the moments of LANES sources to ``out`` (rank, k)."""
    h = np.empty(LANES)
    at = 0
    for t in range(column.shape[0]):
        rows, l = number[degree[t]], degree[t]
        columns = g[column[t]]
        for q in range(c.shape[0]):
            weights = c[q]
            for b in range(LANES):
                h[b] = weights[b] * columns[b]
            for m in range(rows):
                feature = y[end[l] - rows + m]
                total = 0.0
                for b in range(LANES):
                    total += h[b] * feature[b]
                out[at + m, q] += total
        at += rows


@jit(parallel=True)
def _add_moments(n, g, c, tables, wanted, column, degree, out):
    end, number, _, _, _ = tables
    dim = n.shape[1]
    blocks = (n.shape[0] + LANES - 1) // LANES
    for chunk in prange(CHUNKS):
        x, columns = np.empty((dim, LANES)), np.empty((g.shape[1], LANES))
        weights, work = np.empty((c.shape[1], LANES)), np.empty((3, LANES))
        y = np.empty((end[-1], LANES))
        first, last = np.int64(chunk) * blocks // CHUNKS, (np.int64(chunk) + 1) * blocks // CHUNKS
        for block in range(first, last):
            _load(n, block * LANES, x)
            _load(g, block * LANES, columns)
            _load(c, block * LANES, weights)
            forward(x, tables, wanted, y, work)
            _gather(y, end, number[dim], column, degree, columns, weights, out[chunk])


@jit(reorder=True)
def _spread(y, end, number, column, degree, radial, a, coefficients, outer, slopes, t):
    """Potential ``outer`` (k, LANES), its ``slopes`` in mean and norm, and the pull ``t`` on y."""
    value, d_mean, d_norm, over_norm = radial
    total, pull = np.empty(LANES), np.empty(LANES)
    outer[:], slopes[:], t[:] = 0.0, 0.0, 0.0
    at = 0
    for k in range(column.shape[0]):
        p, l = column[k], degree[k]
        rows = number[l]
        for q in range(a.shape[0]):
            for b in range(LANES):
                pull[b] = a[q, b] * over_norm[p, b]
                total[b] = 0.0
            for m in range(rows):
                feature, share = y[end[l] - rows + m], t[end[l] - rows + m]
                factor = coefficients[at + m, q]
                for b in range(LANES):
                    total[b] += factor * feature[b]
                    share[b] += factor * pull[b]
            for b in range(LANES):
                outer[q, b] += value[p, b] * total[b]
                slopes[0, b] += a[q, b] * d_mean[p, b] * total[b]
                slopes[1, b] += a[q, b] * d_norm[p, b] * total[b]
        at += rows


@jit(parallel=True)
def _apply(n, radial, a, tables, wanted, column, degree, coefficients, outer, d_mean, inner):
    end, number, _, _, _ = tables
    value, by_mean, by_norm, over = radial
    size, dim = n.shape
    width, columns = a.shape[1], value.shape[1]
    blocks = (size + LANES - 1) // LANES
    chunks = min(blocks, 4 * CHUNKS)
    for chunk in prange(chunks):
        x, weights = np.empty((dim, LANES)), np.empty((width, LANES))
        radials = np.empty((4, columns, LANES))
        potential, slopes = np.empty((width, LANES)), np.empty((2, LANES))
        y, t = np.empty((end[-1], LANES)), np.empty((end[-1], LANES))
        work, gradient = np.empty((10, LANES)), np.empty((dim, LANES))
        first, last = np.int64(chunk) * blocks // chunks, (np.int64(chunk) + 1) * blocks // chunks
        for block in range(first, last):
            start = block * LANES
            _load(n, start, x)
            _load(a, start, weights)
            _load(value, start, radials[0])
            _load(by_mean, start, radials[1])
            _load(by_norm, start, radials[2])
            _load(over, start, radials[3])
            forward(x, tables, wanted, y, work)
            four = (radials[0], radials[1], radials[2], radials[3])
            _spread(
                *(y, end, number[dim], column, degree, four, weights, coefficients),
                *(potential, slopes, t),
            )
            backward(x, tables, wanted, y, t, work, gradient)
            for b in range(min(LANES, size - start)):
                along = slopes[1, b]
                for q in range(dim):
                    along -= gradient[q, b] * x[q, b]
                d_mean[start + b] = slopes[0, b]
                for q in range(width):
                    outer[start + b, q] = potential[q, b]
                for q in range(dim):
                    inner[start + b, q] = gradient[q, b] + along * x[q, b]
