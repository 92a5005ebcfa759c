"""A sweep: an experiment over a grid of its keys, from several seeds, and what comes out."""

from __future__ import annotations

import functools
import hashlib
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from meanfield.config import ExperimentFile
from meanfield.config.files import Paths
from meanfield.errors import InvalidInput, UnknownName
from meanfield.stopping import Stop, Stopped
from meanfield.storage import Run, open_run, summarise
from meanfield.sweeps import results
from meanfield.sweeps.design import Design, Point, label, named
from meanfield.sweeps.executors import Workers, cluster, local, run_all
from meanfield.sweeps.folder import DIVERGED, FAILED, FINISHED, LEFT, RESULTS, Folder
from meanfield.sweeps.worker import Outcome, Task

if TYPE_CHECKING:
    import xarray

Say = Callable[[str], None]


class Failure(NamedTuple):
    """A member that went wrong: where in the grid, from which seed, and why."""

    digest: str
    point: Point
    seed: int
    error: str

    def __str__(self) -> str:
        where = ", ".join(filter(None, (named(self.point), f"seed={self.seed}")))
        return f"{where}: {self.error}"


@dataclass(frozen=True)
class Sweep:
    """The runs of a folder, by their places in a grid.

    Attributes
    ----------
    path : Path
        The folder.
    title : str
    grid : dict of str to list
    seeds : list of int
    failures : list of Failure
        Of the last session, and what has diverged.
    stopped : str
        Why the last session ended before all was done, if it did; in words.
    stop_code : int
        What a program that ends for that returns.
    """

    path: Path
    title: str
    grid: dict[str, list[Any]]
    seeds: list[int]
    order: tuple[str, ...]
    failures: list[Failure]
    stopped: str = ""
    stop_code: int = 0

    @classmethod
    def load(cls, folder: str | os.PathLike[str]) -> Sweep:
        """The sweep in a folder, as it was asked for last; done or not.

        Raises
        ------
        FileProblem
            If there is none.
        """
        here = Folder(Path(folder))
        index = here.read_index()
        failures = []
        for digest in index["order"]:
            member = index["members"][digest]
            state, reason = here.state(digest)
            error = reason if state == DIVERGED else member.get("error", "")
            if error and state != FINISHED:
                failures.append(Failure(digest, member["point"], member["seed"], error))
        order = tuple(index["order"])
        return cls(here.path, index["title"], index["grid"], index["seeds"], order, failures)

    @property
    def final(self) -> xarray.Dataset:
        """The last value of every series, over the keys of the grid and ``seed``."""
        return self._results["/"].to_dataset()

    @property
    def series(self) -> xarray.Dataset:
        """Every series over ``time`` too: the union of the times at which members have looked.

        Between its looks, a member has what is on a line between them; after its end, NaN.
        """
        return self._results["/series"].to_dataset()

    def run(self, seed: int | None = None, **point: Any) -> Run:
        """One of the runs.

        Parameters
        ----------
        seed : int, optional
            Default: the first.
        point
            Values of the keys of the grid, as in ``sweep.run(**{"ensemble.count": 50})``; of a
            key that is left out, the first value.

        Raises
        ------
        UnknownName, InvalidInput
            If the grid has no such key, value or seed.
        FileProblem
            If it was not run yet.
        """
        place = 0
        for key in point:
            if key not in self.grid:
                raise UnknownName("key of the grid", key, self.grid)
        for key, values in (*self.grid.items(), ("seed", self.seeds)):
            wanted = seed if key == "seed" else point.get(key)
            if wanted is not None and wanted not in values:
                raise InvalidInput(key, wanted, f"one of {', '.join(map(str, values))}")
            place = place * len(values) + (0 if wanted is None else values.index(wanted))
        return open_run(Folder(self.path).run(self.order[place]))

    def table(self) -> str:
        """The last values, as text: a row for each point, mean ± standard deviation over seeds."""
        final = self.final
        flat = [name for name in final if final[name].dims == (*self.grid, "seed")]
        names = [str(name) for name in flat if name != "status"]
        rows = [[*self.grid, *names]]
        shape = [len(values) for values in self.grid.values()]
        for place in np.ndindex(*shape):
            point = dict(zip(self.grid, place, strict=True))
            values = [str(label(self.grid[key][i])) for key, i in point.items()]
            rows.append(values + [summarise(final[name].isel(point).values) for name in names])
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        lines = ("  ".join(map(str.ljust, row, widths)).rstrip() for row in rows)
        return "\n".join(lines)

    def record(self) -> dict[str, Any]:
        """The same for programs: at each point of the grid, the last values of every seed."""
        final = self.final
        flat = [str(name) for name in final if final[name].dims == (*self.grid, "seed")]
        points = []
        for place in np.ndindex(*(len(values) for values in self.grid.values())):
            at = dict(zip(self.grid, place, strict=True))
            values = {name: final[name].isel(at).values.tolist() for name in flat}
            points.append({"at": {key: self.grid[key][i] for key, i in at.items()}, **values})
        return {
            "folder": str(self.path),
            "seeds": self.seeds,
            "points": points,
            "failures": [failure._asdict() for failure in self.failures],
            "stopped": self.stopped,
        }

    @functools.cached_property
    def _results(self) -> xarray.DataTree:
        """From the file if it is of what there is now, else from the runs."""
        import xarray

        known = results.read(self.path / RESULTS)
        if known is not None and known.attrs.get("of") == self._state:
            return known
        final, series = self._collect()
        return xarray.DataTree.from_dict({"/": final, "/series": series})

    def _collect(self) -> tuple[xarray.Dataset, xarray.Dataset]:
        return results.collect(Folder(self.path), results.Cube(self.grid, self.seeds, self.order))

    @functools.cached_property
    def _state(self) -> str:
        """What the results depend on: which members there are, and which of them have files."""
        paths = [Folder(self.path).run(digest) for digest in self.order]
        seen = [f"{path.name} {path.stat().st_mtime_ns if path.exists() else 0}" for path in paths]
        return hashlib.sha256("\n".join(seen).encode()).hexdigest()

    def save(self) -> None:
        """Write `final`, and `series` as a group of that name, into ``results.nc``."""
        final, series = self._collect()
        attributes = {"title": self.title, "of": self._state}
        results.write(self.path / RESULTS, {"/": final, "/series": series}, attributes)

    def _repr_html_(self) -> str:
        from meanfield.viewing import displays

        return displays.sweep(self)

    def __repr__(self) -> str:
        done = int((self.final["status"] == FINISHED).sum())
        axes = [f"{key} ({len(values)})" for key, values in self.grid.items()]
        over = " × ".join([*axes, f"seed ({len(self.seeds)})"])
        failed = f", {len(self.failures)} failed" if self.failures else ""
        return f"Sweep {self.title!r} ({self.path}): {over}; {done} done{failed}\n{self.table()}"


