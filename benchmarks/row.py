"""One comparison, in a process of its own: results first, then the clock.

    python -m benchmarks.row INDEX RESULT.json [--peers NAME] [--rounds 7]

What a library needs to know before it is loaded (how many threads) comes from the environment
that `benchmarks.run` makes.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.contender import OURS, Absent, Contender, Run, contenders, prepare
from benchmarks.measure import SAMPLE, Sample, interleaved, median, peak_memory
from benchmarks.rows import Row, rows
from benchmarks.work import Work

SIDE = 2000  # of the matrices whose product is the unit of speed
LONG = 20.0  # seconds after which an evaluation is not sampled again
TOO_LONG = 60.0  # seconds after which the first is the only one, though it may have compiled
GEMM = "matrix product"


@dataclass
class Entry:
    """One contender whose result is right."""

    run: Run
    error: float
    memory: float | None
    first: float  # seconds of the first evaluation, compiling included
    second: float


@dataclass
class Entries:
    """Who takes part, and why the others do not."""

    present: dict[str, Entry] = field(default_factory=dict)
    absent: dict[str, str] = field(default_factory=dict)


def compare(row: Row, peers: str = "", rounds: int = 7, sample: float = SAMPLE) -> dict[str, Any]:
    """Compare ours with the peers on one row.

    Parameters
    ----------
    row : Row
    peers : str
        Only those whose name contains this.
    rounds : int
        Samples of each contender.
    sample : float
        Seconds that a sample lasts at least.

    Returns
    -------
    dict
        Plain numbers and names, ready for JSON.
    """
    from benchmarks.ours import Ours

    work = row.work
    expected = work.expected()
    entries = Entries()
    for name, contender in ((OURS, Ours(row.threads)), *contenders(row.threads, peers)):
        if isinstance(contender, Absent):
            entries.absent[name] = str(contender)
        else:
            _enter(entries, name, contender, work, expected)
    samples = _race(entries, row, rounds, sample)
    return _summary(row, entries, samples)


def agreement(found: tuple[Any, ...], expected: tuple[Any, ...], work: Work) -> float:
    """Largest error at the compared targets, relative to the largest entry; inf for NaN."""
    worst = 0.0
    for mine, right in zip(found, expected, strict=True):
        there = np.asarray(mine)[work.compared].reshape(right.shape)
        error = float(np.abs(there - right).max() / np.abs(right).max())
        worst = max(worst, error if np.isfinite(error) else np.inf)
    return worst


def _enter(entries: Entries, name: str, contender: Contender, work: Work, expected: Any) -> None:
    try:
        run = prepare(contender, work)
        if run is None:
            return
        begin = time.perf_counter()
        found = run()
        first = time.perf_counter() - begin
    except Absent as reason:
        entries.absent[name] = str(reason)
        return
    except (RuntimeError, MemoryError, ValueError, TypeError, OSError) as problem:
        sentence = str(problem).strip().partition("\n")[0]
        entries.absent[name] = f"failed: {type(problem).__name__}: {sentence}"
        return
    error = agreement(found, expected, work)
    del found
    if error > work.tolerance:
        entries.absent[name] = f"disagrees: relative error {error:.0e}"
        return
    if first > TOO_LONG:
        entries.present[name] = Entry(run, error, None, first, first)
        return
    begin = time.perf_counter()
    memory = peak_memory(run)
    entries.present[name] = Entry(run, error, memory, first, time.perf_counter() - begin)


def _race(entries: Entries, row: Row, rounds: int, sample: float) -> dict[str, list[Sample]]:
    square = np.random.default_rng(0).standard_normal((SIDE, SIDE)).astype(row.work.dtype)
    product = np.empty_like(square)
    runs: dict[str, Callable[[], Any]] = {GEMM: lambda: np.dot(square, square, out=product)}
    slow = {}
    for name, entry in entries.present.items():
        if entry.second < LONG:
            runs[name] = entry.run
        else:
            slow[name] = [Sample(entry.second, 0.0)]
    return {**interleaved(runs, row.threads, rounds, sample), **slow}


def _summary(row: Row, entries: Entries, samples: dict[str, list[Sample]]) -> dict[str, Any]:
    work = row.work
    medians = {name: median(taken) for name, taken in samples.items()}
    rate = 2 * SIDE**3 / medians.pop(GEMM)
    ours = medians.get(OURS)
    rivals = [name for name in medians if name != OURS]
    found = {}
    for name, seconds in medians.items():
        entry = entries.present[name]
        found[name] = {
            "seconds": seconds,
            "ratio": seconds / ours if ours else None,
            "nanoseconds_per_pair": 1e9 * seconds / work.pairs,
            "share_of_gemm": work.flops / seconds / rate,
            "error": entry.error,
            "first_seconds": entry.first,
            "memory_mb": entry.memory,
            "samples": [[sample.seconds, sample.others] for sample in samples[name]],
        }
    return {
        "name": row.name,
        "work": {"kind": work.kind, "title": str(work), **asdict(work)},
        "threads": row.threads,
        "aims": {
            "ratio": row.ratio,
            "share_of_gemm": row.share,
            "nanoseconds_per_pair": row.nanoseconds,
        },
        "pairs": work.pairs,
        "gemm_gflops": rate / 1e9,
        "best_peer": min(rivals, key=medians.__getitem__, default=None),
        "contenders": found,
        "absent": entries.absent,
    }


def main() -> None:
    """Compare, and write what was found."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("index", type=int)
    parser.add_argument("result", type=Path)
    parser.add_argument("--peers", default="")
    parser.add_argument("--rounds", type=int, default=7)
    chosen = parser.parse_args()
    row = list(rows())[chosen.index]
    found = compare(row, chosen.peers, chosen.rounds)
    chosen.result.write_text(json.dumps(found), encoding="utf-8")


if __name__ == "__main__":
    main()
