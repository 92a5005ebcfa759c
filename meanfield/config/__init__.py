"""Experiments as files: read, check, override, write back, run."""

from meanfield.config.experiment import Experiment
from meanfield.config.files import ExperimentFile
from meanfield.config.problems import Mistakes
from meanfield.config.setting import Setting, setting
from meanfield.config.shipped import find, shipped
from meanfield.config.study import Study

__all__ = [
    "Experiment",
    "ExperimentFile",
    "Mistakes",
    "Setting",
    "Study",
    "find",
    "setting",
    "shipped",
]
