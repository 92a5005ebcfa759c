"""Runs and tables on disk; the only place that imports h5py."""

from meanfield.storage.journal import Checkpoint, Journal, check_writable
from meanfield.storage.opening import exists, finished, open_run
from meanfield.storage.parts import tidy
from meanfield.storage.plan import Plan, require_same
from meanfield.storage.provenance import now, provenance
from meanfield.storage.run import Frames, Run, summarise
from meanfield.storage.segment import Memory
from meanfield.storage.tables import read_table

__all__ = [
    "Checkpoint",
    "Frames",
    "Journal",
    "Memory",
    "Plan",
    "Run",
    "check_writable",
    "exists",
    "finished",
    "now",
    "open_run",
    "provenance",
    "read_table",
    "require_same",
    "summarise",
    "tidy",
]
