"""One figure of a run: what it descended, and where its neurons went."""

from __future__ import annotations

import os
import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING

from meanfield.viewing import style
from meanfield.viewing.distribution import draw, start_middle_end
from meanfield.viewing.files import check_picture, save
from meanfield.viewing.projections import Projection, projections
from meanfield.viewing.registry import figure as named
from meanfield.viewing.series import draw_panel, panels

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from meanfield.storage import Run

COLUMNS = 6  # a row holds one, two or three panels of equal width
LINE_LENGTH = 130


def overview(
    run: Run,
    path: str | os.PathLike[str] | None = None,
    names: str | Sequence[str] | None = None,
) -> Figure:
    """Draw the observed series, and the neurons at the start, in the middle and at the end.

    Parameters
    ----------
    run : Run
        Of several seeds, series show all; neurons are those of the seed that ``frames`` show.
    path : path, optional
        Also write a PNG, PDF or SVG file, by its ending; an older one is replaced.
    names : str or sequence of str, optional
        Only these series. Default: all but moments and the like, which have many columns.

    Returns
    -------
    Figure
        Known to pyplot, so that ``plt.show()`` and notebooks show it, unless it went to a file.

    Raises
    ------
    FileProblem
        If the ending is another one, or the folder does not exist.
    UnknownName
        If the run has no such series.
    """
    target = None if path is None else check_picture(path)
    with style.on(style.Sheet(shown=target is None)), style.styled():
        figure = _draw(run, names)
        if target is not None:
            save(figure, target)
    return figure


@named("overview")
def whole(run: Run, names: str | Sequence[str] | None = None) -> list[Axes]:
    """The observed series, and the neurons at the start, in the middle and at the end.

    Parameters
    ----------
    run : Run
        Of several seeds, series show all; neurons are those of the seed that ``frames`` show.
    names : str or sequence of str, optional
        Only these series. Default: all but moments and the like, which have many columns.

    Raises
    ------
    UnknownName
        If the run has no such series.
    """
    return _draw(run, names).axes


def _draw(run: Run, names: str | Sequence[str] | None) -> Figure:
    groups = panels(run, names)
    shown = start_middle_end(run)
    pictures = list(projections(shown[0], shown[-1]).values())[:2] if shown else []
    rows = _rows(groups)
    heights = [1.9 if len(rows) == 1 else 1.6] * len(rows)
    heights += [2.5 if picture.equal else 2.1 for picture in pictures]
    figure = style.new_figure(0.7 + sum(heights or [1.0]))
    grid = figure.add_gridspec(max(1, len(heights)), COLUMNS, height_ratios=heights or [1.0])
    for number, row in enumerate(rows):
        for group, span in zip(row, _spans(len(row)), strict=True):
            draw_panel(run, group, figure.add_subplot(grid[number, span]), explain=False)
    for number, picture in enumerate(pictures, start=len(rows)):
        spans = _spans(1 if len(picture.labels) == 1 else len(shown), picture)
        draw(picture, shown, [figure.add_subplot(grid[number, span]) for span in spans])
    if run.title:
        # A title is the user's, and may hold a dollar sign.
        figure.suptitle("\n".join(textwrap.wrap(run.title, 90)), parse_math=False)
    figure.supxlabel(caption(run, bool(shown)), fontsize=7, color=style.GREY, parse_math=False)
    return figure


def caption(run: Run, neurons: bool) -> str:
    """What one has to know to read the figure."""
    parts = []
    if neurons:
        count, whole = len(run.frames[0]), len(run.final)
        share = f" of {whole:,}" if count < whole else ""
        parts.append(f"{count:,}{share} particle{'s' if whole > 1 else ''}")
    if len(run.seeds) > 1:
        parts.append(f"{len(run.seeds)} seeds: line mean, band min to max")
        seed = run.seed
        parts.append(f"particles of seed {seed}" if neurons else f"no frames of seed {seed}")
    if run.status != "finished":
        parts.append(f"{run.status}: {run.stop_reason}")
    return "\n".join(textwrap.wrap(" · ".join(parts), LINE_LENGTH))


def _spans(count: int, picture: Projection | None = None) -> list[slice]:
    """The columns of `count` panels in a row; a plane alone is in the middle, not stretched."""
    if count == 1 and picture is not None and len(picture.labels) == 2:
        return [slice(2, 4)]
    width = COLUMNS // count
    return [slice(place * width, (place + 1) * width) for place in range(count)]


def _rows(groups: list[list[str]]) -> list[list[list[str]]]:
    """Panels in rows of three; what is left over is the first row, with wider panels."""
    odd = len(groups) % 3
    first = [groups[:odd]] if odd else []
    return first + [groups[i : i + 3] for i in range(odd, len(groups), 3)]
