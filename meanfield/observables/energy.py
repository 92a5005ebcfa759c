"""Energy and what becomes of it."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import ArrayLike

from meanfield.errors import Unsupported, require
from meanfield.flows.kinetic import SecondOrder
from meanfield.functionals import Entropy
from meanfield.observables.base import Observable, View, observables


@observables.register("energy")
class Energy(Observable):
    """``energy``: the driving energy (without entropy), and every part with its weight."""

    def __call__(self, view: View) -> Mapping[str, ArrayLike]:
        parts = view.evaluation.parts
        require("energy" not in parts, "name", "energy", "another name for a term of the energy")
        return {"energy": view.evaluation.value, **parts}


@observables.register("free-energy")
class FreeEnergy(Observable):
    """``entropy`` = ∫ρ log ρ, estimated, and ``free_energy`` = energy + τ entropy.

    The estimate, by nearest neighbours, needs many particles per dimension: it says little in 30.
    """

    def __call__(self, view: View) -> Mapping[str, ArrayLike]:
        moving = view.flow.speeds(view.ensemble.layout) > 0
        entropy = Entropy().estimate(view.ensemble, moving)
        free = view.evaluation.value + view.flow.temperature * entropy
        return {"entropy": entropy, "free_energy": free}


@observables.register("pairs-error")
class PairsError(Observable):
    """``pairs_error_potential``, ``pairs_error_gradient``: how far a fast sum may be off.

    Zero for the exact sum; a bound or a standard error, as the ``pairs`` of the risk says, of the
    derivatives of the first variation in the outer weights and in the inner weights, |a| = 1.
    """

    def __call__(self, view: View) -> Mapping[str, ArrayLike]:
        potential, gradient = view.risk.pairs_error(view.ensemble)
        return {"pairs_error_potential": potential, "pairs_error_gradient": gradient}


@observables.register("kinetic-energy")
class KineticEnergy(Observable):
    """``kinetic_energy`` = ½ ∫ <v, M⁻¹ v> dμ, and ``total_energy``: energy and kinetic energy."""

    def __call__(self, view: View) -> Mapping[str, ArrayLike]:
        if not isinstance(view.flow, SecondOrder):
            raise Unsupported(
                f"the flow {view.flow.kind!r} has no velocities: leave 'kinetic-energy' out"
            )
        kinetic = view.flow.kinetic_energy(view.ensemble)
        return {"kinetic_energy": kinetic, "total_energy": view.evaluation.value + kinetic}


@observables.register("mass")
class Mass(Observable):
    """``total_mass``, and ``effective_particles`` = (Σm)²/Σm²: how many carry the mass."""

    def __call__(self, view: View) -> Mapping[str, ArrayLike]:
        mass = view.ensemble.mass
        total = float(view.ensemble.mean(np.ones(len(mass))))
        return {"total_mass": total, "effective_particles": total**2 / float(mass @ mass)}


@observables.register("dissipation")
class Dissipation(Observable):
    """``dissipation``: rate at which what the flow descends decreases, without noise.

    ∫ <∇F', M ∇F'> dρ along a gradient flow, plus β Var(F') where masses react; γ ∫ <v, M⁻¹ v> dμ
    along a kinetic flow, of energy and kinetic energy together.
    """

    def __call__(self, view: View) -> Mapping[str, ArrayLike]:
        return {"dissipation": view.flow.dissipation(view.ensemble, view.evaluation)}
