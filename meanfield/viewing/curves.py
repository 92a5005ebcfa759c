"""Lines over time with the bands around them: what is drawn of a series, and on which axes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from meanfield.arrays import Array
from meanfield.viewing.style import FAINT, line

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from meanfield.storage import Run

LABELS = {"w2": "$W_2$", "l2": "L2 term", "l1": "L1 term", "tv": "TV term"}
MOST_COLUMNS = 8
FEW = 12  # so many points are marked, as a line would hide how few they are


@dataclass(frozen=True)
class Curve:
    """A line and the band around it.

    Attributes
    ----------
    label : str
    time, values : (T,) array
        Over several seeds, the mean.
    low, high : (T,) array or None
        Over several seeds, the smallest and the largest value.
    """

    label: str
    time: Array
    values: Array
    low: Array | None = None
    high: Array | None = None


def curves(run: Run, name: str) -> list[Curve]:
    """What to draw of a series: one curve, or one for each of the first eight columns."""
    data = run[name]
    label = LABELS.get(name, name.replace("_", " "))
    time = np.asarray(data["time"].values, dtype=float)
    if "coordinate" not in data.dims:
        curve = band(label, time, data.values)
        error = f"{name}_error"
        if curve.low is None and error in run.names:
            spread = run[error].values
            return [Curve(f"{label} ± error", time, curve.values, *_around(curve.values, spread))]
        return [curve]
    columns = [str(column) for column in data["coordinate"].values]
    kept = columns[:MOST_COLUMNS]
    labels = [f"{label} of {column}" for column in kept]
    if len(columns) > len(kept):
        labels[-1] += f" ({len(columns) - len(kept)} more)"
    return [band(text, time, data.values[..., j]) for j, text in enumerate(labels)]


def band(label: str, time: Array, values: Array) -> Curve:
    """A curve from values (T,) or (seeds, T); what is not finite leaves a gap."""
    finite = np.isfinite(values)
    if values.ndim == 1:
        return Curve(label, time, np.where(finite, values, np.nan))
    count = finite.sum(axis=0)
    empty = np.full(len(time), np.nan)
    low = np.where(finite, values, np.inf).min(axis=0)
    high = np.where(finite, values, -np.inf).max(axis=0)
    # Each seed is divided first: the sum of values near the largest float would overflow.
    mean = (np.where(finite, values, 0.0) / np.maximum(count, 1)).sum(axis=0)
    return Curve(label, time, *(np.where(count > 0, v, empty) for v in (mean, low, high)))


def _around(values: Array, spread: Array) -> tuple[Array, Array]:
    return values - spread, values + spread


def draw_curves(drawn: Sequence[Curve], ax: Axes) -> None:
    """Lines with their bands, each told from the others without colour too."""
    for index, curve in enumerate(drawn):
        look = line(index)
        marker = "o" if len(curve.time) <= FEW else ""
        ax.plot(curve.time, curve.values, label=curve.label, marker=marker, markersize=2.5, **look)
        if curve.low is not None and curve.high is not None:
            ax.fill_between(
                curve.time, curve.low, curve.high, color=look["color"], alpha=0.2, linewidth=0
            )


def legend(
    ax: Axes, runs: Sequence[Run], drawn: Sequence[Curve], *, explain: bool, runs_named: bool
) -> None:
    """The legend of curves, if it says anything."""
    handles = ax.get_legend_handles_labels()[0]
    handles += seeds_handle(runs) if explain else []
    if len(handles) > 1 and (explain or not runs_named):
        points = sum(len(curve.time) for curve in drawn)
        # "best" looks at every point, and is slow where there are many.
        ax.legend(handles=handles, loc="best" if points < 20_000 else "upper right")


def seeds_handle(runs: Sequence[Run]) -> list[Any]:
    """An entry of a legend that says what bands are; none where there is one seed."""
    from matplotlib.patches import Patch

    counts = sorted({len(run.seeds) for run in runs} - {1})
    if not counts:
        return []
    said = f"min to max of {' or '.join(map(str, counts))} seeds (lines: mean)"
    return [Patch(color=FAINT, label=said, linewidth=0)]


def scale_values(ax: Axes, drawn: Sequence[Curve], *, log: bool | None) -> None:
    """The axis of values; by itself logarithmic where all are positive over more than a decade."""
    sides = [[curve.values if curve.low is None else curve.low, curve.values] for curve in drawn]
    values = np.concatenate([v for side in sides for v in side]) if sides else np.empty(0)
    if spans_decade(values) if log is None else log:
        logarithmic_values(ax)


def spans_decade(values: Array) -> bool:
    """Whether an axis of values is logarithmic: all are positive, and span more than a decade."""
    known = values[np.isfinite(values)]
    return bool(len(known) and known.min() > 0 and known.max() / 10 > known.min())


def logarithmic_values(ax: Axes) -> None:
    """Make the axis of values logarithmic; a line has a gap where it is not positive."""
    from matplotlib.ticker import FuncFormatter

    ax.set_yscale("log", nonpositive="clip")
    ax.yaxis.set_minor_formatter(
        FuncFormatter(lambda value, _: between_decades(ax.get_ylim(), value))
    )
    for drawn in ax.lines:
        values = np.asarray(drawn.get_ydata(), dtype=float)
        drawn.set_ydata(np.where(values > 0, values, np.nan))


def between_decades(limits: tuple[float, float], value: float) -> str:
    """The label of a value between powers of ten: 2 and 5 times, where few of these are in view."""
    low, high = np.log10(limits)
    power = np.floor(np.log10(value) + 1e-9)
    leading = round(value / 10**power)
    if np.floor(high) - np.ceil(low) > 0 or leading not in (2, 5):
        return ""
    return f"${leading}\\times10^{{{power:.0f}}}$"


def scale_time(ax: Axes, runs: Sequence[Run], drawn: Sequence[Curve]) -> None:
    """The axis of time: linear, or like powers where the moments of observation are so."""
    ax.set_xlabel("time $t$")
    times = [curve.time for curve in drawn if len(curve.time)]
    times = times or [run.frames.times for run in runs if len(run.frames)]
    if not times:
        return
    end = max(float(time[-1]) for time in times)
    if end == 0:
        return
    first = min(float(time[time > 0][0]) for time in times if time[-1] > 0)
    if end >= 10 * first and any(map(logarithmic, [*times, *(r.frames.times for r in runs)])):
        # Up to the first moment the axis is linear, so that the start is there too.
        ax.set_xscale("symlog", linthresh=first, linscale=0.4)
        _mark_decades(ax, first, end)
    ax.set_xlim(0.0, end)


def _mark_decades(ax: Axes, first: float, end: float) -> None:
    """Ticks at 0 and at powers of ten; by itself matplotlib puts some into the linear part."""
    from matplotlib.ticker import FixedLocator, NullFormatter

    powers = np.arange(np.ceil(np.log10(first)), np.floor(np.log10(end)) + 1)
    decades = 10.0 ** powers[:: 1 + len(powers) // 7]
    parts = np.outer(10.0 ** np.arange(powers[0] - 1, powers[-1] + 1), np.arange(2, 10)).ravel()
    ax.xaxis.set_major_locator(FixedLocator([0.0, *decades]))
    ax.xaxis.set_minor_locator(FixedLocator(parts[(parts > first) & (parts < end)].tolist()))
    ax.xaxis.set_minor_formatter(NullFormatter())


def logarithmic(times: Array) -> bool:
    """Whether moments are spaced like powers rather than like multiples."""
    later = times[times > 0]
    if len(later) < 5 or later[-1] < 20 * later[0]:
        return False
    gaps = np.diff(later)
    part = max(1, len(gaps) // 4)
    return bool(np.median(gaps[-part:]) > 5 * np.median(gaps[:part]))
