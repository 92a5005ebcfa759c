"""How particles are drawn once they are points in the plane, or on a line."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from meanfield.arrays import Array
from meanfield.ensemble import Ensemble
from meanfield.viewing import style
from meanfield.viewing.projections import influence, outer

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MOST_MARKERS = 4000  # of more neurons a sample is drawn, as they would hide each other
SHARP = 500  # more markers than this become pixels in a vector file, which would be huge


def moment(frame: Ensemble) -> str:
    """The time of a frame, as a title."""
    return f"$t$ = {frame.time:.4g}"


def bins_for(count: int) -> int:
    """How many bins suit so many particles."""
    return int(np.clip(4 * count ** (1 / 3), 12, 100))


def draw_densities(
    frames: Sequence[Ensemble],
    points: Sequence[Array],
    limits: tuple[float, float],
    axes: list[Axes],
) -> None:
    """Histograms (points: (N, 1)) with common bins, into one axes or one for each frame."""
    edges = np.linspace(*limits, bins_for(max(map(len, frames))) + 1)
    last, highest = len(frames) - 1, 0.0
    overlaid = len(axes) == 1 and last > 0
    for index, (frame, values) in enumerate(zip(frames, points, strict=True)):
        ax = axes[min(index, len(axes) - 1)]
        mass, _ = np.histogram(values[:, 0], bins=edges, weights=frame.mass)
        # The end is a plain black line, and the start a grey area: what happened is in between.
        density = mass / np.diff(edges)
        highest = max(highest, float(density.max()))
        if index == 0 and overlaid:
            look: dict[str, Any] = {"fill": True, "facecolor": "#DDDDDD", "edgecolor": style.GREY}
        else:
            look = {**style.line(last - index if overlaid else 0), "linewidth": 1.3}
        ax.stairs(density, edges, label=moment(frame), **look)
    for ax in axes:
        ax.set_ylabel("density")
        ax.set_ylim(0.0, 1.05 * highest or 1.0)
    if overlaid:
        axes[0].legend()


def draw_particles(frames: Sequence[Ensemble], points: Sequence[Array], axes: list[Axes]) -> None:
    """Markers with area proportional to mass."""
    heaviest = max(float(frame.mass.max()) for frame in frames) or 1.0
    for ax, frame, xy in zip(axes, frames, points, strict=True):
        ax.axhline(0.0, color=style.FAINT, linewidth=0.5, zorder=0)
        area = _largest_area(len(frame)) * 0.3 * frame.mass / heaviest
        _markers(ax, xy, area, hollow=False)


def draw_hexagons(
    frames: Sequence[Ensemble],
    points: Sequence[Array],
    limits: Sequence[tuple[float, float]],
    axes: list[Axes],
) -> None:
    """The mass in each hexagon, by one scale of colours for all frames."""
    from matplotlib.colors import LogNorm

    drawn = []
    for ax, frame, xy in zip(axes, frames, points, strict=True):
        here = frame.mass > 0  # an empty hexagon stays white
        drawn.append(
            ax.hexbin(
                xy[here, 0],
                xy[here, 1],
                frame.mass[here],
                reduce_C_function=np.sum,
                gridsize=(32, 20),
                extent=(*limits[0], *limits[1]),
                cmap=style.density_map(),
                linewidths=0.1,
            )
        )
    masses = np.concatenate([np.asarray(hexagons.get_array()) for hexagons in drawn])
    largest = float(masses.max())
    shades = LogNorm(vmin=min(float(masses.min()), 0.5 * largest), vmax=largest)
    for hexagons in drawn:
        hexagons.set_norm(shades)
    style.colour_bar(drawn, axes, "mass")


def draw_neurons(
    frames: Sequence[Ensemble], points: Sequence[Array], axes: list[Axes], *, legend: bool = True
) -> None:
    """Markers with area m |a| |w|, relative to the largest of all frames."""
    strengths = [influence(frame) for frame in frames]
    strongest = max(float(strength.max()) for strength in strengths)
    # Every so many: the number of a particle means nothing, so they are a fair sample.
    stride = -(-max(map(len, frames)) // MOST_MARKERS)
    for ax, frame, xy, strength in zip(axes, frames, points, strengths, strict=True):
        ax.axhline(0.0, color=style.FAINT, linewidth=0.5, zorder=0)
        ax.axvline(0.0, color=style.FAINT, linewidth=0.5, zorder=0)
        shares = np.exp(strength - strongest) if np.isfinite(strongest) else np.ones(len(frame))
        some, area = xy[::stride], shares[::stride]
        area = np.maximum(0.05, area * _largest_area(len(area)))
        negative = outer(frame)[::stride] < 0
        _markers(ax, some[~negative], area[~negative], hollow=False)
        _markers(ax, some[negative], area[negative], hollow=True)
    signed = frames[0].layout.blocks["a"] in ((), (1,))
    if not legend:
        return
    # The legend goes where it is least in the way: where the neurons keep to the middle.
    spread = {
        ax: float(np.median(np.abs(xy).max(axis=1))) for ax, xy in zip(axes, points, strict=True)
    }
    single = len(style.firsts(axes)) == 1
    for ax in [min(axes, key=spread.__getitem__)] if single else axes:
        ax.legend(
            **neuron_legend(signed, stride),
            loc="best",
            handlelength=1.0,
            frameon=True,
            facecolor="white",
            framealpha=0.8,
            edgecolor="none",
        )


def neuron_legend(signed: bool, stride: int = 1) -> dict[str, Any]:
    """The handles and the title of a legend of neurons."""
    from matplotlib.lines import Line2D

    options: dict[str, Any] = {"linestyle": "", "marker": "o", "markersize": 4}
    full = Line2D([], [], label="$a$ ≥ 0", color=style.POSITIVE, markeredgewidth=0, **options)
    hollow = Line2D([], [], label="$a$ < 0", color=style.NEGATIVE, fillstyle="none", **options)
    title = "area: $m\\,|a|\\,|w|$" + (f"\n1 in {stride} neurons" if stride > 1 else "")
    return {"handles": [full, hollow] if signed else [], "title": title}


def star_handle() -> Any:
    """The entry of a legend for the neurons of a teacher."""
    from matplotlib.lines import Line2D

    star: dict[str, Any] = {"linestyle": "", "marker": "*", "markersize": 6, "markeredgewidth": 0.6}
    return Line2D(
        [], [], label="teacher", markerfacecolor=style.STAR, markeredgecolor="black", **star
    )


def _markers(ax: Axes, points: Array, area: Array, *, hollow: bool) -> None:
    if hollow:
        edges = np.clip(0.2 * np.sqrt(area), 0.2, 0.8)
        look: dict[str, Any] = {"edgecolors": style.NEGATIVE, "linewidths": edges, "alpha": 0.8}
    else:
        look = {"alpha": 0.6, "linewidths": 0.0}
    ax.scatter(
        points[:, 0],
        points[:, 1],
        area,
        facecolors="none" if hollow else style.POSITIVE,
        rasterized=len(points) > SHARP,
        **look,
    )


def _largest_area(count: int) -> float:
    """Area of the largest marker in square points, so that all together cover little."""
    return float(np.clip(900 / np.sqrt(count), 6, 90))
