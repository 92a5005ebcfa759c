"""The entropy of a mollified measure, which has a gradient on particles."""

from __future__ import annotations

import math

import numpy as np

from meanfield.arrays import Array
from meanfield.ensemble import Ensemble
from meanfield.errors import require_positive
from meanfield.functionals.base import Evaluation, Functional
from meanfield.functionals.regularisers import functionals
from meanfield.interactions import RBF
from meanfield.kernels import reductions
from meanfield.kernels.pairwise import pairwise


@functionals.register("regularised-entropy")
class RegularisedEntropy(Functional):
    """∫ log(K * ρ) dρ with the Gaussian density K of standard deviation h in every column.

    It tends to `Entropy` as h → 0. The first variation is log(K * ρ) + K * (ρ / (K * ρ)), and both
    terms have a gradient: particles leave where the density is high, and where others see them in
    a low one. The density is that of all columns, of frozen blocks too. Particles sample it well
    while their distances are below h.

    Parameters
    ----------
    bandwidth : float
        h.

    References
    ----------
    J. A. Carrillo, K. Craig, F. S. Patacchini, A blob method for diffusion, Calc. Var. 58, 2019
    (there the case m = 1).
    """

    name = "regularised-entropy"

    def __init__(self, bandwidth: float = 0.1) -> None:
        require_positive("bandwidth", bandwidth)
        self.bandwidth = float(bandwidth)
        self._kernel = RBF(self.bandwidth)

    def log_density(self, ensemble: Ensemble) -> Array:
        """log(K * ρ) at the particles, (N,)."""
        density, _ = pairwise(self._kernel, ensemble.position, ensemble.mass)
        return self._logs(ensemble, density)

    def evaluate(self, ensemble: Ensemble) -> Evaluation:
        position, mass = ensemble.position, ensemble.mass
        density, slope = pairwise(self._kernel, position, mass)
        seen = np.divide(mass, density, out=np.zeros_like(mass), where=mass > 0)
        share, pull = pairwise(self._kernel, position, seen)
        logs = self._logs(ensemble, density)
        value = float(reductions.mean(logs, mass))
        gradient = slope / density[:, None] + pull
        return Evaluation(value, logs + share, gradient, {self.name: value})

    def _logs(self, ensemble: Ensemble, density: Array) -> Array:
        # The constant of K cancels but in the logarithm, and would overflow in many dimensions.
        log_constant = -0.5 * ensemble.dim * math.log(2.0 * math.pi * self.bandwidth**2)
        return np.log(density) + density.dtype.type(log_constant)

    def __repr__(self) -> str:
        return f"RegularisedEntropy({self.bandwidth:g})"
