"""What commands print: text for people on any terminal, JSON for programs."""

from __future__ import annotations

import codecs
import json
import shutil
import sys
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from meanfield.errors import FileProblem

Line = tuple[str, str]  # and its style, as rich calls it
STDOUT = Path("-")
NARROWEST = 40  # characters
OURS = (".h5", ".toml")  # runs and experiments, over which numbers are never written
HDF5 = b"\x89HDF"
COLOURS = {
    "finished": "green",
    "running": "cyan",
    "interrupted": "yellow",
    "diverged": "red",
    "failed": "red",
}
# What stands for our signs where the encoding of the output has none of them.
PLAIN = {
    **dict(zip("▁▂▃▄▅▆▇█", "_,:-=+*#", strict=True)),
    **dict(zip("·●○│─–—’“”²³₂", '.*o|---\'""232', strict=True)),
    **{"±": "+-", "…": "...", "→": "->", "≤": "<=", "≥": ">=", "√": "sqrt", "∞": "inf", "∫": "int"},
    **{"λ": "lambda", "τ": "tau", "θ": "theta", "ρ": "rho", "π": "pi", "σ": "sigma", "Δ": "Delta"},
}


def spell(error: UnicodeError) -> tuple[str, int]:
    """Error handler of an encoding: our signs in letters, and ? for all others."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    found = error.object[error.start : error.end]
    return "".join(PLAIN.get(sign, "?") for sign in found), error.end


def adapt_streams() -> None:
    """Let standard output and error spell what their encodings lack, instead of failing."""
    codecs.register_error("meanfield.spell", spell)
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="meanfield.spell")


def columns() -> int:
    """Characters in a line: of the terminal, or 80."""
    return max(NARROWEST, shutil.get_terminal_size().columns)


def show(lines: Iterable[Line]) -> None:
    """Print lines: in colour on a terminal, unless NO_COLOR says otherwise."""
    from rich.console import Console
    from rich.text import Text

    console = Console(highlight=False)
    for text, style in lines:
        console.print(Text(text, style), soft_wrap=True)


def said(numbers: Path | None, quiet: bool = False) -> Callable[[str], None]:
    """What prints text for people: nothing where JSON has standard output for itself."""

    def print_now(text: str) -> None:
        if not quiet and numbers != STDOUT:
            print(text, flush=True)

    return print_now


def check_numbers(path: Path | None) -> Path | None:
    """Refuse, before any work, a file for JSON that cannot be written."""
    if path is not None and path != STDOUT:
        if path.is_dir():
            raise FileProblem(f"--json: {path} is a folder: give the name of a file, or -")
        if not path.parent.is_dir():
            raise FileProblem(f"--json: {path}: the folder {path.parent} does not exist")
        if path.suffix.lower() in OURS or _is_run(path):
            raise FileProblem(
                f"--json: {path} is the name of a run or of an experiment: choose another one"
            )
    return path


def _is_run(path: Path) -> bool:
    if not path.is_file():
        return False
    with path.open("rb") as stream:
        return stream.read(len(HDF5)) == HDF5


def write_numbers(path: Path | None, table: Any) -> None:
    """What ``--json`` asks for, if it was given; - is standard output."""
    if path is None:
        return
    text = json.dumps(valid(table), indent=1) + "\n"
    if path == STDOUT:
        sys.stdout.write(text)
        sys.stdout.flush()
        return
    from meanfield.storage.durable import write_text

    write_text(path, text)


def valid(table: Any) -> Any:
    """The same as JSON can hold it: what is not finite becomes null, as JSON has no word for it."""
    if isinstance(table, Mapping):
        return {str(key): valid(value) for key, value in table.items()}
    if hasattr(table, "tolist"):  # of NumPy
        return valid(table.tolist())
    if isinstance(table, (list, tuple)):
        return [valid(value) for value in table]
    if isinstance(table, float):
        return table if abs(table) < float("inf") else None
    if table is None or isinstance(table, (bool, int, str)):
        return table
    return str(table)
