"""The command that makes a page of a run."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated

import typer

from meanfield.cli.app import app
from meanfield.cli.options import Force, Output, listed
from meanfield.errors import InvalidInput

UNITS = {"": 1, "B": 1, "KB": 1e3, "MB": 1e6, "GB": 1e9}


@app.command()
def view(
    out: Output,
    page: Annotated[
        Path | None,
        typer.Option(
            "-o", "--out", metavar="PAGE.html", help="Where to write (default: OUT.html)."
        ),
    ] = None,
    seed: Annotated[
        int | None, typer.Option("--seed", help="Whose particles are shown (default: the first).")
    ] = None,
    frames: Annotated[
        int | None, typer.Option("--frames", metavar="N", help="At most so many (default: 60).")
    ] = None,
    particles: Annotated[
        int | None,
        typer.Option("--particles", metavar="N", help="At most so many (default: what fits)."),
    ] = None,
    coordinates: Annotated[
        str, typer.Option("--coordinates", metavar="A,B…", help="Only these, as in a,w[0],|w|.")
    ] = "",
    most: Annotated[
        str, typer.Option("--most", metavar="SIZE", help="How large the page may be.")
    ] = "2MB",
    browse: Annotated[
        bool, typer.Option("--open/--no-open", help="Open it in the browser, if there is a screen.")
    ] = True,
    force: Force = False,
) -> None:
    """Make a page to explore a run: one HTML file, for any browser, without a network."""
    from meanfield.storage import open_run
    from meanfield.viewing.explorer import view as make
    from meanfield.viewing.explorer.view import has_display

    with open_run(out) as found:
        made = make(
            found if seed is None else found.replica(seed),
            page or out.with_suffix(".html"),
            frames=frames,
            particles=particles,
            coordinates=listed("--coordinates", coordinates, str, "a,w[0]")
            if coordinates
            else None,
            most=_bytes(most),
            force=force,
            show=browse and has_display(),
        )
    print(made.path)
    print(f"  {len(made.page) / 1e6:.2f} MB.")
    for sentence in made.said:
        print(f"  {sentence}")


def _bytes(text: str) -> int:
    """A size like 2MB as a number of bytes."""
    found = re.fullmatch(r"([0-9.]+) *([KMG]?B|)", text.strip().upper())
    try:
        size = float(found[1]) * UNITS[found[2]] if found else 0.0
    except ValueError:
        size = 0.0
    if not 1 <= size < 1e12:
        raise InvalidInput("--most", text, "a size like 500KB or 20MB")
    return int(size)
