"""The distribution of the neurons at chosen times, on common axes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from meanfield.arrays import Array
from meanfield.ensemble import Ensemble
from meanfield.errors import UnknownName, require
from meanfield.viewing import style
from meanfield.viewing.marks import (
    draw_densities,
    draw_hexagons,
    draw_neurons,
    draw_particles,
    moment,
)
from meanfield.viewing.projections import (
    Projection,
    drawable,
    marginal,
    moving_columns,
    projections,
)
from meanfield.viewing.registry import figure, has_frames

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from meanfield.storage import Run

MOST_PANELS = 9
MANY = 2000  # from so many particles on, a plane shows their density


@figure("distribution", has_frames)
def distribution(
    run: Run,
    times: Sequence[float] | None = None,
    axes: Axes | Sequence[Axes] | Array | None = None,
    projection: str | None = None,
    columns: Sequence[str] | None = None,
) -> list[Axes]:
    """The particles at chosen times, on axes with common limits.

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
        * ``pca``: the two principal axes of all moving coordinates, of the last frame.

        Default: the first of these that suits the run.
    columns : one or two of str, optional
        Instead: the marginal of these coordinates, as in ``["w[0]", "w[3]"]``.

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
    frames = run.frames
    found = projections(frames[0], frames[-1])
    if columns is not None:
        numbers = column_numbers(run, columns)
        require(len(numbers) < 3, "columns", columns, "one or two columns")
        chosen = marginal(run.layout, numbers)
    elif projection is not None and projection not in found:
        raise UnknownName("projection", projection, found)
    else:
        chosen = found[projection or next(iter(found))]
    shown = at_times(run, times)
    # A density takes a single axes for all times.
    overlaid = len(chosen.labels) == 1 and (axes is None or np.size(np.asarray(axes)) == 1)
    count = 1 if overlaid else len(shown)
    return draw(chosen, shown, style.targets(axes, count, "time", columns=4))


@figure("marginals", has_frames)
def marginals(
    run: Run,
    times: Sequence[float] | None = None,
    axes: Axes | Sequence[Axes] | Array | None = None,
    columns: Sequence[str] | None = None,
) -> list[Axes]:
    """The density of each coordinate at chosen times: histograms weighted by mass.

    Parameters
    ----------
    run : Run
    times : sequence of float, optional
        The nearest frames are drawn. Default: the first, the middle and the last.
    axes : Axes or sequence of Axes, optional
        One for each column.
    columns : sequence of str, optional
        As in ``["a", "w[0]"]``. Default: the first nine that move.

    Raises
    ------
    UnknownName
        If particles have no such column.
    """
    moving = moving_columns(run.frames[0], run.frames[-1])[:MOST_PANELS]
    numbers = moving if columns is None else column_numbers(run, columns)
    shown = at_times(run, times)
    drawn = style.targets(axes, len(numbers), "column", columns=3, height=1.9)
    for number, ax in zip(numbers, drawn, strict=True):
        draw(marginal(run.layout, [number]), shown, [ax])
    for ax in drawn[1:]:
        if (legend := ax.get_legend()) is not None:
            legend.remove()
    return drawn


def column_numbers(run: Run, columns: Sequence[str]) -> list[int]:
    """Numbers of columns by their names, each once."""
    wanted = [columns] if isinstance(columns, str) else list(dict.fromkeys(columns))
    require(len(wanted) > 0, "columns", columns, "at least one column")
    for name in wanted:
        if name not in run.layout.labels:
            raise UnknownName("column", str(name), run.layout.labels)
    return [run.layout.labels.index(name) for name in wanted]


def at_times(run: Run, times: Sequence[float] | None) -> list[Ensemble]:
    """The frames nearest to some times; by default the first, the middle and the last."""
    if times is None:
        return start_middle_end(run)
    require(len(times) > 0, "times", times, "at least one time")
    return [run.frames.at(time) for time in times]


def draw(projection: Projection, frames: Sequence[Ensemble], axes: Sequence[Axes]) -> list[Axes]:
    """Draw frames: a density into one or several axes, a plane into one for each frame."""
    frames = [frame.astype("float64") for frame in frames]  # limits and norms near its ends
    points = [projection.points(frame) for frame in frames]
    limits = common_limits(points, projection)
    used = list(axes[: len(frames)])
    if len(projection.labels) == 1:
        draw_densities(frames, points, limits[0], used)
    elif projection.neurons:
        draw_neurons(frames, points, used)
    elif max(map(len, frames)) >= MANY:
        draw_hexagons(frames, points, limits, used)
    else:
        draw_particles(frames, points, used)
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


def common_limits(points: Sequence[Array], projection: Projection) -> list[tuple[float, float]]:
    """Limits of each coordinate that hold all points; of one length where units are equal."""
    stacked = drawable(np.vstack(points))
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


def start_middle_end(run: Run) -> list[Ensemble]:
    """The first, the middle and the last frame; fewer where they are the same."""
    frames = run.frames
    last = len(frames) - 1
    return [frames[i] for i in sorted({0, (last + 1) // 2, last})] if len(frames) else []
