"""`meanfield watch`: follow a run that another process writes, perhaps on another machine."""

from __future__ import annotations

import contextlib
import json
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TextIO

import typer

from meanfield.cli.app import DIVERGED, INTERRUPTED, app
from meanfield.cli.completion import runs, series_names
from meanfield.cli.options import Numbers, seconds
from meanfield.cli.output import COLOURS, STDOUT, Line, columns, valid
from meanfield.errors import FileProblem, cannot_write, require

if TYPE_CHECKING:
    from meanfield.storage import Sight


@app.command()
def watch(
    out: Annotated[
        Path,
        typer.Argument(metavar="OUT.h5", help="A run, going on or not.", autocompletion=runs),
    ],
    names: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[NAME]...", help="Series (default: all).", autocompletion=series_names
        ),
    ] = None,
    every: Annotated[
        str, typer.Option("--every", metavar="TIME", help="How often to look, as in 2s or 1m.")
    ] = "2s",
    once: Annotated[bool, typer.Option("--once", help="Look once, and say what there is.")] = False,
    wait: Annotated[
        bool, typer.Option("--wait", help="Wait for what is not there yet, or goes on later.")
    ] = False,
    numbers: Numbers = None,
) -> None:
    """Follow a run while it goes on, from any machine that sees its folder; end when it ends.

    Only what was sealed can be seen: its age is told. Nothing is written and nothing locked.
    With --json, one line of JSON for each change. The exit code is that of the run.
    """
    pause = seconds("--every", every)
    require(not (once and wait), "--wait", "", "no --once with it")
    sheet = Watch(out, names or [], wait)
    with contextlib.ExitStack() as stack:
        show = _shown(stack, numbers)
        try:
            sight = sheet.step(show)
            while not once and (not sight.has_ended or (wait and sight.status == "interrupted")):
                time.sleep(pause or 0.0)
                sight = sheet.step(show)
        except KeyboardInterrupt:
            raise typer.Exit(INTERRUPTED) from None
    raise typer.Exit(exit_code(sight))


def exit_code(sight: Sight) -> int:
    """As the run itself: 0 while it goes on and when it is finished, or why it was stopped."""
    if sight.status in ("absent", "running", "finished"):
        return 0
    return (sight.code or INTERRUPTED) if sight.status == "interrupted" else DIVERGED


Show = Callable[["Watch"], None]


