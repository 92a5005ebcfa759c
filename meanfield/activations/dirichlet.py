"""The Dirichlet kernel of the circle, as an activation."""

from __future__ import annotations

from dataclasses import dataclass

from meanfield.activations.base import Activation, activations
from meanfield.errors import require_count
from meanfield.kernels.compile import jit


@jit
def dirichlet_evaluate(p, t):
    value, before = 1.0, -1.0
    slope, slope_before = 0.0, 0.0
    for _ in range(int(p[0])):
        slope, slope_before = 2.0 * (value + t * slope) - slope_before, slope
        value, before = 2.0 * t * value - before, value
    return value, slope


@activations.register("dirichlet")
@dataclass(frozen=True)
class Dirichlet(Activation):
    """1 + 2 Σ_{k ≤ degree} T_k(t) with the Chebyshev polynomials T_k.

    With w and x on the unit circle, t = <w, x> is the cosine of the angle between them, and this
    is the Dirichlet kernel D(angle) = 1 + 2 Σ cos(k angle), not normalised: D(0) = 2 degree + 1.
    Convolution with D, over the circle of measure 1, projects on the frequencies up to the degree,
    so that E_x[D(<w, x>) D(<w', x>)] = D(<w, w'>), over more than 2 degree points of a regular
    grid too. A neuron is a spike at w that is seen at low frequencies only.

    Off the circle it is a polynomial like others, the Chebyshev polynomial of the fourth kind. Its
    averages over Gaussian inputs are not given.

    Parameters
    ----------
    degree : int
        The highest frequency.

    References
    ----------
    L. Chizat, Mathematical Programming 2022 (sparse deconvolution).
    """

    degree: int = 5
    evaluate = staticmethod(dirichlet_evaluate)

    def __post_init__(self) -> None:
        require_count("degree", self.degree)
