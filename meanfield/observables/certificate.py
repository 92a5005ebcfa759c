"""How far a measure is from optimal among all measures."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import numpy as np
from numpy.typing import ArrayLike

from meanfield import random
from meanfield.arrays import Array
from meanfield.ensemble import Ensemble
from meanfield.errors import Unsupported
from meanfield.flows import Flow
from meanfield.flows.fisher_rao import Reacting
from meanfield.functionals import CloudEntropy, Entropy, RegularisedEntropy
from meanfield.initial import Initial, initials
from meanfield.observables.base import Observable, View, observables
from meanfield.registry import OneOf
from meanfield.schedules import Schedule

ENTROPIES = (Entropy, RegularisedEntropy, CloudEntropy)


@observables.register("certificate")
class Certificate(Observable):
    """``certificate`` = min (F' - level), and ``support_gap`` = ∫ |F' - level| dρ.

    The minimum is over the particles and over probes: places drawn from a law, moved to the flow's
    constraints, and taken with both signs of the block ``a``. They join the ensemble with mass 0,
    so that nothing else changes. The level is ∫F'dρ over the mass, or 0 for a flow with a free
    total mass (``balanced = false``, "conic"). Where F is convex, ρ is optimal among all
    measures (on the probes' set, of this mass or of any) if and only if both numbers are 0, and

        F(ρ) - min F ≤ -certificate, or ≤ support_gap - M certificate where the mass is free,

    with M the mass of the minimiser, as far as the probes meet the least F'.

    Parameters
    ----------
    count : int
        Number of probes, of each sign.
    law : str or table
        The initial law that they are drawn from: "sphere", "normal" or "uniform", or a table.
    seed : int
        Of the probes, which are the same at every look.
    when : Schedule or table, optional

    References
    ----------
    L. Chizat, F. Bach, NeurIPS 2018 (the condition); L. Chizat, Mathematical
    Programming 2022.
    """

    def __init__(
        self,
        count: int = 1000,
        law: Annotated[str | Mapping[str, Any], OneOf(initials, without=("count",))] = "sphere",
        seed: int = 0,
        when: Schedule | Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(when)
        random.check_seed(seed)
        table = {"kind": law} if isinstance(law, str) else dict(law)
        self.law: Initial = initials.make("law", {"count": count, **table})
        self.seed = seed

    def __call__(self, view: View) -> Mapping[str, ArrayLike]:
        flow, ensemble = view.flow, view.ensemble
        if any(isinstance(term, ENTROPIES) for _, term in flow.energy.terms()):
            raise Unsupported(
                "the observable 'certificate' needs an energy without entropy, whose first "
                "variation is finite where there is no mass: use temperature 0"
            )
        mass, count = ensemble.mass, len(ensemble)
        places = np.vstack([ensemble.position, self._probes(flow, ensemble)])
        joined = ensemble.having(
            position=places, mass=np.pad(mass, (0, len(places) - count)), velocity=None
        )
        variation = flow.driving.first_variation(joined).astype(float, copy=False)
        free = isinstance(flow, Reacting) and not flow.balanced
        mean = float(ensemble.mean(variation[:count]) / ensemble.mean(np.ones(count)))
        away = variation - (0.0 if free else mean)
        return {"certificate": away.min(), "support_gap": ensemble.mean(np.abs(away[:count]))}

    def _probes(self, flow: Flow, ensemble: Ensemble) -> Array:
        layout = ensemble.layout
        # Another stream than the particles' start: the seed is folded, not shared.
        folded = random.generator(self.seed, random.Stream.PROBES).integers(2**63)
        position = flow.settle(self.law.draw(layout, int(folded))).position
        if "a" in layout.blocks:
            other = position.copy()
            other[:, layout.columns("a")] *= -1.0
            position = np.vstack([position, other])
        return position.astype(ensemble.dtype, copy=False)
