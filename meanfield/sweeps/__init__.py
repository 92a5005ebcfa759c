"""Many runs of one experiment: over a grid, from many seeds, on many processes."""

from meanfield.sweeps.chaos import Chaos, chaos
from meanfield.sweeps.sweep import Failure, Sweep, sweep

__all__ = ["Chaos", "Failure", "Sweep", "chaos", "sweep"]
