"""Richardson extrapolation over three grids, with an error that needs no guess of the order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from meanfield.arrays import Array

Series = Mapping[str, Array]


def refined(levels: Sequence[Series], ratio: float) -> tuple[Series, Series]:
    """Series without their leading error, and a bound on what is left.

    With x the extrapolation of the two fine grids and y that of the two coarse ones, the error of
    x is at most |x - y| if it is a power of the width, also a lower one than it should be: of
    errors e, 2e and 4e with ``ratio = 4``, two thirds of e are left, and |x - y| is just that. It
    is the largest over the series, as x and y may cross.

    Parameters
    ----------
    levels : three mappings of str to array (T, …)
        The same series on three grids, the finest last.
    ratio : float
        By which the error should fall from grid to grid.

    Returns
    -------
    values, errors : mapping of str to array
        Errors have the shape of one moment of the series.
    """
    coarsest, coarse, fine = levels
    values, errors = {}, {}
    for name, best in fine.items():
        middle, rough = coarse[name], coarsest[name]
        values[name] = best + (best - middle) / (ratio - 1)
        before = middle + (middle - rough) / (ratio - 1)
        errors[name] = np.abs(values[name] - before).max(axis=0)
    return values, errors
