"""Small sweeps, and what must be the same however they were run."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from pathlib import Path

import meanfield as mf
from meanfield.config import ExperimentFile
from meanfield.sweeps import Sweep
from meanfield.sweeps.design import Design
from meanfield.sweeps.executors import Workers
from meanfield.sweeps.folder import Folder
from meanfield.sweeps.sweep import run_design
from tests.reliability.runs import contents

EXPERIMENT = """
[network]
activation = "tanh"
outer = "fixed"
[data]
kind = "arrays"
x = [[-1.0], [0.5], [2.0]]
y = [-0.3, 0.5, 0.6]
[energy]
l2 = 0.1
temperature = 0.05
[ensemble]
count = 6
scale = { a = 0.0 }
mean = { a = 1.0 }
[scheme]
step = 0.1
[run]
until = 1.0
observe_when = { steps = 1 }
checkpoint = { steps = 2 }
"""

# An observable that ends its process, or its parent's too, in the middle of a run: once, if asked.
DEADLY = """
import os, signal
from pathlib import Path
from meanfield.observables import Observable, observables

@observables.register("deadly")
class Deadly(Observable):
    def __init__(self, marker: str, count: int, step: int = 5, parent: bool = False,
                 always: bool = False) -> None:
        super().__init__(None)
        self.marker, self.count, self.step = Path(marker), count, step
        self.parent, self.always = parent, always

    def __call__(self, view):
        here = view.ensemble.step == self.step and len(view.ensemble) == self.count
        if here and (self.always or not self.marker.exists()):
            self.marker.touch()
            if self.parent:
                os.kill(os.getppid(), signal.SIGKILL)
            os.kill(os.getpid(), signal.SIGKILL)
        return {"alive": 1.0}
"""


def write(folder: Path, text: str = EXPERIMENT, name: str = "small") -> Path:
    path = folder / f"{name}.toml"
    path.write_text(text)
    return path


def deadly(folder: Path, **keys: object) -> Path:
    """The experiment with a deadly observable."""
    (folder / "deadly.py").write_text(DEADLY)
    marker = f"marker = {str(folder / 'marker')!r}"
    given = ", ".join([marker, *(f"{k} = {str(v).lower()}" for k, v in keys.items())])
    observe = f'observe = ["energy", {{ kind = "deadly", {given} }}]\n'
    return write(folder, 'python = ["deadly.py"]\n' + EXPERIMENT + observe, "deadly")


@contextlib.contextmanager
def _in_a_thread(_: int) -> Iterator[Executor]:
    with ThreadPoolExecutor(1) as pool:
        yield pool


HERE = Workers(_in_a_thread, 1)  # without processes, for what is not about these


def inline(path: Path, folder: Path, grid: dict[str, list], seeds: int) -> Sweep:
    """The sweep, without processes."""
    return run_design(Design.of(ExperimentFile.read(path), grid, seeds), folder, HERE)


def everything(found: Sweep) -> dict[str, dict]:
    """The bits of all runs, by hash."""
    bits = {}
    for digest in found.order:
        with mf.open(Folder(found.path).run(digest)) as run:
            bits[digest] = contents(run)
    return bits
