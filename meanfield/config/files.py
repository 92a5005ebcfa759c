"""Experiment files: seven sections, and what a file may hold besides.

``[variants.NAME]`` are experiments that differ from the sections in a few keys, ``[reduced]`` makes
all of them small enough for a quick look, and ``[[claims]]`` are numbers that they must reproduce.
"""

from __future__ import annotations

import copy
import os
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from meanfield.config.tables import Table
from meanfield.errors import FileProblem, InvalidInput, UnknownName, require


@dataclass(frozen=True)
class ExperimentFile:
    """A file as it was read.

    Attributes
    ----------
    path : Path
    sections : table
        Of the experiment, or what its variants have in common.
    variants : mapping of str to table
        Changes to the sections; empty if the file is one experiment.
    reduced : table
        Changes that make every variant small.
    claims : list of tables
        See `meanfield.config.claims.Claim`.
    """

    path: Path
    sections: Table
    variants: Mapping[str, Table] = field(default_factory=dict)
    reduced: Table = field(default_factory=dict)
    claims: Sequence[Table] = ()

    @classmethod
    def read(cls, path: str | os.PathLike[str]) -> ExperimentFile:
        """Read a TOML file.

        Raises
        ------
        FileProblem
            If it is missing or not TOML.
        InvalidInput
            If what stands beside its sections is not what it should be.
        """
        file = Path(path)
        try:
            tables = tomllib.loads(file.read_text(encoding="utf-8"))
        except FileNotFoundError:
            raise FileProblem(f"{file}: no such file") from None
        except (OSError, UnicodeDecodeError) as error:
            raise FileProblem(f"{file} cannot be read: {error}") from None
        except tomllib.TOMLDecodeError as error:
            raise FileProblem(f"{file} is not valid TOML: {error}") from None
        variants = tables.pop("variants", {})
        reduced = tables.pop("reduced", {})
        claims = tables.pop("claims", [])
        _require_tables(f"{file}: variants", variants)
        for key, changes in (("reduced", reduced), *(_prefixed("variants", variants))):
            _require_tables(f"{file}: {key}", changes)
        several = isinstance(claims, list) and all(isinstance(item, Mapping) for item in claims)
        require(several, f"{file}: claims", claims, "tables [[claims]]")
        return cls(file, tables, variants, reduced, claims)

    def tables(
        self, variant: str = "", reduced: bool = False, overrides: Sequence[str] = ()
    ) -> Table:
        """The sections of one experiment.

        Parameters
        ----------
        variant : str
            Which one; left out only if there are none.
        reduced : bool
            At the small size.
        overrides : sequence of str
            ``section.key=value`` with a TOML value, which has the last word; a value that is not
            TOML is taken as text.
        """
        tables = self.sections
        if reduced:
            tables = merged(tables, self.reduced)
        if self.variants or variant:
            if variant not in self.variants:
                given = InvalidInput("variant", variant, f"one of {', '.join(self.variants)}")
                raise UnknownName("variant", variant, self.variants) if variant else given
            tables = merged(tables, self.variants[variant])
            run = tables.get("run", {})
            if isinstance(run, Mapping):  # else a mistake, which is told later
                title = f"{run.get('title', self.path.stem)}: {variant}"
                tables = {**tables, "run": {**run, "title": title}}
        tables = copy.deepcopy(tables)
        for override in overrides:
            _override(tables, override)
        return tables


def merged(tables: Mapping[str, Any], changes: Mapping[str, Any]) -> Table:
    """Tables with changes: table by table, but one of another ``kind`` replaces what was there."""
    result = dict(tables)
    for key, change in changes.items():
        old = result.get(key)
        if isinstance(old, Mapping) and isinstance(change, Mapping):
            same = change.get("kind", old.get("kind")) == old.get("kind")
            result[key] = merged(old, change) if same else change
        else:
            result[key] = change
    return result


def _override(tables: Table, text: str) -> None:
    key, equals, value = text.partition("=")
    path = [part.strip() for part in key.split(".")]
    usable = bool(equals) and len(path) >= 2 and all(path)
    require(usable, "--set", text, "section.key=value, as in ensemble.count=2000")
    table = tables
    for part in path[:-1]:
        table = table.setdefault(part, {})
        require(isinstance(table, dict), "--set", text, f"a table at {part!r}, which holds a value")
    try:
        table[path[-1]] = tomllib.loads(f"value = {value}")["value"]
    except tomllib.TOMLDecodeError:
        table[path[-1]] = value.strip()


def _prefixed(prefix: str, tables: Mapping[str, Any]) -> list[tuple[str, Any]]:
    return [(f"{prefix}.{name}", table) for name, table in tables.items()]


def _require_tables(key: str, table: Any) -> None:
    require(isinstance(table, Mapping), key, table, "a table")
