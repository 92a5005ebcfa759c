"""What finite N costs: errors against N with their bands, and rates over time."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from meanfield.viewing import style
from meanfield.viewing.files import check_picture, save

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from meanfield.sweeps import Chaos

MOST = 8  # lines that can be told apart
FEW = 3  # bands that can
NAMES = {"ensemble.count": "$N$", "scheme.step": "step $h$"}


def chaos_figure(
    found: Chaos,
    path: str | os.PathLike[str] | None = None,
    axes: Sequence[Axes] | None = None,
) -> Any:
    """Mean squared errors against N (or the step) at the end, and their slopes over time.

    Bands are 95 % intervals over replicas. Dashed: the rate 1/N, or h to twice the order.

    Parameters
    ----------
    found : Chaos
    path : path, optional
        A PNG, PDF or SVG file to write.
    axes : sequence of two matplotlib Axes, optional
        Of the errors and of the slopes, instead of a new figure.

    Returns
    -------
    Figure
    """
    target = None if path is None else check_picture(path)
    with style.on(style.Sheet(shown=target is None)), style.styled():
        left, right = style.targets(axes, 2, "panel", height=3.6)
        figure: Any = left.get_figure()
        names = found.quantities[:MOST]
        _errors(found, names, left)
        _slopes(found, names[:FEW], right)
        handles = left.get_legend_handles_labels()[0]
        style.legend_below([left, right], handles, own=axes is None)
        if axes is None:
            title = found.sweep.title
            said = f"against {found.against}; bands: 95 % over {len(found.sweep.seeds)} replicas"
            figure.suptitle(f"{title}\n{said}", parse_math=False, fontsize=8)
        if target is not None:
            save(figure, target)
    return figure


def _errors(found: Chaos, names: list[str], ax: Axes) -> None:
    from matplotlib.ticker import FixedFormatter, FixedLocator, NullLocator

    sizes, power = found.sizes, found.power
    for index, name in enumerate(names):
        scale = sizes ** (-power)
        value, low, high = np.array(found.constants(name)).T / scale
        known = value > 0
        look = style.line(index)
        label = style.plain(name.replace("_", " "))
        ax.plot(sizes[known], value[known], label=label, marker="o", markersize=2.5, **look)
        floor = np.maximum(low, 0.1 * value)[known]  # a logarithm has no band down to 0
        ax.fill_between(
            sizes[known], floor, high[known], color=look["color"], alpha=0.2, linewidth=0
        )
        if index == 0 and known.any():
            through = value[known][0] * (sizes / sizes[known][0]) ** power
            rate = "$1/N$" if power == -1 else f"step$^{{{power:g}}}$"
            dashes: dict[str, Any] = {
                "color": style.GREY,
                "linestyle": (0, (8, 3)),
                "linewidth": 0.9,
            }
            ax.plot(sizes, through, label=rate, **dashes)
    ax.set_xscale("log")
    ax.set_yscale("log")
    ax.xaxis.set_major_locator(FixedLocator(sizes.tolist()))
    ax.xaxis.set_major_formatter(FixedFormatter([f"{size:g}" for size in sizes]))
    ax.xaxis.set_minor_locator(NullLocator())
    ax.set_xlabel(NAMES[found.key])
    ax.set_ylabel("mean squared error at the end")


def _slopes(found: Chaos, names: list[str], ax: Axes) -> None:
    rates = found.rates()
    times = rates["time"].values
    for index, name in enumerate(names):
        value, low, high = rates[name].values.T
        known = np.isfinite(value)
        look = style.line(index)
        marker = "o" if known.sum() < 2 else ""
        ax.plot(times[known], value[known], marker=marker, markersize=2.5, **look)
        ax.fill_between(
            times[known], low[known], high[known], color=look["color"], alpha=0.2, linewidth=0
        )
    ax.axhline(found.power, color=style.GREY, linestyle=(0, (8, 3)), linewidth=0.9)
    ax.set_ylim(found.power - 1.5, found.power + 1.5)
    ax.set_xlabel("time $t$")
    ax.set_ylabel("slope of the logarithms")
