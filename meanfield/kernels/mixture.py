"""The logistic function as a mixture of normal distribution functions.

With K distributed as Kolmogorov's statistic and Phi the normal distribution function,
``1 / (1 + exp(-t)) = E Phi(t / 2K)``. A Gauss rule with respect to that law (for polynomials in
log K) turns Gaussian averages of tanh, sigmoid, softplus and silu into finite sums of closed
forms. Unlike quadrature over the inputs, it costs the same for weights of any size.

References
----------
D. F. Andrews, C. L. Mallows, Scale mixtures of normal distributions, JRSS B 1974.
L. A. Stefanski, A normal scale mixture representation of the logistic distribution, 1991.
J. F. Monahan, L. A. Stefanski, Normal scale mixture approximations to F*(z), 1992.
"""

from __future__ import annotations

import math
from typing import Any

from meanfield.kernels.compile import jit

# fmt: off
# Nodes and weights: 22 are the fewest that leave an error below 2e-14 in the logistic function
# (and in its integral; 6e-14 in its derivative).
SPREADS = (
    0.208503725259613908, 0.238956598145073956, 0.271016306674113838, 0.306782467992060214,
    0.347748317527802557, 0.395416483509336755, 0.451467984405802579, 0.517828201624560492,
    0.596674245266846035, 0.690374937104740292, 0.801337315068484416, 0.931739499165181034,
    1.08321180842418115, 1.25672601155588677, 1.45289367305050396, 1.67240084185487838,
    1.9163557157094871, 2.18672183137643093, 2.48710155199645562, 2.82439577772642806,
    3.21325650909392669, 3.69403666912031606,
)
WEIGHTS = (
    4.71901795996913859e-11, 2.35980653334232173e-8, 1.89920825133789509e-6,
    0.0000519316799887935345, 0.000657393433853948357, 0.00457330319778258261,
    0.019545104324177157, 0.0556110265682907353, 0.112098497016562498, 0.16825323179384239,
    0.195541881855595196, 0.180757144013761515, 0.134167102876672832, 0.0788780987676428389,
    0.0354199822303834033, 0.0115236721982519593, 0.00254227551554358765,
    0.000349707850460076528, 0.0000267551793622693398, 9.56899954700387877e-7,
    1.17210973592031128e-8, 2.32693077417801377e-11,
)
# fmt: on
COUNT = len(WEIGHTS)
NEGLIGIBLE = 1e-17


def mixture(
    evaluate: Any, base_pair: Any, base_mean: Any, scale: float, linear: bool
) -> tuple[Any, Any]:
    """``pair`` and ``mean`` of a mixture (see `meanfield.activations.base` for what these are).

    Parameters
    ----------
    evaluate : compiled function
        The mixture s itself, for pre-activations without spread.
    base_pair, base_mean : compiled functions
        Of the function g that is mixed, whose parameters are ``(1.0,)`` or none.
    scale : float
        s(t) is the average of ``g(t / c)`` over ``c = scale · K``,
    linear : bool
        or of ``c g(t / c)``, for g that grows linearly.
    """
    scales = tuple(scale * spread for spread in SPREADS)

    @jit
    def pair(p, m1, s1, m2, s2, rho, r):
        value, d_mean, radial, tangential = 0.0, 0.0, 0.0, 0.0
        for i in range(COUNT):
            c = scales[i]
            for j in range(COUNT):
                weight = WEIGHTS[i] * WEIGHTS[j]
                if weight < NEGLIGIBLE:
                    continue
                d = scales[j]
                k, dm, dr, dt = base_pair((1.0,), m1 / c, s1 / c, m2 / d, s2 / d, rho, r)
                if linear:
                    weight *= c * d
                value += weight * k
                d_mean += weight / c * dm
                radial += weight / c * dr
                tangential += weight / c * dt
        return value, d_mean, radial, tangential

    @jit
    def mean(p, m, s):
        if s == 0.0:
            value, slope = evaluate(p, m)
            return value, slope, 0.0
        value, slope, curve = 0.0, 0.0, 0.0
        for i in range(COUNT):
            c = scales[i]
            weight = WEIGHTS[i] * c if linear else WEIGHTS[i]
            f, df, ddf = base_mean((1.0,), m / c, s / c)
            value += weight * f
            slope += weight / c * df
            curve += weight / c * ddf
        return value, slope, curve

    return pair, mean


SIGMOID_SCALE = 2.0
# tanh t = 2 sigmoid(2 t) - 1 is a mixture of erf(t / c).
TANH_SCALE = math.sqrt(2.0)
