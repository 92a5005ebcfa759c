"""Paths in experiments: relative ones start at the folder of the file that states them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any


def anchored(value: Any, base: Path, key: str = "") -> Any:
    """The same with every text that is called ``path`` made absolute, seen from a folder."""
    if isinstance(value, Mapping):
        return {name: anchored(item, base, name) for name, item in value.items()}
    if isinstance(value, list):
        nested = (dict, list)
        return [anchored(v, base) if isinstance(v, nested) else v for v in value]
    if key == "path" and isinstance(value, str):
        return absolute(value, base)
    return value


def absolute(path: str, base: Path) -> str:
    """A path seen from a folder; as it is, where it cannot be one."""
    try:
        return str((base / Path(path).expanduser()).resolve())
    except (OSError, RuntimeError, ValueError):  # an unknown user's home, a NUL
        return path
