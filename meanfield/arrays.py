"""The one array type of the interfaces: NumPy, float64 or float32."""

from __future__ import annotations

from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from meanfield.errors import require

Array = NDArray[Any]  # a type checker cannot follow which of the two it is
Precision = Literal["float64", "float32"]


def as_floats(values: ArrayLike) -> Array:
    """An array that keeps float32; everything else becomes float64."""
    array = np.asarray(values)
    return array if array.dtype == np.float32 else array.astype(np.float64, copy=False)


def require_precision(dtype: str) -> None:
    """Raise `InvalidInput` unless `dtype` is the name of a precision."""
    known = get_args(Precision)
    require(dtype in known, "dtype", dtype, f"one of {', '.join(known)}")
