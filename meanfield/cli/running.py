"""Commands that run experiments."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Self

import typer

from meanfield.cli import completion
from meanfield.cli.app import DIVERGED, INACCURATE, INTERRUPTED, app
from meanfield.cli.options import (
    Files,
    Force,
    MaxWall,
    Numbers,
    Output,
    Quiet,
    Set,
    Threads,
    Variant,
    load,
    prepare,
    seconds,
    target_of,
)
from meanfield.cli.output import STDOUT, said, show, write_numbers
from meanfield.errors import FileProblem, require

if TYPE_CHECKING:
    from meanfield.config import Experiment
    from meanfield.storage import Run


@app.command()
def run(
    files: Files,
    overrides: Set = None,
    variant: Variant = "",
    out: Annotated[
        Path | None, typer.Option("-o", "--out", help="Where to write (default: NAME.h5).")
    ] = None,
    again: Annotated[
        bool,
        typer.Option("--again", help="FILE is a run: its experiment anew, into NAME-again.h5."),
    ] = False,
    force: Force = False,
    max_wall: MaxWall = "",
    numbers: Numbers = None,
    threads: Threads = None,
    quiet: Quiet = False,
) -> None:
    """Run an experiment and write an HDF5 file; for every variant one, NAME-VARIANT.h5.

    A run that was stopped before its end is continued.
    """
    from meanfield.config.study import check_all
    from meanfield.storage import check_writable

    prepare(threads, quiet)
    stop_after = seconds("--max-wall", max_wall)
    if again:
        experiments, targets = _again(files, overrides, variant, out)
    else:
        experiments = load(files, overrides, variant)
        default = out or Path(f"{Path(files[-1]).stem}.h5")
        targets = {name: target_of(default, "" if variant else name) for name in experiments}
    check_all(experiments)
    for name, experiment in experiments.items():
        check_writable(targets[name], replace=True)
        if not force:
            experiment.require_same(targets[name])
    begin, rest = time.monotonic(), stop_after
    with _Runner(force, quiet, numbers) as run_one:
        for name, experiment in experiments.items():
            run_one(experiment, targets[name], rest)
            if stop_after is not None:  # the time is that of all of them
                rest = max(0.0, round(stop_after - (time.monotonic() - begin), 1))


@app.command()
def resume(
    out: Output,
    until: Annotated[
        float | None, typer.Option("--until", metavar="T", help="Go on to this time.")
    ] = None,
    max_wall: MaxWall = "",
    numbers: Numbers = None,
    threads: Threads = None,
    quiet: Quiet = False,
) -> None:
    """Continue a run that was stopped, or go on from a finished one; the experiment is inside."""
    from meanfield.config import Experiment

    prepare(threads, quiet)
    stop_after = seconds("--max-wall", max_wall)
    experiment = Experiment.of_run(out, until)
    experiment.check()
    with _Runner(False, quiet, numbers) as run_one:
        run_one(experiment, out, stop_after)


@app.command()
def reproduce(
    files: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[FILE]...",
            help="TOML files, or shipped experiments (all).",
            autocompletion=completion.experiments,
        ),
    ] = None,
    reduced: Annotated[
        bool, typer.Option("--reduced", help="At the small size that the files give.")
    ] = False,
    out: Annotated[
        Path | None,
        typer.Option("-o", "--out", metavar="FOLDER", help="Keep the runs there."),
    ] = None,
    numbers: Numbers = None,
    force: Force = False,
    threads: Threads = None,
    quiet: Annotated[
        bool, typer.Option("-q", "--quiet", help="Print nothing but numbers.")
    ] = False,
) -> None:
    """Run experiments and hold them to the numbers that they claim."""
    from meanfield.config import ExperimentFile, Study, find, shipped
    from meanfield.storage import check_writable

    prepare(threads, quiet)
    studies = [Study(ExperimentFile.read(find(name)), reduced) for name in files or shipped()]

    def target(study: Study, variant: str) -> Path | None:
        return target_of(out / f"{study.name}.h5", variant) if out else None

    for study in studies:
        study.check()
        for variant in study.experiments:
            if path := target(study, variant):
                check_writable(path, force)
    found: dict[str, list[dict[str, Any]]] = {}
    say, run_one = said(numbers), _Runner(force, quiet, numbers)
    for study in studies:
        runs = {
            variant: run_one(experiment, target(study, variant))
            for variant, experiment in study.experiments.items()
        }
        verdicts = study.judge(runs)
        say(study.name)
        say("\n".join(map(str, verdicts)) or "  claims nothing")
        found[study.name] = [verdict.table() for verdict in verdicts]
        if numbers != STDOUT or study is studies[-1]:
            write_numbers(numbers, found)
    if any(verdict["holds"] is False for verdicts in found.values() for verdict in verdicts):
        raise typer.Exit(INACCURATE)


def _again(
    files: list[str], overrides: list[str] | None, variant: str, out: Path | None
) -> tuple[dict[str, Experiment], dict[str, Path]]:
    """The experiment inside a run, and where to write it."""
    from meanfield.config import Experiment

    require(len(files) == 1, "--again", " ".join(files), "one run")
    require(not overrides and not variant, "--again", files[0], "no --set and no --variant with it")
    source = Path(files[0])
    target = out or target_of(source, "again")
    if target.resolve() == source.resolve():
        raise FileProblem(f"{source} is the run itself: choose another name (-o)")
    return {"": Experiment.of_run(source)}, {"": target}


class _Runner:
    """Runs experiments: says how it goes, and on leaving writes what became of them as JSON."""

    def __init__(self, force: bool, quiet: bool, numbers: Path | None) -> None:
        self._force, self._quiet, self._numbers = force, quiet, numbers
        self._records: list[dict[str, Any]] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        write_numbers(self._numbers, {"runs": self._records})

    def __call__(
        self, experiment: Experiment, target: Path | None, max_wall: float | None = None
    ) -> Run:
        from meanfield.cli.report import describe, record
        from meanfield.progress import display_for

        say = said(self._numbers, self._quiet)
        say(self._intent(experiment, target))
        with display_for(self._quiet) as display:
            run = experiment.run(
                target,
                force=self._force,
                progress=display,
                resume=not self._force,
                max_wall=max_wall,
            )
        if not self._quiet and self._numbers != STDOUT:
            show(describe(run))
        if self._numbers is not None:
            self._records.append(record(run))
        if run.status == "diverged":
            print(f"meanfield: {run.stop_reason}", file=sys.stderr)
            raise typer.Exit(DIVERGED)
        if run.status == "interrupted":
            how = f"continue with: meanfield resume {target}" if target else "nothing was kept"
            print(f"meanfield: {run.stop_reason}; {how}", file=sys.stderr)
            raise typer.Exit(run.stop_code or INTERRUPTED)
        return run

    def _intent(self, experiment: Experiment, target: Path | None) -> str:
        from meanfield.storage import completed

        count, until = len(experiment.seeds), experiment.until
        if not self._force and target is not None and completed(target, until) is not None:
            return (
                f"{target} is there already, run to time {until:g}: nothing is left to do "
                f"(to go on: meanfield resume {target} --until T; to replace it: --force)"
            )
        seeds = f", {count} seeds" if count > 1 else ""
        return f"{experiment.title}: time 0 to {until:g} with {experiment.scheme}{seeds}"
