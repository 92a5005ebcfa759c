"""Where neurons point: on the circle, on the sphere, or in a disc."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from meanfield.arrays import Array
from meanfield.ensemble import Ensemble
from meanfield.errors import require_count
from meanfield.viewing import style
from meanfield.viewing.distribution import at_times
from meanfield.viewing.marks import draw_neurons, moment, neuron_legend, star_handle
from meanfield.viewing.planes import inner_columns, known_setting, main_axes, teacher_neurons
from meanfield.viewing.projections import drawable, norm, outer
from meanfield.viewing.registry import figure, has_blocks, has_frames

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from meanfield.config import Setting
    from meanfield.storage import Run


def several_coordinates(run: Run) -> str:
    """Neurons have at least two inner weights."""
    few = len(inner_columns(run.layout)) < 2
    return "neurons have one inner weight, and no directions" if few else ""


@figure("directions", has_frames, has_blocks("a", "w"), several_coordinates)
def directions(
    run: Run,
    times: Sequence[float] | None = None,
    axes: Axes | Sequence[Axes] | None = None,
    *,
    bins: int = 72,
    setting: Setting | None = None,
) -> list[Axes]:
    """The directions of the neurons, weighted by their strength m |a| |w|, and the teacher's.

    w (with b, where there is a bias) has two coordinates: a density over the angle, up for a > 0
    and down for a < 0, whose area is the mean strength. Three: two half spheres seen from above and
    below, without distortion of areas. More: the part of w/|w| along two axes, within the unit
    disc; these are the teacher's first two directions, or the principal ones of the last frame.

    Parameters
    ----------
    run : Run
    times : sequence of float, optional
        A panel for each of the nearest frames. Default: the first, the middle and the last.
    axes : Axes or sequence of Axes, optional
        One for each time.
    bins : int
        Of the angle.
    setting : Setting, optional
        For the teacher. Default: that of the run's experiment, if it has one.
    """
    require_count("bins", bins, 4)
    shown = [frame.astype("float64") for frame in at_times(run, times)]
    inner = inner_columns(run.layout)
    taught, signs = teacher_neurons(known_setting(run, setting), len(inner))
    if len(inner) == 2:
        return _circle(shown, inner, taught, signs, bins, axes)
    labels = ("", "")
    if len(inner) == 3:
        place: Callable[[Array], Array] = hemispheres
    else:
        across, along = main_axes(run, inner, taught)
        labels = (f"$w/|w|$ along {along[0]}", f"along {along[1]}")

        def place(unit: Array) -> Array:
            return unit @ across

    height = 2.6 if labels[0] else 1.7
    drawn = style.targets(axes, len(shown), "time", columns=3, height=height)
    points = [place(_unit(frame.position[:, inner])) for frame in shown]
    draw_neurons(shown, points, drawn, legend=False)
    for ax, frame in zip(drawn, shown, strict=True):
        _outline(ax, discs=2 if len(inner) == 3 else 1)
        if len(taught):
            look: dict[str, Any] = {
                "edgecolors": "black",
                "facecolors": style.STAR,
                "linewidths": 0.6,
            }
            style.dots(ax, place(_unit(taught)), 45, marker="*", zorder=4, **look)
        ax.set(xlabel=labels[0], ylabel=labels[1], title=moment(frame))
        ax.set_aspect("equal", adjustable="box")
    signed = run.layout.blocks["a"] in ((), (1,))
    handles = neuron_legend(signed)["handles"]
    if len(taught):
        handles.append(star_handle())
    if handles:
        style.legend_below(drawn, handles, own=axes is None)
    return drawn


def hemispheres(unit: Array) -> Array:
    """Points of the sphere (n, 3) on two discs of radius 1: left where the last coordinate is ≥ 0.

    The equal-area projection of Lambert (1772), each disc seen from outside along the last axis.
    """
    up = unit[:, 2] >= 0
    scale = 1.0 / np.sqrt(1.0 + np.abs(unit[:, 2]))
    flat = scale[:, None] * unit[:, :2]
    return flat + np.where(up, -1.1, 1.1)[:, None] * np.array([1.0, 0.0])


def angle_density(frame: Ensemble, inner: Sequence[int], edges: Array) -> tuple[Array, Array]:
    """Strength m |a| |w| per radian of neurons with a ≥ 0, and with a < 0, (bins,) each."""
    w = frame.position[:, list(inner)]
    sign = outer(frame)
    strength = drawable(frame.mass * drawable(np.abs(sign)) * drawable(norm(w)))
    angle = np.arctan2(w[:, 1], w[:, 0])
    width = np.diff(edges)
    parts = (sign >= 0, sign < 0)
    found = [np.histogram(angle[part], edges, weights=strength[part])[0] / width for part in parts]
    return found[0], found[1]


def _circle(
    shown: list[Ensemble], inner: list[int], taught: Array, signs: Array, bins: int, axes: object
) -> list[Axes]:
    drawn = style.targets(axes, len(shown), "time", columns=3, height=2.2)  # type: ignore[arg-type]
    edges = np.linspace(-np.pi, np.pi, bins + 1)
    found = [angle_density(frame, inner, edges) for frame in shown]
    most = 1.08 * max(float(part.max()) for parts in found for part in parts) or 1.0
    for ax, frame, (up, down) in zip(drawn, shown, found, strict=True):
        ax.stairs(up, edges, fill=True, color=style.POSITIVE, label="$a$ ≥ 0")
        ax.stairs(-down, edges, color=style.NEGATIVE, linewidth=0.9, hatch="/////", label="$a$ < 0")
        ax.axhline(0.0, color="black", linewidth=0.5)
        for point, sign in zip(taught, signs, strict=True):
            angle = float(np.arctan2(point[1], point[0]))
            edge: dict[str, Any] = {
                "color": style.GREY,
                "linestyle": (0, (4, 2)),
                "linewidth": 0.8,
                "zorder": 0,
            }
            ax.plot([angle, angle], [0.0, most if sign >= 0 else -most], **edge)
        ax.set_ylim(-most if any(d.any() for _, d in found) or (signs < 0).any() else 0.0, most)
        ax.set_xlim(-np.pi, np.pi)
        ticks = np.array([-1.0, -0.5, 0.0, 0.5, 1.0])
        ax.set_xticks(np.pi * ticks, ["$-π$", "$-π/2$", "0", "$π/2$", "$π$"])
        ax.set(xlabel="angle of $w$ (radians)", title=moment(frame))
    drawn[0].set_ylabel("$m\\,|a|\\,|w|$ per radian")
    handles = drawn[0].get_legend_handles_labels()[0]
    if len(taught):
        from matplotlib.lines import Line2D

        handles.append(Line2D([], [], color=style.GREY, linestyle=(0, (4, 2)), label="teacher"))
    style.legend_below(drawn, handles, own=axes is None)
    return drawn


def _unit(rows: Array) -> Array:
    """Rows of length 1; a row of zeros stays."""
    size = norm(rows)
    return rows / np.where(size > 0, size, 1.0)[:, None]


def _outline(ax: Axes, discs: int) -> None:
    """The edges of the discs, instead of the frame."""
    around = np.linspace(0.0, 2.0 * np.pi, 200)
    centres = [0.0] if discs == 1 else [-1.1, 1.1]
    for centre, name in zip(centres, ["" if discs == 1 else "up", "down"], strict=False):
        x, y = centre + np.cos(around), np.sin(around)
        ax.plot(x, y, color=style.GREY, linewidth=0.7, zorder=1)
        ax.text(centre, -1.05, name, ha="center", va="top", fontsize=7)
    if discs == 2:
        ax.set_axis_off()
    edge = 1.05 + (1.1 if discs == 2 else 0.0)
    ax.set(xlim=(-edge, edge), ylim=(-1.2 if discs == 2 else -1.05, 1.05))
