"""Work for whoever is free: a counter that threads share.

A loop that gives every thread the same number of iterations waits for the slowest thread, and on a
shared machine there is nearly always one that runs at half speed. Here threads come back for more.
Which thread does what then depends on the moment: an iteration must own all that it writes.
"""

from __future__ import annotations

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic
from numpy.typing import NDArray

from meanfield.kernels.compile import DISABLED


def counter() -> NDArray[np.int64]:
    """A counter for one parallel loop, at 0."""
    return np.zeros(1, np.int64)


if DISABLED:

    def take(count: NDArray[np.int64]) -> int:
        """The number that the counter is at, which nobody else gets."""
        count[0] += 1
        return int(count[0]) - 1

else:

    @intrinsic
    def take(_context, count):
        """The number that the counter is at, which nobody else gets."""

        def generate(context, builder, signature, values):
            array = context.make_array(signature.args[0])(context, builder, values[0])
            one = ir.Constant(ir.IntType(64), 1)
            return builder.atomic_rmw("add", array.data, one, "monotonic")

        return types.int64(count), generate
