"""Commands on runs, finished or not: say, export, compare, measure, cite."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from meanfield.cli import completion, output
from meanfield.cli.app import DIFFERENT, app
from meanfield.cli.options import Force, Numbers, Output, listed, seconds
from meanfield.cli.output import said, write_numbers
from meanfield.errors import require


@app.command()
def show(
    out: Output,
    experiment: Annotated[
        bool, typer.Option("--experiment", help="Print its experiment file instead.")
    ] = False,
    numbers: Numbers = None,
) -> None:
    """Say what a run was, how it went, and where it comes from; with a curve of each series."""
    from meanfield.cli.report import page, record
    from meanfield.storage import open_run

    with open_run(out) as found:
        if experiment:
            require(bool(found.experiment), "--experiment", str(out), "a run of an experiment file")
            said(numbers)(found.experiment.removesuffix("\n"))
        elif numbers != output.STDOUT:
            output.show(page(found))
        if numbers is not None:
            write_numbers(numbers, record(found))


@app.command()
def export(
    out: Output,
    target: Annotated[
        Path | None,
        typer.Option("-o", "--out", metavar="TARGET", help="Where to write (default: OUT.csv)."),
    ] = None,
    format: Annotated[
        str, typer.Option("--format", help="csv, parquet, npz, nc or h5md (default: the ending).")
    ] = "",
    frames: Annotated[
        str, typer.Option("--frames", metavar="T1,T2…", help="Only the frames nearest to these.")
    ] = "",
    force: Force = False,
) -> None:
    """Write a run for other programs: a table, arrays, netCDF, or a trajectory of particles."""
    from meanfield.storage import open_run

    with open_run(out) as found:
        written = found.export(
            target or out.with_suffix(f".{format or 'csv'}"),
            format=format,
            frames=listed("--frames", frames, float, "times like 0,2.5,10") if frames else None,
            force=force,
        )
    print(written)


@app.command()
def diff(
    first: Annotated[Path, typer.Argument(metavar="A.h5", autocompletion=completion.runs)],
    second: Annotated[Path, typer.Argument(metavar="B.h5", autocompletion=completion.runs)],
    numbers: Numbers = None,
) -> None:
    """Hold two runs against each other; exit code 1 unless all their numbers have the same bits."""
    from meanfield.comparison import compare

    found = compare(first, second)
    said(numbers)(str(found))
    write_numbers(numbers, found.table())
    if not found.same_bits:
        raise typer.Exit(DIFFERENT)


@app.command()
def distance(
    first: Annotated[
        str,
        typer.Argument(
            metavar="A.h5[@T]",
            help="Its end, or a time; the first seed.",
            autocompletion=completion.runs,
        ),
    ],
    second: Annotated[str, typer.Argument(metavar="B.h5[@T]", autocompletion=completion.runs)],
    method: Annotated[
        str, typer.Option("--method", help="exact, sliced, bures, wfr, …; auto chooses by size.")
    ] = "exact",
    modulo: Annotated[
        str, typer.Option("--modulo", metavar="scaling", help="Compare neurons as functions.")
    ] = "",
    most: Annotated[
        str, typer.Option("--most", metavar="TIME", help="What it may take, as in 90s or 2h.")
    ] = "10m",
    numbers: Numbers = None,
) -> None:
    """Say how far the neurons of two runs are apart, at their ends or at times."""
    from meanfield import transport

    found = transport.distance(
        first,
        second,
        method,
        modulo=modulo or None,  # type: ignore[arg-type]
        most_seconds=seconds("--most", most) or transport.MOST_SECONDS,
    )
    said(numbers)(str(found))
    asked = {"first": first, "second": second, "modulo": modulo or None}
    write_numbers(numbers, {**asked, **found.table()})


@app.command()
def cite(out: Output) -> None:
    """Print BibTeX of meanfield, and of the methods and data that a run has used."""
    from meanfield.citations import bibtex
    from meanfield.storage import open_run

    with open_run(out) as found:
        print(bibtex(found), end="")
