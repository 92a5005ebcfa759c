"""The limit N → ∞ itself, without particles: closed forms, reduced systems, fixed points."""

from meanfield.limits.anisotropic import AnisotropicGaussians
from meanfield.limits.base import Limit, Oracle, checked_times, oracles
from meanfield.limits.finite_volumes import Samples
from meanfield.limits.fokker_planck import FokkerPlanck, normal
from meanfield.limits.gaussians import (
    BuresWasserstein,
    GaussianWassersteinFisherRao,
    LinearQuadratic,
    linear_neurons,
    ornstein_uhlenbeck,
)
from meanfield.limits.gibbs import Gibbs
from meanfield.limits.matrices import CentredQuadraticNetwork, LinearNetwork, QuadraticNetwork
from meanfield.limits.order_parameters import OrderParameters
from meanfield.limits.spectrum import Spectrum, eyring_kramers
from meanfield.limits.stationary import SelfConsistency, SelfConsistent
from meanfield.limits.teacher import ReLUTeacher
from meanfield.limits.two_gaussians import TwoGaussians, TwoGaussiansInDimension
from meanfield.limits.two_gaussians_minimum import TwoGaussiansMinimum, one_radius, threshold

__all__ = [
    "AnisotropicGaussians",
    "BuresWasserstein",
    "CentredQuadraticNetwork",
    "FokkerPlanck",
    "GaussianWassersteinFisherRao",
    "Gibbs",
    "Limit",
    "LinearNetwork",
    "LinearQuadratic",
    "Oracle",
    "OrderParameters",
    "QuadraticNetwork",
    "ReLUTeacher",
    "Samples",
    "SelfConsistency",
    "SelfConsistent",
    "Spectrum",
    "TwoGaussians",
    "TwoGaussiansInDimension",
    "TwoGaussiansMinimum",
    "checked_times",
    "eyring_kramers",
    "linear_neurons",
    "normal",
    "one_radius",
    "oracles",
    "ornstein_uhlenbeck",
    "threshold",
]
