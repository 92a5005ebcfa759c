"""The command line: parse, call, print. Heavy imports wait until a command needs them."""

# Their order is that of the commands in the help.
from meanfield.cli import experiments, running, runs, drawing, sweeps, system  # isort: skip
from meanfield.cli.app import WRONG_INPUT, app, main

__all__ = [
    "WRONG_INPUT",
    "app",
    "drawing",
    "experiments",
    "main",
    "running",
    "runs",
    "sweeps",
    "system",
]
