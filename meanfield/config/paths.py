"""Paths in experiments: relative ones start at the folder of the file that states them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from meanfield.observables import observables
from meanfield.observables.transport import WORDS, DistanceTo


def anchored(value: Any, base: Path, key: str = "") -> Any:
    """The same with every path made absolute, seen from a folder.

    These are the texts that are called ``path``, and the run that an observable measures ``to``.
    """
    if isinstance(value, Mapping):
        found = {name: anchored(item, base, name) for name, item in value.items()}
        return found | ({"to": absolute(value["to"], base)} if measures_to_a_run(value) else {})
    if isinstance(value, list):
        nested = (dict, list)
        return [anchored(v, base) if isinstance(v, nested) else v for v in value]
    if key == "path" and isinstance(value, str):
        return absolute(value, base)
    return value


def measures_to_a_run(table: Mapping[str, Any]) -> bool:
    """Whether a table is that of an observable whose ``to`` is the path of a run."""
    kind, to = table.get("kind"), table.get("to")
    measures = kind in observables and issubclass(observables[str(kind)], DistanceTo)
    return measures and isinstance(to, str) and to not in ("", *WORDS)


def absolute(path: str, base: Path) -> str:
    """A path seen from a folder; as it is, where it cannot be one."""
    try:
        return str((base / Path(path).expanduser()).resolve())
    except (OSError, RuntimeError, ValueError):  # an unknown user's home, a NUL
        return path
