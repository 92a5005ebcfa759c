"""Pieces of HTML for notebooks: text, tables and small drawings.

All that is not markup already is escaped. Nothing has a colour of its own but curves and points:
text and lines inherit those of the page, so that they can be read on light and on dark ones.
"""

from __future__ import annotations

import html
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from meanfield.arrays import Array
from meanfield.viewing.curves import logarithmic, spans_decade

ACCENT = "#3584c4"  # told from white and from black
SECOND = "#d9672a"
CURVE = (150, 24)  # pixels
PANEL = (220, 220)
ROUNDING = 1e-12  # of the largest value: what differs by less is drawn as one
LIVE = (420, 90)
CELL = "padding:.15em .7em; text-align:{}; background:none"


class Markup(str):
    """HTML, which is put in as it is."""

    __slots__ = ()


def text(value: Any) -> Markup:
    """A value as HTML: markup stays, all else is escaped."""
    return value if isinstance(value, Markup) else Markup(html.escape(str(value)))


def element(tag: str, *children: Any, style: str = "") -> Markup:
    """An element around values."""
    look = f' style="{html.escape(style)}"' if style else ""
    return Markup(f"<{tag}{look}>{''.join(map(text, children))}</{tag}>")


def card(title: Any, *parts: Any) -> Markup:
    """A heading and what is below it; empty parts are left out."""
    head = element("div", element("b", title), style="margin-bottom:.3em")
    return element("div", head, *(element("div", part) for part in parts if part))


def small(value: Any) -> Markup:
    """A remark."""
    return element("small", value, style="opacity:.75")


def table(rows: Iterable[Sequence[Any]], head: Sequence[Any] = (), align: str = "right") -> Markup:
    """Rows of values, and a heading; `align` is for all columns but the first."""
    parts = []
    if head:
        parts.append(element("thead", _row("th", head, align)))
    parts.append(element("tbody", *(_row("td", row, align) for row in rows)))
    return element("table", *parts, style="border-collapse:collapse; margin:.3em 0")


def folded(summary: Any, *parts: Any) -> Markup:
    """Something that is shown when its summary is clicked."""
    return element("details", element("summary", summary), *parts)


def curve(times: Array, values: Array, log: bool = False, size: tuple[int, int] = CURVE) -> Markup:
    """Values over time as a line, with gaps where they are not finite.

    Parameters
    ----------
    times, values : (T,) array
        Moments that are spaced like powers are drawn evenly spaced.
    log : bool
        Whether heights are logarithms of the values, which are positive then.
    size : (int, int)
        In pixels.
    """
    heights = np.log(values) if log else np.asarray(values, dtype=float)
    there = np.isfinite(heights)
    if not there.any():
        return Markup("")
    moments = np.arange(len(times)) if logarithmic(times) else times
    x, y = _scaled(moments, size[0]), size[1] - _scaled(heights, size[1])
    pieces, fresh = [], True
    for i in np.flatnonzero(there | np.r_[False, there[:-1]]):
        if there[i]:
            pieces.append(f"{'M' if fresh else 'L'}{x[i]:.1f} {y[i]:.1f}")
        fresh = not there[i]
    line = (
        f'<path d="{"".join(pieces)}" fill="none" stroke="{ACCENT}" stroke-width="1.5" '
        'stroke-linejoin="round" stroke-linecap="round"/>'
    )
    return _svg(size, line)


def live(share: float, words: str, times: Sequence[float], values: Sequence[float]) -> Markup:
    """How far something is, between 0 and 1, in words, and a curve of what it has seen so far."""
    bar = Markup(f'<progress value="{share:.4f}" style="vertical-align:middle"></progress> ')
    seen = np.array(values)
    drawn = curve(np.array(times), seen, spans_decade(seen), LIVE) if len(seen) > 1 else ""
    return element("div", element("div", bar, small(words)), drawn)


def scatter(
    points: Array, second: Array, equal: bool = False, size: tuple[int, int] = PANEL
) -> Markup:
    """Points (N, 2) in a frame; those that are `second` (N,) have another colour, and are hollow.

    Axes cross at 0 where it is within; `equal` gives them one scale, in a frame that is square.
    """
    finite = np.isfinite(points).all(axis=1)
    points, second = points[finite], second[finite]
    if not len(points):
        return Markup("")
    low, high = points.min(axis=0), points.max(axis=0)
    if equal:
        half = (high / 2 - low / 2).max()
        low, high = low / 2 + high / 2 - half, low / 2 + high / 2 + half
    x, y = (_place(points[:, axis], low[axis], high[axis], size[axis]) for axis in (0, 1))
    y = size[1] - y
    marks = [
        f'<circle cx="{a:.1f}" cy="{b:.1f}" r="2" '
        + (f'fill="none" stroke="{SECOND}"/>' if other else f'fill="{ACCENT}" fill-opacity=".8"/>')
        for a, b, other in zip(x, y, second, strict=True)
    ]
    axes = []
    for axis in (0, 1):
        if low[axis] < 0 < high[axis]:
            place = _place(0.0, low[axis], high[axis], size[axis])
            ends = (
                f'x1="{place:.1f}" x2="{place:.1f}" y1="0" y2="{size[1]}"'
                if axis == 0
                else f'y1="{size[1] - place:.1f}" y2="{size[1] - place:.1f}" x1="0" x2="{size[0]}"'
            )
            axes.append(f'<line {ends} stroke="currentColor" stroke-opacity=".3"/>')
    return _svg(size, *axes, *marks)


def _row(tag: str, values: Sequence[Any], align: str) -> Markup:
    cells = (
        element(tag, value, style=CELL.format("left" if place == 0 else align))
        for place, value in enumerate(values)
    )
    return element("tr", *cells)


def _svg(size: tuple[int, int], *parts: str) -> Markup:
    width, height = size
    return Markup(
        f'<svg width="{width}" height="{height}" viewBox="0 0 {width} {height}" '
        f'style="vertical-align:middle">{"".join(parts)}</svg>'
    )


def _scaled(values: Array, length: int) -> Array:
    known = values[np.isfinite(values)]
    if not len(known):
        return np.full(len(values), np.nan)
    return _place(values, float(known.min()), float(known.max()), length)


def _place(value: Any, low: float, high: float, length: int) -> Any:
    """Where values lie on an axis with a margin of two pixels; in its middle if all are alike."""
    # Halves: the difference of two numbers near the largest float would be infinite.
    wide = high / 2 - low / 2 > ROUNDING * max(abs(low), abs(high))
    share = (value / 2 - low / 2) / (high / 2 - low / 2) if wide else value * 0.0 + 0.5
    return 2.0 + (length - 4.0) * share
