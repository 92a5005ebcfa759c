"""What a sweep runs: every point of a grid from every seed, each a whole experiment."""

from __future__ import annotations

import hashlib
import itertools
import json
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tomli_w

from meanfield.config import Experiment, ExperimentFile
from meanfield.config.files import assign, toml_value
from meanfield.config.starting import inline
from meanfield.config.study import for_all
from meanfield.config.tables import Table
from meanfield.errors import InvalidInput, require, short

Point = dict[str, Any]
OWN = ("run.seed", "run.seeds")  # seeds are an axis of their own


@dataclass(frozen=True)
class Member:
    """One run of a sweep.

    Attributes
    ----------
    point : dict
        Its value of every key of the grid.
    seed : int
    experiment : str
        Resolved, as TOML.
    digest : str
        Of the experiment and of the files that it reads; the run is called by it.
    """

    point: Point
    seed: int
    experiment: str
    digest: str

    def __str__(self) -> str:
        return ", ".join(filter(None, (named(self.point), f"seed={self.seed}")))


@dataclass(frozen=True)
class Design:
    """The members of a sweep, and what tells them apart.

    Attributes
    ----------
    title : str
        Of the experiment that all of them are changes of.
    grid : dict of str to list
        Values of each key, in the order of the axes.
    seeds : list of int
    members : list of Member
        The seeds of the first point, then of the second …; the last key changes fastest.
    origin : Path
        The folder of the experiment's file.
    """

    title: str
    grid: dict[str, list[Any]]
    seeds: list[int]
    members: list[Member]
    origin: Path

    @classmethod
    def of(
        cls,
        file: ExperimentFile,
        grid: Mapping[str, Iterable[Any]],
        seeds: int | Sequence[int] | None = None,
        *,
        overrides: Sequence[str] = (),
        variant: str = "",
        same_data: bool = False,
        series: Sequence[str] = (),
    ) -> Design:
        """Check everything, and resolve the experiment of every member.

        Parameters
        ----------
        file : ExperimentFile
        grid : mapping of str to values
            By ``section.key``.
        seeds : int or sequence of int, optional
            That many from ``run.seed`` on, or these; default: those of the file.
        overrides : sequence of str
            ``section.key=value``, for all.
        variant : str
            Of the file, if it has several.
        same_data : bool
            Whether data and teacher are drawn from the first seed for all, where the file does
            not say from which: the seeds then differ in start and noise alone.
        series : sequence of str
            Observables that every run has besides, where no other yields the series of that name.

        Raises
        ------
        InvalidInput
            If a key of the grid can be none, or an axis has no or equal values.
        Mistakes
            Everything that is wrong with any of the experiments.
        """
        for key, values in grid.items():
            several = isinstance(values, Iterable) and not isinstance(values, str)
            require(several, f"grid {key}", values, "a list of values")
        axes = {
            key: values.tolist() if isinstance(values, np.ndarray) else list(values)
            for key, values in grid.items()
        }
        for key, values in axes.items():
            _check_axis(key, values)
        every = itertools.product(*axes.values())
        points = [dict(zip(axes, values, strict=True)) for values in every]
        names = [named(point) for point in points]
        checked: list[Experiment] = []

        def resolve(name: str) -> list[Member]:
            point = points[names.index(name)]
            tables = _changed(file.tables(variant, overrides=overrides), point, seeds)
            found = _experiment(file, tables, name, variant)
            if same_data and "seed" not in tables["data"]:
                tables["data"]["seed"] = found.seeds[0]
                found = _experiment(file, tables, name, variant)
            found.check()
            lacking = [name for name in series if name not in found.series]
            if lacking:
                tables["run"]["observe"] = [*tables["run"].get("observe", []), *lacking]
                found = _experiment(file, tables, name, variant)
                found.check()
            checked.append(found)
            return _members(found, point)

        members = for_all(names, resolve)
        return cls(
            checked[0].title,
            axes,
            checked[0].seeds,
            list(itertools.chain.from_iterable(members.values())),
            file.path.parent,
        )


def axis(text: str) -> tuple[str, list[Any]]:
    """The key and the values of ``key=v1,v2,…``: values of TOML, or words.

    Raises
    ------
    InvalidInput
        If it is not of that form.
    """
    key, equals, values = text.partition("=")
    require(bool(equals and key.strip() and values.strip()), "--grid", text, "key=v1,v2,…")
    try:
        found = tomllib.loads(f"value = [{values}]")["value"]
    except ValueError:
        found = [toml_value(part.strip()) for part in values.split(",")]
    return key.strip(), found


def label(value: Any) -> Any:
    """A value of a grid as a coordinate: a number, or text."""
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return value if number or isinstance(value, str) else inline(value)


def named(point: Point) -> str:
    """A point of a grid in words."""
    return ", ".join(f"{key}={label(value)}" for key, value in point.items())


def _check_axis(key: str, values: list[Any]) -> None:
    if key in OWN:
        raise InvalidInput("grid", key, "another key: seeds are an axis of their own (seeds)")
    require(len(values) > 0, f"grid {key}", values, "at least one value")
    labels = [label(value) for value in values]
    twice = [value for i, value in enumerate(labels) if value in labels[:i]]
    require(not twice, f"grid {key}", values, f"different values; {twice[:1]} is there twice")


def _changed(tables: Table, point: Point, seeds: int | Sequence[int] | None) -> Table:
    """The tables of an experiment, moved to a point of the grid."""
    for key, value in point.items():
        assign(tables, key, value, "grid", f"{key}={short(value)}")
    if seeds is not None:
        given = seeds if isinstance(seeds, int) else list(seeds)
        assign(tables, "run.seeds", given, "seeds", str(given))
    return tables


def _experiment(file: ExperimentFile, tables: Table, name: str, variant: str) -> Experiment:
    folder, source = file.path.parent, file.states(variant, False)
    return Experiment(tables, folder, file.path.stem, source, name, folder)


def _members(experiment: Experiment, point: Point) -> list[Member]:
    """One for each seed of a checked experiment, with the step chosen for the first."""
    tables = tomllib.loads(experiment.to_toml())
    read = json.dumps(experiment.origin.hashes, sort_keys=True)
    found = []
    for seed in experiment.seeds:
        tables["run"] |= {"seed": seed, "seeds": 1}
        text = tomli_w.dumps(tables)
        digest = hashlib.sha256(f"{text}\n{read}".encode()).hexdigest()[:16]
        found.append(Member(point, seed, text, digest))
    return found
