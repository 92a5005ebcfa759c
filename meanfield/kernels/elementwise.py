"""An activation and its slope over arrays."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from meanfield.arrays import Array
from meanfield.kernels.compile import jit


@functools.cache
def compiled(evaluate: Any) -> Any:
    @jit
    def drive(p, t, value, slope):
        for i in range(t.shape[0]):
            value[i], slope[i] = evaluate(p, t[i])

    return drive


def evaluate(activation: Any, t: ArrayLike) -> tuple[Array, Array]:
    """s(t) and s'(t), in the shape of ``t``."""
    points = np.asarray(t, dtype=float, order="C")
    value, slope = np.empty_like(points), np.empty_like(points)
    drive = compiled(activation.evaluate)
    drive(activation.parameters, points.ravel(), value.ravel(), slope.ravel())
    return value, slope


@functools.cache
def _compiled_mean(mean: Any) -> Any:
    @jit
    def drive(p, m, s, value, slope, curve):
        for i in range(m.shape[0]):
            value[i], slope[i], curve[i] = mean(p, m[i], s[i])

    return drive


def mean(activation: Any, m: Array, s: Array) -> tuple[Array, Array, Array]:
    """E s(u), E s'(u) and ``s E s''(u)`` for u ~ N(m, s^2), elementwise over (N,) arrays."""
    out = np.empty_like(m), np.empty_like(m), np.empty_like(m)
    _compiled_mean(activation.mean)(activation.parameters, m, s, *out)
    return out
