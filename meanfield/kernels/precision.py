"""One scalar function in two precisions.

In NumPy a number in the source text takes the precision of what it meets; numba makes it double,
and everything after it. `in_precision` gives a compiled function NumPy's rule, so that an
activation is written once: ``1.0 - value * value`` is single where ``value`` is.
"""

from __future__ import annotations

import functools
from types import CellType, FunctionType
from typing import Any

import numpy as np
from numba.core.dispatcher import Dispatcher

from meanfield.kernels.compile import jit


@functools.cache
def in_precision(function: Any, dtype: Any) -> Any:
    """A scalar kernel as loops over arrays of a precision want it.

    Machine code of the result goes into the loop, however long it is: a loop over calls does not
    become vectors.

    Parameters
    ----------
    function : compiled function
        Whole numbers in it stay as they are: ``2.0 * t`` is single, ``2 * t`` is not.
    dtype : type
        ``np.float64`` or ``np.float32``.
    """
    if not isinstance(function, Dispatcher):  # nothing is compiled
        return function
    source, code = function.py_func, function.py_func.__code__

    def cast(value: Any) -> Any:
        if isinstance(value, float):
            return dtype(value)
        if isinstance(value, tuple):
            return tuple(map(cast, value))
        return in_precision(value, dtype) if isinstance(value, Dispatcher) else value

    names = [name for name in code.co_names if name in source.__globals__]
    twin = FunctionType(
        code.replace(co_consts=cast(code.co_consts)),
        source.__globals__ | {name: cast(source.__globals__[name]) for name in names},
        source.__name__,
        cast(source.__defaults__),
        tuple(CellType(cast(cell.cell_contents)) for cell in source.__closure__ or ()),
    )
    # Machine code goes by this name: it must not be mistaken for that of the source.
    twin.__qualname__ = f"{source.__qualname__}[{np.dtype(dtype)}]"
    return jit(twin, inline=True)
