"""The distribution of the neurons at chosen times, on common axes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from meanfield.arrays import Array
from meanfield.ensemble import Ensemble
from meanfield.errors import UnknownName, require
from meanfield.viewing import style
from meanfield.viewing.frames import FilledFrames
from meanfield.viewing.projections import Projection, influence, outer, projections

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from meanfield.storage import Run

MANY = 2000  # from so many particles on, a plane shows their density
MOST_MARKERS = 4000  # of more neurons a sample is drawn, as they would hide each other
SHARP = 500  # more markers than this become pixels in a vector file, which would be huge


def distribution(
    run: Run,
    times: Sequence[float] | None = None,
    axes: Axes | Sequence[Axes] | Array | None = None,
    projection: str | None = None,
) -> list[Axes]:
    """Draw the particles at chosen times, on axes with common limits.

    Parameters
    ----------
    run : Run
        Of several seeds, the one its ``frames`` show: see ``run.replica``.
    times : sequence of float, optional
        The nearest frames are drawn. Default: the first, the middle and the last frame.
    axes : Axes or sequence of Axes, optional
        One for each time; a density also takes a single one for all times. Default: a new figure.
    projection : str, optional
        * ``density``: the one coordinate that moves.
        * ``plane``: (|w|, a) of neurons, else the first two coordinates; an area or a colour
          stands for mass.
        * ``norm``: the density of |w|, where a does not move.
        * ``weights``: w in the plane, from three dimensions on projected on the two principal
          axes of the last frame; the area of a marker is proportional to m |a| |w|, and
          full and hollow tell the sign of a.

        Default: the first of these that suits the run.

    Returns
    -------
    list of Axes
        Those drawn on.

    Raises
    ------
    UnknownName
        If the projection does not suit the run.
    InvalidInput
        If there are fewer axes than times, or the run has no frames.
    """
    frames = FilledFrames(run)
    require(len(frames) > 0, "frames", 0, "a run in which this seed has frames")
    found = projections(frames[0], frames[-1])
    if projection is not None and projection not in found:
        raise UnknownName("projection", projection, found)
    chosen = found[projection or next(iter(found))]
    shown = frames.moments() if times is None else [frames.at(time) for time in times]
    require(len(shown) > 0, "times", times, "at least one time")
    if axes is None:
        targets = style.new_axes(1 if len(chosen.labels) == 1 else len(shown))
    else:
        targets = list(np.ravel(np.asarray(axes, dtype=object)))
    overlaid = len(chosen.labels) == 1 and len(targets) == 1
    expected = f"{len(shown)} axes, one for each time"
    require(overlaid or len(targets) >= len(shown), "axes", len(targets), expected)
    return draw(chosen, shown, targets)


def draw(projection: Projection, frames: Sequence[Ensemble], axes: Sequence[Axes]) -> list[Axes]:
    """Draw frames: a density into one or several axes, a plane into one for each frame."""
    points = [projection.points(frame) for frame in frames]
    limits = common_limits(points, projection)
    used = list(axes[: len(frames)])
    if len(projection.labels) == 1:
        _densities(frames, points, limits[0], used)
    elif projection.neurons:
        _neurons(frames, points, used)
    elif max(map(len, frames)) >= MANY:
        _hexagons(frames, points, limits, used)
    else:
        _particles(frames, points, used)
    for ax in used:
        ax.set_xlabel(projection.labels[0])
        ax.set_xlim(*limits[0])
        if len(projection.labels) == 2:
            ax.set_ylabel(projection.labels[1])
            ax.set_ylim(*limits[1])
        if projection.equal:
            ax.set_aspect("equal", adjustable="box")
    if len(used) == len(frames):
        for ax, frame in zip(used, frames, strict=True):
            ax.set_title(moment(frame))
    return used


def moment(frame: Ensemble) -> str:
    """The time of a frame, as a title."""
    return f"$t$ = {frame.time:.4g}"


def common_limits(points: Sequence[Array], projection: Projection) -> list[tuple[float, float]]:
    """Limits of each coordinate that hold all points; of one length where units are equal."""
    stacked = np.clip(np.vstack(points), -1e150, 1e150)
    low, high = stacked.min(axis=0), stacked.max(axis=0)
    if projection.norm:
        low[0] = 0.0
    centre, half = 0.5 * (low + high), 0.56 * (high - low)
    if projection.equal:
        half = np.full_like(half, half.max())
    # A single point gets room around it.
    half = np.where(half > 1e-9 * np.abs(centre), half, 0.5 * np.maximum(1.0, np.abs(centre)))
    limits = [(float(c - h), float(c + h)) for c, h in zip(centre, half, strict=True)]
    if projection.norm and len(limits) == 1:  # no bin of a density lies half below zero
        return [(0.0, limits[0][1])]
    return limits


def _densities(
    frames: Sequence[Ensemble],
    points: Sequence[Array],
    limits: tuple[float, float],
    axes: list[Axes],
) -> None:
    bins = int(np.clip(4 * max(map(len, frames)) ** (1 / 3), 12, 100))
    edges = np.linspace(*limits, bins + 1)
    last = len(frames) - 1
    for index, (frame, values) in enumerate(zip(frames, points, strict=True)):
        ax = axes[min(index, len(axes) - 1)]
        mass, _ = np.histogram(values[:, 0], bins=edges, weights=frame.mass)
        # The end is a plain black line, and the start a grey area: what happened is in between.
        if index == 0 and last > 0:
            look: dict[str, Any] = {"fill": True, "facecolor": "#DDDDDD", "edgecolor": style.GREY}
        else:
            look = {**style.line(last - index), "linewidth": 1.3}
        ax.stairs(mass / np.diff(edges), edges, label=moment(frame), **look)
    for ax in axes:
        ax.set_ylabel("density")
        ax.set_ylim(bottom=0.0)
    if len(axes) == 1 and last > 0:
        axes[0].legend()


def _particles(frames: Sequence[Ensemble], points: Sequence[Array], axes: list[Axes]) -> None:
    heaviest = max(float(frame.mass.max()) for frame in frames) or 1.0
    for ax, frame, xy in zip(axes, frames, points, strict=True):
        ax.axhline(0.0, color=style.FAINT, linewidth=0.5, zorder=0)
        area = _largest_area(len(frame)) * 0.3 * frame.mass / heaviest
        _markers(ax, xy, area, "", hollow=False)


def _hexagons(
    frames: Sequence[Ensemble],
    points: Sequence[Array],
    limits: Sequence[tuple[float, float]],
    axes: list[Axes],
) -> None:
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
    figure = axes[-1].get_figure()
    assert figure is not None
    figure.colorbar(drawn[-1], ax=axes, label="mass", shrink=0.9, pad=0.02)


def _neurons(frames: Sequence[Ensemble], points: Sequence[Array], axes: list[Axes]) -> None:
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
        _markers(ax, some[~negative], area[~negative], "$a$ ≥ 0", hollow=False)
        _markers(ax, some[negative], area[negative], "$a$ < 0", hollow=True)
    signed = frames[0].layout.blocks["a"] in ((), (1,))
    handles = axes[0].get_legend_handles_labels()[0][: 2 if signed else 0]
    note = "area: $m\\,|a|\\,|w|$" + (f"\n1 of {stride} neurons" if stride > 1 else "")
    # The first panel is the emptiest, as a rule.
    look = {"frameon": True, "facecolor": "white", "framealpha": 0.8, "edgecolor": "none"}
    legend = axes[0].legend(handles=handles, title=note, loc="best", handlelength=1.0, **look)
    for handle in legend.legend_handles:
        handle.set(sizes=[14.0], linewidths=[0.8])  # type: ignore[union-attr]


def _markers(ax: Axes, points: Array, area: Array, label: str, *, hollow: bool) -> None:
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
        label=label,
        rasterized=len(points) > SHARP,
        **look,
    )


def _largest_area(count: int) -> float:
    """Area of the largest marker in square points, so that all together cover little."""
    return float(np.clip(900 / np.sqrt(count), 6, 90))
