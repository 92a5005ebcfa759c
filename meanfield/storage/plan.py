"""What a run will write, known before it starts."""

from __future__ import annotations

import dataclasses
import tomllib
import uuid
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from meanfield.ensemble import Layout
from meanfield.errors import FileProblem
from meanfield.schedules import Grid
from meanfield.storage.keep import Keep

SAID = ("flow", "scheme", "frames", "observe_when", "observe")  # of the identity, by experiments


@dataclass(frozen=True)
class Plan:
    """What a run will write.

    Attributes
    ----------
    grid : Grid
    frames : list of int
        Steps of the frames.
    axes : mapping of str to list of int
        Steps of each time axis of the observables.
    seeds : sequence of int
        One replica for each.
    layout : Layout
        Of a particle.
    first_step : int
        The step that the start had reached before; counted on from there.
    title : str
    experiment : str
        The resolved experiment as TOML.
    provenance : mapping
        Attributes.
    identity : mapping of str to str
        What must be the same for a run to be continued, besides all the above but provenance.
    run_id : str
        One of its own for each run.
    keep : Keep
        What frames hold.
    """

    grid: Grid
    frames: list[int]
    axes: Mapping[str, list[int]]
    seeds: Sequence[int]
    layout: Layout
    first_step: int = 0
    title: str = ""
    experiment: str = ""
    provenance: Mapping[str, Any] = field(default_factory=dict)
    identity: Mapping[str, str] = field(default_factory=dict)
    run_id: str = field(default_factory=lambda: uuid.uuid4().hex)
    keep: Keep = field(default_factory=Keep)

    def table(self) -> dict[str, Any]:
        """Everything, as JSON holds it: numbers keep all their digits there."""
        changed = {"layout": table_of(self.layout), "seeds": list(self.seeds)}
        return {**dataclasses.asdict(self), **changed}

    @classmethod
    def of_table(cls, table: Mapping[str, Any]) -> Plan:
        """The plan that a table was made of."""
        unknown = sorted(set(table) - {item.name for item in dataclasses.fields(cls)})
        if unknown:
            raise FileProblem(f"a newer meanfield has planned {', '.join(unknown)}: upgrade it")
        made = {
            "grid": Grid(**table["grid"]),
            "layout": layout_of(table["layout"]),
            "keep": Keep(**table.get("keep", {})),
        }
        return cls(**{**table, **made})

    def require_same(
        self, other: Plan, output: Path, until: bool = False, unfinished: bool = False
    ) -> None:
        """Raise `FileProblem` unless the other plan is that of the same run; name what differs.

        Parameters
        ----------
        other : Plan
            What `output` was begun with.
        output : Path
        until : bool
            Whether the final times may differ.
        unfinished : bool
            Whether `output` has to be continued before anything else.
        """
        free = {"title", *(("run.until", "grid.until") if until else ())}
        require_same(self.experiment, other.experiment, output, free, unfinished)
        found = differences(self._compared(), other._compared()) - free
        _require_none(found, output, unfinished)

    def _compared(self) -> dict[str, Any]:
        # Which steps frames and series have follows from the schedules in the identity.
        derived = ("provenance", "experiment", "run_id", "frames", "axes")
        found = {k: v for k, v in self.table().items() if k not in derived}
        if self.experiment:  # it says the same; and a list that was read again is no tuple
            found["identity"] = {k: v for k, v in self.identity.items() if k not in SAID}
        return found


def table_of(layout: Layout) -> dict[str, Any]:
    """A layout as JSON holds it."""
    blocks = {name: list(shape) for name, shape in layout.blocks.items()}
    return {"blocks": blocks, "frozen": list(layout.frozen)}


def layout_of(table: Mapping[str, Any]) -> Layout:
    """The layout that a table was made of."""
    blocks = {name: tuple(shape) for name, shape in table["blocks"].items()}
    return Layout(blocks, tuple(table["frozen"]))


def require_same(
    experiment: str,
    other: str,
    output: Path,
    free: Collection[str] = frozenset(),
    unfinished: bool = False,
) -> None:
    """Raise `FileProblem` if two experiments (TOML) differ, but for some keys; name the others.

    Parameters
    ----------
    experiment, other : str
        What is to be run, and what `output` was begun with.
    output : Path
    free : collection of str
        Dotted keys that may differ.
    unfinished : bool
        Whether `output` has to be continued before anything else.
    """
    found = differences(tomllib.loads(experiment), tomllib.loads(other))
    _require_none(found - {"run.title", *free}, output, unfinished)


def _require_none(keys: Collection[str], output: Path, unfinished: bool) -> None:
    if not keys:
        return
    how = "continue it with what it was begun with"
    if unfinished:
        how += f" (meanfield resume {output})"
    elif {*keys} <= {"run.until", "grid.until"}:
        how = f"go on from it (meanfield resume {output} --until T)"
    raise FileProblem(
        f"{output} exists already, with another {', '.join(map(_named, sorted(keys)))}: {how}, "
        "replace it (--force), or choose another name"
    )


def _named(key: str) -> str:
    """What is different, as a user knows it; the files of an identity are told by their hashes."""
    name = key.removeprefix("identity.")
    return f"{name} (what the file holds)" if name != key and "." in name else name


def differences(one: Any, other: Any, key: str = "") -> set[str]:
    """Dotted keys under which two tables differ."""
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        names = sorted({*one, *other})
        parts = (
            differences(one.get(name), other.get(name), f"{key}.{name}" if key else name)
            for name in names
        )
        return set().union(*parts)
    return set() if one == other else {key}
