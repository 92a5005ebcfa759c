"""Clocks for a shared machine: interleaved samples, and no sample taken beside a busy neighbour.

On one thread the clock is the processor time of this process, which neighbours hardly disturb. On
several it is the wall: a sample then waits for a quiet moment, and is set apart if other processes
used more than a fifth of a core while it was taken.
"""

from __future__ import annotations

import gc
import os
import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

DISTURBED = 0.2
SAMPLE = 0.1  # seconds that a sample lasts at least
PATIENCE = 12.0  # seconds that all samples of one contender may last
QUIET = 2.0  # seconds to wait for a quiet moment

Clock = Callable[[], float]


@dataclass(frozen=True)
class Sample:
    """Seconds per evaluation, and how many cores others kept busy meanwhile."""

    seconds: float
    others: float


def interleaved(
    runs: Mapping[str, Callable[[], Any]],
    threads: int,
    rounds: int = 7,
    sample: float = SAMPLE,
    patience: float = PATIENCE,
) -> dict[str, list[Sample]]:
    """Samples of all runs, taken in turn; a slow run gets fewer of them, one at least."""
    found: dict[str, list[Sample]] = {name: [] for name in runs}
    spent = dict.fromkeys(runs, 0.0)
    for turn in range(rounds):
        for name, run in runs.items():
            if turn and spent[name] * (turn + 1) / turn > patience:
                continue
            begin = time.perf_counter()
            found[name].append(_sample(run, threads, sample))
            spent[name] += time.perf_counter() - begin
    return found


def median(samples: list[Sample]) -> float:
    """Median of the undisturbed samples; the least of all where fewer than two are."""
    clean = [sample.seconds for sample in samples if sample.others < DISTURBED]
    if len(clean) < 2:
        return min(sample.seconds for sample in samples)
    return statistics.median(clean)


def peak_memory(run: Callable[[], Any]) -> float | None:
    """Megabytes that one evaluation adds to the resident memory at its height (Linux only).

    What a library keeps for its next evaluation is not counted.
    """
    reset = Path("/proc/self/clear_refs")
    gc.collect()
    try:
        reset.write_text("5")
    except OSError:
        return None
    before = _status("VmRSS")
    run()
    return round(_status("VmHWM") - before, 1)


def _sample(run: Callable[[], Any], threads: int, least: float) -> Sample:
    clock: Clock = time.process_time if threads == 1 else time.perf_counter
    if threads > 1:
        _wait_until_quiet()
    busy, own, wall, begin = _busy(), time.process_time(), time.perf_counter(), clock()
    count = 0
    while not count or clock() - begin < least:
        run()
        count += 1
    seconds = (clock() - begin) / count
    if threads == 1:
        return Sample(seconds, 0.0)
    wall = time.perf_counter() - wall
    others = _busy() - busy - (time.process_time() - own)
    return Sample(seconds, round(others / wall, 3))


def _wait_until_quiet() -> None:
    """Return when two looks in a row found others asleep, or after `QUIET` seconds."""
    end, calm = time.perf_counter() + QUIET, 0
    while calm < 2 and time.perf_counter() < end:
        before = _busy()
        time.sleep(0.04)
        calm = calm + 1 if _busy() - before < 0.011 else 0


def _busy() -> float:
    """Seconds that all processors together have worked so far; 0 where nobody tells."""
    try:
        fields = Path("/proc/stat").read_text().split(maxsplit=9)[1:9]
    except OSError:
        return 0.0
    user, nice, system, _idle, _waiting, *rest = map(int, fields)
    return (user + nice + system + sum(rest)) / os.sysconf("SC_CLK_TCK")


def _status(key: str) -> float:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(key):
            return int(line.split()[1]) / 1024
    raise KeyError(key)
