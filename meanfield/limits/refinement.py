"""What three grids say about the limit of fine ones: a value, and how far off it may be."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from meanfield.arrays import Array

Series = Mapping[str, Array]


def extrapolated(levels: Sequence[Series]) -> tuple[Series, Series]:
    """Richardson extrapolation of an error that falls by 4 from grid to grid.

    With x the extrapolation of the two fine grids and y that of the two coarse ones, the error is
    |x - y|. That bounds an error that is a power of the width, of any order ≥ 1. Where what is
    seen is of a lower one, the error is that of `finest`.

    Parameters
    ----------
    levels : three mappings of str to array (T, …)
        The same series on three grids, each with half the width of the one before.

    Returns
    -------
    values, errors : mapping of str to array
        An error has the shape of one moment of its series; it is the largest over time, as
        differences may change their sign.
    """
    _, bounds = finest(levels)
    values, errors = {}, {}
    for name, fine in levels[2].items():
        coarsest, coarse = levels[0][name], levels[1][name]
        values[name] = fine + (fine - coarse) / 3.0
        before = coarse + (coarse - coarsest) / 3.0
        rough = _apart(coarse, coarsest) < 2.0 * _apart(fine, coarse)
        errors[name] = np.where(rough, bounds[name], _apart(values[name], before))
    return values, errors


def finest(levels: Sequence[Series]) -> tuple[Series, Series]:
    """The finest grid itself, without any extrapolation, for solutions that are not smooth.

    The error is all that changed over the three grids. That bounds a power of the width of any
    order ≥ ½: of the errors e, √2 e and 2e it is just e.

    Parameters and results are those of `extrapolated`.
    """
    coarsest, coarse, fine = levels
    return fine, {
        name: _apart(fine[name], coarse[name]) + _apart(coarse[name], coarsest[name])
        for name in fine
    }


def _apart(first: Array, second: Array) -> Array:
    """The largest difference over time."""
    largest: Array = np.abs(first - second).max(axis=0)
    return largest
