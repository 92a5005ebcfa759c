"""Kernels as values: a loop that is compiled once, over functions that come later.

A kernel that closes over another is compiled for each of them, with all that is around the call;
where that is a parallel loop, it takes seconds. A kernel that is given an address is not. The
call is never inlined, so it has to be worth it: a tile, not an element.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from meanfield.kernels.compile import DISABLED

_held: list[Any] = []


def address(kernel: Any, arguments: tuple[Any, ...]) -> Any:
    """Where the machine code of a kernel is, for `call`.

    Parameters
    ----------
    kernel : compiled function
        Returns nothing. It is never forgotten, as its address might be used.
    arguments : tuple of numba types
        What it will be called with.

    Returns
    -------
    int
        The kernel itself where nothing is compiled.
    """
    if DISABLED:
        return kernel
    _held.append(kernel)
    kernel.compile(arguments)
    compiled = kernel.overloads[arguments]
    return compiled.library.get_pointer_to_function(compiled.fndesc.llvm_func_name)


if DISABLED:

    def call(kernel: Callable[..., None], arguments: tuple[Any, ...]) -> None:
        kernel(*arguments)

else:

    @intrinsic
    def call(_context, where, arguments):
        """Call the kernel at an address."""

        def generate(context, builder, signature, values):
            kinds = tuple(signature.args[1])
            convention = context.call_conv
            form = convention.get_function_type(types.none, kinds)
            function = builder.inttoptr(values[0], form.as_pointer())
            parts = cgutils.unpack_tuple(builder, values[1])
            status, _ = convention.call_function(builder, function, types.none, kinds, parts)
            with cgutils.if_unlikely(builder, status.is_error):
                convention.return_status_propagate(builder, status)
            return context.get_dummy_value()

        return types.none(where, arguments), generate
