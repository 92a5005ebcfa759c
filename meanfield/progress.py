"""How far a run is: what a simulation tells while it goes on, and where it is shown."""

from __future__ import annotations

import sys
import time
from collections import deque
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Literal, Self, TextIO

if TYPE_CHECKING:
    from meanfield.observables import View
    from meanfield.storage import Plan

Call = Callable[[int, int, "View"], None]

OFTEN = 0.2  # seconds between two looks of a terminal
BRIEF, LIVE = 1.0, 0.35  # seconds until a notebook shows it, and between two pictures there
WINDOW = 30.0  # seconds over which the rate is taken
SOON, LONGEST = 30.0, 3600.0  # seconds to the first line in a log, and between two at most
ENERGIES = ("energy", "free_energy", "risk")  # the first that is observed is told


class Display:
    """What a simulation tells while it goes on; one that shows it overrides what it needs.

    `advance` is called after every step, so it must return at once in most of them. All that it is
    given belongs to the simulation: it is read, and not kept.
    """

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Leave nothing behind on the screen."""

    def start(self, plan: Plan, done: int) -> None:
        """It begins, or goes on after `done` steps of all replicas together."""

    def advance(self, replica: int, step: int, view: View) -> None:
        """A replica has made so many steps."""

    def observe(self, replica: int, time: float, values: Mapping[str, Any]) -> None:
        """What an observable has seen there."""

    def end(self, status: str, reason: str) -> None:
        """It ended: with the status and in the words of the run."""


class Calling(Display):
    """Calls ``call(step, total, view)`` after every step."""

    def __init__(self, call: Call) -> None:
        self._call, self._total = call, 0

    def start(self, plan: Plan, done: int) -> None:
        self._total = plan.grid.total

    def advance(self, replica: int, step: int, view: View) -> None:
        self._call(step, self._total, view)


def display_of(progress: Call | Display | Literal[False] | None) -> Display:
    """What `simulate` was given, as a display; by default that of notebooks, within one."""
    if progress is None and in_notebook():
        return Notebook()
    if progress is None or progress is False:
        return Display()
    return progress if isinstance(progress, Display) else Calling(progress)


def in_notebook() -> bool:
    """Whether this runs in the kernel of a notebook."""
    ipython = sys.modules.get("IPython")
    return ipython is not None and hasattr(ipython.get_ipython(), "kernel")


def display_for(quiet: bool, stream: TextIO | None = None) -> Display:
    """Where the command line shows it: a bar on a terminal, lines now and then in a log."""
    stream = sys.stderr if stream is None else stream
    if quiet:
        return Display()
    return Bar(stream) if stream.isatty() else Lines(stream)


class _Worded(Display):
    """Knows in words how far the run is, and is asked to show it when it is time.

    Parameters
    ----------
    stream : text stream
    clock : callable
        Seconds.
    """

    def __init__(self, stream: TextIO, clock: Callable[[], float] = time.monotonic) -> None:
        self._stream, self._clock = stream, clock
        self._due, self._energy = 0.0, ""

    def start(self, plan: Plan, done: int) -> None:
        self._grid, self._seeds = plan.grid, len(plan.seeds)
        self._total = plan.grid.total * len(plan.seeds)
        now = self._clock()
        self._seen = deque([(now, done)])
        self._due = now + self._pause(now)

    def advance(self, replica: int, step: int, view: View) -> None:
        now = self._clock()
        if now < self._due:
            return
        self._due = now + self._pause(now)
        done = replica * self._grid.total + step
        while len(self._seen) > 1 and now - self._seen[0][0] > WINDOW:
            self._seen.popleft()
        self._seen.append((now, done))
        self._show(done, self._words(replica, step, done))

    def observe(self, replica: int, time: float, values: Mapping[str, Any]) -> None:
        for name in ENERGIES:
            if name in values:
                self._energy = f"{name.replace('_', ' ')} {float(values[name]):.5g}"
                return

    def _pause(self, now: float) -> float:
        """Seconds until it is shown next."""
        raise NotImplementedError

    def _show(self, done: int, words: str) -> None:
        raise NotImplementedError

    def _words(self, replica: int, step: int, done: int) -> str:
        (since, before), (now, _) = self._seen[0], self._seen[-1]
        per_second = (done - before) / max(now - since, 1e-9)
        parts = [f"{100 * done / self._total:.0f} %"]
        if self._seeds > 1:
            parts.append(f"seed {replica + 1} of {self._seeds}")
        parts.append(f"time {self._grid.time(step):.4g} of {self._grid.until:g}")
        parts += [rate(per_second), f"{span((self._total - done) / max(per_second, 1e-9))} left"]
        return ", ".join([*parts, *[self._energy] * bool(self._energy)])


class Bar(_Worded):
    """A bar at the foot of a terminal, which is gone when the run ends."""

    _bar: Any = None

    def __enter__(self) -> Self:
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn

        self._bar = Progress(
            BarColumn(bar_width=14),
            TextColumn("{task.description}", markup=False),
            console=Console(file=self._stream),
            refresh_per_second=5,
            transient=True,
        )
        self._task = self._bar.add_task("starting", total=None)
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()

    def start(self, plan: Plan, done: int) -> None:
        super().start(plan, done)
        self._bar.update(self._task, total=self._total, completed=done)

    def _pause(self, now: float) -> float:
        return OFTEN

    def _show(self, done: int, words: str) -> None:
        self._bar.update(self._task, completed=done, description=words)


class Lines(_Worded):
    """Lines in a log, at intervals that grow from half a minute to an hour."""

    def start(self, plan: Plan, done: int) -> None:
        self._begin = self._clock()
        super().start(plan, done)

    def _pause(self, now: float) -> float:
        return min(LONGEST, max(SOON, now - self._begin))

    def _show(self, done: int, words: str) -> None:
        print(f"meanfield: {words}", file=self._stream, flush=True)


class Notebook(_Worded):
    """A bar with a curve of the energy below a notebook's cell, of which one line stays.

    Of a run that ends within a second nothing is shown.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__(sys.stderr, clock)
        self._handle: Any = None
        self._curve: tuple[int, list[float], list[float]] = 0, [], []

    def observe(self, replica: int, time: float, values: Mapping[str, Any]) -> None:
        super().observe(replica, time, values)
        if self._curve[0] != replica:
            self._curve = replica, [], []
        name = next((name for name in ENERGIES if name in values), "")
        if name:
            self._curve[1].append(time)
            self._curve[2].append(float(values[name]))

    def end(self, status: str, reason: str) -> None:
        from meanfield.viewing import html

        if self._handle is not None:
            elapsed = span(self._clock() - self._begin)
            self._draw(html.small(f"{status}: {reason}; {elapsed}"))

    def start(self, plan: Plan, done: int) -> None:
        self._begin = self._clock()
        super().start(plan, done)

    def _pause(self, now: float) -> float:
        return BRIEF if now - self._begin < BRIEF else LIVE

    def _show(self, done: int, words: str) -> None:
        from meanfield.viewing import html

        self._draw(html.live(done / self._total, words, *self._curve[1:]))

    def _draw(self, content: str) -> None:
        from IPython.display import HTML, display

        if self._handle is None:
            self._handle = display(HTML(content), display_id=True)
        else:
            self._handle.update(HTML(content))


def rate(per_second: float) -> str:
    """Steps per second in words, or what a step takes."""
    if per_second >= 1 or per_second <= 0:
        return f"{per_second:,.{0 if per_second >= 10 else 1}f} steps/s"
    return f"{span(1 / per_second)} a step"


def span(seconds: float) -> str:
    """A time in words, to two parts: 12 s, 3 min 20 s, 2 h 5 min, 4 d 3 h."""
    if not seconds < 1e9:
        return "ages"
    if seconds < 10:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    for unit, name, part, small in ((86400, "d", 3600, "h"), (3600, "h", 60, "min")):
        if whole >= unit:
            return _two(whole // unit, name, whole % unit // part, small)
    return _two(whole // 60, "min", whole % 60, "s") if whole >= 60 else f"{whole} s"


def _two(many: int, name: str, few: int, small: str) -> str:
    return f"{many} {name} {few} {small}" if few else f"{many} {name}"
