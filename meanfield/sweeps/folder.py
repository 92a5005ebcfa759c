"""The folder of a sweep: a run for each member, called by its hash, and what each hash is.

``index.json`` says what the hashes are; whether a member is done is what its file says. So a sweep
that is repeated does what is left, and one that was killed loses nothing that a run has sealed.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from meanfield.errors import FileProblem
from meanfield.storage import ENDS, durable, exists, open_run
from meanfield.storage.lock import Lock
from meanfield.sweeps.design import Design, Member

INDEX, RESULTS, LOCK, STOP = "index.json", "results.nc", "lock", "stop"
FORMAT = "meanfield sweep"
FINISHED, DIVERGED, FAILED, LEFT = "finished", "diverged", "failed", "left"


class Folder:
    """Where the runs of a sweep are.

    Parameters
    ----------
    path : Path
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def run(self, digest: str) -> Path:
        """The file of a member."""
        return self.path / f"{digest}.h5"

    @property
    def stop(self) -> Path:
        """A file that is there while all runs of the folder are to stop after their step."""
        return self.path / STOP

    def state(self, digest: str) -> tuple[str, str]:
        """How far a member is: finished, diverged (and why), or left to do."""
        path = self.run(digest)
        if not exists(path):
            return LEFT, ""
        try:
            with open_run(path) as run:
                done = run.status in ENDS
                return (run.status if done else LEFT), run.stop_reason
        except FileProblem as error:
            return LEFT, str(error)

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        """Make the folder, if need be, and let no other process run a sweep in it.

        Raises
        ------
        FileProblem
            If another does, or the folder is another's or cannot be made.
        """
        try:
            if self.path.exists() and not (self.path / INDEX).exists() and any(self.path.iterdir()):
                raise FileProblem(f"{self.path} is not empty, and no sweep: choose another folder")
            self.path.parent.mkdir(parents=True, exist_ok=True)
            durable.make_folder(self.path)
            lock = Lock(self.path / LOCK, self.path)
        except OSError as error:
            raise FileProblem(f"{self.path} cannot be written: {error.strerror}") from None
        try:
            self.stop.unlink(missing_ok=True)
            yield
        finally:
            self.stop.unlink(missing_ok=True)
            lock.release()

    def write_index(self, design: Design, errors: Mapping[str, str]) -> None:
        """Say what every hash is: those of a design, and those that were there before.

        Parameters
        ----------
        design : Design
        errors : mapping of str to str
            What went wrong with members, by hash.
        """
        known = self.read_index()["members"] if (self.path / INDEX).exists() else {}
        index = {
            "format": FORMAT,
            "version": 1,
            "title": design.title,
            "grid": design.grid,
            "seeds": design.seeds,
            "order": [member.digest for member in design.members],
            "members": known | {m.digest: _entry(m, errors) for m in design.members},
        }
        text = json.dumps(index, indent=1, ensure_ascii=False) + "\n"
        durable.write(self.path / INDEX, text.encode())

    def read_index(self) -> dict[str, Any]:
        """What `write_index` wrote.

        Raises
        ------
        FileProblem
            If it is no folder of a sweep.
        """
        path = self.path / INDEX
        try:
            found = json.loads(path.read_text(encoding="utf-8"))
            if found["format"] == FORMAT and {"grid", "seeds", "order", "members"} <= set(found):
                return dict(found)
        except FileNotFoundError:
            raise FileProblem(f"{self.path} is no folder of a sweep: it has no {INDEX}") from None
        except (OSError, ValueError, KeyError, TypeError):
            pass
        raise FileProblem(f"{path} is damaged, or no index of a sweep")

    def left(self, members: Sequence[Member]) -> list[Member]:
        """Those that are not finished; what has diverged is tried again."""
        return [member for member in members if self.state(member.digest)[0] != FINISHED]


def _entry(member: Member, errors: Mapping[str, str]) -> dict[str, Any]:
    entry: dict[str, Any] = {"point": member.point, "seed": member.seed}
    if member.digest in errors:
        entry["error"] = errors[member.digest]
    return entry
