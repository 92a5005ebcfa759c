"""Observed series over time, in panels of what belongs together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from meanfield.arrays import Array
from meanfield.errors import UnknownName
from meanfield.viewing.style import FAINT, GREY, line, new_axes, plain

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from meanfield.storage import Run

# Drawn in one panel, in this order. Everything else that is observed has a panel of its own.
ENERGIES = ["energy", "risk", "log_risk", "test_risk", "sampled_risk"]
ENERGIES += ["potential", "interaction", "l2", "l1", "tv"]
# Among those, the ones that say how the flow does come first.
FIRST = ["free_energy", "entropy", "dissipation", "speed", "w2"]
ACCURACIES = ["test_accuracy", "train_accuracy"]
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


def series(run: Run, names: str | Sequence[str] | None = None, ax: Axes | None = None) -> Axes:
    """Draw observed series over time into one panel.

    Several seeds become their mean and a band from the smallest to the largest value. The value
    axis is logarithmic where everything is positive and spans more than a decade, the time axis
    where the moments of observation (or the frames) are.

    Parameters
    ----------
    run : Run
    names : str or sequence of str, optional
        Default: the energy and its parts. Of a series with columns, such as ``mean``, the first
        eight are drawn.
    ax : matplotlib Axes, optional
        Default: a new figure.

    Returns
    -------
    Axes

    Raises
    ------
    UnknownName
        If the run has no such series.
    """
    chosen = check_names(run, names) if names is not None else panels(run)[:1]
    flat = [name for part in chosen for name in ([part] if isinstance(part, str) else part)]
    target = new_axes()[0] if ax is None else ax
    draw_panel(run, flat, target, explain=True)
    return target


def check_names(run: Run, names: str | Sequence[str]) -> list[str]:
    """The names, each once; raises `UnknownName` where the run has no such series."""
    wanted = [names] if isinstance(names, str) else list(dict.fromkeys(names))
    for name in wanted:
        if name not in run.names:
            raise UnknownName("series", name, run.names)
    return wanted


def panels(run: Run, names: str | Sequence[str] | None = None) -> list[list[str]]:
    """The series in groups, one for each panel.

    By default every series but those with columns, and but the standard errors of others.
    """
    if names is not None:
        chosen = check_names(run, names)
    else:
        errors = {f"{name}_error" for name in run.names}
        numbers = [name for name in run.names if "coordinate" not in run[name].dims]
        chosen = [name for name in numbers if name not in errors]
    together = [[name for name in group if name in chosen] for group in (ENERGIES, ACCURACIES)]
    alone = [[name] for name in chosen if name not in ENERGIES + ACCURACIES]
    if names is None:
        alone.sort(key=lambda group: FIRST.index(group[0]) if group[0] in FIRST else len(FIRST))
    return [group for group in together + alone if group]


def draw_panel(run: Run, names: Sequence[str], ax: Axes, *, explain: bool) -> None:
    """Draw series into one panel; `explain` what a band is, unless a caption does."""
    from matplotlib.patches import Patch

    drawn = [curve for name in names for curve in curves(run, name)]
    for index, curve in enumerate(drawn):
        look = line(index)
        marker = "o" if len(curve.time) <= FEW else ""
        ax.plot(curve.time, curve.values, label=curve.label, marker=marker, markersize=2.5, **look)
        if curve.low is not None and curve.high is not None:
            ax.fill_between(
                curve.time, curve.low, curve.high, color=look["color"], alpha=0.2, linewidth=0
            )
    accuracies = bool(names) and all(name in ACCURACIES for name in names)
    if accuracies:
        _baseline(run, ax)
    _scale_values(ax, drawn, linear=accuracies)
    if accuracies:
        _zoom(ax, drawn)
    _scale_time(ax, run, drawn)
    ax.set_xlabel("time $t$")
    ax.set_ylabel(_common_name(names, drawn))
    handles = ax.get_legend_handles_labels()[0]
    if explain and len(run.seeds) > 1:
        band = f"min to max of {len(run.seeds)} seeds (lines: mean)"
        handles.append(Patch(color=FAINT, label=band, linewidth=0))
    if len(handles) > 1:
        points = sum(len(curve.time) for curve in drawn)
        # "best" looks at every point, and is slow where there are many.
        ax.legend(handles=handles, loc="best" if points < 20_000 else "upper right")


def curves(run: Run, name: str) -> list[Curve]:
    """What to draw of a series: one curve, or one for each of the first eight columns."""
    data = run[name]
    label = LABELS.get(name, name.replace("_", " "))
    time = np.asarray(data["time"].values, dtype=float)
    if "coordinate" not in data.dims:
        curve = _curve(label, time, data.values)
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
    return [_curve(text, time, data.values[..., j]) for j, text in enumerate(labels)]


def _curve(label: str, time: Array, values: Array) -> Curve:
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


def _common_name(names: Sequence[str], drawn: Sequence[Curve]) -> str:
    if len(drawn) == 1:
        return drawn[0].label
    if names and all(name in ACCURACIES for name in names):
        return "accuracy"
    if names and all(name in ENERGIES for name in names):
        return "energy" if "energy" in names else "risk"
    return LABELS.get(names[0], names[0].replace("_", " ")) if len(names) == 1 else "value"


def _baseline(run: Run, ax: Axes) -> None:
    """The accuracy of another method, where the run's provenance has one."""
    found = run.provenance
    values = np.atleast_1d(np.asarray(found.get("baseline_test_accuracy", []), dtype=float))
    values = values[np.isfinite(values)]
    if len(values):
        label = plain(str(found.get("baseline_name", "") or "baseline"))
        ax.axhline(values.mean(), color=GREY, linestyle=(0, (8, 3)), linewidth=0.9, label=label)


def _scale_values(ax: Axes, drawn: Sequence[Curve], *, linear: bool) -> None:
    sides = [[curve.values if curve.low is None else curve.low, curve.values] for curve in drawn]
    values = np.concatenate([v for side in sides for v in side]) if sides else np.empty(0)
    if not linear and spans_decade(values):
        ax.set_yscale("log")


def spans_decade(values: Array) -> bool:
    """Whether an axis of values is logarithmic: all are positive, and span more than a decade."""
    known = values[np.isfinite(values)]
    return bool(len(known) and known.min() > 0 and known.max() / 10 > known.min())


def _zoom(ax: Axes, drawn: Sequence[Curve]) -> None:
    """Let accuracies fill the panel; the first twentieth of a run, where they jump, may leave."""
    late = [curve.values[len(curve.values) // 20 :] for curve in drawn]
    values = np.concatenate(late) if late else np.empty(0)
    values = values[np.isfinite(values)]
    if len(values) and values.min() < 1:
        gap = 1 - float(values.min())
        ax.set_ylim(1 - 1.5 * gap, 1 + 0.05 * gap)


def _scale_time(ax: Axes, run: Run, drawn: Sequence[Curve]) -> None:
    times = [curve.time for curve in drawn if len(curve.time)]
    if not times:
        return
    end = max(float(time[-1]) for time in times)
    if end == 0:
        return
    first = min(float(time[time > 0][0]) for time in times if time[-1] > 0)
    if end >= 10 * first and any(map(logarithmic, [*times, run.frames.times])):
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
