"""Commands on what there is, and how well it works here."""

from __future__ import annotations

from typing import Annotated

import typer

from meanfield.cli.app import INACCURATE, app
from meanfield.cli.options import Numbers, Threads, prepare, write_numbers


@app.command("list")
def list_() -> None:
    """List what experiments can be made of, and what goes with what."""
    from meanfield import listing

    print(listing.text())


@app.command()
def verify(
    names: Annotated[
        list[str] | None, typer.Argument(metavar="[NAME]...", help="Systems (default: all).")
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
    verdicts = verification.verify(names or [], full, lambda found: print(found, flush=True))
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
    findings = []
    for finding in benchmark.check():
        print(benchmark.describe(finding), flush=True)
        findings.append(finding)
    write_numbers(numbers, benchmark.record(findings))
    if not all(finding.right for finding in findings):
        raise typer.Exit(INACCURATE)
