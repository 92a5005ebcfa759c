"""Compiled kernels on disk: compiled once for a machine, never stale, never mixed up.

numba's own cache looks at the file of a function alone. Two things differ here:

* The folder is named by a hash of all sources that may contain kernels, the versions and the
  settings, so a change in a *callee* of another module can never return a stale result.
* The key of an entry names every function that the machine code is made from, with the numbers
  that each takes from its closure, its defaults and its module. Every key has a file of its own,
  so that processes that compile at the same time cannot mix them up.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import logging
import os
import pickle
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import CodeType, ModuleType, SimpleNamespace
from typing import Any, NamedTuple

import llvmlite
import numba
import numpy as np
from numba.core import caching, serialize
from numba.core.dispatcher import Dispatcher

# Where kernels may be: their sources decide the cache folder.
ROOMS = ("kernels", "activations")
PACKAGE = __name__.partition(".")[0]
# Settings of numba that leave the compiled code as it is.
HARMLESS = ("NUMBA_NUM_THREADS", "NUMBA_CACHE_DIR", "NUMBA_DISABLE_JIT", "NUMBA_THREADING_LAYER")

_logger = logging.getLogger(PACKAGE)


def digest() -> str:
    """A hash of all that compiled code depends on, besides the processor and the key."""
    found = hashlib.sha256()
    package = Path(__file__).resolve().parent.parent
    for room in ROOMS:
        for source in sorted((package / room).rglob("*.py")):
            found.update(str(source.relative_to(package)).encode())
            found.update(source.read_bytes())
    versions = (numba.__version__, llvmlite.__version__, np.__version__)
    settings = [
        f"{name}={value}"
        for name, value in sorted(os.environ.items())
        if name.startswith("NUMBA_") and name not in HARMLESS
    ]
    found.update(repr((sys.implementation.cache_tag, versions, settings)).encode())
    return found.hexdigest()[:16]


# The sources may change on disk while the process runs what it has imported: what is compiled
# then belongs to no folder. So the folder is settled now.
_SETTLED = digest()


class Places(NamedTuple):
    """Folders for compiled kernels: where to look for them, and where to put new ones."""

    read: tuple[Path, ...]
    write: Path | None


@functools.cache
def places() -> Places:
    """Where compiled kernels are: a new folder for every state of the sources.

    ``MEANFIELD_CACHE_DIR`` overrides the place. One that cannot be written is still read, and a
    folder among the temporary files takes what is new; a warning says so.
    """
    name = f"kernels-{_SETTLED}"
    chosen = os.environ.get("MEANFIELD_CACHE_DIR")
    general = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    base = Path(chosen) if chosen else Path(general) / PACKAGE
    nowhere = not chosen and general.startswith("~")  # there is no home
    if not nowhere and _writable(base / name):
        return Places((base / name,), base / name)
    spare = _temporary()
    usable = spare is not None and _writable(spare / name)
    _logger.warning(
        f"{base} cannot be written: compiled kernels are "
        + (f"kept in {spare} for now" if usable else "not kept")
        + "; set MEANFIELD_CACHE_DIR to a folder that can"
    )
    if spare is None or not usable:
        return Places((base / name,), None)
    return Places((base / name, spare / name), spare / name)


def _writable(folder: Path) -> bool:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return True
    except OSError:
        return False


def _temporary() -> Path | None:
    """A folder that outlives the process and is this user's alone, as what it holds is executed."""
    user = os.getuid() if hasattr(os, "getuid") else 0
    with contextlib.suppress(OSError):
        folder = Path(tempfile.gettempdir()) / f"{PACKAGE}-{user}"
        folder.mkdir(mode=0o700, exist_ok=True)
        found = folder.lstat()
        if found.st_uid == user and not found.st_mode & 0o077:
            return folder
    return None


class _Packer(caching.CompileResultCacheImpl):
    """How numba turns compiled code into bytes and back, wherever they are put."""

    def __init__(self, function: Callable[..., Any]) -> None:
        # Where numba points to when it cannot pack.
        self._locator = SimpleNamespace(_py_file=function.__code__.co_filename)
        self._lineno = function.__code__.co_firstlineno


