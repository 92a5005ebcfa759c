"""What takes part in a comparison: a name, the module it needs, and one method per kind of work."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator
from typing import Any, Protocol

from benchmarks.work import Work
from meanfield.memory import machine

Run = Callable[[], tuple[Any, ...]]

PEERS = (
    "numpy_chunks.NumPyChunks",
    "torch_eager.TorchEager",
    "torch_eager.TorchAttention",
    "torch_autograd.TorchAutograd",
    "torch_compiled.TorchCompiled",
    "torch_compiled.TorchFused",
    "jax_jit.JaxDense",
    "jax_jit.JaxChunked",
    "keops.KeOps",
    "sisyphe_swarm.SiSyPHE",
)
OURS = "ours"


class Contender(Protocol):
    """One way to do the work.

    For each kind of work that it can do, a contender has a method of that name, which prepares
    the inputs outside the clock and returns what the clock then times, or None at sizes that it is
    not meant for. Results come as a tuple of arrays of the library's own type, in the order of
    `Work.expected`.

    Attributes
    ----------
    name : str
    matrices : int
        How many arrays with one entry per pair are alive at once.
    """

    name: str
    matrices: int


class Absent(Exception):
    """Why a contender does not take part."""


def contenders(threads: int, names: str = "") -> Iterator[tuple[str, Contender | Absent]]:
    """Every peer, or why it cannot take part at all.

    Parameters
    ----------
    threads : int
    names : str
        Only peers whose name contains this.
    """
    for path in PEERS:
        module, _, title = path.partition(".")
        try:
            found = getattr(importlib.import_module(f"benchmarks.peers.{module}"), title)
        except ImportError as error:
            yield title, Absent(f"{error.name or module} is not installed")
            continue
        if names.lower() in found.name.lower():
            yield found.name, found(threads)


def prepare(contender: Contender, work: Work) -> Run | None:
    """The run of a contender on this work, or None if it has no such computation.

    Raises
    ------
    Absent
        If it would need more than half of the memory.
    """
    method = getattr(contender, work.kind, None)
    if method is None:
        return None
    needed = contender.matrices * work.pairs * int(work.dtype[-2:]) // 8
    if needed > machine() / 2:
        raise Absent(f"would need {needed / 1e9:.0f} GB")
    run: Run | None = method(work)
    return run
