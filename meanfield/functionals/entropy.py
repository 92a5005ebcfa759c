"""Entropy, which noise realises and particles can only estimate."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree
from scipy.special import digamma, gammaln

from meanfield.ensemble import Ensemble
from meanfield.errors import Unsupported, require_count
from meanfield.functionals.base import Evaluation, Functional, Sum


class Entropy(Functional):
    """Ent(ρ) = ∫ ρ log ρ (NOT minus): τ Ent in the energy is noise √(2τ) in the Langevin flow.

    An ensemble of atoms has no density, so there is no gradient here; `Langevin` reads the weight
    τ off the energy and adds the noise. The value is an estimate of minus the differential entropy.

    Parameters
    ----------
    neighbour : int
        Distance to which neighbour the estimate uses.

    References
    ----------
    L. Kozachenko, N. Leonenko, Problems of Information Transmission, 1987.
    """

    name = "entropy"

    def __init__(self, neighbour: int = 3) -> None:
        require_count("neighbour", neighbour)
        self.neighbour = neighbour

    def value(self, ensemble: Ensemble) -> float:
        """Estimate of ∫ ρ log ρ over the blocks that are not frozen; needs equal masses."""
        return self.estimate(ensemble, ensemble.layout.moving)

    def estimate(self, ensemble: Ensemble, columns: NDArray[np.bool_]) -> float:
        """The same over chosen columns (p,)."""
        n, k = len(ensemble), self.neighbour
        if not np.allclose(ensemble.mass, 1.0 / n) or n <= k:
            raise Unsupported(
                f"the entropy estimate needs equal masses and more than {k} particles"
            )
        points = ensemble.position[:, columns]
        d = points.shape[1]
        distance, _ = cKDTree(points).query(points, k=k + 1)
        with np.errstate(divide="ignore"):
            logs = np.log(distance[:, -1])
        log_ball = 0.5 * d * np.log(np.pi) - gammaln(0.5 * d + 1)
        return -float(digamma(n) - digamma(k) + log_ball + d * logs.mean())

    def evaluate(self, ensemble: Ensemble) -> Evaluation:
        raise Unsupported(
            "the entropy has no gradient on particles: "
            "the flow 'langevin' turns its weight into noise"
        )

    def __repr__(self) -> str:
        return "Entropy"


def with_entropy(energy: Functional, stand_in: Functional) -> Functional:
    """The same energy with another functional in the place of `Entropy`."""
    return Sum([(c, stand_in if isinstance(t, Entropy) else t) for c, t in energy.terms()])
