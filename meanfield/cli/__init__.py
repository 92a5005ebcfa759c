"""The command line: parse, call, print. Heavy imports wait until a command needs them."""

from meanfield.cli import (
    contents,
    drawing,
    experiments,
    running,
    runs,
    sweeps,
    system,
    view,
    watching,
)
from meanfield.cli.app import WRONG_INPUT, app, main

contents.arrange()

__all__ = [
    "WRONG_INPUT",
    "app",
    "contents",
    "drawing",
    "experiments",
    "main",
    "running",
    "runs",
    "sweeps",
    "system",
    "view",
    "watching",
]
