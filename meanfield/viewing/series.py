"""Observed series over time, in panels of what belongs together; of one run or several."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from meanfield.arrays import Array
from meanfield.errors import UnknownName, require
from meanfield.viewing import style
from meanfield.viewing.labels import labels_of
from meanfield.viewing.registry import anything_observed, figure
from meanfield.viewing.style import FAINT, GREY, line, plain

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


@figure("series", anything_observed, several=True)
def series(
    runs: Sequence[Run],
    names: str | Sequence[str] | None = None,
    ax: Axes | None = None,
    *,
    log: bool | None = None,
) -> list[Axes]:
    """Observed series over time, in one panel.

    Several seeds become their mean and a band from the smallest to the largest value; so does
    each of several runs. The time axis is logarithmic where the moments of observation (or the
    frames) are.

    Parameters
    ----------
    runs : Run or sequence of Run
    names : str or sequence of str, optional
        Default: the energy and its parts. Of a series with columns, such as ``mean``, the first
        eight are drawn.
    ax : matplotlib Axes, optional
        Default: a new figure.
    log : bool, optional
        A logarithmic or a linear axis of values. Default: logarithmic where everything is positive
        and spans more than a decade.

    Raises
    ------
    UnknownName
        If a run has no such series.
    """
    flat = panels(runs[0])[0] if names is None else _checked(runs, names)
    target = style.targets(ax, 1, "panel", width=style.SINGLE)[0]
    draw_panel(runs, flat, target, explain=True, log=log)
    return [target]


@figure("observables", anything_observed, several=True)
def observables(
    runs: Sequence[Run],
    names: str | Sequence[str] | None = None,
    axes: Axes | Sequence[Axes] | None = None,
    *,
    log: bool | None = None,
) -> list[Axes]:
    """Observed series side by side, a panel for each.

    Parameters
    ----------
    runs : Run or sequence of Run
        Several are laid over each other.
    names : str or sequence of str, optional
        Default: all that every run has, but those with many columns. Energies share a panel where
        there is one run.
    axes : sequence of matplotlib Axes, optional
        One for each panel. Default: a new figure, with rows of three.
    log : bool, optional
        As in `series`.

    Raises
    ------
    UnknownName
        If a run has no such series.
    """
    if names is not None:
        groups = [[name] for name in _checked(runs, names)]
    else:
        groups = panels(runs[0])
        if len(runs) > 1:
            common = set.intersection(*(set(run.names) for run in runs))
            groups = [[name] for group in groups for name in group if name in common]
    require(len(groups) > 0, "names", names, "at least one series that all of the runs have")
    drawn = style.targets(axes, len(groups), "series", columns=3, height=1.9)
    for group, ax in zip(groups, drawn, strict=True):
        draw_panel(runs, group, ax, explain=False, log=log)
    handles = drawn[0].get_legend_handles_labels()[0] if len(runs) > 1 else []
    handles += seeds_handle(runs)
    if handles:
        style.legend_below(drawn, handles, own=axes is None)
    return drawn


def check_names(run: Run, names: str | Sequence[str]) -> list[str]:
    """The names, each once; raises `UnknownName` where the run has no such series."""
    wanted = [names] if isinstance(names, str) else list(dict.fromkeys(names))
    for name in wanted:
        if name not in run.names:
            raise UnknownName("series", name, run.names)
    return wanted


def _checked(runs: Sequence[Run], names: str | Sequence[str]) -> list[str]:
    return [check_names(run, names) for run in runs][0]  # noqa: RUF015  each is checked


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


def draw_panel(
    runs: Run | Sequence[Run],
    names: Sequence[str],
    ax: Axes,
    *,
    explain: bool,
    log: bool | None = None,
) -> None:
    """Draw series into one panel; `explain` what a band is, and which run is which."""
    several = list(runs) if isinstance(runs, Sequence) else [runs]
    drawn = [curve for name in names for curve in curves(several[0], name)]
    label = _common_name(names, drawn)
    if len(several) > 1:
        drawn = [
            replace(curve, label=called if len(names) == 1 else f"{curve.label}, {called}")
            for run, called in zip(several, labels_of(several), strict=True)
            for name in names
            for curve in curves(run, name)
        ]
    draw_curves(drawn, ax)
    accuracies = bool(names) and all(name in ACCURACIES for name in names)
    if accuracies:
        for run in several:
            _baseline(run, ax)
    scale_values(ax, drawn, log=False if accuracies and log is None else log)
    if accuracies:
        _zoom(ax, drawn)
    scale_time(ax, several, drawn)
    ax.set_ylabel(label)
    legend(ax, several, drawn, explain=explain, runs_named=len(several) > 1)


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


def scale_values(ax: Axes, drawn: Sequence[Curve], *, log: bool | None) -> None:
    """The axis of values; by itself logarithmic where all are positive over more than a decade."""
    sides = [[curve.values if curve.low is None else curve.low, curve.values] for curve in drawn]
    values = np.concatenate([v for side in sides for v in side]) if sides else np.empty(0)
    values = values[np.isfinite(values)]
    spans = len(values) > 0 and values.min() > 0 and values.max() / 10 > values.min()
    if spans if log is None else log:
        logarithmic_values(ax)


def logarithmic_values(ax: Axes) -> None:
    """Make the axis of values logarithmic; a line has a gap where it is not positive."""
    ax.set_yscale("log", nonpositive="clip")
    for drawn in ax.lines:
        values = np.asarray(drawn.get_ydata(), dtype=float)
        drawn.set_ydata(np.where(values > 0, values, np.nan))


def _zoom(ax: Axes, drawn: Sequence[Curve]) -> None:
    """Let accuracies fill the panel; the first twentieth of a run, where they jump, may leave."""
    late = [curve.values[len(curve.values) // 20 :] for curve in drawn]
    values = np.concatenate(late) if late else np.empty(0)
    values = values[np.isfinite(values)]
    if len(values) and values.min() < 1:
        gap = 1 - float(values.min())
        ax.set_ylim(1 - 1.5 * gap, 1 + 0.05 * gap)


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
