"""How pictures look: safe for the colour-blind, readable in black and white, sharp in print."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from meanfield.arrays import Array
from meanfield.errors import require

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.colors import Colormap
    from matplotlib.figure import Figure

# M. Okabe, K. Ito, Color universal design (2008), ordered so that neighbours differ in lightness.
COLOURS = ["#000000", "#0072B2", "#D55E00", "#56B4E9", "#CC79A7", "#009E73", "#E69F00", "#7F7F7F"]
# A line is told from its neighbour without colour too. One pattern for each colour.
DASHES: list[Any] = [
    "-",
    (0, (4, 1.6)),
    (0, (4, 1.4, 1, 1.4)),
    (0, (1, 1.2)),
    (0, (7, 1.6)),
    (0, (4, 1.4, 1, 1.4, 1, 1.4)),
    (0, (2, 1)),
    (0, (1, 2.5)),
]
POSITIVE, NEGATIVE, GREY, FAINT = COLOURS[1], COLOURS[2], "#555555", "#BBBBBB"
STAR = "#F0E442"  # of the teacher
WIDTH = 7.2  # inches: two columns of a journal
SINGLE = 4.5  # of a panel alone

RC: dict[str, Any] = {
    "font.size": 8,
    "axes.titlesize": 8,
    "axes.labelsize": 8,
    "xtick.labelsize": 7,
    "ytick.labelsize": 7,
    "legend.fontsize": 7,
    "legend.title_fontsize": 7,
    "legend.frameon": False,
    "legend.handlelength": 2.8,
    "figure.titlesize": 10,
    "figure.facecolor": "white",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.linewidth": 0.6,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "xtick.minor.width": 0.4,
    "ytick.minor.width": 0.4,
    "lines.linewidth": 1.2,
    "mathtext.fontset": "dejavusans",
    # Text stays text in vector files, and the same figure gives the same bytes.
    "pdf.fonttype": 42,
    "svg.fonttype": "none",
    "svg.hashsalt": "meanfield",
}


@contextmanager
def styled() -> Iterator[None]:
    """A context in which figures have the style of meanfield."""
    import matplotlib

    with matplotlib.rc_context(cast(Any, RC)):
        yield
        interactive = matplotlib.is_interactive()
    # A notebook says so when pyplot is first imported, which may be within.
    matplotlib.interactive(interactive)


def line(index: int) -> dict[str, Any]:
    """Colour and dashes of line number `index` in a panel."""
    return {"color": COLOURS[index % len(COLOURS)], "linestyle": DASHES[index % len(DASHES)]}


def density_map() -> Colormap:
    """Colours of a density: the darker the more, in grey print too; the palest is not white."""
    from matplotlib import colormaps
    from matplotlib.colors import ListedColormap

    return ListedColormap(colormaps["Blues"](np.linspace(0.2, 1.0, 256)), name="density")


@dataclass(frozen=True)
class Sheet:
    """What new figures are drawn on.

    Attributes
    ----------
    shown : bool
        Whether pyplot knows of them, so that ``plt.show()`` and notebooks show them; else nobody
        has to close them.
    size : (float, float), optional
        Width and height in inches, instead of what a figure takes by itself.
    """

    shown: bool = True
    size: tuple[float, float] | None = None


_sheet: ContextVar[Sheet | None] = ContextVar("sheet", default=None)


@contextmanager
def on(sheet: Sheet) -> Iterator[None]:
    """A context in which new figures are drawn on such a sheet."""
    before = _sheet.set(sheet)
    try:
        yield
    finally:
        _sheet.reset(before)


def new_figure(height: float, width: float = WIDTH, *, shown: bool | None = None) -> Figure:
    """An empty figure of some inches, or of the size that the sheet has."""
    sheet = _sheet.get() or Sheet()
    options: dict[str, Any] = {"figsize": sheet.size or (width, height), "layout": "constrained"}
    if sheet.shown if shown is None else shown:
        from matplotlib import pyplot

        return pyplot.figure(**options)
    from matplotlib.figure import Figure

    return Figure(**options)


def new_axes(
    count: int = 1, columns: int | None = None, *, height: float = 2.6, width: float = 0.0
) -> list[Axes]:
    """So many axes in a new figure, in rows of `columns` (default: one), `height` inches each.

    The figure is as wide as a page by default, for axes alone as a column of text.
    """
    width = width or (SINGLE if count == 1 else WIDTH)
    across = min(count, columns or count)
    rows = -(-count // across)
    with styled():
        grid = new_figure(height * rows, width).subplots(rows, across, squeeze=False)
        for ax in grid.flat[count:]:
            ax.remove()
        return list(grid.flat[:count])


def targets(
    axes: Axes | Sequence[Axes] | Array | None, count: int, what: str, **new: Any
) -> list[Axes]:
    """The axes to draw on: as many as there are things to draw, given or new.

    Raises
    ------
    InvalidInput
        If fewer are given.
    """
    if axes is None:
        return new_axes(count, **new)
    given = list(np.ravel(np.asarray(axes, dtype=object)))
    require(len(given) >= count, "axes", len(given), f"{count} axes, one for each {what}")
    return given[:count]


def colour_bar(drawn: Sequence[Any], axes: Sequence[Axes], label: str) -> None:
    """What colours mean in what is `drawn` on each of the axes: a bar beside those of a figure."""
    figures: dict[Any, tuple[Any, list[Axes]]] = {}
    for one, ax in zip(drawn, axes, strict=True):
        figures.setdefault(ax.get_figure(), (one, []))[1].append(ax)
    for figure, (one, own) in figures.items():
        figure.colorbar(one, ax=own, label=label, shrink=0.9, pad=0.02)


def dots(ax: Axes, points: Array, area: Any, **look: Any) -> None:
    """Markers at points (N, 2), of an area in square points."""
    ax.scatter(points[:, 0], points[:, 1], area, **look)


def legend_below(axes: Sequence[Axes], handles: Sequence[Any], *, own: bool) -> None:
    """A legend for all axes: below their `own` figure, or in the first of the user's axes."""
    if own or len(firsts(axes)) > 1:
        for ax in firsts(axes):
            figure: Any = ax.get_figure()
            figure.legend(handles=handles, loc="outside lower center", ncols=min(len(handles), 5))
    else:
        axes[0].legend(handles=handles)


def firsts(axes: Sequence[Axes]) -> list[Axes]:
    """The first of the axes of each figure: of several, as the pictures of a film are, each."""
    found: dict[Any, Axes] = {}
    for ax in axes:
        found.setdefault(ax.get_figure(), ax)
    return list(found.values())


def plain(text: str) -> str:
    """Text that matplotlib does not take for mathematics."""
    return text.replace("$", r"\$")
