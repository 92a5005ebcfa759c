"""Flows: how an energy descends."""

from meanfield.flows.base import Flow, Moves, flows
from meanfield.flows.birth_death import BirthDeath
from meanfield.flows.blob import Blob
from meanfield.flows.bures_wasserstein import BuresWasserstein
from meanfield.flows.conic import Conic
from meanfield.flows.cooling import coolings
from meanfield.flows.fisher_rao import FisherRao, WassersteinFisherRao
from meanfield.flows.kinetic import HeavyBall, Kinetic, Nesterov
from meanfield.flows.langevin import Langevin
from meanfield.flows.manifolds import manifolds
from meanfield.flows.sgd import SGDDiffusion
from meanfield.flows.stein import Stein
from meanfield.flows.wasserstein import Wasserstein

__all__ = [
    "BirthDeath",
    "Blob",
    "BuresWasserstein",
    "Conic",
    "FisherRao",
    "Flow",
    "HeavyBall",
    "Kinetic",
    "Langevin",
    "Moves",
    "Nesterov",
    "SGDDiffusion",
    "Stein",
    "Wasserstein",
    "WassersteinFisherRao",
    "coolings",
    "flows",
    "manifolds",
]
