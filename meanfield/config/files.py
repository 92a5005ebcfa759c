"""Experiment files: seven sections, and what a file may hold besides.

``[variants.NAME]`` are experiments that differ from the sections in a few keys, ``[reduced]`` makes
all of them small enough for a quick look, ``[[claims]]`` are numbers that they must reproduce, and
``python`` names files with classes of the user's own. Several files are one: each changes the
ones before it.
"""

from __future__ import annotations

import copy
import functools
import os
import re
import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from meanfield.config.paths import absolute, anchored
from meanfield.config.problems import Problems
from meanfield.config.tables import Table
from meanfield.config.values import require_shallow
from meanfield.errors import FileProblem, InvalidInput, UnknownName, require

Paths = str | os.PathLike[str] | Sequence[str | os.PathLike[str]]


@dataclass(frozen=True)
class ExperimentFile:
    """A file as it was read, or several that were merged.

    Attributes
    ----------
    path : Path
        Of the last file, which gives the experiment its name.
    sections : table
        Of the experiment, or what its variants have in common; with ``python``.
    variants : mapping of str to table
        Changes to the sections; empty if the file is one experiment.
    reduced : table
        Changes that make every variant small.
    claims : list of tables
        See `meanfield.config.claims.Claim`.
    before : ExperimentFile, optional
        The files that this one was merged onto.
    own : ExperimentFile, optional
        This one, as it was before that.
    """

    path: Path
    sections: Table
    variants: Mapping[str, Table] = field(default_factory=dict)
    reduced: Table = field(default_factory=dict)
    claims: Sequence[Table] = ()
    before: ExperimentFile | None = None
    own: ExperimentFile | None = None

    @classmethod
    def read(cls, path: Paths) -> ExperimentFile:
        """Read a TOML file; or several, of which each changes what those before it say.

        Raises
        ------
        FileProblem
            If one is missing or not TOML.
        Mistakes
            If one holds what no key takes.
        InvalidInput
            If what stands beside the sections is not what it should be.
        """
        several = [path] if isinstance(path, (str, os.PathLike)) else list(path)
        require(bool(several), "files", several, "at least one")
        return functools.reduce(cls.changed_by, map(cls._read, several))

    @classmethod
    def _read(cls, path: str | os.PathLike[str]) -> ExperimentFile:
        file = Path(path)
        tables = read_toml(file)
        require_shallow(tables, Problems(str(file)))
        tables = anchored(tables, file.parent)
        if "python" in tables:
            tables["python"] = _python(tables["python"], file.parent)
        variants = tables.pop("variants", {})
        reduced = tables.pop("reduced", {})
        claims = tables.pop("claims", [])
        _require_tables(f"{file}: variants", variants)
        for key, changes in (("reduced", reduced), *(_prefixed("variants", variants))):
            _require_tables(f"{file}: {key}", changes)
        for name in variants:  # which names the files of their runs
            plain = re.fullmatch(r"[\w.+=-]+", name) is not None
            require(plain, f"{file}: variants", name, "a name of letters, digits, - and _")
        several = isinstance(claims, list) and all(isinstance(item, Mapping) for item in claims)
        require(several, f"{file}: claims", claims, "tables [[claims]]")
        return cls(file, tables, variants, reduced, claims)

    def changed_by(self, other: ExperimentFile) -> ExperimentFile:
        """Both as one: the other has the last word.

        A variant or a claim that both have is the other's, changed key by key in a variant; a
        claim is the same if it says the same about the same.
        """
        sections = merged(self.sections, other.sections)
        python = [*_listed(self.sections), *_listed(other.sections)]
        if python:
            sections["python"] = [p for i, p in enumerate(python) if p not in python[:i]]
        kept = [claim for claim in self.claims if _what(claim) not in map(_what, other.claims)]
        return ExperimentFile(
            other.path,
            sections,
            merged(self.variants, other.variants),
            merged(self.reduced, other.reduced),
            [*kept, *other.claims],
            self,
            other,
        )

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
                if not self.variants:
                    raise InvalidInput("variant", variant, "none, as the file has no variants")
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

    def states(
        self, variant: str, reduced: bool, overrides: Sequence[str] = ()
    ) -> Callable[[str], str]:
        """For each key of an experiment, the last file that states it, or a table that it is in.

        What an override states is of ``--set``.
        """
        last = [_path_of(override) for override in overrides]

        def file(key: str) -> str:
            parts = key.partition("[")[0].split(".")
            for length in range(len(parts), 0, -1):
                if parts[:length] in last:
                    return "--set"
                here: ExperimentFile | None = self
                while here is not None:
                    one = here.own or here
                    changes = [one.sections, one.variants.get(variant, {})]
                    changes += [one.reduced] * reduced
                    if any(entry(each, parts[:length]) is not None for each in changes):
                        return str(one.path)
                    here = here.before
            new = any(path[0] == parts[0] for path in last)  # a table that no file has
            return "--set" if new else str(self.path)

        return file


