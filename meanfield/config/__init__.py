"""Experiments as files: read, check, override, write back, run."""

from meanfield.config.experiment import Experiment
from meanfield.config.shipped import find, shipped
from meanfield.config.tables import Mistakes

__all__ = ["Experiment", "Mistakes", "find", "shipped"]
