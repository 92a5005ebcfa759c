"""How much of a run fits into a page: which quantities, of how many particles, how exactly."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from meanfield.arrays import Array
from meanfield.errors import InvalidInput, require_count
from meanfield.storage import Keep, Run
from meanfield.viewing.explorer.packing import deflated, quantise
from meanfield.viewing.explorer.quantities import Quantity

FRAMES = 60  # unless more are asked for
FEWER_FRAMES = (45, 30, 20)
FEW = 2000  # particles, for which frames are given up
PRECISIONS = (16, 15, 14, 13, 12)  # bits
SAMPLE = 1000  # particles that tell how well all can be compressed
NUMBERS = 20_000_000  # in memory for that
CANDIDATES = 256  # coordinates of many that are tried
NARROW = 3  # a block of more columns is known by its norm and its principal axes first
TEXT = 4 / 3  # characters for a byte in base64
NAMES = 7  # characters for the number of a particle, where they are not all there
BEYOND = 100.0  # spreads of the start: what is further out in a run that diverged is cut off
LARGEST = 1e15  # the page squares it in single precision


@dataclass(frozen=True)
class Wanted:
    """What is asked for; what is None may be thinned.

    Parameters
    ----------
    frames, particles : int, optional
    coordinates : sequence of str, optional
        Names of quantities, or of blocks.
    most : int
        Bytes of the page.
    """

    frames: int | None = None
    particles: int | None = None
    coordinates: Sequence[str] | None = None
    most: int = 2_000_000

    def __post_init__(self) -> None:
        for key in ("frames", "particles"):
            if getattr(self, key) is not None:
                require_count(key, getattr(self, key))


@dataclass(frozen=True)
class Plan:
    """What is stored.

    Attributes
    ----------
    places : list of int
        Of the frames in the run.
    names : list of str
        Quantities.
    bits : int
    particles : int
    """

    places: list[int]
    names: list[str]
    bits: int
    particles: int


class Planner:
    """Fits a run into a page.

    What has no room goes in this order: coordinates of wide blocks, whose norm and principal axes
    stay; bits, from 16 to 12; particles, down to 2,000; frames, down to 20; further particles.

    Parameters
    ----------
    run : Run
    known : mapping of str to Quantity
    asked : list of str, optional
        Just these quantities.
    wanted : Wanted
    besides : int
        Bytes that the page has without particles.
    """

    def __init__(
        self,
        run: Run,
        known: Mapping[str, Quantity],
        asked: list[str] | None,
        wanted: Wanted,
        besides: int,
    ) -> None:
        self._run, self._known, self._asked, self._wanted = run, known, asked, wanted
        self._besides = besides
        there = len(run.frames)
        first = min(wanted.frames or FRAMES, there)
        fewer = [n for n in FEWER_FRAMES if n < first and wanted.frames is None]
        self._counts = [first, *fewer]
        self._count = min(wanted.particles or len(run.frames[0]), len(run.frames[0]))
        self._samples: dict[int, Sample] = {}
        self.room: float = wanted.most - besides
        numbers = run.file["frames/particle"][:]
        if wanted.particles is not None or numbers[-1] >= len(numbers):
            self.room -= NAMES * self._count

    def plan(self) -> Plan:
        """What fits into the room that is left; raises `InvalidInput` if nothing does."""
        given = self._wanted.particles is not None
        for number in self._counts:
            sample = self._sample(number)
            count, last = self._count, number == self._counts[-1]
            if plan := self._whole(sample, count):
                return plan
            bits, least = PRECISIONS[-1], self._asked or sample.essential()
            size = sample.size(least, bits)
            fitting = int(self.room / (size + NAMES))
            if not given and fitting >= (1 if last else min(FEW, count)):
                return Plan(sample.places, least, bits, fitting)
        raise self._too_large(size * count)

    def _whole(self, sample: Sample, count: int) -> Plan | None:
        """All particles, with all coordinates, or as exactly as there is room for."""
        every = sample.every() if self._asked is None else []
        if every and count * sample.size(every, PRECISIONS[0]) <= self.room:
            return Plan(sample.places, every, PRECISIONS[0], count)
        least = self._asked or sample.essential()
        for bits in PRECISIONS:
            if count * sample.size(least, bits) <= self.room:
                names = list(least)
                for name in sample.lively() if self._asked is None else []:
                    more = [*names, *({name} - set(names))]
                    if count * sample.size(more, bits) > self.room:
                        break
                    names = more
                return Plan(sample.places, names, bits, count)
        return None

    def _sample(self, frames: int) -> Sample:
        if frames not in self._samples:
            places = spaced(len(self._run.frames), frames)
            self._samples[frames] = Sample(self._run, places, self._known)
        return self._samples[frames]

    def _too_large(self, size: float) -> InvalidInput:
        needed = (size + self._besides) / 1e6 + 0.1
        expected = f"at least about {needed:.1f}MB for so much; or fewer particles or frames"
        return InvalidInput("most", f"{self._wanted.most / 1e6:g}MB", expected)


class Sample:
    """A few particles in some frames, which tell what room all will take."""

    def __init__(self, run: Run, places: list[int], known: Mapping[str, Quantity]) -> None:
        end = run.frames[-1]
        keep = Keep(particles=max(100, min(SAMPLE, NUMBERS // (len(places) * end.dim))))
        self.places, self._known, self._run = places, known, run
        self._frames = [keep.of(run.frames[i]) for i in places]
        self._sizes: dict[tuple[str, int], float] = {}

    def size(self, names: Sequence[str], bits: int) -> float:
        """Characters for each particle."""
        for name in names:
            if (name, bits) not in self._sizes:
                values = np.array([self._known[name].values(e) for e in self._frames], float)
                packed = deflated([quantise(drawable(values, self._run)[0], bits)])
                self._sizes[name, bits] = TEXT * len(packed) / len(self._frames[0])
        return sum(self._sizes[name, bits] for name in names)

    def every(self) -> list[str]:
        """All coordinates, unless they are very many; and what cannot be made of them."""
        names = self._frames[0].layout.labels
        return [*names, *self._besides()] if len(names) <= CANDIDATES else []

    def essential(self) -> list[str]:
        """Narrow blocks as they are, of wide ones the norm and the principal axes."""
        layout = self._frames[0].layout
        names: list[str] = []
        for block in layout.blocks:
            columns = layout.labels[layout.columns(block)]
            axes = [f"{block} on axis {i}" for i in (1, 2)]
            names += columns if len(columns) <= NARROW else [f"|{block}|", *axes]
        return [*names, *self._besides()]

    def lively(self) -> list[str]:
        """The coordinates that vary most over particles, the liveliest first."""
        first, end = self._frames[0], self._frames[-1]
        both = np.vstack([first.position, end.position]).astype(float)
        order = np.argsort(-drawable(both, self._run)[0].std(axis=0), kind="stable")
        return [first.layout.labels[j] for j in order[:CANDIDATES]]

    def _besides(self) -> list[str]:
        return [name for name in ("mass", "speed") if name in self._known]


def drawable(values: Array, run: Run) -> tuple[Array, bool]:
    """Values (T, N) that a page can draw, and whether they are others than they were.

    What a run that diverged has far outside of its start would hide all that it was before.
    """
    inside = np.clip(np.nan_to_num(values), -LARGEST, LARGEST)
    if run.status == "diverged":
        middle = float(np.median(inside[0]))
        reach = BEYOND * max(float(np.abs(inside[0] - middle).max()), 0.01 * abs(middle), 1e-12)
        inside = np.clip(inside, middle - reach, middle + reach)
    return inside, bool((inside != values).any())


def spaced(have: int, wanted: int) -> list[int]:
    """Places of frames, evenly by number: what was spaced like powers stays so."""
    return sorted({round(x) for x in np.linspace(0, have - 1, wanted)})
