"""The frames of a run that there is something to draw of."""

from __future__ import annotations

import bisect
from typing import TYPE_CHECKING

import numpy as np

from meanfield.ensemble import Ensemble
from meanfield.errors import InvalidInput

if TYPE_CHECKING:
    from meanfield.storage import Run


class FilledFrames:
    """The frames of a run up to where it, or this seed of it, stopped."""

    def __init__(self, run: Run) -> None:
        self._frames = run.frames
        count = len(self._frames)
        # A seed that stopped early leaves empty frames, all at the end: look for the first one.
        if count and self._empty(count - 1):
            count = bisect.bisect_left(range(count), True, key=self._empty)
        self._count = count

    def _empty(self, index: int) -> bool:
        try:
            self._frames[index]
        except InvalidInput:  # not finite
            return True
        return False

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, index: int) -> Ensemble:
        return self._frames[range(self._count)[index]]

    def at(self, time: float) -> Ensemble:
        """The frame nearest to a time."""
        return self[int(np.abs(self._frames.times[: self._count] - time).argmin())]

    def moments(self) -> list[Ensemble]:
        """The first, the middle and the last frame; fewer where they are the same."""
        last = self._count - 1
        return [self[i] for i in sorted({0, (last + 1) // 2, last})]
