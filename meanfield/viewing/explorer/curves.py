"""The observed series of a run, for the page: in panels, of few points, without infinities."""

from __future__ import annotations

from typing import Any

import numpy as np

from meanfield.arrays import Array
from meanfield.storage import Run
from meanfield.viewing.series import LABELS, panels

COLUMNS = 8  # of a vector that have a curve
POINTS = 500  # of a curve: more cannot be seen
DIGITS = 6
PLAIN = {"$W_2$": "W₂"}


def panels_of(run: Run) -> list[dict[str, Any]]:
    """Panels of curves; each curve has a label, times, and the values of the run's seed.

    Of several seeds also the smallest and the largest value. Vectors, as the mean, come last,
    with a curve for each of their first coordinates.
    """
    if not run.names:
        return []
    wide = [name for name in run.names if "coordinate" in run[name].dims]
    groups = [*panels(run), *([name] for name in wide)]
    found = []
    for names in groups:
        curves = [curve for name in names for curve in _curves(run, name)]
        found.append({"title": _title(names), "curves": curves})
    return found


def _title(names: list[str]) -> str:
    return ", ".join(map(_label, names)) if len(names) < 3 else f"{_label(names[0])} and its parts"


def _label(name: str) -> str:
    label = LABELS.get(name, name.replace("_", " "))
    return PLAIN.get(label, label)


def _curves(run: Run, name: str) -> list[dict[str, Any]]:
    data = run[name]
    many = "seed" in data.dims
    values = np.asarray(data.values, dtype=float)
    values = values if many else values[None]
    place = run.seeds.index(run.seed) if many else 0
    chosen = _thinned(values.shape[1])
    times = _numbers(np.asarray(data["time"].values)[chosen])
    if "coordinate" in data.dims:
        columns = [str(column) for column in data["coordinate"].values[:COLUMNS]]
        rows = {f"of {column}": values[..., j] for j, column in enumerate(columns)}
    else:
        rows = {_label(name): values}
    return [
        {"label": label, "time": times, **_band(row[:, chosen], place)}
        for label, row in rows.items()
    ]


def _thinned(count: int) -> Array:
    return np.unique(np.linspace(0, count - 1, min(count, POINTS)).round().astype(int))


def _band(values: Array, place: int) -> dict[str, Any]:
    """The values of one seed; of several seeds also the range of those that are finite."""
    found = {"values": _numbers(values[place])}
    if len(values) > 1:
        finite = np.isfinite(values)
        low = np.where(finite, values, np.inf).min(axis=0)
        high = np.where(finite, values, -np.inf).max(axis=0)
        found |= {"low": _numbers(low), "high": _numbers(high)}
    return found


def _numbers(values: Array) -> list[float | None]:
    return [float(f"{x:.{DIGITS}g}") if np.isfinite(x) else None for x in values.tolist()]
