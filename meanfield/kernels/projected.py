"""Neurons as a Gaussian law of inputs sees them."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np

from meanfield.arrays import Array, dots


class Projected:
    """Neurons as a Gaussian input law sees them: mean, norm and direction of the pre-activation.

    Parameters
    ----------
    w : (N, d) array
        Inner weights; their number type is that of the result.
    b : (N,) array or None
        Biases; None where neurons have none.
    mean : (d,) array or None
        Mean of the inputs; None is 0.
    root : (d, d) array or None
        L with covariance ``L L^T``; None is the identity.

    Attributes
    ----------
    m, s : (N,) arrays
        Mean and standard deviation of the pre-activations.
    a, n : (N, d) arrays
        Whitened weights ``w L = s n``, and their directions (0 where there is none).
    centred : bool
        There is neither bias nor mean: m is 0 and stays so.
    """

    def __init__(self, w: Array, b: Array | None, mean: Array | None, root: Array | None) -> None:
        self.centred = b is None and mean is None
        self.m = np.zeros(len(w), w.dtype) if mean is None else w @ mean
        if b is not None:
            self.m = self.m + b
        self.a = np.ascontiguousarray(w if root is None else w @ root)
        self.s = np.sqrt(dots(self.a, self.a))
        self.n = self.a / np.where(self.s > 0, self.s, self.s.dtype.type(1))[:, None]

    def some(self, rows: Any) -> Projected:
        """The neurons at some rows."""
        part = copy.copy(self)
        part.m, part.a, part.s, part.n = self.m[rows], self.a[rows], self.s[rows], self.n[rows]
        return part
