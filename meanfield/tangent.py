"""The tangent kernel: what a network does to its output if its neurons hardly move.

Along the flow θ' = -M∇F' of the squared loss the output changes by

    ∂_t f(x) = -E_x' [K(x, x') (f(x') - y(x'))],   K(x, x') = ∫ ∇_θφ(x; θ)ᵀ M ∇_θφ(x'; θ) dρ,

which in the mean-field scaling is of order 1, and changes as neurons move. Frozen at the start, K
is the kernel of the lazy regime.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from meanfield.arrays import Array, as_floats
from meanfield.ensemble import Ensemble
from meanfield.errors import require
from meanfield.kernels import elementwise
from meanfield.kernels.blas import single_threaded
from meanfield.networks import TwoLayer

BLOCK = 2**21  # derivatives held at a time


def tangent_kernel(
    network: TwoLayer,
    ensemble: Ensemble,
    x: ArrayLike,
    other: ArrayLike,
    mobility: ArrayLike = 1.0,
) -> Array:
    """K(x_s, x'_t) = Σ_i m_i <∇_θφ(x_s; θ_i), M ∇_θφ(x'_t; θ_i)>, of shape (n, n').

    With k outputs the kernel is a matrix (k, k) for each pair; this is its trace over k. Where the
    outer weights have mean 0 and are independent of the rest, the matrix is the trace times the
    identity but for O(1/√N).

    Parameters
    ----------
    network : TwoLayer
    ensemble : Ensemble
        The neurons; their masses carry the 1/N.
    x, other : (n, d) and (n', d) arrays
    mobility : (p,) array or float
        M of each column, as `Flow.speeds` gives it: 0 for what is not trained. Outer weights that
        the network keeps fixed are left out in any case.

    Returns
    -------
    (n, n') array of float64

    References
    ----------
    A. Jacot, F. Gabriel, C. Hongler, NeurIPS 2018; L. Chizat, E. Oyallon, F. Bach, NeurIPS 2019.
    """
    inputs = [as_floats(points).astype(float) for points in (x, other)]
    for name, points in zip(("x", "other"), inputs, strict=True):
        fits = points.ndim == 2 and points.shape[1] == network.dim
        require(fits, name, points.shape, f"(n, {network.dim})")
    layout, k, d = network.layout, network.outputs, network.dim
    neurons = ensemble.astype("float64")
    outer, slope = network.outer_weights(neurons)
    w, b = network.inner_weights(neurons)
    moving = np.asarray(mobility) * layout.spread(dict.fromkeys(layout.frozen, 0.0), default=1.0)
    # Weights of s(z)s(z'), of s'(z)s'(z'), and of s'(z)s'(z') x_j x'_j.
    values = (np.ones_like(outer) if slope is None else slope) ** 2 @ moving[:k]
    slopes = np.einsum("ik,ik->i", outer, outer)
    constant = moving[-1] if network.bias else 0.0
    products = inputs[0] * moving[k : k + d] @ inputs[1].T + constant
    found = np.zeros(products.shape)
    rows = max(1, BLOCK // max(map(len, inputs)))
    with single_threaded():  # the same bits, however many cores there are
        for first in range(0, len(neurons), rows):
            some = slice(first, first + rows)
            mass = neurons.mass[some]
            (s, ds), (t, dt) = (
                elementwise.evaluate(network.activation, points @ w[some].T + b[some])
                for points in inputs
            )
            found += s * (mass * values[some]) @ t.T
            found += products * (ds * (mass * slopes[some]) @ dt.T)
    return found / k