def sweep(
    experiment: Paths | ExperimentFile,
    folder: str | os.PathLike[str],
    grid: Mapping[str, Iterable[Any]],
    seeds: int | Sequence[int] | None = None,
    *,
    overrides: Sequence[str] = (),
    variant: str = "",
    jobs: int | None = None,
    threads: int = 1,
    on: str = "",
    max_wall: float | None = None,
    say: Say | None = None,
) -> Sweep:
    """Run an experiment at every point of a grid, from several seeds.

    What the folder has already is not run again, and what is there in part is continued. A
    member that fails stops no other. In a script, call it under ``if __name__ == "__main__":``,
    as the processes that it starts import the script.

    Parameters
    ----------
    experiment : path, sequence of paths, or ExperimentFile
    folder : path
        One HDF5 file for each member, ``index.json``, and ``results.nc`` with `Sweep.final` and
        `Sweep.series`.
    grid : mapping of str to values
        By ``section.key``, as in ``{"ensemble.count": [50, 100]}``.
    seeds : int or sequence of int, optional
        That many from ``run.seed`` on, or these; default: those of the file.
    overrides : sequence of str
        ``section.key=value``, for all.
    variant : str
        Which experiment, if the file has variants.
    jobs : int, optional
        Processes; default: as many as there are processors for.
    threads : int
        Of each run.
    on : str
        Address of a Dask scheduler, ``tcp://…``, that runs the members instead.
    max_wall : float, optional
        Seconds after which it stops in order, to be repeated.
    say : callable, optional
        Gets a line for each member that ends.

    Returns
    -------
    Sweep
        With its ``failures``; and why it was ``stopped``, if it was, by Ctrl-C, a request to
        terminate or `max_wall`. Repeated, it does what is left.

    Raises
    ------
    MeanfieldError
        Before anything runs, with everything that is wrong.
    """
    file = experiment if isinstance(experiment, ExperimentFile) else ExperimentFile.read(experiment)
    workers = cluster(on) if on else local(jobs, threads)
    design = Design.of(file, grid, seeds, overrides=overrides, variant=variant)
    return run_design(design, Path(folder), workers, threads, max_wall, say)


def run_design(
    design: Design,
    path: Path,
    workers: Workers,
    threads: int = 1,
    max_wall: float | None = None,
    say: Say | None = None,
) -> Sweep:
    """Run what is left of a design into a folder; see `sweep`."""
    folder = Folder(path.absolute())
    members = {member.digest: member for member in design.members}
    told: dict[str, Outcome] = {}
    with folder.held():
        folder.write_index(design, {})
        left = folder.left(design.members)
        if say is not None and len(left) < len(members):
            say(f"{len(members) - len(left)} of {len(members)} are done already")

        def tell(outcome: Outcome) -> None:
            told[outcome.digest] = outcome
            if say is None or outcome.status == LEFT:
                return
            failed = sum(found.status in (FAILED, DIVERGED) for found in told.values())
            line = f"{len(members) - len(left) + len(told)}/{len(members)}"
            line += f"  {members[outcome.digest]}: {outcome.status}, {outcome.seconds:.1f} s"
            say(f"{line}  ({failed} failed so far)" if failed else line)

        stop = Stop(max_wall)
        stopped = ""
        tasks = [
            Task(m.digest, m.experiment, str(folder.path), str(design.origin.absolute()), threads)
            for m in left
        ]
        with stop:
            try:
                run_all(tasks, folder, workers, stop, tell)
            except Stopped as error:
                stopped = str(error)
        errors = {digest: o.reason for digest, o in told.items() if o.status in (FAILED, DIVERGED)}
        folder.write_index(design, errors)
        done = Sweep.load(path)
        done.save()
    return Sweep(**{**_fields(done), "stopped": stopped, "stop_code": stop.code})


def _fields(found: Sweep) -> dict[str, Any]:
    return {name: getattr(found, name) for name in Sweep.__dataclass_fields__}
