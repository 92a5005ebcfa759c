"""Functionals of a measure: what descends."""

from meanfield.functionals.base import Evaluation, Functional, Sum
from meanfield.functionals.entropy import Entropy
from meanfield.functionals.interactions import FiniteRank, RandomBatches, summations
from meanfield.functionals.losses import Loss, losses
from meanfield.functionals.potential import Interaction, Potential, gradient_error
from meanfield.functionals.regularisers import L1, L2, TV, Linear, regularisers
from meanfield.functionals.risk import Risk

__all__ = [
    "L1",
    "L2",
    "TV",
    "Entropy",
    "Evaluation",
    "FiniteRank",
    "Functional",
    "Interaction",
    "Linear",
    "Loss",
    "Potential",
    "RandomBatches",
    "Risk",
    "Sum",
    "gradient_error",
    "losses",
    "regularisers",
    "summations",
]
