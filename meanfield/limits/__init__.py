"""The limit N → ∞ itself, without particles: closed forms, reduced systems, fixed points."""

from meanfield.limits.base import Limit, Oracle, checked_times, oracles
from meanfield.limits.fokker_planck import FokkerPlanck, normal
from meanfield.limits.spectrum import Spectrum, eyring_kramers
from meanfield.limits.stationary import SelfConsistency, SelfConsistent
from meanfield.limits.sweeps import Samples

__all__ = [
    "FokkerPlanck",
    "Limit",
    "Oracle",
    "Samples",
    "SelfConsistency",
    "SelfConsistent",
    "Spectrum",
    "checked_times",
    "eyring_kramers",
    "normal",
    "oracles",
]
