"""The interaction of polynomials of degree 1 and 2, exact in O(N): moments are all that counts.

With the whitened weight ``α = s n`` of a neuron and its mean m, and c the covariance <α, α'>, the
linear activation has ``K = m m' + c``, and t² has ``K = (m² + s²)(m'² + s'²) + 4 m m' c + 2 c²``.
Both are sums of products of functions of one neuron, so sources act through the moments
Σ c_j, Σ c_j m_j α_j and Σ c_j α_j α_jᵀ of their weights c_j = m_j a_j alone.

All in matrix products: callers hold the BLAS to one thread (`meanfield.kernels.blas`), which
decides the last bits.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from meanfield.arrays import Array
from meanfield.kernels.projected import Projected

Sums = tuple[Array, Array, Array]


def linear(targets: Projected, target_weights: Array, sources: Projected, c: Array) -> Sums:
    """The interaction for s(t) = t in O((N + M) d k); see `meanfield.kernels.population.interact`.

    Parameters
    ----------
    targets, sources : Projected
        N and M neurons.
    target_weights : (N, k) array
        Outer weights a_i.
    c : (M, k) array
        Outer weights times masses, m_j a_j.

    Returns
    -------
    outer : (N, k) array
    d_mean : (N,) array
    inner : (N, d) array
    """
    mean, weight = sources.m @ c, sources.a.T @ c
    outer = targets.m[:, None] * mean + targets.a @ weight
    return outer, target_weights @ mean, target_weights @ weight.T


def quadratic(targets: Projected, target_weights: Array, sources: Projected, c: Array) -> Sums:
    """The interaction for s(t) = t² in O((N + M) d² k); shapes as in `linear`."""
    square = (sources.m**2 + sources.s**2) @ c
    cross = sources.a.T @ (sources.m[:, None] * c)
    m, alpha = targets.m, targets.a
    along = alpha @ cross
    outer = (m**2 + targets.s**2)[:, None] * square + 4.0 * m[:, None] * along
    # Where a target's own a meets the moments: Σ_q a_q (square_q, cross_q, second_q α).
    own_square, own_along = target_weights @ square, np.einsum("ik,ik->i", target_weights, along)
    inner = 2.0 * own_square[:, None] * alpha + 4.0 * m[:, None] * (target_weights @ cross.T)
    for q in range(c.shape[1]):
        second = (sources.a * c[:, q, None]).T @ sources.a
        pulled = alpha @ second
        outer[:, q] += 2.0 * np.einsum("id,id->i", pulled, alpha)
        inner += 4.0 * target_weights[:, q, None] * pulled
    return outer, 2.0 * m * own_square + 4.0 * own_along, inner


_KERNELS: dict[str, Callable[[Projected, Array, Projected, Array], Sums]] = {
    "linear": linear,
    "quadratic": quadratic,
}


def interact(
    activation: Any, targets: Projected, target_weights: Array, sources: Projected, c: Array
) -> Sums:
    """`linear` or `quadratic`, as the activation is."""
    return _KERNELS[activation.kind](targets, target_weights, sources, c)
