"""Commands on what there is, and how well it works here."""

from __future__ import annotations

import typer

from meanfield.cli.app import INACCURATE, app
from meanfield.cli.options import Numbers, Threads, prepare


@app.command("list")
def list_() -> None:
    """List what experiments can be made of, and what goes with what."""
    from meanfield import listing

    print(listing.text())


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
    if numbers is not None:
        benchmark.write(findings, numbers)
    if not all(finding.right for finding in findings):
        raise typer.Exit(INACCURATE)
