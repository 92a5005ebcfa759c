"""What commands have in common: their arguments and options, and what these mean."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from meanfield.cli import completion
from meanfield.cli.output import check_numbers
from meanfield.errors import InvalidInput, require

if TYPE_CHECKING:
    from meanfield.config import Experiment, ExperimentFile

T = TypeVar("T")

Files = Annotated[
    list[str],
    typer.Argument(
        metavar="FILE...",
        help="A TOML file, or a shipped experiment; each further one changes those before it.",
        autocompletion=completion.runs_or_experiments,
    ),
]
Output = Annotated[
    Path,
    typer.Argument(
        metavar="OUT.h5", help="A run, finished or not.", autocompletion=completion.runs
    ),
]
Set = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="KEY=VALUE",
        help="Override a key: ensemble.count=2000.",
        autocompletion=completion.settings,
    ),
]

Variant = Annotated[
    str, typer.Option("--variant", metavar="NAME", help="One of the file's variants (all).")
]
Numbers = Annotated[
    Path | None,
    typer.Option(
        "--json",
        metavar="FILE",
        help="Write it as JSON too; - is standard output, without the text.",
        callback=check_numbers,
        allow_dash=True,
    ),
]
Force = Annotated[bool, typer.Option("--force", help="Replace an existing file.")]
MaxWall = Annotated[
    str,
    typer.Option("--max-wall", metavar="TIME", help="Stop in time, as in 90s, 45m or 3h30m."),
]
Quiet = Annotated[bool, typer.Option("-q", "--quiet", help="Print no progress and no warnings.")]
Threads = Annotated[
    int | None, typer.Option("--threads", metavar="N", help="Processors to use (default: all).")
]


def read(files: list[str]) -> ExperimentFile:
    """Experiment files, or shipped experiments, as one."""
    from meanfield.config import ExperimentFile, find

    return ExperimentFile.read([find(file) for file in files])


def load(files: list[str], overrides: list[str] | None, variant: str) -> dict[str, Experiment]:
    """The experiments of a file by variant, or the one that is asked for."""
    from meanfield.config.study import experiments

    return experiments(read(files), overrides=overrides or [], only=variant)


def studied(files: list[str], overrides: list[str] | None) -> dict[str, Experiment]:
    """All experiments of a file by variant, checked together with its claims and small size."""
    from meanfield.config.study import Study

    found = read(files)
    study = Study(found, False, overrides or [])
    study.check()
    if found.reduced:
        Study(found, True, overrides or [])
    return study.experiments


def target_of(out: Path, variant: str) -> Path:
    return out.with_name(f"{out.stem}-{variant}{out.suffix}") if variant else out


def seconds(option: str, text: str) -> float | None:
    """A time like 3h30m in seconds; None if there is none."""
    if not text:
        return None
    found = re.fullmatch(r"(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s?)?", text)
    parts = [int(part or 0) for part in found.groups()] if found else [0]
    total = sum(part * unit for part, unit in zip(parts, (3600, 60, 1), strict=False))
    require(total > 0, option, text, "a time like 90s, 45m or 3h30m")
    return float(total)


def listed(option: str, text: str, kind: Callable[[str], T], example: str) -> list[T]:
    """Numbers with commas between them, as in the example."""
    try:
        return [kind(part) for part in text.split(",")]
    except ValueError:
        raise InvalidInput(option, text, example) from None


def prepare(threads: int | None, quiet: bool = False) -> None:
    if quiet:
        logging.getLogger("meanfield").setLevel(logging.ERROR)
    if threads is None:
        return
    from meanfield.kernels.compile import processors, set_threads

    most = processors()
    require(1 <= threads <= most, "--threads", threads, f"from 1 to {most}, as many as there are")
    set_threads(threads)
