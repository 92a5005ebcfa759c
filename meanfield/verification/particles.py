"""What systems of plain particles share: two wells, where they are, and replicas of a run."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

import numpy as np

import meanfield as mf
from meanfield.arrays import Array

LINE, PLANE = (mf.Layout(dict.fromkeys(names, ())) for names in ("x", "xy"))


def wells(points: Array) -> Array:
    """V = Σ_c (x_c² - 1)²/4 at points (n, p): (n,)."""
    values: Array = ((points**2 - 1.0) ** 2).sum(axis=1) / 4.0
    return values


def _value(x):
    return ((x * x - 1.0) ** 2).sum() / 4.0


def _gradient(x, out):
    out[:] = x * (x * x - 1.0)


@functools.cache
def potential() -> mf.Potential:
    """The same for particles, compiled once."""
    return mf.Potential(_value, _gradient)


def replicas(
    flow: mf.Flow,
    start: mf.Initial | mf.Ensemble,
    scheme: mf.Scheme,
    times: Sequence[float],
    count: int,
    layout: mf.Layout | None = LINE,
    observe: Sequence[mf.Observable] = (mf.Energy(), mf.Moments()),
) -> dict[str, Array]:
    """Every series at some times, of `count` runs with seeds 0, 1, …: (count, T, …).

    An initial law draws particles of the layout; None: neurons of the network of the energy.
    """
    series: dict[str, list[Any]] = {}
    for seed in range(count):
        run = mf.simulate(
            flow,
            start,
            scheme=scheme,
            until=max(times),
            seed=seed,
            observe=observe,
            observe_when=mf.at(times),
            frames=mf.at([]),
            layout=layout,
            guard="off",
        )
        for name in run.names:
            found = run[name].sel(time=list(times), method="nearest")
            series.setdefault(name, []).append(found.values)
    return {name: np.array(found) for name, found in series.items()}
