"""How far a run is, on a terminal."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from meanfield.config import Experiment
    from meanfield.observables import View


class progress_bar:
    """A bar on a terminal; nothing elsewhere, so that logs stay readable."""

    def __init__(self, experiment: Experiment, quiet: bool) -> None:
        self._seeds = experiment.seeds
        self._shown = sys.stderr.isatty() and not quiet
        self._bar: Any = None

    def __enter__(self) -> Callable[[int, int, View], None] | None:
        if not self._shown:
            return None
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.completed}/{task.total} steps"),
            TimeRemainingColumn(),
            console=Console(stderr=True),
            transient=True,
        )
        self._bar.start()
        self._task = self._bar.add_task("starting", total=None)
        return self._update

    def _update(self, step: int, total: int, view: View) -> None:
        done = self._bar.tasks[0].fields.setdefault("done", 0)
        if step == 1 and self._bar.tasks[0].completed:
            done += total
            self._bar.update(self._task, done=done)
        self._bar.update(
            self._task,
            total=total * len(self._seeds),
            completed=done + step,
            description=f"energy {view.evaluation.value:.5g}",
        )

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.stop()
