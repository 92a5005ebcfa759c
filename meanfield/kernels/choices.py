"""Which algorithm serves, and why: every choice is made here or by a ``choose`` like it.

A choice depends on sizes and types alone, never on the machine or the number of threads, since it
decides the last bits of a result. The constants carry the measurement that set them (one core of
an AMD EPYC of 2024 with AVX-512, OpenBLAS at 56 GF/s in float64 and 115 GF/s in float32).
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

# Up to this dimension fused loops beat tiles of matrix products. ReLU, ns per ordered pair: at
# d = 10 0.87 against 1.34 (float32: 0.29, 0.62), at d = 12 0.83 against 1.39 (0.49, 0.73), at
# d = 16 both take 1.4 (0.7), and the loops take 10 s to compile.
FUSED_DIM = 12
# The general path evaluates one pair at a time, with special functions: ns per ordered pair.
GENERAL_COST = "about 35 ns a pair for ReLU against 0.4 ns, 50 µs where K itself is a quadrature"


class Choice(NamedTuple):
    """An algorithm.

    Attributes
    ----------
    path : str
        Its name.
    why : str
        The reason, in one sentence.
    """

    path: str
    why: str


def population(
    activation: Any,
    *,
    dim: int,
    outputs: int = 1,
    dtype: Any = np.float64,
    centred: bool = True,
    largest: float = 1.0,
) -> Choice:
    """The path of the population interaction.

    Parameters
    ----------
    activation : Activation
    dim, outputs : int
        d and k.
    dtype : type of number
    centred : bool
        All pre-activations have mean 0: no bias, inputs of mean 0.
    largest : float
        Norm of the largest whitened weight.

    Returns
    -------
    Choice
        "moments", "fused", "tiles" or "general".
    """
    if activation.moments:
        return Choice("moments", f"for {activation.kind} moments are exact, in O(N)")
    zonal = activation.zonal
    if zonal is None:
        return Choice("general", f"no fast form for {activation.kind}; {GENERAL_COST}")
    if not centred:
        return Choice("general", f"pre-activations with a mean; {GENERAL_COST}")
    scales = zonal.scales
    limit = scales.largest_single if dtype == np.float32 else scales.largest
    if largest > limit:
        why = f"norms up to {largest:.3g} would lose digits beyond {limit:.3g}; {GENERAL_COST}"
        return Choice("general", why)
    if outputs > 1:
        return Choice("tiles", f"{outputs} outputs are matrix products")
    if dim > FUSED_DIM:
        return Choice("tiles", f"d = {dim} > {FUSED_DIM}: matrix products beat one fused loop")
    return Choice("fused", f"d = {dim} ≤ {FUSED_DIM}: one loop, coordinates in registers")
