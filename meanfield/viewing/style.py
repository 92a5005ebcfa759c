"""How pictures look: safe for the colour-blind, readable in black and white, sharp in print."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, cast

import numpy as np

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
WIDTH = 7.2  # inches: two columns of a journal

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


def new_figure(height: float, *, shown: bool) -> Figure:
    """An empty figure as wide as a page, `height` inches high.

    Where it is to be `shown`, pyplot knows of it; else nobody has to close it.
    """
    options: dict[str, Any] = {"figsize": (WIDTH, height), "layout": "constrained"}
    if shown:
        from matplotlib import pyplot

        return pyplot.figure(**options)
    from matplotlib.figure import Figure

    return Figure(**options)


def new_axes(count: int = 1) -> list[Axes]:
    """A row of `count` axes in a new figure."""
    with styled():
        figure = new_figure(2.6, shown=True)
        return list(figure.subplots(1, count, squeeze=False)[0])


def plain(text: str) -> str:
    """Text that matplotlib does not take for mathematics."""
    return text.replace("$", r"\$")
