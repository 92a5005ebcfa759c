"""What a flow is: it turns the gradient of a functional into motion of particles."""

from __future__ import annotations

import math
from abc import ABC
from collections.abc import Mapping
from enum import Enum
from typing import ClassVar

import numpy as np

from meanfield import random
from meanfield.arrays import Array
from meanfield.ensemble import Ensemble, Layout, Motion
from meanfield.errors import InvalidInput, Unsupported, require_nonnegative
from meanfield.flows.manifolds import Constraint, Manifold, manifolds
from meanfield.functionals import Entropy, Evaluation, Functional, Sum
from meanfield.kernels import reductions
from meanfield.registry import Registry


class Moves(Enum):
    """What a flow changes; a scheme says which of these it can cut into steps."""

    TRANSPORT = "positions"
    NOISE = "noise"
    SAMPLING = "noise that depends on the state"
    REACTION = "masses"
    MOMENTUM = "velocities"
    JUMPS = "births and deaths"


class Flow(ABC):
    """Descent of an energy in a geometry of measures.

    Parameters
    ----------
    energy : Functional
        F(ρ), possibly with a multiple of `Entropy`.
    mobility : mapping of str to float, optional
        Speed M ≥ 0 of each block, default 1; 0 freezes a block. Blocks that the layout freezes
        stay frozen.
    constraint : mapping of str to str or table, optional
        Set that a block stays on, e.g. ``{"w": "sphere"}``: see `meanfield.flows.manifolds`.

    Attributes
    ----------
    driving : Functional
        The energy without its entropy: what has a gradient on particles.
    temperature : float
        The weight τ of the entropy.
    """

    kind: ClassVar[str]
    # The scheme that an experiment takes if it names none: without and with a temperature.
    usual: ClassVar[tuple[str, str]] = ("euler", "euler-maruyama")

    def __init__(
        self,
        energy: Functional,
        mobility: Mapping[str, float] | None = None,
        constraint: Constraint | None = None,
    ) -> None:
        self.energy = energy
        self.mobility = dict(mobility or {})
        for block, speed in self.mobility.items():
            require_nonnegative(f"mobility.{block}", speed)
        self.constraint: dict[str, Manifold] = {
            block: manifolds.make(f"constraint.{block}", spec)
            for block, spec in (constraint or {}).items()
        }
        smooth = [(c, term) for c, term in energy.terms() if not isinstance(term, Entropy)]
        self.driving: Functional = Sum(smooth)
        self.temperature = sum(c for c, term in energy.terms() if isinstance(term, Entropy))
        require_nonnegative("temperature", self.temperature)

    def refuse_temperature(self, instead: str) -> None:
        """Raise `Unsupported` if the energy has an entropy; name the flow that has noise for it."""
        if self.temperature > 0:
            raise Unsupported(
                f"the flow {self.kind!r} has no noise for the temperature {self.temperature:g}: "
                f"use the flow {instead!r}, or temperature 0"
            )

    @property
    def moves(self) -> frozenset[Moves]:
        """What changes along this flow."""
        return frozenset({Moves.TRANSPORT})

    @property
    def is_plain(self) -> bool:
        """Whether every particle follows -M∇F' at its own place, along the constraints."""
        return type(self).velocity is Flow.velocity

    def speeds(self, layout: Layout) -> Array:
        """Mobility of each column (p,)."""
        for block in (*self.mobility, *self.constraint):
            if block not in layout.blocks:
                key = "mobility" if block in self.mobility else "constraint"
                speed = self.mobility.get(block)
                given = self.constraint[block].kind if speed is None else speed
                known = ", ".join(layout.blocks)
                raise InvalidInput(f"{key}.{block}", given, f"a block of {known}")
        return layout.spread({**self.mobility, **dict.fromkeys(layout.frozen, 0.0)}, default=1.0)

    def prepare(self, ensemble: Ensemble, seed: int) -> Ensemble:
        """The start of a run: what the flow needs beyond positions and masses is added.

        Raises
        ------
        InvalidInput
            If particles are not where they are to stay.
        """
        self.speeds(ensemble.layout)
        for block, surface in self.constraint.items():
            surface.require_inside(f"constraint.{block}", ensemble[block])
        return ensemble

    def descent(self, ensemble: Ensemble, evaluation: Evaluation) -> Array:
        """``-M ∇F'``, (N, p), along the constraints."""
        gradient, speeds = evaluation.gradient, self.speeds(ensemble.layout)
        if np.all(speeds == speeds[0]):  # one number is multiplied in a tenth of the time
            found = -float(speeds[0]) * gradient
        else:
            found = -speeds.astype(gradient.dtype, copy=False) * gradient
        return self.along(ensemble, found)

    def along(self, ensemble: Ensemble, vectors: Array) -> Array:
        """Vectors (N, p) at the particles without what leads off the constraints."""
        for block, surface in self.constraint.items():
            columns, here = ensemble.layout.columns(block), ensemble[block]
            part = vectors[:, columns].reshape(here.shape)
            vectors[:, columns] = surface.tangent(here, part).reshape(len(vectors), -1)
        return vectors

    def velocity(self, ensemble: Ensemble, evaluation: Evaluation) -> Array:
        """dθ/dt without the noise, (N, p)."""
        return self.descent(ensemble, evaluation)

    def motion(self, ensemble: Ensemble, evaluation: Evaluation) -> Motion:
        """All that changes, without the noise."""
        return Motion(self.velocity(ensemble, evaluation))

    def settle(self, ensemble: Ensemble) -> Ensemble:
        """The nearest state that the flow allows: a step leads off by its error."""
        if not self.constraint:
            return ensemble
        position = ensemble.position.copy()
        for block, surface in self.constraint.items():
            there = surface.nearest(ensemble[block])
            position[:, ensemble.layout.columns(block)] = there.reshape(len(position), -1)
        return ensemble.having(position=position)

    def noise(self, layout: Layout, time: float = 0.0) -> Array | None:
        """Standard deviation of the noise per square root of time, (p,); None: no noise."""
        return None

    def stir(self, ensemble: Ensemble, share: float, length: float, seed: int, step: int) -> None:
        """Add the noise of a step that ends here, times a share, to an ensemble, in place.

        The temperature is that of the middle of the step, which has the noise's variance to
        third order in its length.
        """
        amplitude = self.noise(ensemble.layout, ensemble.time - 0.5 * length)
        if amplitude is not None:
            scale = share * math.sqrt(length) * amplitude
            random.add_normal(self.stirred(ensemble), scale, seed, random.Stream.LANGEVIN, step)

    def stirred(self, ensemble: Ensemble) -> Array:
        """What the noise is added to, (N, p)."""
        return ensemble.position

    def dissipation(self, ensemble: Ensemble, evaluation: Evaluation) -> float:
        """Rate at which what the flow descends decreases, without noise.

        Here ``∫ <∇F', M ∇F'> dρ`` of the driving energy, along the constraints.
        """
        speeds = self.speeds(ensemble.layout)
        gradient = evaluation.gradient
        if self.constraint:
            gradient = self.along(ensemble, gradient.copy())
        return reductions.dissipation(gradient, speeds, ensemble.mass)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.energy!r})"


flows: Registry[Flow] = Registry("flow")
