"""What a run descends, and how fast: the energy with its parts, and what it dissipates."""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from meanfield.arrays import Array
from meanfield.viewing import style
from meanfield.viewing.curves import (
    band,
    between_decades,
    draw_curves,
    legend,
    logarithmic_values,
    scale_time,
    spans_decade,
)
from meanfield.viewing.registry import figure, observed
from meanfield.viewing.series import ENERGIES, draw_panel

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from meanfield.storage import Run

BESIDE = ["free_energy", "kinetic_energy", "total_energy"]


@figure("energy", observed("energy"), several=True)
def energy(
    runs: Sequence[Run],
    ax: Axes | None = None,
    *,
    parts: bool | None = None,
    log: bool | None = None,
) -> list[Axes]:
    """The energy and its parts over time.

    Parameters
    ----------
    runs : Run or sequence of Run
    ax : matplotlib Axes, optional
    parts : bool, optional
        Whether to draw the risk, every further term with its weight, and free and kinetic energies
        where they were observed. Default: if there is one run.
    log : bool, optional
        A logarithmic or a linear axis of energies. Default: logarithmic where all are positive and
        span more than a decade.
    """
    wanted = len(runs) == 1 if parts is None else parts
    common = [name for name in runs[0].names if all(name in run.names for run in runs)]
    terms = [*ENERGIES, *_terms(runs[0]), *BESIDE]
    names = [name for name in dict.fromkeys(terms) if name in common and "test" not in name]
    target = style.targets(ax, 1, "panel")[0]
    drawn = ["energy", *(n for n in names if not _is_all(runs[0], n))] if wanted else ["energy"]
    draw_panel(runs, drawn, target, explain=True, log=log)
    target.set_ylabel("energy")
    return [target]


@figure("dissipation", observed("energy", "dissipation"))
def dissipation(
    run: Run, axes: Sequence[Axes] | None = None, *, log: bool | None = None
) -> list[Axes]:
    """The dissipation against -dF/dt: over time, and one as a function of the other.

    -dF/dt is the fall of the observed energy (``total_energy`` where there are velocities) from one
    look to the next, over the time between them, drawn in the middle. On the right it stands over
    the mean of the dissipations at both ends, and lies on the diagonal where the energy falls by
    what is dissipated; with noise in the flow it does not.

    Parameters
    ----------
    run : Run
        Of several seeds: mean, and a band from the smallest to the largest; on the right all.
    axes : sequence of two matplotlib Axes, optional
    log : bool, optional
        Logarithmic or linear axes of rates. Default: logarithmic where all dissipations are
        positive and span more than a decade; rates ≤ 0 are left out there.
    """
    left, right = style.targets(axes, 2, "panel")
    times, rates = falls(run)
    rate = run["dissipation"]
    looks = np.asarray(rate["time"].values, dtype=float)
    told = band("dissipation", looks, rate.values)
    found = band("$-\\mathrm{d}F/\\mathrm{d}t$", 0.5 * (times[1:] + times[:-1]), rates)
    draw_curves([told, found], left)
    logarithmic = spans_decade(rate.values) if log is None else log
    scale_time(left, [run], [told, found])
    left.set_ylabel("rate of energy")
    legend(left, [run], [told, found], explain=True, runs_named=False)
    ends = np.array([np.interp(times, looks, row) for row in np.atleast_2d(rate.values)])
    mean = 0.5 * (ends[:, 1:] + ends[:, :-1])
    x, y = mean.ravel(), np.atleast_2d(rates).ravel()
    known = np.isfinite(x) & np.isfinite(y) & ((y > 0) | (not logarithmic))
    right.plot(x[known], y[known], "o", markersize=2.5, color=style.POSITIVE, label="between looks")
    if known.any():
        ends_of_line = [float(x[known].min()), float(x[known].max())]
        right.plot(ends_of_line, ends_of_line, color=style.GREY, linewidth=0.9, label="equal")
    right.set_xlabel("dissipation")
    right.set_ylabel("$-\\mathrm{d}F/\\mathrm{d}t$")
    right.legend(loc="upper left")
    if logarithmic:
        logarithmic_values(left)
    if logarithmic and known.any():
        from matplotlib.ticker import FuncFormatter

        logarithmic_values(right)
        right.set_xscale("log")
        right.xaxis.set_minor_formatter(
            FuncFormatter(lambda value, _: between_decades(right.get_xlim(), value))
        )
    return [left, right]


def falls(run: Run) -> tuple[Array, Array]:
    """When the energy was seen, (T,), and -ΔF/Δt from each time to the next, ([seeds,] T-1)."""
    data = run["total_energy" if "total_energy" in run.names else "energy"]
    times = np.asarray(data["time"].values, dtype=float)
    return times, -np.diff(data.values, axis=-1) / np.diff(times)


def _is_all(run: Run, name: str) -> bool:
    """Whether a part is the whole energy, as the risk is where there is nothing else."""
    return np.array_equal(run[name].values, run["energy"].values, equal_nan=True)


def _terms(run: Run) -> list[str]:
    """What the experiment calls the further terms of its energy."""
    table = tomllib.loads(run.experiment).get("energy", {}) if run.experiment else {}
    found: list[str] = []
    for key in ("interaction", "terms"):
        given = table.get(key, [])
        listed = given if isinstance(given, list) else [given]
        found += [each["kind"] if isinstance(each, dict) else str(each) for each in listed]
    return found
