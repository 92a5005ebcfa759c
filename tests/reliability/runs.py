"""Small runs that are stopped and continued, and what must be the same afterwards."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import h5py
import numpy as np

import meanfield as mf
from meanfield.kernels import compile as compiling
from meanfield.loop import Problem
from meanfield.simulation import simulate_replicas
from meanfield.storage import Checkpoint, Run, exists
from tests.conftest import size
from tests.reliability.dying import KINDS, disk

FULL = bool(os.environ.get("MEANFIELD_FULL"))  # every point, not a sample: two minutes
RNG = np.random.default_rng(2)
NETWORK = mf.TwoLayer("tanh", 1)
RISK = mf.Risk(NETWORK, mf.FiniteData(RNG.standard_normal((3, 1)), [0.1, 0.5, 0.2]))
FLOWS = {
    "deterministic": (lambda: mf.HeavyBall(RISK + 0.1 * mf.L2()), mf.BAOAB(0.1)),
    "langevin": (lambda: mf.Langevin(RISK + 0.1 * mf.Entropy()), mf.EulerMaruyama(0.1)),
    "birth-death": (lambda: mf.BirthDeath(RISK, beta=20.0), mf.Lie(0.1)),
}
SEEDS = [3, 8]
EXPERIMENT = """
[network]
activation = "tanh"
[data]
kind = "arrays"
x = [[0.0], [1.0]]
y = [0.1, 0.5]
[ensemble]
count = 4
[scheme]
step = 0.1
[run]
until = 1.0
checkpoint = { steps = 2 }
"""


def contents(run: Run) -> dict[str, Any]:
    """Everything that a run found, by name: frames, series and state, as bytes."""
    found: dict[str, Any] = {}

    def visit(name: str, item: Any) -> None:
        if isinstance(item, h5py.Dataset):
            value = np.asarray(item[()])
            text = value.dtype.kind == "O"
            found[f"{group}/{name}"] = value.tolist() if text else (value.shape, value.tobytes())

    for group in ("frames", "observables", "state"):
        run.file[group].visititems(visit)
    return found


def stopping_after(done: int) -> Callable[[int, int, Any], None]:
    """A progress callback that stops a run which has this many steps behind it."""

    def progress(step: int, total: int, view: Any) -> None:
        if step == done + 1:
            raise KeyboardInterrupt

    return progress


@contextmanager
def threads(count: int) -> Iterator[None]:
    """Another number of threads, or as many as there are."""
    before = compiling.threads()
    compiling.set_threads(count)
    try:
        yield
    finally:
        compiling.set_threads(before)


def run(name: str, out: Path | None, until: float = 0.6, **settings: Any) -> Run:
    """Two seeds, six steps each, sealed after every third."""
    flow, scheme = FLOWS[name]
    start = mf.NormalInit(4)
    return simulate_replicas(
        [lambda seed=s: Problem(flow(), start.draw(NETWORK.layout, seed), seed) for s in SEEDS],
        seeds=SEEDS,
        scheme=scheme,
        until=until,
        observe=[mf.Energy(), mf.W2("previous", when={"steps": 2})],
        observe_when={"steps": 1},
        frames={"steps": 2},
        out=out,
        checkpoint=Checkpoint(steps=3),
        **settings,
    )


@cache
def expected(name: str) -> dict:
    """What an uninterrupted run finds."""
    return contents(run(name, None))


@cache
def calls(runner: Callable[[Path], None], folder: Path) -> int:
    """How many calls a writer makes that does not die."""
    with disk() as seen:
        runner(folder / "counted.h5")
    return len(seen.calls)


def points(count: int, share: int) -> list[tuple[int, str]]:
    """Where to die, and how; of a sample every point has its own kind, and both ends are in."""
    every = [(n, kind) for n in range(count) for kind in KINDS]
    return every if FULL else every[:: size(share, 6 * share)] + every[-1:]


def check_what_is_left(path: Path, whole: dict, sealed: dict[int, int]) -> None:
    """What can be read is as if the run had not died, as far as it goes; all that was sealed is."""
    if not exists(path):
        assert not sealed
        return
    with mf.open(path) as left:
        for place, seed in enumerate(SEEDS):
            reached = left.replica(seed)
            if place in sealed:
                assert reached.final.step >= sealed[place]
            for group in ("frames", "observables"):
                for series, data in left.file[group].items():
                    if data.ndim < 2 or data.shape[0] != len(SEEDS):
                        continue
                    shape, kept = whole[f"{group}/{series}"]
                    full = np.frombuffer(kept, data.dtype).reshape(shape)[place]
                    rows = data[place]
                    known = np.isfinite(rows)
                    assert np.array_equal(rows[known], full[: len(rows)][known])
            if "time" in left.file["state"] and np.isfinite(left.file["state/step"][place]):
                step = reached.final.step
                assert np.isfinite(left["energy"].values[place][: step + 1]).all()


def check_the_end(path: Path, whole: dict, found: Run) -> None:
    """It is finished, to the bit, and nothing else is left."""
    assert (found.status, found.path) == ("finished", path)
    assert contents(found) == whole
    found.close()
    assert [file.name for file in path.parent.iterdir()] == [path.name]
