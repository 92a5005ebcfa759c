"""Interaction of neurons under a Gaussian input law: K(theta, theta') = E[s(u) s(v)].

With x ~ N(mu, L L^T), the pre-activations ``u = <w, x> + b`` and ``v = <w', x> + b'`` are
Gaussian. A neuron enters only through its mean ``m = <w, mu> + b`` and its whitened weight
``L^T w = s n`` (norm and direction), a pair only through these and the angle between directions.

This is where the algorithm is chosen: moments, fused loops or tiles of products where K has the
form (`moments`, `zonal`), one pair after the other (`general`) where it has not.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from meanfield.arrays import Array
from meanfield.kernels import choices, general, moments, zonal
from meanfield.kernels.projected import Projected

__all__ = ["Projected", "choose", "interact"]


def choose(activation: Any, targets: Projected, sources: Projected, outputs: int) -> choices.Choice:
    """The algorithm for these neurons: `choices.population` of what they are."""
    return choices.population(
        activation,
        dim=targets.a.shape[1],
        outputs=outputs,
        dtype=targets.a.dtype,
        centred=targets.centred and sources.centred,
        largest=float(max(targets.s.max(initial=0.0), sources.s.max(initial=0.0))),
    )


def interact(
    activation: Any,
    targets: Projected,
    target_weights: Array,
    sources: Projected,
    source_weights: Array,
    path: str | None = None,
) -> tuple[Array, Array, Array]:
    """Sum K and its gradients over the sources, for every target.

    Parameters
    ----------
    activation : Activation
        With a closed form (``pair`` and ``mean``).
    targets, sources : Projected
        N and M neurons. Where they are one object, every pair is evaluated once.
    target_weights : (N, k) array
        Outer weights a_i.
    source_weights : (M, k) array
        Outer weights times masses, m_j a_j.
    path : {"moments", "fused", "tiles", "general"}, optional
        The algorithm; default: what `choices.population` says.

    Returns
    -------
    outer : (N, k) array
        ``sum_j m_j a_j K_ij``.
    d_mean : (N,) array
        ``sum_j m_j <a_i, a_j> dK_ij/dm_i``: the gradient in the bias. Not to be used where there
        is neither bias nor mean (`Projected.centred`): fast paths leave it 0.
    inner : (N, d) array
        ``sum_j m_j <a_i, a_j> grad K_ij`` in the whitened weight.
    """
    if path is None:
        path = choose(activation, targets, sources, target_weights.shape[1]).path
    everything = targets, target_weights, sources, source_weights
    if path == "general":
        return general.interact(activation, *everything)
    if path == "moments":
        return moments.interact(activation, *everything)
    outer, inner = zonal.interact(activation.zonal, activation.parameters, *everything, path)
    still = np.flatnonzero(targets.s == 0)
    if still.size and activation.homogeneity is not None:
        # Without a direction, the gradient is that of s'(0), which a kink does not have.
        part = targets.some(still), target_weights[still], sources, source_weights
        outer[still], _, inner[still] = general.interact(activation, *part)
    return outer, np.zeros_like(targets.m), inner
