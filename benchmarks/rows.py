"""Which comparisons are made, and what they aim at."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass

from benchmarks.work import Attention, Empirical, Gaussian, Morse, Population, Work

CORES = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
ALL = min(4, CORES)  # threads of the rows that use several


@dataclass(frozen=True)
class Row:
    """One comparison.

    Attributes
    ----------
    work : Work
    threads : int
    ratio : float or None
        Aim for the best peer's time divided by ours.
    share : float or None
        Aim for the useful operations per second, as a fraction of those of a large matrix product.
    nanoseconds : float or None
        Aim for the time per pair.
    """

    work: Work
    threads: int = ALL
    ratio: float | None = None
    share: float | None = None
    nanoseconds: float | None = None

    @property
    def name(self) -> str:
        """What is computed, at which size, on how many threads."""
        work = self.work
        threads = "1 thread" if self.threads == 1 else f"{self.threads} threads"
        return f"{work}, d={work.d}, N={work.count:,}, {work.dtype}, {threads}"


def rows() -> Iterator[Row]:
    """All comparisons, the shortest first within each kind."""
    yield from _population()
    yield from _empirical()
    for threads in (1, ALL):
        yield Row(Gaussian(20_000, 2), threads, ratio=_several(threads, 11))
        yield Row(Morse(20_000, 2), threads, ratio=_several(threads, 15))
    for d, ratio in ((3, 3.5), (64, 1.2)):
        for dtype in ("float64", "float32"):
            for threads in (1, ALL):
                yield Row(Attention(4096, d, dtype), threads, ratio=_several(threads, ratio))


def _population() -> Iterator[Row]:
    ratios = {
        (2, 4000): 12.0,
        (2, 16_000): 15.0,
        (10, 4000): 7.0,
        (10, 16_000): 8.0,
        (32, 16_000): 4.0,
        (100, 4000): 2.2,
        (100, 16_000): 4.0,
    }
    shares = {(32, 16_000): 0.7, (100, 4000): 0.85, (100, 16_000): 0.9}
    for activation in ("relu", "erf"):
        for count in (1000, 4000, 16_000):
            for d in (2, 10, 32, 100):
                ratio = 4.0 if count == 1000 else ratios.get((d, count))
                work = Population(count, d, activation=activation)
                yield Row(work, ALL, ratio, None if d == 32 else shares.get((d, count)))
                if count == 4000 or (count > 4000 and d >= 32 and activation == "relu"):
                    yield Row(work, 1, share=shares.get((d, count)))
        for count in (1000, 4000, 16_000):
            for d in (2, 10, 100):
                work = Population(count, d, "float32", activation)
                yield Row(work, ALL)
                if count == 4000:
                    few = (7.0, None, 0.28) if d == 2 else (None, None, None)
                    yield Row(work, 1, *few)
    for threads in (1, ALL):
        yield Row(Population(4000, 100, others=True), threads, share=0.7)
    # The rest of the picture.
    for d in (2, 10):
        yield Row(Population(32_000, d))
        yield Row(Population(100_000, d))
    yield Row(Population(100_000, 10, "float32"))


def _empirical() -> Iterator[Row]:
    for threads in (1, ALL):
        for d, ratio in ((10, 9.0), (100, 2.8), (784, 1.3)):
            yield Row(Empirical(10_000, d), threads, ratio=_several(threads, ratio))
        digits = Empirical(10_000, 64, samples=1797, outputs=10)
        yield Row(digits, threads, ratio=_several(threads, 2.0))
        yield Row(Empirical(1000, 30, activation="tanh", samples=398, bias=True), threads)


def _several(threads: int, aim: float) -> float | None:
    return None if threads == 1 else aim
