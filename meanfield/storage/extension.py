"""Going on from a finished run: its file becomes the first segments of a longer one."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path

import h5py
import numpy as np

from meanfield.errors import FileProblem
from meanfield.storage.checksums import reading, verify
from meanfield.storage.durable import writing
from meanfield.storage.layout import dims_of, read_memory, read_plan, series_of
from meanfield.storage.parts import write_plan
from meanfield.storage.pieces import pieces
from meanfield.storage.plan import Plan
from meanfield.storage.segment import Piece, Segment, State, read_ensemble, seal

ENOUGH = 2**26  # bytes of a segment


def extend(path: Path, plan: Plan, folder: Path) -> Plan:
    """Fill a folder with what the file of a run holds, so that it can go on; return its plan.

    The file stays. The plan is written last: without it, the folder is nothing.

    Raises
    ------
    FileProblem
        If it is another run, or has not so far to go.
    """
    with reading(path), h5py.File(path, "r") as file:
        verify(file)
        before = read_plan(file)
        if before is None:
            raise FileProblem(
                f"{path} was written by an earlier version, and cannot go on: start from where it "
                'ended, with ensemble.kind = "run"'
            )
        _check(path, before, plan, str(file.attrs["status"]), str(file.attrs["stop_reason"]))
        longer = dataclasses.replace(
            plan,
            frames=_longer(before.frames, plan.frames),
            axes={axis: _longer(before.axes[axis], steps) for axis, steps in plan.axes.items()},
        )
        number, size = 0, 0
        batch: list[Piece] = []
        for piece in _pieces(file, before):
            batch.append(piece)
            size += np.asarray(piece.rows).nbytes
            if size >= ENOUGH:
                with writing(path):
                    seal(folder, number, Segment(batch))
                number, size, batch = number + 1, 0, []
        notes = {"diagnostics": _attributes(file["diagnostics"])}
        notes["provenance"] = {
            key: value
            for key, value in _attributes(file["provenance"]).items()
            if key not in before.provenance
        }
        last = Segment(batch, _states(file, longer), notes)
        with writing(path):
            seal(folder, number, last)
    write_plan(folder, longer)
    return longer


def _check(path: Path, before: Plan, plan: Plan, status: str, reason: str) -> None:
    """Raise `FileProblem` unless a run can go on as if it had never stopped."""
    plan.require_same(before, path, until=True)
    if status == "diverged":
        raise FileProblem(f"{path} diverged, and cannot go on: {reason}")
    reached = before.grid.until
    if plan.grid.until < reached or (status == "finished" and plan.grid.until == reached):
        raise FileProblem(f"{path} is {status}, and its end is {reached:g}: give a later one")
    whole = before.grid.total * before.grid.step
    if plan.grid.until > reached and abs(whole - reached) > 1e-9 * before.grid.step:
        raise FileProblem(
            f"{path} ends at {reached:g}, in the middle of a step of {before.grid.step:g}, and "
            "cannot go on as if it had never stopped: start from where it ended, with "
            'ensemble.kind = "run"'
        )


def _longer(before: list[int], now: list[int]) -> list[int]:
    return [*before, *(step for step in now if step > before[-1])]


def _pieces(file: h5py.File, plan: Plan) -> Iterator[Piece]:
    many = len(plan.seeds) > 1
    for group in ("frames", "observables"):
        for name in series_of(file, group):
            data = file[group][name]
            dims = dims_of(data)[many:]
            for place, rows in pieces(data):
                (replica,) = place[:-1] or (0,)
                yield Piece(group, name, dims, replica, place[-1].start, rows)


def _states(file: h5py.File, plan: Plan) -> dict[int, State]:
    """Where the replicas that had begun stand, with the times that the longer run has."""
    found: dict[int, State] = {}
    for replica, memory in read_memory(file).items():
        place = (replica,) if len(plan.seeds) > 1 else ()
        ensemble = read_ensemble(file["state"], plan.layout, place)
        done = ensemble.step - plan.first_step
        found[replica] = State(ensemble.having(time=plan.grid.time(done)), done, False, memory)
    return found


def _attributes(group: h5py.Group) -> dict[str, object]:
    return {key: np.asarray(value).tolist() for key, value in group.attrs.items()}