class KernelCache(caching._Cache):
    """The entries of one kernel, as a numba dispatcher wants to be given them."""

    def __init__(self, dispatcher: Dispatcher) -> None:
        function = dispatcher.py_func
        self._dispatcher = dispatcher
        room = (function.__module__ or "").removeprefix(f"{PACKAGE}.")
        self._name = f"{room}.{function.__name__}"
        self._packer = _Packer(function)
        self._enabled = True

    @property
    def covered(self) -> bool:
        """Whether the source hash covers every function that the kernel is made from."""
        rooms = tuple(f"{PACKAGE}.{room}." for room in ROOMS)
        modules = (made_of.py_func.__module__ or "" for made_of in reach(self._dispatcher))
        return all(module.startswith(rooms) for module in modules)

    @property
    def keeps(self) -> bool:
        """Whether the next process will find what this one compiles."""
        return self.covered and places().write is not None

    @property
    def cache_path(self) -> str:
        return str(places().write)

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        target_context.refresh()
        if not self._enabled or not self.covered:
            return None
        data = self._read(self._key(sig, target_context.codegen()))
        return None if data is None else self._packer.rebuild(target_context, data)

    def save_overload(self, sig: Any, data: Any) -> None:
        if self._enabled and self.keeps and self._packer.check_cachable(data):
            self._write(self._key(sig, data.codegen), self._packer.reduce(data))

    def enable(self) -> None:
        self._enabled = True

    def disable(self) -> None:
        self._enabled = False

    def flush(self) -> None:
        """Forget nothing: old folders are left to the user."""

    def _key(self, signature: Any, codegen: Any) -> str:
        made_of = [_profile(dispatcher) for dispatcher in reach(self._dispatcher)]
        return repr((signature, codegen.magic_tuple(), made_of))

    def _read(self, key: str) -> Any:
        for folder in places().read:
            try:
                content = self._path(folder, key).read_bytes()
            except OSError:
                continue
            checksum, payload = content[:32], content[32:]
            if hashlib.sha256(payload).digest() == checksum:
                found, data = pickle.loads(payload)
                if found == key:
                    return data
        return None

    def _write(self, key: str, data: Any) -> None:
        folder = places().write
        if folder is None or digest() != _SETTLED:
            return
        payload = serialize.dumps((key, data))
        with contextlib.suppress(OSError):  # a full disk costs a compilation, not a result
            handle, partial = tempfile.mkstemp(dir=folder, suffix=".part")
            with os.fdopen(handle, "wb") as file:
                file.write(hashlib.sha256(payload).digest() + payload)
            os.replace(partial, self._path(folder, key))

    def _path(self, folder: Path, key: str) -> Path:
        return folder / f"{self._name}-{hashlib.sha256(key.encode()).hexdigest()}.nbc"


def reach(dispatcher: Dispatcher) -> list[Dispatcher]:
    """Every compiled function that the machine code of a kernel is made from, itself first."""
    found = [dispatcher]
    for each in found:  # grows on the way
        for value in (*_own(each.py_func).values(), *_borrowed(each.py_func).values()):
            found += [p for p in _parts(value) if isinstance(p, Dispatcher) and p not in found]
    return found


def identity(function: Callable[..., Any], options: Mapping[str, Any]) -> str:
    """What tells a function from the others that the same source text makes."""
    own = [f"{name}={_words(value)}" for name, value in _own(function).items()]
    chosen = [
        f"{name}={sorted(value) if isinstance(value, set) else value}"
        for name, value in sorted(options.items())
    ]
    return repr((_text(function.__code__), own, chosen))


def _profile(dispatcher: Dispatcher) -> tuple[str, str, str, list[str]]:
    function = dispatcher.py_func
    borrowed = [
        f"{name}={_words(value)}"
        for name, value in _borrowed(function).items()
        if all(isinstance(part, _PLAIN) for part in _parts(value))
    ]
    made = identity(function, dispatcher.targetoptions)
    return function.__module__, function.__qualname__, made, borrowed


# Values that the machine code holds as constants.
_PLAIN = (int, float, complex, str, bytes, type(None), np.generic, np.ndarray, Dispatcher)


def _parts(value: object) -> Iterator[object]:
    if isinstance(value, tuple):
        for part in value:
            yield from _parts(part)
    else:
        yield value


def _own(function: Callable[..., Any]) -> dict[str, Any]:
    """What a function carries with itself: closure and defaults."""
    cells = zip(function.__code__.co_freevars, function.__closure__ or (), strict=True)
    closure = {name: cell.cell_contents for name, cell in cells}
    named = tuple((function.__kwdefaults__ or {}).items())
    return {**closure, "*": (function.__defaults__ or (), named)}


def _borrowed(function: Callable[..., Any]) -> dict[str, Any]:
    """What a function takes from its module, and from modules of ours that it names."""
    names = sorted({name for code in _codes(function.__code__) for name in code.co_names})
    spaces = {"": function.__globals__}
    for name in names:
        value = function.__globals__.get(name)
        if isinstance(value, ModuleType) and value.__name__.startswith(PACKAGE):
            spaces[f"{name}."] = vars(value)
    return {
        prefix + name: space[name]
        for prefix, space in spaces.items()
        for name in names
        if name in space
    }


def _codes(code: CodeType) -> Iterator[CodeType]:
    yield code
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _codes(constant)


def _text(code: CodeType) -> list[str]:
    """The instructions of a function, with its constants, in words."""
    return [
        repr((each.co_firstlineno, each.co_code, each.co_names, each.co_varnames))
        + repr([c for c in each.co_consts if not isinstance(c, CodeType)])
        for each in _codes(code)
    ]


def _words(value: object) -> str:
    """A value in words that are the same in every process, and another value's in none."""
    if isinstance(value, Dispatcher):
        return f"{value.py_func.__module__}.{value.py_func.__qualname__}"
    if isinstance(value, tuple):
        return f"({','.join(map(_words, value))})"
    if isinstance(value, np.ndarray):
        return f"{value.dtype}{value.shape}{hashlib.sha256(value.tobytes()).hexdigest()}"
    words = repr(value)
    if " at 0x" in words:
        raise TypeError(f"a kernel cannot be made over {words}: it has no name of its own")
    return f"{type(value).__name__} {words}"