class Watch:
    """What is seen of a run, from one look to the next.

    Parameters
    ----------
    path : Path
    names : sequence of str
        Series; none: all.
    wait : bool
        Whether there need not be a run yet.
    now : callable
        Seconds since 1970.

    Attributes
    ----------
    sight : Sight
        Of the last look.
    changed : bool
        Whether it differs from the look before.
    """

    def __init__(
        self, path: Path, names: Sequence[str], wait: bool, now: Callable[[], float] = time.time
    ) -> None:
        from meanfield.storage import Follower

        self.path, self.names, self.wait = path, names, wait
        self._follower, self._now, self._state = Follower(path), now, ()
        self.sight: Sight
        self.changed = False

    def step(self, show: Show) -> Sight:
        """Look, and show what there is.

        Raises
        ------
        FileProblem
            If there is no run, and none is waited for.
        """
        self.sight = self._follower.look()
        if self.sight.status == "absent" and not self.wait:
            raise FileProblem(f"{self.path}: no such file (--wait waits until it is there)")
        state: tuple[Any, ...] = (self.sight.status, self.sight.steps, self.sight.sealed)
        self.changed, self._state = state != self._state, state
        show(self)
        return self.sight

    @property
    def age(self) -> float | None:
        """Seconds since the last seal, by the clock here; another machine may have another one."""
        sealed = self.sight.sealed
        return None if sealed is None else max(0.0, self._now() - sealed)

    @property
    def left(self) -> float | None:
        """Seconds that it needs still."""
        sight = self.sight
        if sight.status != "running" or sight.left is None:
            return None
        return max(0.0, sight.left - (self.age or 0.0))

    def words(self) -> str:
        """How far it is, in a few words."""
        from meanfield.progress import rate, span

        sight = self.sight
        if sight.status == "absent":
            return "there is no run yet"
        parts = []
        if sight.total:
            parts.append(f"{100 * sight.steps / sight.total:.0f} %")
        if sight.plan is not None and len(sight.plan.seeds) > 1 and not sight.has_ended:
            parts.append(f"seed {sight.replica + 1} of {len(sight.plan.seeds)}")
        until = "" if sight.plan is None else f" of {sight.plan.grid.until:g}"
        parts.append(f"time {sight.time:.4g}{until}")
        if sight.rate:
            parts.append(rate(sight.rate))
        if self.left is not None:
            parts.append(f"{span(self.left)} left")
        if self.age is not None and sight.status != "finished":
            parts.append(f"sealed {span(self.age)} ago")
        elif self.age is None:
            parts.append("nothing sealed yet")
        return ", ".join(parts)

    def line(self) -> str:
        """All in one line, for a log."""
        from meanfield.storage import summarise

        rows = self._rows(current=True)[: len(self.names) or 1]
        values = [f"{row.name} {summarise(row.last)}" for row in rows if len(row.times)]
        return f"{self.path}: {', '.join([self.sight.status, self.words(), *values])}"

    def page(self) -> list[Line]:
        """What a terminal shows."""
        from meanfield.viewing.summaries import table

        sight = self.sight
        title = (sight.plan.title if sight.plan else "") or str(self.path)
        head = f"{title}: {sight.status}" + (f" ({sight.reason})" if sight.reason else "")
        lines: list[Line] = [(head, COLOURS.get(sight.status, "")), (self.words(), "")]
        rows = [row for row in self._rows(current=True) if len(row.times)]
        if rows:
            heading, *rest = table(rows, columns())
            lines += [("", ""), (heading, "bold"), *((text, "") for text in rest)]
        return lines

    def record(self) -> dict[str, Any]:
        """For programs."""
        from meanfield.cli.report import progress

        sight = self.sight
        return {
            "file": str(self.path),
            "status": sight.status,
            "stop_reason": sight.reason,
            "stop_code": sight.code,
            **progress(sight),
            "seconds_left": self.left,
            "sealed_ago": self.age,
            "writer_alive": sight.alive,
            "series": {row.name: row.record() for row in self._rows()},
        }

    def _rows(self, current: bool = False) -> list[Any]:
        """The series; `current`: of the seed in progress alone, while there is one."""
        from meanfield.viewing.summaries import series_of

        sight = self.sight
        if sight.plan is None or not sight.series:
            return []
        seeds = slice(sight.replica, sight.replica + 1)
        seen = {
            name: (times, values if sight.has_ended or not current else values[seeds])
            for name, (times, values) in sight.series.items()
        }
        return series_of(seen, sight.plan.layout, self.names)[0]


def _shown(stack: contextlib.ExitStack, numbers: Path | None) -> Show:
    """How a look is shown: to people, to programs, or to both."""
    shows: list[Show] = []
    if numbers is not None:
        alone = numbers == STDOUT
        try:
            file = sys.stdout if alone else stack.enter_context(numbers.open("w", encoding="utf-8"))
        except OSError as error:
            raise cannot_write(numbers, error) from None
        shows.append(lambda sheet: _tell(sheet, json.dumps(valid(sheet.record())), file))
    if numbers != STDOUT:
        if sys.stdout.isatty():
            shows.append(_live(stack))
        else:
            shows.append(lambda sheet: _tell(sheet, sheet.line(), sys.stdout))

    def show(sheet: Watch) -> None:
        for each in shows:
            each(sheet)

    return show


def _tell(sheet: Watch, text: str, stream: TextIO) -> None:
    if sheet.changed:
        print(text, file=stream, flush=True)


def _live(stack: contextlib.ExitStack) -> Show:
    from rich.console import Console
    from rich.live import Live
    from rich.text import Text

    live = stack.enter_context(Live(console=Console(highlight=False), auto_refresh=False))

    def show(sheet: Watch) -> None:
        lines = [Text(text, style, no_wrap=True) for text, style in sheet.page()]
        live.update(Text("\n").join(lines), refresh=True)

    return show
