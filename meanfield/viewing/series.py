"""Observed series over time, in panels of what belongs together; of one run or several."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from meanfield.errors import UnknownName, require
from meanfield.viewing import style
from meanfield.viewing.curves import (
    LABELS,
    Curve,
    curves,
    draw_curves,
    legend,
    scale_time,
    scale_values,
    seeds_handle,
)
from meanfield.viewing.labels import labels_of
from meanfield.viewing.registry import anything_observed, figure
from meanfield.viewing.style import GREY, plain

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from meanfield.storage import Run

# Drawn in one panel, in this order. Everything else that is observed has a panel of its own.
ENERGIES = ["energy", "risk", "log_risk", "test_risk", "sampled_risk"]
ENERGIES += ["potential", "interaction", "l2", "l1", "tv"]
# Among those, the ones that say how the flow does come first.
FIRST = ["free_energy", "entropy", "dissipation", "speed", "w2"]
ACCURACIES = ["test_accuracy", "train_accuracy"]


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
    target = style.targets(ax, 1, "panel")[0]
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


def _zoom(ax: Axes, drawn: Sequence[Curve]) -> None:
    """Let accuracies fill the panel; the first twentieth of a run, where they jump, may leave."""
    late = [curve.values[len(curve.values) // 20 :] for curve in drawn]
    values = np.concatenate(late) if late else np.empty(0)
    values = values[np.isfinite(values)]
    if len(values) and values.min() < 1:
        gap = 1 - float(values.min())
        ax.set_ylim(1 - 1.5 * gap, 1 + 0.05 * gap)
