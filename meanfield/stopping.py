"""Stopping a run from outside: after the step, so that it can be continued."""

from __future__ import annotations

import signal
import threading
import time
from types import FrameType, TracebackType
from typing import Any

SIGNALS = {signal.SIGINT: "Ctrl-C", signal.SIGTERM: "a request to terminate"}


class Stopped(Exception):
    """A run is to end here; says why."""


class Stop:
    """Listens, while it is entered, for what should end a run after the current step.

    Ctrl-C or a request to terminate is noted once; the second raises `KeyboardInterrupt` at once.

    Parameters
    ----------
    max_wall : float, optional
        Seconds after which the run is to stop.

    Attributes
    ----------
    reason : str
        Why the run is to stop, in words; empty: it is not.
    code : int
        What a program that stops for it should return: 130 and 143 for the signals, as a shell
        has it, 75 (try again later) when the time is over.
    """

    def __init__(self, max_wall: float | None = None) -> None:
        self.reason, self.code = "", 0
        self._end = None if max_wall is None else time.monotonic() + max_wall
        self._max_wall = max_wall
        self._before: dict[signal.Signals, Any] = {}

    def check(self) -> None:
        """Raise `Stopped` if the run is to stop."""
        if not self.reason and self._end is not None and time.monotonic() >= self._end:
            self.reason, self.code = f"its time of {self._max_wall:g} s was over", 75
        if self.reason:
            raise Stopped(self.reason)

    def __enter__(self) -> Stop:
        if threading.current_thread() is threading.main_thread():
            self._before = {number: signal.signal(number, self._note) for number in SIGNALS}
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _note(self, number: int, frame: FrameType | None) -> None:
        again = self.code in (130, 143)
        found = signal.Signals(number)
        self.reason, self.code = f"stopped by {SIGNALS[found]}", 128 + number
        if again:
            raise KeyboardInterrupt
