"""Runs and tables on disk; the only place that imports h5py."""

from meanfield.storage.following import Follower, Sight, sight_of
from meanfield.storage.journal import Checkpoint, Journal, check_writable
from meanfield.storage.keep import Keep
from meanfield.storage.layout import ENDS
from meanfield.storage.names import PARTS
from meanfield.storage.opening import completed, exists, open_run
from meanfield.storage.parts import tidy
from meanfield.storage.plan import Plan, differences, require_same
from meanfield.storage.provenance import Origin, provenance, session_begins, session_ends
from meanfield.storage.run import Frames, Run, summarise
from meanfield.storage.segment import Memory
from meanfield.storage.tables import read_table

__all__ = [
    "ENDS",
    "PARTS",
    "Checkpoint",
    "Follower",
    "Frames",
    "Journal",
    "Keep",
    "Memory",
    "Origin",
    "Plan",
    "Run",
    "Sight",
    "check_writable",
    "completed",
    "differences",
    "exists",
    "open_run",
    "provenance",
    "read_table",
    "require_same",
    "session_begins",
    "session_ends",
    "sight_of",
    "summarise",
    "tidy",
]
