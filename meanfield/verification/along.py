"""The series of runs beside those of an oracle, time by time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from meanfield.arrays import Array
from meanfield.limits import Limit
from meanfield.storage import Run
from meanfield.verification.base import Comparison, mean_and_error


def seen(run: Run, name: str, times: Array) -> Array:
    """A series of a run at the looks nearest to some times, (T, …); its last look for ∞."""
    series = run[name]
    last = float(series["time"][-1])
    return np.array([series.sel(time=min(t, last), method="nearest").values for t in times])


def along(
    runs: Sequence[Run], limit: Limit, tolerances: Mapping[str, float], label: str = ""
) -> Iterator[Comparison]:
    """Compare series of independent runs, on average, with an oracle's at its times.

    Parameters
    ----------
    runs : sequence of Run
        Replicas; one that is without randomness has no standard error.
    limit : Limit
    tolerances : mapping of str to float
        Which series, and the bias allowed in each.
    label : str
        What to say before the names.
    """
    for name, tolerance in tolerances.items():
        found = np.array([seen(run, name, limit.times) for run in runs])
        yield from compared(label + name, found, limit, name, tolerance)


def compared(
    label: str, found: Array, limit: Limit, name: str, tolerance: float
) -> Iterator[Comparison]:
    """The same for numbers (replicas, T, …) that are there already."""
    exact, error = np.asarray(limit[name]), limit.error(name)
    for index in np.ndindex(exact.shape):
        mean, deviation = mean_and_error(found[(slice(None), *index)])
        place = "".join(f"[{i}]" for i in index[1:])
        time = limit.times[index[0]]
        yield Comparison(
            f"{label}{place} at t = {time:g}",
            mean,
            float(exact[index]),
            tolerance,
            float(error[index]),
            deviation if len(found) > 1 else 0.0,
        )
