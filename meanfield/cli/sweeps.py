"""Commands that run an experiment many times."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from meanfield.cli.app import DIVERGED, INTERRUPTED, app
from meanfield.cli.options import (
    Files,
    MaxWall,
    Numbers,
    Quiet,
    Set,
    Variant,
    listed,
    read,
    seconds,
)
from meanfield.cli.output import said, write_numbers
from meanfield.errors import require

if TYPE_CHECKING:
    from meanfield.sweeps import Sweep

Folder = Annotated[
    Path | None, typer.Option("-o", "--out", metavar="FOLDER", help="Where the runs are kept.")
]
Jobs = Annotated[
    int | None, typer.Option("--jobs", metavar="N", help="Processes (default: all processors).")
]
EachThreads = Annotated[
    int, typer.Option("--threads", metavar="N", help="Processors that each run uses.")
]
On = Annotated[
    str,
    typer.Option("--on", metavar="ADDRESS", help="A Dask scheduler that runs them: tcp://…"),
]


@app.command()
def sweep(
    files: Files,
    grid: Annotated[
        list[str] | None,
        typer.Option("--grid", metavar="KEY=V1,V2…", help="Values of a key; once for each key."),
    ] = None,
    seeds: Annotated[
        int | None, typer.Option("--seeds", metavar="N", help="Replicas (default: the file's).")
    ] = None,
    out: Folder = None,
    overrides: Set = None,
    variant: Variant = "",
    jobs: Jobs = None,
    threads: EachThreads = 1,
    on: On = "",
    max_wall: MaxWall = "",
    numbers: Numbers = None,
    quiet: Quiet = False,
) -> None:
    """Run an experiment over a grid of its keys, from several seeds; print a table.

    The same command again does what is left, and tries again what has failed.
    """
    from meanfield.sweeps import sweep
    from meanfield.sweeps.design import axis

    axes: dict[str, list[Any]] = {}
    for text in grid or []:
        key, values = axis(text)
        require(key not in axes, "--grid", text, f"{key} once")
        axes[key] = values
    stop_after, say = seconds("--max-wall", max_wall), said(numbers, quiet)
    found = sweep(
        read(files),
        out or Path(f"{Path(files[-1]).stem}-sweep"),
        axes,
        seeds,
        overrides=overrides or [],
        variant=variant,
        jobs=jobs,
        threads=threads,
        on=on,
        max_wall=stop_after,
        say=say,
    )
    say(found.table())
    say(f"{found.path}: results.nc, and a run for each member of index.json")
    if numbers is not None:
        write_numbers(numbers, found.record())
    _end([found])


@app.command()
def chaos(
    files: Files,
    sizes: Annotated[
        str, typer.Option("--sizes", metavar="N1,N2…", help="Numbers of particles.")
    ] = "",
    steps: Annotated[
        str, typer.Option("--steps", metavar="H1,H2…", help="Steps of the scheme.")
    ] = "",
    replicas: Annotated[
        int, typer.Option("--replicas", metavar="N", help="Seeds at each of them.")
    ] = 20,
    reference: Annotated[
        str,
        typer.Option(
            "--reference",
            metavar="ORACLE",
            help="What is exact, by name or as { kind = …, … } (default: the largest N).",
        ),
    ] = "",
    points: Annotated[
        int, typer.Option("--points", metavar="N", help="Test points of functions, at most.")
    ] = 256,
    out: Folder = None,
    plot: Annotated[
        Path | None, typer.Option("--plot", metavar="FILE", help="Draw it: PNG, PDF or SVG.")
    ] = None,
    overrides: Set = None,
    variant: Variant = "",
    jobs: Jobs = None,
    threads: EachThreads = 1,
    on: On = "",
    max_wall: MaxWall = "",
    numbers: Numbers = None,
    quiet: Quiet = False,
) -> None:
    """Measure what finite N costs, or a finite step: errors, their rates, and the limit.

    The same command again does what is left, and tries again what has failed.
    """
    from meanfield.config.files import toml_value
    from meanfield.sweeps import Chaos, chaos

    wanted: dict[str, Any] = {}
    if sizes:
        wanted["sizes"] = listed("--sizes", sizes, int, "numbers like 50,100,200")
    if steps:
        wanted["steps"] = listed("--steps", steps, float, "numbers like 0.2,0.1,0.05")
    require(bool(wanted), "--sizes", sizes, "numbers of particles like 50,100,200 (or --steps)")
    if plot is not None:
        from meanfield.viewing.files import check_picture

        check_picture(plot)
    stop_after, say = seconds("--max-wall", max_wall), said(numbers, quiet)
    file = read(files)
    folder = out or Path(f"{Path(files[-1]).stem}-chaos")
    done: list[Sweep] = []
    records: dict[str, Any] = {}
    for kind, values in wanted.items():
        found = chaos(
            file,
            folder / kind if len(wanted) > 1 else folder,
            **{kind: values},
            replicas=replicas,
            reference=toml_value(reference) if reference else None,
            points=points,
            overrides=overrides or [],
            variant=variant,
            jobs=jobs,
            threads=threads,
            on=on,
            max_wall=stop_after,
            say=say,
        )
        if isinstance(found, Chaos):
            done.append(found.sweep)
            say(found.table())
            if numbers is not None:
                records[kind] = found.record()
            if plot is not None:
                many = len(wanted) > 1
                found.plot(plot.with_stem(f"{plot.stem}-{kind}") if many else plot)
        else:
            done.append(found)
            if found.stopped:
                break
    write_numbers(numbers, records)
    _end(done)


def _end(sweeps: list[Sweep]) -> None:
    """Tell what has failed, and leave with what it means."""
    failures = [failure for found in sweeps for failure in found.failures]
    for failure in failures:
        print(f"meanfield: {failure}", file=sys.stderr)
    last = sweeps[-1]
    if last.stopped:
        said = f"{last.stopped}; what was done is kept: the same command again does the rest"
        print(f"meanfield: {said}", file=sys.stderr)
        raise typer.Exit(last.stop_code or INTERRUPTED)
    if failures:
        count = sum(len(found.order) for found in sweeps)
        said = f"{len(failures)} of {count} have failed; the same command again tries them again"
        print(f"meanfield: {said}", file=sys.stderr)
        raise typer.Exit(DIVERGED)
