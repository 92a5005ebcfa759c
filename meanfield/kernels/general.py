"""Interaction of neurons, pair by pair: any activation, any mean, accurate for every pair.

An activation supplies two scalar functions, and everything here is compiled over them:

``pair(p, m1, s1, m2, s2, rho, r)``
    with ``rho = cos`` and ``r = sin`` of the angle, both accurate when small; returns K and its
    derivatives in the first argument: in the mean, along ``n`` (radial) and along the unit
    tangent that points from ``n`` to ``n'`` (tangential).
``mean(p, m, s)``
    returns ``E s(u)``, ``E s'(u)`` and ``s E s''(u)``, also for s = 0.

The gradient in w is then ``dm mu + L (dr n + dt e)``.
"""

from __future__ import annotations

import functools
import math
from typing import Any

import numpy as np

from meanfield.arrays import Array
from meanfield.kernels.compile import jit, prange, threads
from meanfield.kernels.counter import counter, take
from meanfield.kernels.projected import Projected

# Below this value of 1 - |rho|, angles are computed from the residual of one direction on the
# other in double-double arithmetic: sqrt(1 - rho^2) would lose half of the digits.
NEARLY_PARALLEL = 1e-3
_SPLITTER = 134217729.0  # 2^27 + 1


@jit
def _two_product(x, y):
    """x y as an unevaluated sum of two doubles (Dekker 1971)."""
    product = x * y
    c = _SPLITTER * x
    x_high = c - (c - x)
    x_low = x - x_high
    c = _SPLITTER * y
    y_high = c - (c - y)
    y_low = y - y_high
    error = ((x_high * y_high - product) + x_high * y_low + x_low * y_high) + x_low * y_low
    return product, error


@jit
def _two_sum(x, y):
    """x + y as an unevaluated sum of two doubles (Knuth 1969)."""
    total = x + y
    shifted = total - x
    return total, (x - (total - shifted)) + (y - shifted)


@jit
def _dot_pair(x, y):
    """<x, y> in double-double arithmetic."""
    high, low = 0.0, 0.0
    for k in range(x.shape[0]):
        product, product_error = _two_product(x[k], y[k])
        high, sum_error = _two_sum(high, product)
        low += product_error + sum_error
    return _two_sum(high, low)


@jit
def residual(x, y, out):
    """Write the part of ``y`` orthogonal to ``x`` into ``out``; return its norm.

    Accurate relative to the residual itself, however small the angle.
    """
    c_high, c_low = _dot_pair(x, y)
    q_high, q_low = _dot_pair(x, x)
    ratio = c_high / q_high
    product, error = _two_product(ratio, q_high)
    ratio_low = ((c_high - product) - error + c_low - ratio * q_low) / q_high
    square = 0.0
    for k in range(x.shape[0]):
        product, error = _two_product(ratio, x[k])
        out[k] = ((y[k] - product) - error) - ratio_low * x[k]
        square += out[k] * out[k]
    return math.sqrt(square)


@jit(reorder=True)
def _dot(x, y):
    total = 0.0
    for k in range(x.shape[0]):
        total += x[k] * y[k]
    return total


@functools.cache
def row(pair: Any, mean: Any) -> Any:
    """One target with some sources, for one activation; adds to ``outer`` and ``inner``.

    Parameters
    ----------
    pair, mean : compiled functions
        See the module's documentation.
    """

    @jit
    def add(
        p, m1, s1, n1, a1, c1, source_m, source_s, source_n, source_a, source_c, outer, inner, e
    ):
        d_mean = 0.0
        radial = 0.0
        if s1 == 0.0:
            constant, slope, _ = mean(p, m1, 0.0)
        for j in range(source_m.shape[0]):
            m2, s2, n2 = source_m[j], source_s[j], source_n[j]
            weight = _dot(c1, source_c[j])
            if s1 == 0.0:
                value_v, slope_v, _ = mean(p, m2, s2)
                k_value = constant * value_v
                d_mean += weight * slope * value_v
                pull = weight * slope * slope_v * s2
                for q in range(n2.shape[0]):
                    inner[q] += pull * n2[q]
            elif s2 == 0.0:
                value_u, slope_u, curve_u = mean(p, m1, s1)
                value_v, _, _ = mean(p, m2, 0.0)
                k_value = value_u * value_v
                d_mean += weight * slope_u * value_v
                radial += weight * curve_u * value_v
            else:
                rho = min(1.0, max(-1.0, _dot(n1, n2)))
                if 1.0 - abs(rho) > NEARLY_PARALLEL:
                    r = math.sqrt((1.0 - rho) * (1.0 + rho))
                    k_value, dm, dr, dt = pair(p, m1, s1, m2, s2, rho, r)
                    pull = weight * dt / r
                    radial += weight * (dr - rho * dt / r)
                    for q in range(n2.shape[0]):
                        inner[q] += pull * n2[q]
                else:
                    length = residual(a1, source_a[j], e)
                    r = length / s2
                    rho = math.copysign(math.sqrt((1.0 - r) * (1.0 + r)), rho)
                    k_value, dm, dr, dt = pair(p, m1, s1, m2, s2, rho, r)
                    radial += weight * dr
                    if length > 0.0:
                        pull = weight * dt / length
                        for q in range(n2.shape[0]):
                            inner[q] += pull * e[q]
                d_mean += weight * dm
            for q in range(outer.shape[0]):
                outer[q] += source_c[j, q] * k_value
        for q in range(n1.shape[0]):
            inner[q] += radial * n1[q]
        return d_mean

    return add


@functools.cache
def compiled(pair: Any, mean: Any) -> Any:
    """The interaction of all targets with all sources, for one activation."""
    add = row(pair, mean)

    @jit(parallel=True)
    def drive(workers, rows, p, tm, ts, tn, ta, tc, sm, ss, sn, sa, sc, outer, d_mean, inner):
        for _ in prange(workers):
            i, e = take(rows), np.empty(tn.shape[1])
            while i < tm.shape[0]:
                d_mean[i] = add(
                    p, tm[i], ts[i], tn[i], ta[i], tc[i], sm, ss, sn, sa, sc, outer[i], inner[i], e
                )
                i = take(rows)

    return drive


def interact(
    activation: Any,
    targets: Projected,
    target_weights: Array,
    sources: Projected,
    source_weights: Array,
) -> tuple[Array, Array, Array]:
    """See `meanfield.kernels.population.interact`. Evaluated in float64, whatever comes in."""
    dtype = target_weights.dtype
    outer = np.zeros(target_weights.shape)
    d_mean = np.zeros(len(outer))
    inner = np.zeros(targets.n.shape)
    drive = compiled(activation.pair, activation.mean)
    doubles = [
        np.ascontiguousarray(array, dtype=float)
        for neurons, weights in ((targets, target_weights), (sources, source_weights))
        for array in (neurons.m, neurons.s, neurons.n, neurons.a, weights)
    ]
    # Parallel neurons divide by zero on purpose, and kernels that are not compiled would warn.
    with np.errstate(divide="ignore", invalid="ignore"):
        drive(threads(), counter(), activation.parameters, *doubles, outer, d_mean, inner)
    return outer.astype(dtype), d_mean.astype(dtype), inner.astype(dtype)
