"""Commands on what there is, and how well it works here."""

from __future__ import annotations

from typing import Annotated

import typer

from meanfield.cli import completion
from meanfield.cli.app import INACCURATE, app
from meanfield.cli.options import Numbers, Threads, prepare
from meanfield.cli.output import STDOUT, said, write_numbers


@app.command("list")
def list_(
    sections: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[SECTION]...",
            help="Only these: flows, observables, orders, … (default: all).",
            autocompletion=completion.sections,
        ),
    ] = None,
    numbers: Numbers = None,
) -> None:
    """List what experiments can be made of, and what goes with what."""
    from meanfield import listing

    if numbers != STDOUT:
        print(listing.text(sections or ()))
    if numbers is not None:
        write_numbers(numbers, listing.tables())


@app.command()
def verify(
    names: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[NAME]...",
            help="Systems (default: all).",
            autocompletion=completion.systems,
        ),
    ] = None,
    full: Annotated[
        bool, typer.Option("--full", help="At the size of a publication: minutes, not seconds.")
    ] = False,
    numbers: Numbers = None,
    threads: Threads = None,
) -> None:
    """Hold simulations against their limit, which is computed without particles."""
    from meanfield import verification

    prepare(threads)
    say = said(numbers)
    verdicts = verification.verify(names or [], full, lambda found: say(str(found)))
    write_numbers(numbers, [verdict.table() for verdict in verdicts])
    if not all(verdict.passes for verdict in verdicts):
        raise typer.Exit(INACCURATE)


@app.command()
def bench(
    numbers: Numbers = None,
    threads: Threads = None,
) -> None:
    """Check the kernels on this machine: which path, how fast, how right."""
    from meanfield import benchmark

    prepare(threads)
    findings, say = [], said(numbers)
    for finding in benchmark.check():
        say(benchmark.describe(finding))
        findings.append(finding)
    write_numbers(numbers, benchmark.record(findings))
    if not all(finding.right for finding in findings):
        raise typer.Exit(INACCURATE)