def read_toml(file: Path) -> Table:
    """The tables of a TOML file; `FileProblem` with the line, if it is none."""
    text = ""
    try:
        text = file.read_text(encoding="utf-8-sig")  # with the mark that some editors put first
        return tomllib.loads(text)
    except FileNotFoundError:
        raise FileProblem(f"{file}: no such file") from None
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise FileProblem(f"{file} cannot be read: line {line} is not UTF-8") from None
    except OSError as error:
        raise FileProblem(f"{file} cannot be read: {error}") from None
    except RecursionError:
        raise FileProblem(f"{file} is nested too deeply to be read") from None
    except tomllib.TOMLDecodeError as error:
        last = f"(at line {text.rstrip().count(chr(10)) + 1}, the last)"
        said = str(error).replace("(at end of document)", last)
        raise FileProblem(f"{file} is not valid TOML: {said}") from None
    except ValueError:  # Python's
        found = re.search(r"\d{4000}", text.replace("_", ""))
        line = text.count("\n", 0, found.start() if found else 0) + 1
        raise FileProblem(f"{file}, line {line}: a number of thousands of digits") from None


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


def _path_of(key: str) -> list[str]:
    """The parts of ``section.key``, with or without a value."""
    return [part.strip() for part in key.partition("=")[0].split(".")]


def assign(tables: Table, key: str, value: Any, name: str, said: str) -> None:
    """Set ``section.key`` of an experiment.

    Raises
    ------
    InvalidInput
        About the argument `name`, which says `said`, if there can be no such key.
    """
    path = _path_of(key)
    usable = len(path) >= 2 and all(path)
    require(usable, name, said, "section.key=value, as in ensemble.count=2000")
    table = tables
    for part in path[:-1]:
        table = table.setdefault(part, {})
        require(isinstance(table, dict), name, said, f"a table at {part!r}, which holds a value")
    table[path[-1]] = value


def toml_value(text: str) -> Any:
    """A value of TOML; what is none is text."""
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except (ValueError, RecursionError):
        return text.strip()


def _override(tables: Table, text: str) -> None:
    key, equals, value = text.partition("=")
    assign(tables, key if equals else "", toml_value(value), "--set", text)


def _python(given: Any, base: Path) -> Any:
    """The entries of ``python``, with paths seen from the folder of the file that states them."""
    several = given if isinstance(given, list) else [given]
    return [absolute(item, base) if isinstance(item, str) else item for item in several]


def _listed(sections: Table) -> list[Any]:
    found = sections.get("python", [])
    return found if isinstance(found, list) else [found]


def _what(claim: Table) -> Any:
    """What tells a claim from others: all but its words and bounds."""
    bounds = ("says", "value", "within", "above", "below", "reduced")
    return {key: value for key, value in claim.items() if key not in bounds}


def entry(tables: Any, path: Sequence[str]) -> Any:
    """What tables hold where a path of keys leads; None where it leads nowhere."""
    for part in path:
        tables = tables.get(part) if isinstance(tables, Mapping) else None
    return tables


def _prefixed(prefix: str, tables: Mapping[str, Any]) -> list[tuple[str, Any]]:
    return [(f"{prefix}.{name}", table) for name, table in tables.items()]


def _require_tables(key: str, table: Any) -> None:
    require(isinstance(table, Mapping), key, table, "a table")
