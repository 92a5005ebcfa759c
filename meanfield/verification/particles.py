"""What systems of plain particles share: two wells, replicas of a run, and their comparison."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

import meanfield as mf
from meanfield.arrays import Array
from meanfield.limits import Limit
from meanfield.verification.base import Comparison, mean_and_error


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
    dim: int = 1,
    observe: Sequence[mf.Observable] = (mf.Energy(), mf.Moments()),
) -> dict[str, Array]:
    """Every series at some times, of `count` runs with seeds 0, 1, …: (count, T, …).

    An initial law draws particles with the columns x, y, … in blocks of their own.
    """
    layout = mf.Layout(dict.fromkeys("xyz"[:dim], ()))
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


def compared(
    limit: Limit, series: Mapping[str, Array], names: Sequence[str], bias: float
) -> Iterator[Comparison]:
    """The mean over replicas of some series beside a limit, at all its times.

    Parameters
    ----------
    limit : Limit
    series : mapping of str to array (replicas, T, …)
    names : sequence of str
    bias : float
        Of a finite number of particles and of the step.
    """
    for name in names:
        exact, errors, found = limit[name], limit.error(name), series[name]
        for at in np.ndindex(*exact.shape):
            column = f"[{at[1]}]" if found[0, 0].size > 1 else ""
            mean, spread = mean_and_error(found[:, *at])
            yield Comparison(
                f"{name}{column} at t = {limit.times[at[0]]:g}",
                measured=mean,
                exact=float(exact[at]),
                tolerance=bias,
                error=float(errors[at]),
                standard_error=spread if len(found) > 1 else 0.0,
            )
