"""Compiling kernels with numba: the options, the threads, and a word while it takes time.

Every kernel goes through `jit`, so that the options are decided once. `kernels.cache` keeps what
was compiled. A kernel may close over other kernels (an interaction over the pair function of an
activation): it is then compiled for each, and its name says over which.
"""

from __future__ import annotations

import functools
import hashlib
import logging
import os
import secrets
import time
from collections.abc import Callable
from typing import Any, TypeVar

# Idle threads must sleep: spinning ones cost milliseconds per launch where a core is busy.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import numba
from numba.core.codegen import CPUCodeLibrary
from numba.core.dispatcher import Dispatcher
from numba.core.event import Listener, register
from numba.parfors.parfor import Parfor

from meanfield.errors import require_count
from meanfield.kernels.cache import PACKAGE, KernelCache, identity

prange = numba.prange
DISABLED = bool(numba.config.DISABLE_JIT)

# Division by zero gives inf, as NumPy does: a branch per division would stop vectorisation.
OPTIONS: dict[str, Any] = {"error_model": "numpy"}
# Sums may be reordered and contracted inside one loop. NaN and inf keep their meaning.
REORDER = frozenset({"contract", "reassoc", "nsz", "arcp"})

_logger = logging.getLogger(PACKAGE)
F = TypeVar("F", bound=Callable[..., Any])


class CompileLog(Listener):
    """Counts compilations and their time, and says when the first one starts.

    Attributes
    ----------
    seconds : float
        Spent in compiling.
    compiled : list of str
        Names of the functions that were compiled.
    """

    def __init__(self) -> None:
        self.seconds = 0.0
        self.compiled: list[str] = []
        self._depth = 0
        self._said: set[str] = set()

    def on_start(self, event: Any) -> None:
        # Nested kernels compile inside their caller: only the outermost time counts.
        if self._depth == 0:
            self._say(event.data["dispatcher"])
            self._begin = time.perf_counter()
        self._depth += 1

    def on_end(self, event: Any) -> None:
        self._depth -= 1
        self.compiled.append(event.data["dispatcher"].py_func.__qualname__)
        if self._depth == 0:
            self.seconds += time.perf_counter() - self._begin

    def _say(self, dispatcher: Any) -> None:
        cache = getattr(dispatcher, "_cache", None)
        if isinstance(cache, KernelCache):
            kept = "kept for the next run" if cache.keeps else "not kept"
            if kept not in self._said:
                self._said.add(kept)
                _logger.warning(f"compiling kernels for this machine; {kept} …")


log = CompileLog()
register("numba:compile", log)


def jit(
    function: F | None = None,
    *,
    parallel: bool = False,
    reorder: bool = False,
    fuse: bool = False,
    inline: bool = False,
) -> Any:
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
    fuse : bool
        Let it contract a product and a sum into one operation, and no more.
    inline : bool
        Put the machine code into every caller: a loop over calls does not become vectors.

    Returns
    -------
    callable
        The compiled kernel; the plain function when ``NUMBA_DISABLE_JIT=1``.
    """
    if function is None:
        return functools.partial(jit, parallel=parallel, reorder=reorder, fuse=fuse, inline=inline)
    options = dict(OPTIONS, parallel=parallel, nogil=True, forceinline=inline)
    # Always said: left out, numba takes it from whichever caller happens to compile first.
    options["fastmath"] = set(REORDER) if reorder else {"contract"} if fuse else False
    if DISABLED:
        return function
    _name_apart(function, options)
    compiled: Any = numba.njit(**options)(function)
    compiled._cache = KernelCache(compiled)
    return compiled


def compile_user_function(function: Callable[..., Any]) -> Any:
    """A user's Python function, or one that numba compiled already, for a kernel to call."""
    if DISABLED or isinstance(function, Dispatcher):
        return function
    return numba.njit(**OPTIONS)(function)


def set_threads(count: int) -> None:
    """Use `count` threads in parallel kernels from now on (results do not depend on it).

    Never more than there are processors.
    """
    require_count("threads", count)
    numba.set_num_threads(min(count, processors()))


def processors() -> int:
    """The largest number of threads that can be used; ``NUMBA_NUM_THREADS`` sets it."""
    return int(numba.config.NUMBA_NUM_THREADS)


def threads() -> int:
    """How many threads parallel kernels use."""
    return int(numba.get_num_threads())


def _name_apart(function: Callable[..., Any], options: dict[str, Any]) -> None:
    """Let the name of a kernel that a factory makes say what tells it from the others.

    numba names machine code by the function's qualified name and a counter that starts anew in
    every process. Loaded from the disk cache side by side, two kernels made by one factory in two
    processes would have one name, and the linker would silently take the first for both.
    """
    if "<locals>" in function.__qualname__ and not function.__qualname__.endswith("]"):
        digest = hashlib.sha256(identity(function, options).encode()).hexdigest()[:16]
        function.__qualname__ = f"{function.__qualname__}[{digest}]"


def _hash_apart(loop: Any) -> int:
    """A hash for a parallel loop that no other process arrives at.

    The code of a ``prange`` is named by this hash. numba's is the address of an object, which
    repeats between processes where addresses are not randomised: see `_name_apart`.
    """
    return int(loop.__dict__.setdefault("_meanfield_hash", secrets.randbits(60)))


Parfor.__hash__ = _hash_apart


_optimize = CPUCodeLibrary._optimize_final_module


def _own_copies(library: Any) -> None:
    """Let a kernel call the copies that it holds of the functions it is made from.

    numba offers them to the linker under public names. In the process that compiled a callee, the
    linker takes the one compiled on its own; where the kernel comes from the disk, the copy in
    it, which was optimised once more: sums in another order, other last digits.
    """
    for function in library._final_module.functions:
        if not function.is_declaration and function.linkage.name == "linkonce_odr":
            function.linkage = "internal"
    _optimize(library)


CPUCodeLibrary._optimize_final_module = _own_copies
