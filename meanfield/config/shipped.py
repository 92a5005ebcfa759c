"""The experiments that come with meanfield."""

from __future__ import annotations

import importlib.resources
from pathlib import Path

from meanfield.errors import FileProblem, UnknownName


def shipped() -> dict[str, Path]:
    """Name and file of every shipped experiment."""
    folder = importlib.resources.files("meanfield.experiments")
    files = (Path(str(item)) for item in folder.iterdir() if item.name.endswith(".toml"))
    return {file.stem: file for file in sorted(files)}


def find(name: str) -> Path:
    """The file of an experiment: a path, or the name of a shipped one."""
    path = Path(name)
    if path.is_file():
        return path
    if path.suffix:
        raise FileProblem(f"{name}: no such file")
    known = shipped()
    if name in known:
        return known[name]
    raise UnknownName("experiment", name, known)
