"""Flows: how an energy descends."""

from meanfield.flows.base import Flow, flows
from meanfield.flows.langevin import Langevin
from meanfield.flows.wasserstein import Wasserstein

__all__ = ["Flow", "Langevin", "Wasserstein", "flows"]
