"""Runs and tables on disk; the only place that imports h5py."""

from meanfield.storage.provenance import now, provenance
from meanfield.storage.recorder import Plan, Recorder
from meanfield.storage.run import Frames, Run, open_run, summarise
from meanfield.storage.tables import read_table

__all__ = [
    "Frames",
    "Plan",
    "Recorder",
    "Run",
    "now",
    "open_run",
    "provenance",
    "read_table",
    "summarise",
]
