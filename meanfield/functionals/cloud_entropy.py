"""The entropy of masses on points that stay."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from meanfield.ensemble import Ensemble
from meanfield.errors import require
from meanfield.functionals.base import Evaluation, Functional

TINY = float(np.finfo(float).tiny)


class CloudEntropy(Functional):
    """Σ_i m_i log(m_i / c_i): the entropy of masses relative to a cloud of points with cells c_i.

    It is a function of the masses alone: the first variation is log(m_i / c_i) + 1, and there is
    no gradient. What it is the entropy of, the points decide:

    * On a grid of cells of volume v, with c_i = v, the density is m_i / v and this is ∫ρ log ρ by
      the rule of rectangles. Equal cells c_i = 1/N change it by the constant log(N v) M, with M
      the total mass.
    * With N points from a law π and c_i = 1/N it is ∫ log(dρ/dπ) dρ relative to their empirical
      measure: KL(ρ|π) as N grows, for masses that follow a density of π. Then V + τ times it has
      the minimiser ∝ π e^{-V/τ}, which for ∫ρ log ρ wants c_i = 1/(N π(θ_i)).

    Parameters
    ----------
    cells : (N,) sequence, optional
        Sizes c_i > 0; default: 1/N each. A common factor of all changes a constant.
    """

    name = "cloud-entropy"

    def __init__(self, cells: Sequence[float] = ()) -> None:
        self.cells = np.asarray(cells, dtype=float)
        fine = self.cells.ndim == 1 and bool(np.all(np.isfinite(self.cells) & (self.cells > 0)))
        require(fine, "cells", cells, "one number > 0 for each particle")

    def evaluate(self, ensemble: Ensemble) -> Evaluation:
        count, mass = len(ensemble), ensemble.mass
        cells = self.cells if len(self.cells) else np.full(count, 1.0 / count)
        require(len(cells) == count, "cells", len(cells), f"as many cells as particles, {count}")
        # A mass that has left the floating-point numbers grows like the smallest of them, from 0.
        logs = np.log(np.maximum(mass, TINY) / cells)
        value = float(ensemble.mean(logs))
        variation = (logs + 1.0).astype(ensemble.dtype, copy=False)
        return Evaluation(value, variation, np.zeros_like(ensemble.position), {self.name: value})

    def __repr__(self) -> str:
        return "CloudEntropy"
