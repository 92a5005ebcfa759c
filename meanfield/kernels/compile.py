"""Compiling kernels with numba, and keeping what was compiled.

Every kernel goes through `jit`, so that the options are decided once. Two things differ from
``numba.njit(cache=True)``:

* The cache folder is named by a hash of all sources that may contain kernels, the versions and
  the processor, so a change in a *callee* of another module can never return a stale result.
* A kernel may close over other kernels (an interaction over the pair function of an activation);
  the cache key then names them, where numba's own key would never match in a new process. Every
  key has a file of its own, so that processes that compile at the same time cannot mix them up.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import os
import pickle
import secrets
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar, TypeVar

# Idle threads must sleep: spinning ones cost milliseconds per launch where a core is busy.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import llvmlite
import numba
import numpy
from numba.core import caching, serialize
from numba.core.dispatcher import Dispatcher
from numba.parfors.parfor import Parfor

prange = numba.prange
# Where kernels may be: their sources decide the cache folder.
ROOMS = ("kernels", "activations")
# Settings of numba that leave the compiled code as it is.
HARMLESS = ("NUMBA_NUM_THREADS", "NUMBA_CACHE_DIR", "NUMBA_DISABLE_JIT", "NUMBA_THREADING_LAYER")
DISABLED = bool(numba.config.DISABLE_JIT)

# Division by zero gives inf, as NumPy does: a branch per division would stop vectorisation.
OPTIONS: dict[str, Any] = {"error_model": "numpy"}
# Sums may be reordered and contracted inside one loop. NaN and inf keep their meaning.
REORDER = frozenset({"contract", "reassoc", "nsz", "arcp"})

F = TypeVar("F", bound=Callable[..., Any])


class CompileLog:
    """Counts compilations and their time, and tells a listener when one starts."""

    def __init__(self) -> None:
        self.listener: Callable[[str], None] | None = None
        self.seconds = 0.0
        self.compiled: list[str] = []
        self._open: dict[str, float] = {}

    def begin(self, name: str) -> None:
        # Nested kernels compile inside their caller: only the outermost time counts.
        if not self._open and self.listener is not None:
            self.listener(name)
        self._open[name] = time.perf_counter()

    def end(self, name: str) -> None:
        start = self._open.pop(name, None)
        if start is not None:
            self.compiled.append(name)
            if not self._open:
                self.seconds += time.perf_counter() - start


log = CompileLog()


def jit(function: F | None = None, *, parallel: bool = False, reorder: bool = False) -> Any:
    """Compile a kernel in nopython mode, cached on disk.

    Parameters
    ----------
    function : callable
        The kernel. It may close over other kernels and over plain numbers.
    parallel : bool
        Run ``prange`` loops on threads. Each iteration must own what it writes, so that the
        result does not depend on the number of threads.
    reorder : bool
        Let the compiler reorder and contract floating-point sums (never assume away NaN).

    Returns
    -------
    callable
        The compiled kernel; the plain function when ``NUMBA_DISABLE_JIT=1``.
    """
    if function is None:
        return functools.partial(jit, parallel=parallel, reorder=reorder)
    _name_apart(function)
    options = dict(OPTIONS, parallel=parallel, nogil=True)
    if reorder:
        options["fastmath"] = set(REORDER)
    compiled: Any = numba.njit(**options)(function)
    if isinstance(compiled, Dispatcher) and _belongs_to_us(function):
        dispatcher: Any = compiled
        dispatcher._cache = _KernelCache(function)
    return compiled


def compile_user_function(function: Callable[..., Any]) -> Any:
    """A user's Python function, or one that numba compiled already, for a kernel to call."""
    if DISABLED or isinstance(function, Dispatcher):
        return function
    return numba.njit(**OPTIONS)(function)


def set_threads(count: int) -> None:
    """Use `count` threads in parallel kernels from now on (results do not depend on it)."""
    numba.set_num_threads(min(count, numba.config.NUMBA_NUM_THREADS))


def threads() -> int:
    """How many threads parallel kernels use."""
    return int(numba.get_num_threads())


def _name_apart(function: Callable[..., Any]) -> None:
    """Let the name of a kernel say what it closes over.

    numba names machine code by the function's qualified name and a counter that starts anew in
    every process. Loaded from the disk cache side by side, two kernels made by one factory in two
    processes would have one name, and the linker would silently take the first for both.
    """
    if function.__closure__ and not function.__qualname__.endswith("]"):
        cells = ",".join(_describe(cell.cell_contents) for cell in function.__closure__)
        digest = hashlib.sha256(cells.encode()).hexdigest()[:16]
        function.__qualname__ = f"{function.__qualname__}[{digest}]"


def _hash_apart(loop: Any) -> int:
    """A hash for a parallel loop that no other process arrives at.

    The code of a ``prange`` is named by this hash. numba's is the address of an object, which
    repeats between processes where addresses are not randomised: see `_name_apart`.
    """
    return int(loop.__dict__.setdefault("_meanfield_hash", secrets.randbits(60)))


Parfor.__hash__ = _hash_apart


