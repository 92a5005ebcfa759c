"""Births and deaths: which families grow, and where those alive at the end come from."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from meanfield.arrays import Array
from meanfield.errors import require, require_count
from meanfield.viewing import style
from meanfield.viewing.curves import scale_time
from meanfield.viewing.planes import Plane, plane
from meanfield.viewing.registry import figure, several_frames

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from meanfield.genealogy import Genealogy
    from meanfield.storage import Run

MOST = 300  # lines
HATCHES = ["", "////", "", "....", "", "\\\\\\\\", "", "xxxx"]


def has_births(run: Run) -> str:
    """The run has births and deaths, and can be simulated again."""
    from meanfield.genealogy import no_births

    return no_births(run)


@figure("genealogy", several_frames, has_births)
def genealogy(
    run: Run,
    axes: Sequence[Axes] | None = None,
    *,
    families: int = 7,
    count: int = MOST,
    lineage: Genealogy | None = None,
) -> list[Axes]:
    """Births and deaths: the shares of families, the lines of descent, and how many have heirs.

    A family is a particle of the start with its descendants. A line of descent goes back from a
    particle alive at the end to its ancestors; lines meet where one was doubled. Takes as long as
    the run did, which is simulated again: see `meanfield.genealogy`.

    Parameters
    ----------
    run : Run
    axes : sequence of three matplotlib Axes, optional
        Of shares, lines, and numbers.
    families : int
        So many, the largest at the end, are told apart.
    count : int
        At most so many lines, evenly spaced in the order of particles.
    lineage : Genealogy, optional
        What `meanfield.genealogy` has returned.
    """
    from meanfield.genealogy import Genealogy
    from meanfield.genealogy import genealogy as traced

    known = lineage is None or isinstance(lineage, Genealogy)
    require(known, "lineage", lineage, "what mf.genealogy(run) returns, in Python")
    require_count("families", families)
    require_count("count", count)
    first, second, third = style.targets(axes, 3, "panel", height=2.5)
    found = lineage or traced(run)
    _shares(first, found, families)
    _lines(second, run, found, plane(run), count)
    total = [len(np.unique(rows)) for rows in found.founders]
    third.plot(found.times, found.survivors, label="who have heirs at the end", **style.line(0))
    third.plot(found.times, total, label="founders who have heirs now", **style.line(1))
    third.set_ylim(0.0, 1.3 * len(found.frames[0]))  # room for the legend
    third.set_ylabel("particles")
    third.legend(loc="upper center")
    for ax in (first, third):
        scale_time(ax, [run], [])
    return [first, second, third]


def shares(found: Genealogy, families: int) -> tuple[Array, Array]:
    """The founders of the largest families at the end, (F,), and the mass of each, (F + 1, T).

    The last row is all other families.
    """
    count = len(found.frames[0])
    mass = np.array(
        [
            np.bincount(rows, frame.mass, minlength=count)
            for rows, frame in zip(found.founders, found.frames, strict=True)
        ]
    ).T
    largest = np.argsort(-mass[:, -1], kind="stable")[: min(families, count)]
    largest = largest[mass[largest, -1] > 0]
    rest = np.delete(mass, largest, axis=0).sum(axis=0)
    return largest, np.vstack([mass[largest], rest])


def _shares(ax: Axes, found: Genealogy, families: int) -> None:
    largest, mass = shares(found, families)
    colours = [style.COLOURS[1:][i % 7] for i in range(len(largest))]
    areas = ax.stackplot(found.times, mass, colors=[*colours, "#E5E5E5"], linewidth=0)
    for index, area in enumerate(areas[:-1]):
        area.set(hatch=HATCHES[index % len(HATCHES)], edgecolor="white", linewidth=0.3)
    bottom = np.cumsum(mass[:-1], axis=0)
    for edge in bottom:
        ax.plot(found.times, edge, color="white", linewidth=0.4)
    ax.set_ylabel("mass of families")
    ax.set_ylim(0.0, float(mass.sum(axis=0).max()))
    middle = 0.5 * (mass[:-1].sum(axis=0) + mass.sum(axis=0))
    if mass[-1, 0] > 0.1:
        ax.text(0.02, float(middle[0]), "others", transform=ax.get_yaxis_transform(), va="center")


def _lines(ax: Axes, run: Run, found: Genealogy, where: Plane, count: int) -> None:
    from matplotlib.collections import LineCollection

    ancestors = found.ancestors
    some = np.unique(np.linspace(0, ancestors.shape[1] - 1, count).round().astype(int))
    points = [
        where.points(frame.astype("float64"))[rows[some]]
        for frame, rows in zip(found.frames, ancestors, strict=True)
    ]
    lines = np.array(points)  # (T, lines, 1 or 2)
    if lines.shape[2] == 1:
        over = np.broadcast_to(found.times[:, None, None], lines.shape)
        lines = np.concatenate([over, lines], axis=2)
    look: dict[str, Any] = {"colors": style.POSITIVE, "linewidths": 0.5, "alpha": 0.5}
    ax.add_collection(LineCollection(list(lines.swapaxes(0, 1)), **look))
    style.dots(ax, lines[0], 5, color=style.GREY, linewidths=0, zorder=2.5)
    style.dots(ax, lines[-1], 6, facecolors="white", edgecolors=style.POSITIVE, linewidths=0.6)
    ax.set(xlabel=where.labels[0], ylabel=where.labels[1])
    if not where.labels[0]:
        scale_time(ax, [run], [])
    if where.homogeneous:
        ax.set_aspect("equal", adjustable="datalim")
