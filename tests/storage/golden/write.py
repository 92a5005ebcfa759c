"""How the files of this folder were made: ``python -m tests.storage.golden.write FOLDER``.

They are written once, and read for ever: a new version of the file gets new ones beside these.
``first.h5`` and ``first-two.h5`` are `one` and `two` as the first writer made them, which had no
segments: they have no plan. The lock of the unfinished run was removed.
Particles descend ½|θ|² in steps of ½, so that they halve, and every number is exact in binary.
"""

from __future__ import annotations

import importlib
import platform
import sys
from pathlib import Path

import meanfield as mf

START = ((1.0, 2.0), (-3.0, 0.5))
SETTINGS = {
    "until": 2.0,
    "frames": {"steps": 1},
    "observe_when": {"steps": 1},
}


def observers():
    return [mf.Energy(), mf.Moments(), mf.PathNorm(when=[1.0])]


def start(factor: float = 1.0):
    layout = mf.Layout({"a": (), "w": (1,)})
    return mf.Ensemble([[factor * x for x in row] for row in START], layout=layout)


def one(path):
    mf.simulate(
        *(mf.Wasserstein(mf.L2()), start()),
        scheme=mf.Euler(0.5),
        observe=observers(),
        out=path,
        title="one",
        **SETTINGS,
    )


def two(path):
    from meanfield.loop import Problem
    from meanfield.simulation import simulate_replicas

    simulate_replicas(
        [lambda s=seed: Problem(mf.Wasserstein(mf.L2()), start(s), s) for seed in (3, 8)],
        seeds=[3, 8],
        scheme=mf.Euler(0.5),
        observe=observers(),
        out=path,
        title="two",
        **SETTINGS,
    )


def kinetic(path):
    mf.simulate(
        *(mf.HeavyBall(mf.L2(), friction=0.0), start()),
        scheme=mf.BAOAB(0.5),
        observe=[mf.Energy(), mf.KineticEnergy()],
        out=path,
        title="kinetic",
        **SETTINGS,
    )


def unfinished(path):
    def stop(step, total, view):
        if step == 3:
            raise KeyboardInterrupt

    mf.simulate(
        *(mf.Wasserstein(mf.L2()), start()),
        scheme=mf.Euler(0.5),
        observe=observers(),
        out=path,
        title="unfinished",
        progress=stop,
        **SETTINGS,
    )


def main(folder: Path, names: list[str]) -> None:
    # Nothing of the machine that they are written on.
    module = importlib.import_module("meanfield.storage.provenance")
    platform.platform = lambda *_: "a platform"
    for name, value in {"processor": "a processor", "installed": 2**34, "command": ""}.items():
        if hasattr(module, name):
            setattr(module, name, lambda value=value: value)
    for name in names or ["one", "two", "kinetic", "unfinished"]:
        globals()[name](folder / f"{name}.h5")


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
