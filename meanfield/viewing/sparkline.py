"""A curve in one line of text."""

from __future__ import annotations

import numpy as np

from meanfield.arrays import Array
from meanfield.viewing.curves import logarithmic

BLOCKS = "▁▂▃▄▅▆▇█"
NOTHING = "·"  # where no number is finite


def sparkline(times: Array, values: Array, width: int, log: bool) -> str:
    """The values over time as blocks of eight heights.

    Parameters
    ----------
    times, values : (T,) array
        In order of time. What is not finite leaves a gap.
    width : int
        Most characters. Each is the mean over its part of the time; or of the moments, where these
        are spaced like powers, as a figure's axis would be.
    log : bool
        Whether heights are logarithms of the values, which are positive then.

    Returns
    -------
    str
        Of one character for each value, if there are at most `width`.
    """
    count = min(width, len(values))
    if count == 0:
        return ""
    heights = _heights(np.log(values) if log else values)
    place = _places(times, count)
    finite = np.isfinite(heights)
    there = np.bincount(place[finite], minlength=count)
    sums = np.bincount(place[finite], heights[finite], minlength=count)
    looked = np.bincount(place, minlength=count)
    line: list[str] = []
    for at in range(count):
        if there[at]:
            line.append(BLOCKS[min(len(BLOCKS) - 1, int(sums[at] / there[at] * len(BLOCKS)))])
        else:
            line.append(NOTHING if looked[at] or not line else line[-1])
    return "".join(line)


def _heights(values: Array) -> Array:
    """Values from 0 to 1; a half where all are the same."""
    known = values[np.isfinite(values)]
    if not len(known):
        return np.full(len(values), np.nan)
    # Halves: the difference of two numbers near the largest float would be infinite.
    low, span = known.min() / 2, known.max() / 2 - known.min() / 2
    with np.errstate(invalid="ignore"):  # of infinities
        heights = (values / 2 - low) / span if span > 0 else np.where(values == values, 0.5, np.nan)
    return np.where(np.isfinite(values), heights, np.nan)


def _places(times: Array, count: int) -> Array:
    """In which character each moment falls."""
    if len(times) <= count or logarithmic(times):
        return np.arange(len(times)) * count // len(times)
    since = (times - times[0]) / (times[-1] - times[0])
    return np.minimum((since * count).astype(int), count - 1)
