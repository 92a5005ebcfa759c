"""Where each particle went."""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from meanfield.arrays import Array
from meanfield.errors import require, require_count
from meanfield.viewing import style
from meanfield.viewing.curves import scale_time
from meanfield.viewing.marks import moment, star_handle
from meanfield.viewing.planes import Plane, plane
from meanfield.viewing.projections import outer
from meanfield.viewing.registry import figure, several_frames

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from meanfield.config import Setting
    from meanfield.storage import Run

MOST = 300  # paths: more hide each other


def keeps_particles(run: Run) -> str:
    """A row of the arrays is the same particle in every frame."""
    flow = tomllib.loads(run.experiment).get("flow", {}) if run.experiment else {}
    dies = flow.get("kind") == "birth-death"
    return "particles die and are copied, so that they have no paths" if dies else ""


@figure("paths", several_frames, keeps_particles)
def paths(
    run: Run,
    times: Sequence[float] | None = None,
    axes: Axes | Sequence[Axes] | None = None,
    *,
    count: int = MOST,
    setting: Setting | None = None,
) -> list[Axes]:
    """The path of every particle in the plane, with the teacher's directions.

    After Chizat and Bach (2018). Neurons are m N |a| w, projected where w has more than two
    coordinates; colour, and lines or dashes, tell the sign of a; rays are the directions of the
    teacher's neurons, and stars their |a| w. A particle with one coordinate is drawn over time.

    Parameters
    ----------
    run : Run
    times : sequence of float, optional
        Until when; a panel for each. Default: the last frame.
    axes : Axes or sequence of Axes, optional
        One for each time.
    count : int
        At most so many paths, of particles evenly spaced in their order.
    setting : Setting, optional
        Network and data, for the teacher. Default: those of the run's experiment, if it has one.
    """
    require_count("count", count)
    frames = [frame.astype("float64") for frame in run.frames]
    moments = run.frames.times
    ends = [len(frames) - 1]
    if times is not None:
        require(len(times) > 0, "times", times, "at least one time")
        ends = [run.frames.place(time) for time in times]
    found = plane(run, setting)
    chosen = np.unique(np.linspace(0, len(frames[0]) - 1, count).round().astype(int))
    points = np.array([found.points(frame)[chosen] for frame in frames])
    if points.shape[2] == 1:
        over = np.broadcast_to(moments[:, None, None], points.shape)
        points = np.concatenate([over, points], axis=2)
    signed = "a" in run.layout.blocks
    negative = outer(frames[-1])[chosen] < 0 if signed else np.zeros(len(chosen), bool)
    size: dict[str, Any] = {"height": 3.4, "width": 3.6} if len(ends) == 1 else {"height": 2.6}
    drawn = style.targets(axes, len(ends), "time", columns=3, **size)
    limits = _limits(points, found)
    for ax, end in zip(drawn, ends, strict=True):
        _draw(ax, points[: end + 1], negative)
        _teach(ax, found, limits)
        for axis, label, limit in zip("xy", found.labels, limits, strict=True):
            ax.set(**{f"{axis}lim": limit, f"{axis}label": label or "time $t$"})
        if not found.labels[0]:
            scale_time(ax, [run], [])
        if found.homogeneous:
            ax.set_aspect("equal", adjustable="box")
        if times is not None:
            ax.set_title(moment(frames[end]))
    for ax in style.firsts(drawn):
        _explain(ax, found, negative)
    return drawn


def _draw(ax: Axes, points: Array, negative: Array) -> None:
    """Lines, starts and ends of points (T, N, 2)."""
    from matplotlib.collections import LineCollection

    many = points.shape[1]
    width, area = float(np.clip(6 / np.sqrt(many), 0.4, 1.0)), float(np.clip(300 / many, 4, 16))
    for rows, colour, dashes, face in (
        (~negative, style.POSITIVE, "-", style.POSITIVE),
        (negative, style.NEGATIVE, (0, (4, 1.5)), "white"),
    ):
        lines = points[:, rows].swapaxes(0, 1)
        looks: dict[str, Any] = {
            "colors": colour,
            "linewidths": width,
            "linestyles": [dashes],
            "alpha": 0.6,
        }
        ax.add_collection(LineCollection(list(lines), **looks))
        style.dots(ax, points[0, rows], 0.3 * area, color=style.GREY, linewidths=0, zorder=2.5)
        edge: dict[str, Any] = {"edgecolors": colour, "linewidths": 0.7, "zorder": 3}
        style.dots(ax, points[-1, rows], area, facecolors=face, **edge)


def _teach(ax: Axes, found: Plane, limits: Sequence[tuple[float, float]]) -> None:
    """The teacher's directions to the edge, and its neurons."""
    far = 2 * max(abs(edge) for limit in limits for edge in limit)
    for point, sign in zip(found.teacher, found.signs, strict=True):
        size = float(np.hypot(*point))
        if found.homogeneous and size > 0:
            x, y = far * point / size
            dashes = style.DASHES[3] if sign < 0 else style.DASHES[1]
            ax.plot([0, x], [0, y], color=style.GREY, linestyle=dashes, linewidth=0.8, zorder=1)
    if len(found.teacher):
        look: dict[str, Any] = {
            "edgecolors": "black",
            "facecolors": style.STAR,
            "linewidths": 0.6,
            "zorder": 4,
        }
        style.dots(ax, found.teacher, 45, marker="*", **look)


def _limits(points: Array, found: Plane) -> list[tuple[float, float]]:
    """Of both axes, for all frames and the teacher; around 0 and alike where directions count."""
    flat = np.vstack([points.reshape(-1, 2), found.teacher])
    low, high = flat.min(axis=0), flat.max(axis=0)
    if found.homogeneous:
        half = 1.06 * max(float(np.abs(flat).max()), 1e-12)
        return [(-half, half)] * 2
    gap = 0.04 * np.maximum(high - low, 1e-9 * np.maximum(1.0, np.abs(high)))
    if not found.labels[0]:
        gap[0] = 0.0
    return [(float(a - g), float(b + g)) for a, b, g in zip(low, high, gap, strict=True)]


def _explain(ax: Axes, found: Plane, negative: Array) -> None:
    from matplotlib.lines import Line2D

    point: dict[str, Any] = {"linestyle": "", "marker": "o", "markersize": 3.5}
    handles = [Line2D([], [], color=style.GREY, label="start", **{**point, "markersize": 2})]
    if negative.any():
        handles += [
            Line2D([], [], color=style.POSITIVE, label="end, $a$ ≥ 0", **point),
            Line2D([], [], color=style.NEGATIVE, label="end, $a$ < 0", fillstyle="none", **point),
        ]
    else:
        handles.append(Line2D([], [], color=style.POSITIVE, label="end", **point))
    if len(found.teacher):
        handles.append(star_handle())
    ax.legend(
        handles=handles,
        loc="lower center",
        bbox_to_anchor=(0.5, 1.0 if not ax.get_title() else 1.1),
        ncols=4,
        handlelength=0.8,
        columnspacing=1.0,
    )
