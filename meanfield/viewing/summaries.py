"""The series of a run as rows of a table, for people and for programs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from meanfield.arrays import Array
from meanfield.ensemble import Layout
from meanfield.errors import UnknownName
from meanfield.storage import summarise
from meanfield.viewing.curves import band, spans_decade
from meanfield.viewing.series import ACCURACIES, ENERGIES, FIRST
from meanfield.viewing.sparkline import sparkline

COLUMNS = 4  # of a vector, that are shown
ORDER = [*ENERGIES, *ACCURACIES, *FIRST]
LEAST, MOST = 8, 40  # characters of a curve
GAP = "  "


@dataclass(frozen=True)
class Series:
    """What was seen of one number over time.

    Attributes
    ----------
    name : str
    times : (T,) array
    values : (S, T) array
        Of every seed; NaN where there is none.
    """

    name: str
    times: Array
    values: Array

    @property
    def first(self) -> Array:
        """Of every seed, the first value."""
        return self.values[:, 0] if len(self.times) else np.empty(0)

    @property
    def last(self) -> Array:
        """Of every seed, the value at the last time that one of them has reached."""
        return self.values[:, -1] if len(self.times) else np.empty(0)

    @property
    def finite(self) -> Array:
        """All that are numbers."""
        return self.values[np.isfinite(self.values)]

    @property
    def mean(self) -> Array:
        """(T,): over the seeds that have a number at the time; NaN where none has."""
        return band(self.name, self.times, self.values).values

    @property
    def log(self) -> bool:
        """Whether its figure would have a logarithmic axis of values."""
        return self.name not in ACCURACIES and spans_decade(self.values)

    def curve(self, width: int) -> str:
        """Its mean over the seeds in one line; on the scale that its figure would have."""
        return sparkline(self.times, self.mean, width, self.log)

    def record(self) -> dict[str, Any]:
        """For programs: means over the seeds of first and last values, and the extremes."""
        finite = self.finite
        last = self.last[np.isfinite(self.last)]
        return {
            "first": summary(self.first),
            "last": summary(self.last),
            "spread": float(last.std(ddof=1)) if len(last) > 1 else None,
            "min": float(finite.min()) if len(finite) else None,
            "max": float(finite.max()) if len(finite) else None,
            "seeds": self.last.tolist(),
        }


def summary(values: Array) -> float | None:
    """The mean of those that are numbers; of none, what there is."""
    known = values[np.isfinite(values)]
    if len(known):
        return float((known / len(known)).sum())
    return float(values[0]) if len(values) else None


def series_of(
    seen: Mapping[str, tuple[Array, Array]], layout: Layout, only: Sequence[str] = ()
) -> tuple[list[Series], list[str]]:
    """Series, the energies first; and in words, which columns are left out.

    Parameters
    ----------
    seen : mapping of str to (times, values)
        As a `meanfield.storage.Sight` has them.
    layout : Layout
        Of the particles, whose columns vectors have.
    only : sequence of str, optional
        Which, in this order.

    Raises
    ------
    UnknownName
    """
    for name in only:
        if name not in seen:
            raise UnknownName("series", name, seen)
    found, left = [], []
    for name in only or in_order(list(seen)):
        times, values = seen[name]
        if values.ndim == 2:
            found.append(Series(name, times, values))
            continue
        labels = layout.labels
        found += [
            Series(f"{name}[{label}]", times, values[..., column])
            for column, label in enumerate(labels[:COLUMNS])
        ]
        if rest := labels[COLUMNS:]:
            left.append(f"{name} has {len(rest)} more columns, {rest[0]} to {rest[-1]}")
    return found, left


def in_order(names: Sequence[str]) -> list[str]:
    """Names of series, as figures show them: energies, accuracies, how fast it goes, the rest."""
    known = {name: place for place, name in enumerate(ORDER)}
    return sorted(names, key=lambda name: (known.get(name, len(known)), name))


def table(several: Sequence[Series], width: int) -> list[str]:
    """A heading and a line for each series, of at most `width` characters.

    First, least and greatest value, and the last: over several seeds mean ± standard deviation.
    What has no room is left out: first the extremes, then the curve.
    """
    names = ["series", *(series.name for series in several)]
    first = ["first", *(short(series.first) for series in several)]
    last = ["last", *(summarise(series.last) for series in several)]
    extremes = [
        ["min", *(_number(series.finite, np.min) for series in several)],
        ["max", *(_number(series.finite, np.max) for series in several)],
    ]
    columns = [first, last, *extremes]
    for kept in (columns, columns[:2]):
        used = sum(max(map(len, column)) + len(GAP) for column in [names, *kept])
        if width - used >= LEAST:
            break
    room = min(MOST, width - used)
    curves = ["over time", *(series.curve(room) for series in several)] if room >= LEAST else []
    lines = []
    for row, name in enumerate(names):
        cells = [name.ljust(max(map(len, names)))]
        cells += [column[row].rjust(max(map(len, column))) for column in kept]
        lines.append(GAP.join([*cells, *curves[row : row + 1]]).rstrip())
    return lines


def short(values: Array) -> str:
    """The mean of those that are numbers, to four digits."""
    found = summary(values)
    return "" if found is None else f"{found:.4g}"


def _number(values: Array, which: Any) -> str:
    return f"{which(values):.4g}" if len(values) else "none"
