"""How far measures are apart: over time, between all times, and which particle goes where."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from meanfield.arrays import Array
from meanfield.ensemble import Ensemble
from meanfield.errors import InvalidInput, require, require_count
from meanfield.viewing import style
from meanfield.viewing.curves import Curve, draw_curves, scale_time, scale_values
from meanfield.viewing.labels import labels_of
from meanfield.viewing.marks import moment
from meanfield.viewing.oracles import oracle_of
from meanfield.viewing.planes import plane
from meanfield.viewing.registry import figure, has_frames, several_frames

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from meanfield.config import Setting
    from meanfield.storage import Run

PATIENCE = 20.0  # seconds that exact distances may take, before sliced ones are taken
MOST_FRAMES = 41
MOST_LINES = 400
NAMES = {"exact": "$W_2$", "sliced": "sliced $W_2$", "bures": "Bures distance"}


@figure("distances", several_frames)
def distances(
    run: Run,
    ax: Axes | None = None,
    *,
    to: Sequence[Any] | None = None,
    method: str = "",
    log: bool | None = None,
) -> list[Axes]:
    """The distance of the neurons to their start, their end, and their limit, over time.

    Parameters
    ----------
    run : Run
        Its frames are measured, at most 41 of them.
    ax : matplotlib Axes, optional
    to : sequence, optional
        Of "start", "end", paths of other runs ("other.h5@2.5"), ensembles, and oracles with
        ``measure(time, count)``. Default: start and end, and the limit N → ∞ of two Gaussians.
    method : str, optional
        As in `meanfield.transport.distance`. Default: "exact", or "sliced" where that would take
        more than 20 seconds.
    log : bool, optional
        A logarithmic or a linear axis of distances.
    """
    places = evenly(len(run.frames))
    shown = [run.frames[place] for place in places]
    given: list[Any] = ["start", "end"] if to is None else list(np.atleast_1d(np.array(to, object)))
    require(len(given) > 0, "to", to, "at least one reference")
    limit = oracle_of(run) if to is None else None
    if limit is not None and limit.measure(0.0, 2).layout == run.layout:  # not of radii alone
        given.append(limit)
    chosen = method or affordable(len(shown[0]), shown[0].dim, len(shown) * len(given))
    times = np.array([frame.time for frame in shown])
    lines = [
        Curve(_name(reference), times, _distances(run, shown, reference, chosen))
        for reference in given
    ]
    (target,) = style.targets(ax, 1, "panel")
    draw_curves(lines, target)
    scale_values(target, lines, log=log)
    scale_time(target, [run], lines)
    target.set_ylabel(f"{NAMES.get(chosen, chosen)} to …")
    target.legend()
    return [target]


@figure("matching", several_frames)
def matching(
    run: Run,
    times: Sequence[float] | None = None,
    ax: Axes | None = None,
    *,
    count: int = MOST_LINES,
    setting: Setting | None = None,
) -> list[Axes]:
    """The optimal plan between two times: lines from each particle to where its mass goes.

    The plan is that of W₂ between all coordinates of all particles; the plane is that of `paths`.

    Parameters
    ----------
    run : Run
    times : two of float, optional
        The nearest frames. Default: the first and the last.
    ax : matplotlib Axes, optional
    count : int
        At most so many lines, evenly spaced in the order of particles.
    setting : Setting, optional
        As in `paths`.
    """
    from meanfield.transport import matching as plan

    require_count("count", count)
    both = [run.frames[0].time, run.frames[-1].time] if times is None else list(times)
    require(len(both) == 2, "times", times, "two times")
    first, second = (run.frames.at(time) for time in both)
    found, where = plan(first, second), plane(run, setting)
    points = [where.points(frame.astype("float64")) for frame in (first, second)]
    if points[0].shape[1] == 1:
        points = [
            np.column_stack([p[:, 0], np.full(len(p), height)])
            for p, height in zip(points, (0.0, 1.0), strict=True)
        ]
    some = np.unique(np.linspace(0, len(found.rows) - 1, count).round().astype(int))
    lines = np.stack([points[0][found.rows[some]], points[1][found.columns[some]]], axis=1)
    (target,) = style.targets(ax, 1, "panel", height=3.4, width=3.6)
    from matplotlib.collections import LineCollection

    heaviest = max(float(found.mass[some].max()), 1e-300)
    widths = np.clip(found.mass[some] / heaviest, 0.15, 1.0) * np.clip(8 / np.sqrt(count), 0.3, 0.8)
    looks: dict[str, Any] = {"colors": style.GREY, "linewidths": widths, "alpha": 0.7}
    target.add_collection(LineCollection(list(lines), **looks))
    area = float(np.clip(900 / len(first), 4, 18))
    look: dict[str, Any] = {"linewidths": 0.7, "zorder": 3}
    for frame, xy, face, edge in (
        (first, points[0], "white", style.NEGATIVE),
        (second, points[1], style.POSITIVE, style.POSITIVE),
    ):
        share = frame.mass / frame.mass.max()
        style.dots(
            target, xy, area * share, facecolors=face, edgecolors=edge, label=moment(frame), **look
        )
    titles = moment(first), moment(second)
    _frame_of_plane(target, where.labels, where.homogeneous, points, titles)
    distance = f"$W_2$ = {found.distance.value:.4g}"
    target.legend(title=distance, loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=2)
    return [target]


@figure("matrix", has_frames, several=True)
def matrix(
    runs: Sequence[Run],
    times: Sequence[float] | None = None,
    axes: Sequence[Axes] | None = None,
    *,
    method: str = "",
    modulo: Any = None,
) -> list[Axes]:
    """The distances between all times (of all runs), and points in the plane that have them.

    Parameters
    ----------
    runs : Run or sequence of Run
    times : sequence of float, optional
        The nearest frames. Default: twelve of each run.
    axes : sequence of two matplotlib Axes, optional
        Of the matrix and of the points.
    method, modulo
        As in `meanfield.transport.distance_matrix`. Default of the method: as in `distances`.
    """
    from meanfield.transport import distance_matrix, embedding

    frames = []
    for run in runs:
        places = evenly(len(run.frames), 12)
        shown = (
            [run.frames[i] for i in places]
            if times is None
            else [run.frames.at(time) for time in times]
        )
        frames.append(shown)
    flat = [frame for shown in frames for frame in shown]
    require(len(flat) > 1, "times", times, "at least two times, or two runs")
    chosen = method or affordable(len(flat[0]), flat[0].dim, len(flat) ** 2 // 2)
    found = distance_matrix(flat, chosen, modulo=modulo)
    left, right = style.targets(axes, 2, "picture", height=3.2)
    picture = left.imshow(found.values, cmap=style.density_map(), vmin=0.0)
    style.colour_bar([picture], [left], NAMES.get(chosen, chosen))
    names = labels_of(runs) if len(runs) > 1 else [""]
    ticks = [f"{frame.time:.4g}" for frame in flat]
    every = range(0, len(flat), -(-len(flat) // 12))
    left.set_xticks(every, [ticks[i] for i in every], rotation=90)
    left.set_yticks(every, [ticks[i] for i in every])
    for edge in np.cumsum([len(shown) for shown in frames])[:-1]:
        left.axhline(edge - 0.5, color="black", linewidth=0.8)
        left.axvline(edge - 0.5, color="black", linewidth=0.8)
    said = "time $t$" if len(runs) == 1 else f"time $t$ of {', '.join(names)}"
    left.set(xlabel=said, ylabel=said)
    placed = embedding(found, min(2, len(flat)))
    points = np.hstack([placed.points, np.zeros((len(flat), 2))])[:, :2]
    first = 0
    for index, (shown, name) in enumerate(zip(frames, names, strict=True)):
        own = points[first : first + len(shown)]
        right.plot(*own.T, marker="o", markersize=3, label=name, **style.line(index))
        for place in {0, len(shown) - 1} if index == 0 else ():
            right.annotate(
                moment(shown[place]),
                own[place],
                xytext=(3, 3),
                textcoords="offset points",
                fontsize=7,
            )
        first += len(shown)
    right.set_aspect("equal", adjustable="datalim")
    right.margins(0.12)
    right.set(xlabel="first axis", ylabel="second axis")
    right.set_title(f"{placed.explained:.0%} explained, off by up to {placed.error:.2g}")
    if len(runs) > 1:
        right.legend()
    return [left, right]


def evenly(count: int, most: int = MOST_FRAMES) -> Array:
    """Places of at most so many frames, the first and the last among them."""
    return np.unique(np.linspace(0, count - 1, most).round().astype(int))


def affordable(count: int, dim: int, times: int) -> str:
    """The method "exact" if so many distances of so many particles take a few seconds."""
    from meanfield.transport.base import make

    return "exact" if make("exact").cost(count, count, dim).seconds * times < PATIENCE else "sliced"


def _distances(run: Run, shown: Sequence[Ensemble], reference: Any, method: str) -> Array:
    from meanfield.transport import distance, measure

    if hasattr(reference, "measure"):
        there: Any = [reference.measure(frame.time, len(frame)) for frame in shown]
    else:
        known = {"start": 0, "end": -1}
        given = run.frames[known[reference]] if _word(reference) in known else reference
        there = [measure(given)] * len(shown)
    return np.array(
        [distance(frame, other, method).value for frame, other in zip(shown, there, strict=True)]
    )


def _word(reference: Any) -> str:
    return reference if isinstance(reference, str) else ""


def _name(reference: Any) -> str:
    if isinstance(reference, (str, os.PathLike)):
        return style.plain(str(reference))
    if isinstance(reference, Ensemble):
        return f"an ensemble of {len(reference)}"
    if hasattr(reference, "measure"):
        return "limit"
    raise InvalidInput("to", reference, "'start', 'end', a run's path, an ensemble or an oracle")


def _frame_of_plane(
    ax: Axes,
    labels: tuple[str, str],
    equal: bool,
    points: Sequence[Array],
    titles: tuple[str, str],
) -> None:
    """Labels and limits; a particle of one number is on the horizontal axis, time on the other."""
    both = np.vstack(points)
    ax.update_datalim(both)
    ax.autoscale_view()
    if labels[0]:
        ax.set(xlabel=labels[0], ylabel=labels[1])
    else:
        ax.set(xlabel=labels[1], ylabel="")
        ax.set_yticks([0.0, 1.0], titles)
    if equal:
        ax.set_aspect("equal", adjustable="datalim")
