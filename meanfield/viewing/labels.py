"""What to call several runs beside each other: by what tells them apart."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from meanfield.viewing.style import plain

if TYPE_CHECKING:
    from meanfield.storage import Run

# Of [run]: these say nothing of what is simulated.
ASIDE = (
    *("title", "seed", "seeds", "observe", "observe_when", "frames"),
    *("keep", "checkpoint", "guard", "baseline"),
)


def labels_of(runs: Sequence[Run]) -> list[str]:
    """A short name for each run.

    The keys of the experiments that differ, if they are one or two; else titles, if they differ;
    else the names of the files; else numbers.
    """
    for found in (_by_keys(runs), [run.title for run in runs], _by_files(runs)):
        if len(set(found)) == len(runs) and all(found):
            return [plain(name) for name in found]
    return [f"run {number}" for number in range(1, len(runs) + 1)]


def _by_keys(runs: Sequence[Run]) -> list[str]:
    if not all(run.experiment for run in runs):
        return [""] * len(runs)
    tables = [_flat(tomllib.loads(run.experiment)) for run in runs]
    keys = dict.fromkeys(key for table in tables for key in table)
    differing = [key for key in keys if len({repr(table.get(key)) for table in tables}) > 1]
    kinds = [key for key in differing if key.endswith(".kind")]
    # What belongs to one kind only differs with it.
    if kinds:
        differing = [k for k in differing if k in kinds or all(k in table for table in tables)]
    if not 0 < len(differing) <= 2:
        return [""] * len(runs)
    return [", ".join(_said(key, table.get(key)) for key in differing) for table in tables]


def _flat(table: Mapping[str, Any], before: str = "") -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in table.items():
        if before == "run." and key in ASIDE:
            continue
        if isinstance(value, Mapping):
            found |= _flat(value, f"{before}{key}.")
        else:
            found[before + key] = value
    return found


def _said(key: str, value: Any) -> str:
    name = key.rpartition(".")[2]
    if name == "kind":
        return str(value)
    text = f"{value:g}" if isinstance(value, float) else str(value)
    return f"{name} = {text}"


def _by_files(runs: Sequence[Run]) -> list[str]:
    return ["" if run.path is None else run.path.stem for run in runs]
