"""The one array type of the interfaces: NumPy, float64 or float32."""

from __future__ import annotations

from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from meanfield.errors import require

Array = NDArray[Any]  # a type checker cannot follow which of the two it is
Precision = Literal["float64", "float32"]

# Up to so many columns, one after the other takes a fifth to a half of the time.
NARROW = 8


def as_floats(values: ArrayLike) -> Array:
    """An array that keeps float32; everything else becomes float64."""
    array = np.asarray(values)
    return array if array.dtype == np.float32 else array.astype(np.float64, copy=False)


def dots(first: Array, second: Array) -> Array:
    """``<first_i, second_i>`` for every row of two arrays (N, d): (N,)."""
    if not 1 <= first.shape[1] <= NARROW:
        return np.einsum("ij,ij->i", first, second)
    total = first[:, 0] * second[:, 0]
    for j in range(1, first.shape[1]):
        total += first[:, j] * second[:, j]
    return total


def scaled(rows: Array, factors: Array) -> Array:
    """Every row of an array (N, d) times its factor (N,)."""
    if rows.shape[1] > NARROW:
        return rows * factors[:, None]
    out = np.empty_like(rows)
    for j in range(rows.shape[1]):
        np.multiply(rows[:, j], factors, out=out[:, j])
    return out


def require_precision(dtype: str) -> None:
    """Raise `InvalidInput` unless `dtype` is the name of a precision."""
    known = get_args(Precision)
    require(dtype in known, "dtype", dtype, f"one of {', '.join(known)}")