def _belongs_to_us(function: Callable[..., Any]) -> bool:
    """Whether the function, and every kernel it closes over, is covered by the source hash."""
    cells = [cell.cell_contents for cell in function.__closure__ or ()]
    inner = [cell.py_func for cell in cells if isinstance(cell, Dispatcher)]
    rooms = tuple(f"meanfield.{room}." for room in ROOMS)
    ours = (function.__module__ or "").startswith(rooms)
    return ours and all(map(_belongs_to_us, inner))


def _describe(cell: object) -> str:
    if isinstance(cell, Dispatcher):
        function = cell.py_func
        inner = ",".join(_describe(c.cell_contents) for c in function.__closure__ or ())
        return f"{function.__module__}.{function.__qualname__}({inner})"
    return repr(cell)


def _digest() -> str:
    """A hash of all that compiled code depends on, besides the processor and the key."""
    digest = hashlib.sha256()
    package = Path(__file__).resolve().parent.parent
    for room in ROOMS:
        for source in sorted((package / room).glob("*.py")):
            digest.update(source.read_bytes())
    versions = (numba.__version__, llvmlite.__version__, numpy.__version__)
    settings = [
        f"{name}={value}"
        for name, value in sorted(os.environ.items())
        if name.startswith("NUMBA_") and name not in HARMLESS
    ]
    digest.update(repr((sys.implementation.cache_tag, versions, settings)).encode())
    return digest.hexdigest()[:16]


@functools.cache
def cache_folder() -> Path:
    """Where compiled kernels are kept: a new folder for every state of the sources.

    ``MEANFIELD_CACHE_DIR`` overrides the place; a place that cannot be written is replaced by
    a temporary folder.
    """
    try:
        chosen = os.environ.get("MEANFIELD_CACHE_DIR")
        xdg = os.environ.get("XDG_CACHE_HOME")
        base = Path(chosen) if chosen else Path(xdg or Path.home() / ".cache") / "meanfield"
        folder = base / f"kernels-{_digest()}"
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return folder
    except (OSError, RuntimeError):  # RuntimeError: there is no home
        return Path(tempfile.mkdtemp(prefix="meanfield-kernels-"))


# The sources may change on disk while the process runs what it has imported: what is compiled
# then belongs to no folder. So the folder is settled now.
_SETTLED = _digest()


class _Entries:
    """Compiled code in one file per kernel and signature.

    numba keeps an index of numbered files, which two processes can tear apart: one may then find
    another kernel's code behind its own key. A name that is a hash of the key cannot.
    """

    def __init__(self, title: str) -> None:
        self._title = title

    def load(self, key: str) -> Any:
        try:
            content = self._path(key).read_bytes()
        except OSError:
            return None
        checksum, payload = content[:32], content[32:]
        if hashlib.sha256(payload).digest() != checksum:
            return None
        found, data = pickle.loads(payload)
        return data if found == key else None

    def save(self, key: str, data: Any) -> None:
        if _digest() != _SETTLED:
            return
        payload = serialize.dumps((key, data))
        with contextlib.suppress(OSError):  # a full disk costs a compilation, not a result
            handle, partial = tempfile.mkstemp(dir=cache_folder(), suffix=".part")
            with os.fdopen(handle, "wb") as file:
                file.write(hashlib.sha256(payload).digest() + payload)
            os.replace(partial, self._path(key))

    def flush(self) -> None:
        """Forget nothing: old folders are left to the user."""

    def _path(self, key: str) -> Path:
        return cache_folder() / f"{self._title}-{hashlib.sha256(key.encode()).hexdigest()}.nbc"


class _Locator(caching._CacheLocator):
    _py_file = ""  # numba's own messages ask for it

    def get_cache_path(self) -> str:
        return str(cache_folder())

    def get_source_stamp(self) -> str:
        return cache_folder().name

    def get_disambiguator(self) -> str:
        return ""

    @classmethod
    def from_function(cls, _function: Callable[..., Any], _path: str) -> _Locator:
        return cls()


class _CacheImpl(caching.CompileResultCacheImpl):
    _locator_classes: ClassVar[list[type]] = [_Locator]


class _KernelCache(caching.FunctionCache):
    _impl_class = _CacheImpl

    def __init__(self, function: Callable[..., Any]) -> None:
        super().__init__(function)
        self._title = f"{function.__module__.removeprefix('meanfield.')}.{function.__name__}"
        self._cache_file = _Entries(self._title)

    def load_overload(self, signature: Any, target_context: Any) -> Any:
        found = super().load_overload(signature, target_context)
        if found is None:
            log.begin(self._title)
        return found

    def save_overload(self, signature: Any, data: Any) -> None:
        super().save_overload(signature, data)
        log.end(self._title)

    def _index_key(self, signature: Any, codegen: Any) -> str:
        cells = [_describe(cell.cell_contents) for cell in self._py_func.__closure__ or ()]
        code = hashlib.sha256(self._py_func.__code__.co_code).hexdigest()
        return repr((signature, codegen.magic_tuple(), code, cells))
