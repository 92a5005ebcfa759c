"""Commands that run experiments."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from meanfield.cli.app import DIVERGED, INACCURATE, INTERRUPTED, app
from meanfield.cli.options import (
    Files,
    Force,
    MaxWall,
    Numbers,
    Quiet,
    Set,
    Threads,
    Variant,
    load,
    prepare,
    seconds,
    target_of,
    write_numbers,
)
from meanfield.cli.report import describe
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
    for name, experiment in experiments.items():
        _run(experiment, targets[name], force, quiet, rest)
        if stop_after is not None:  # the time is that of all of them
            rest = max(0.0, round(stop_after - (time.monotonic() - begin), 1))


@app.command()
def resume(
    out: Annotated[Path, typer.Argument(metavar="OUT.h5", help="A run, finished or not.")],
    until: Annotated[
        float | None, typer.Option("--until", metavar="T", help="Go on to this time.")
    ] = None,
    max_wall: MaxWall = "",
    threads: Threads = None,
    quiet: Quiet = False,
) -> None:
    """Continue a run that was stopped, or go on from a finished one; the experiment is inside."""
    from meanfield.config import Experiment

    prepare(threads, quiet)
    stop_after = seconds("--max-wall", max_wall)
    experiment = Experiment.of_run(out, until)
    experiment.check()
    _run(experiment, out, False, quiet, stop_after)


@app.command()
def reproduce(
    files: Annotated[
        list[str] | None,
        typer.Argument(metavar="[FILE]...", help="TOML files, or shipped experiments (all)."),
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
    for study in studies:
        runs = {
            variant: _run(experiment, target(study, variant), force, quiet)
            for variant, experiment in study.experiments.items()
        }
        verdicts = study.judge(runs)
        print(study.name)
        print("\n".join(map(str, verdicts)) or "  claims nothing", flush=True)
        found[study.name] = [verdict.table() for verdict in verdicts]
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


def _run(
    experiment: Experiment,
    target: Path | None,
    force: bool,
    quiet: bool,
    max_wall: float | None = None,
) -> Run:
    from meanfield.progress import progress_bar
    from meanfield.storage import completed

    say = _silent if quiet else print
    count, until = len(experiment.seeds), experiment.until
    if not force and target is not None and completed(target, until) is not None:
        say(
            f"{target} is there already, run to time {until:g}: nothing is left to do "
            f"(to go on: meanfield resume {target} --until T; to replace it: --force)"
        )
    else:
        say(
            f"{experiment.title}: time 0 to {until:g} with {experiment.scheme}"
            + (f", {count} seeds" if count > 1 else "")
        )
    with progress_bar(experiment, quiet) as progress:
        result = experiment.run(
            target, force=force, progress=progress, resume=not force, max_wall=max_wall
        )
    say(describe(result))
    if result.status == "diverged":
        print(f"meanfield: {result.stop_reason}", file=sys.stderr)
        raise typer.Exit(DIVERGED)
    if result.status == "interrupted":
        how = f"continue with: meanfield resume {target}" if target else "nothing was kept"
        print(f"meanfield: {result.stop_reason}; {how}", file=sys.stderr)
        raise typer.Exit(result.stop_code or INTERRUPTED)
    return result


def _silent(_: str) -> None:
    pass
