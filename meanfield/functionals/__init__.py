"""Functionals of a measure: what descends."""

from meanfield.functionals.base import Evaluation, Functional, Sum, network_of
from meanfield.functionals.cloud_entropy import CloudEntropy
from meanfield.functionals.discrepancies import KSD, MMD
from meanfield.functionals.entropy import Entropy
from meanfield.functionals.gaussians import covariances, gaussian_particles
from meanfield.functionals.interactions import FiniteRank, RandomBatches, summations
from meanfield.functionals.losses import Loss, losses
from meanfield.functionals.potential import Interaction, Potential, gradient_error
from meanfield.functionals.regularised_entropy import RegularisedEntropy
from meanfield.functionals.regularisers import L1, L2, TV, Linear, functionals, regularisers
from meanfield.functionals.risk import Risk

__all__ = [
    "KSD",
    "L1",
    "L2",
    "MMD",
    "TV",
    "CloudEntropy",
    "Entropy",
    "Evaluation",
    "FiniteRank",
    "Functional",
    "Interaction",
    "Linear",
    "Loss",
    "Potential",
    "RandomBatches",
    "RegularisedEntropy",
    "Risk",
    "Sum",
    "covariances",
    "functionals",
    "gaussian_particles",
    "gradient_error",
    "losses",
    "network_of",
    "regularisers",
    "summations",
]
