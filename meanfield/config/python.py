"""Python files of the user's own, which an experiment names: their classes become kinds.

An entry of ``python`` in an experiment file is the path of a file. It is imported under a name of
its own, once for each of its contents, and what it registers is known from then on. Its SHA-256
and its text are written into the resolved experiment, and so into the run.
"""

from __future__ import annotations

import hashlib
import linecache
import re
import sys
import traceback
import types
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from meanfield.config.paths import absolute
from meanfield.errors import FileProblem, InvalidInput, MeanfieldError, require
from meanfield.registry import Registry

PREFIX = "experiment_python_"  # of the modules' names


class UserError(MeanfieldError):
    """An error in a Python file of the user's; its ``__cause__`` is the error itself."""


@dataclass(frozen=True)
class PythonFile:
    """A file as it was read and imported.

    Parameters
    ----------
    path : str
    sha256 : str, optional
        Of its bytes, where an experiment says what they must be.
    text : str, optional
        Which the file had then; for people to read, and never run.
    """

    path: str
    sha256: str = ""
    text: str = ""

    def load(self) -> PythonFile:
        """Import it, if these contents have not been imported already.

        Raises
        ------
        FileProblem
            If it cannot be read, or is not the one that is meant.
        UserError
            If it fails; one sentence with the line.
        """
        path = Path(self.path)
        try:
            if path.exists() and not path.is_file():  # a pipe would be waited for
                raise FileProblem(f"python: {path} is no file")
            content = path.read_bytes()
            text = content.decode("utf-8")
        except FileNotFoundError:
            kept = "; its text is in the experiment (python.text)" if self.text else ""
            raise FileProblem(f"python: {path}: no such file{kept}") from None
        except (OSError, ValueError) as error:  # a path with a NUL, bytes that are no UTF-8
            raise FileProblem(f"python: {path} cannot be read: {error}") from None
        digest = hashlib.sha256(content).hexdigest()
        if self.sha256 not in ("", digest):
            raise FileProblem(
                f"python: {path} has changed: its SHA-256 is {digest[:12]}…, and that of the "
                f"experiment {self.sha256[:12]}…; its text was kept there (python.text)"
            )
        _import(path, text, digest)
        return PythonFile(self.path, digest, text)


def python_files(given: Any, base: Path) -> list[PythonFile]:
    """What stands under ``python``: paths, or tables with path and sha256.

    Raises
    ------
    InvalidInput
        If it is anything else.
    """
    several = given if isinstance(given, list) else [given]
    found = []
    for entry in several:
        table = {"path": entry} if isinstance(entry, str) else entry
        known = isinstance(table, Mapping) and "path" in table and set(table) <= _KEYS
        texts = known and all(isinstance(value, str) for value in table.values())
        require(texts, "python", entry, 'paths of Python files, as in ["mine.py"]')
        found.append(PythonFile(**{**table, "path": absolute(table["path"], base)}))
    return found


_KEYS = {"path", "sha256", "text"}


def load_all(given: Any, base: Path) -> list[PythonFile]:
    """Read and import what stands under ``python``."""
    return [file.load() for file in python_files(given, base)]


def _import(path: Path, text: str, digest: str) -> None:
    place = hashlib.sha256(str(path).encode()).hexdigest()[:12]
    name = f"{PREFIX}{re.sub(r'[^0-9a-zA-Z]', '_', path.stem)}_{place}"
    known = sys.modules.get(name)
    if known is not None and known.__dict__.get("__sha256__") == digest:
        return
    module = types.ModuleType(name)
    module.__file__ = str(path)
    module.__dict__["__sha256__"] = digest
    before = [dict(registry._entries) for registry in Registry.all]
    sys.modules[name] = module
    linecache.checkcache(str(path))
    try:
        exec(compile(text.removeprefix("\ufeff"), str(path), "exec"), module.__dict__)
    except (Exception, SystemExit) as error:
        said = blame(error) or f"{path}: {_said(error)}"
        del sys.modules[name]
        for registry, entries in zip(Registry.all, before, strict=False):
            registry._entries = entries
        raise UserError(said) from error


def blame(error: BaseException) -> str | None:
    """An error as one sentence, if it comes from a user's file: with the file and the line.

    Where it comes from ours, at work on an object of a user's class, it names the class.
    """
    files = {
        module.__file__: name
        for name, module in list(sys.modules.items())
        if name.startswith(PREFIX) and module.__file__
    }
    if isinstance(error, SyntaxError) and error.filename in files:
        return f"{error.filename}, line {error.lineno}: {error.msg}"
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        if frame.filename in files:
            return f"{frame.filename}, line {frame.lineno}: {_said(error)}"
    # What the compiler of kernels says has no frames there, but names the file.
    named = re.search(r'File "([^"]+)", line (\d+)', str(error))
    if named is not None:
        stem = Path(named[1]).name
        for file in files:
            if Path(str(file)).name == stem:
                return f"{file}, line {named[2]}: {_said(error)}"
    # What a class of theirs is or returns may break ours: the deepest place that holds one.
    for place, _ in reversed(list(traceback.walk_tb(error.__traceback__))):
        for cls in map(type, place.f_locals.values()):
            if cls.__module__.startswith(PREFIX):
                own = sys.modules[cls.__module__].__file__
                return f"{own}: {cls.__qualname__}, or what it returns, is wrong: {_said(error)}"
    return None


def _said(error: BaseException) -> str:
    if isinstance(error, InvalidInput):
        return str(error)
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    # numba says first in which of its passes it was.
    lines = [line for line in lines if not line.startswith("Failed in ")] or [""]
    plain = re.sub("\033\\[[0-9;]*m", "", lines[0])
    return f"{type(error).__name__}: {plain}"


def written(files: Sequence[PythonFile]) -> list[dict[str, str]]:
    """The files for the resolved experiment."""
    return [{"path": file.path, "sha256": file.sha256, "text": file.text} for file in files]
