"""Commands that write and check experiment files."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from meanfield.cli import completion
from meanfield.cli.app import app
from meanfield.cli.options import Files, Numbers, Set, Variant, load, studied
from meanfield.cli.output import said, write_numbers
from meanfield.errors import MeanfieldError


@app.command()
def new(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The file will be NAME.toml.")],
    data: Annotated[str, typer.Option("--data", metavar="KIND", help="Kind of data.")] = "gaussian",
    flow: Annotated[str, typer.Option("--flow", metavar="KIND", help="Kind of flow.")] = (
        "wasserstein"
    ),
) -> None:
    """Write an experiment file to start from, with every key and what it means."""
    from meanfield.config.starting import write

    path = write(name, data, flow)
    print(f"{path}: change it, then meanfield run {path}")


@app.command()
def check(
    files: Files, overrides: Set = None, variant: Variant = "", numbers: Numbers = None
) -> None:
    """Validate an experiment and print it with every default filled in."""
    from meanfield.config.study import check_all

    try:
        if variant:
            experiments = load(files, overrides, variant)
            check_all(experiments)
        else:
            experiments = studied(files, overrides)
    except MeanfieldError as error:
        write_numbers(numbers, {"mistakes": mistakes(error), "experiments": {}})
        raise
    say = said(numbers)
    for name, experiment in experiments.items():
        if name and not variant:
            say(f"# variant {name}")
        say(experiment.to_toml().removesuffix("\n"))
    resolved = {name: experiment.resolved() for name, experiment in experiments.items()}
    write_numbers(numbers, {"mistakes": [], "experiments": resolved})


def mistakes(error: MeanfieldError) -> list[dict[str, Any]]:
    """What is wrong, for programs: the file, the key, its value, and the sentence."""
    from meanfield.config import Mistakes

    if isinstance(error, Mistakes):
        return [{**each._asdict(), "variants": list(each.variants)} for each in error.mistakes]
    key, value = getattr(error, "key", None), getattr(error, "value", None)
    return [{"file": None, "key": key, "value": value, "sentence": str(error), "variants": []}]


@app.command()
def schema(
    files: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[FILE]...",
            help="Experiments whose Python files add kinds.",
            autocompletion=completion.experiments,
        ),
    ] = None,
    out: Annotated[
        Path | None, typer.Option("-o", "--out", metavar="FILE", help="Write it here.")
    ] = None,
) -> None:
    """Print the keys of experiment files as a JSON Schema, which editors use."""
    from meanfield.config.schema import schema_text

    text = schema_text(files or [])
    if out is None:
        print(text, end="")
    else:
        from meanfield.storage.durable import write_text

        write_text(out, text)
