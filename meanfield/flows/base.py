"""What a flow is: it turns the gradient of a functional into motion of particles."""

from __future__ import annotations

from abc import ABC
from collections.abc import Mapping
from typing import ClassVar

import numpy as np

from meanfield.arrays import Array
from meanfield.ensemble import Ensemble, Layout
from meanfield.errors import InvalidInput, require_nonnegative
from meanfield.functionals import Entropy, Evaluation, Functional, Sum
from meanfield.kernels import reductions
from meanfield.registry import Registry


class Flow(ABC):
    """Descent of an energy in a geometry of measures.

    Parameters
    ----------
    energy : Functional
        F(ρ), possibly with a multiple of `Entropy`.
    mobility : mapping of str to float, optional
        Speed M ≥ 0 of each block, default 1; 0 freezes a block. Blocks that the layout freezes
        stay frozen.

    Attributes
    ----------
    driving : Functional
        The energy without its entropy: what has a gradient on particles.
    temperature : float
        The weight τ of the entropy.
    """

    kind: ClassVar[str]

    def __init__(self, energy: Functional, mobility: Mapping[str, float] | None = None) -> None:
        self.energy = energy
        self.mobility = dict(mobility or {})
        for block, speed in self.mobility.items():
            require_nonnegative(f"mobility.{block}", speed)
        smooth = [(c, term) for c, term in energy.terms() if not isinstance(term, Entropy)]
        self.driving: Functional = Sum(smooth)
        self.temperature = sum(c for c, term in energy.terms() if isinstance(term, Entropy))
        require_nonnegative("temperature", self.temperature)

    def speeds(self, layout: Layout) -> Array:
        """Mobility of each column (p,)."""
        for block in self.mobility:
            if block not in layout.blocks:
                known = ", ".join(layout.blocks)
                raise InvalidInput(f"mobility.{block}", self.mobility[block], f"a block of {known}")
        return layout.spread({**self.mobility, **dict.fromkeys(layout.frozen, 0.0)}, default=1.0)

    def velocity(self, ensemble: Ensemble, evaluation: Evaluation) -> Array:
        """dθ/dt without the noise, (N, p): ``-M ∇F'``."""
        gradient, speeds = evaluation.gradient, self.speeds(ensemble.layout)
        if np.all(speeds == speeds[0]):  # one number is multiplied in a tenth of the time
            return -float(speeds[0]) * gradient
        return -speeds.astype(gradient.dtype, copy=False) * gradient

    def noise(self, layout: Layout) -> Array | None:
        """Standard deviation of the noise per square root of time, (p,); None: no noise."""
        return None

    def dissipation(self, ensemble: Ensemble, evaluation: Evaluation) -> float:
        """``∫ <∇F', M ∇F'> dρ`` of the driving energy: its rate of decrease without noise."""
        speeds = self.speeds(ensemble.layout)
        return reductions.dissipation(evaluation.gradient, speeds, ensemble.mass)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.energy!r})"


flows: Registry[Flow] = Registry("flow")
