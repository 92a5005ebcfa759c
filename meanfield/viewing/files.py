"""Figures as files: PNG, PDF or SVG by ending, whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from meanfield.errors import FileProblem, cannot_write

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# Without a date inside, the same figure is the same file. The resolution of a vector file is
# that of the clouds of particles in it.
_OPTIONS: dict[str, dict[str, Any]] = {
    ".png": {"dpi": 200},
    ".pdf": {"dpi": 400, "metadata": {"CreationDate": None}},
    ".svg": {"dpi": 400, "metadata": {"Date": None}},
}


def check_picture(path: str | os.PathLike[str]) -> Path:
    """The path, if a figure can be written there.

    Raises
    ------
    FileProblem
        If its ending is none of .png, .pdf, .svg, or its folder does not exist.
    """
    from meanfield.storage import durable

    target = Path(path)
    if target.suffix.lower() not in _OPTIONS:
        ending = f"the ending {target.suffix!r}" if target.suffix else "a name without ending"
        raise FileProblem(f"{target}: no figure has {ending}; expected .png, .pdf or .svg")
    durable.check_place(target)
    return target


def save(figure: Figure, target: Path) -> None:
    """Write a figure. An older one is replaced, and only when the new one is complete."""
    from meanfield.storage import durable

    ending = target.suffix.lower()
    try:
        with durable.publishing(target, alone=False) as part:
            figure.savefig(part, format=ending[1:], **_OPTIONS[ending])
            durable.sync_file(part)
    except OSError as error:
        raise cannot_write(target, error) from None
