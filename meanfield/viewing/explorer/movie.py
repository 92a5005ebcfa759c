"""The particles of a run, thinned until they fit into a page of a given size."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from meanfield.arrays import Array
from meanfield.ensemble import Ensemble
from meanfield.errors import InvalidInput, UnknownName, require, require_count
from meanfield.storage import Keep, Run
from meanfield.viewing.explorer.packing import Channel, deflated, pack, quantise
from meanfield.viewing.explorer.quantities import Quantity, coordinates, mass, summaries

FRAMES = 60  # unless more are asked for
FEWER_FRAMES = (45, 30, 20)
FEW = 2000  # particles, for which frames are given up
PRECISIONS = (16, 15, 14, 13, 12)  # bits
SAMPLE = 1000  # particles that tell how well all can be compressed
NUMBERS = 20_000_000  # in memory for that
CANDIDATES = 64  # coordinates of many that are tried
NARROW = 3  # a block of more columns is known by its norm and its principal axes first
BEYOND = 100.0  # spreads of the start: what is further out in a run that diverged is cut off
TEXT = 4 / 3  # characters for a byte in base64


@dataclass(frozen=True)
class Movie:
    """What a page shows of the particles.

    Attributes
    ----------
    quantities : list of Quantity
        All that the page can draw.
    channels : dict of str to Channel
        Those that are stored, the others are made of these.
    times, steps : (T,) array
    numbers : (n,) array
        Which rows of the run's frames they are.
    of_frames, of_particles : int
        How many the run has of each.
    left_out : list of str
        Quantities that had no room.
    cut : bool
        Whether the page cuts off what was far outside.
    """

    quantities: list[Quantity] = field(default_factory=list)
    channels: dict[str, Channel] = field(default_factory=dict)
    times: Array = field(default_factory=lambda: np.empty(0))
    steps: NDArray[np.int_] = field(default_factory=lambda: np.empty(0, int))
    numbers: NDArray[np.int_] = field(default_factory=lambda: np.empty(0, int))
    of_frames: int = 0
    of_particles: int = 0
    left_out: list[str] = field(default_factory=list)
    cut: bool = False

    def to_text(self) -> str:
        """The numbers as text for the page."""
        return pack(list(self.channels.values()))


@dataclass(frozen=True)
class Wanted:
    """What is asked for; what is None may be thinned.

    Parameters
    ----------
    frames, particles : int, optional
    coordinates : sequence of str, optional
        Names of quantities, or of blocks.
    most : int
        Bytes of the text.
    """

    frames: int | None = None
    particles: int | None = None
    coordinates: Sequence[str] | None = None
    most: int = 2_000_000

    def __post_init__(self) -> None:
        for key in ("frames", "particles"):
            if getattr(self, key) is not None:
                require_count(key, getattr(self, key))


def film(run: Run, wanted: Wanted) -> Movie:
    """The particles of a run, as many and as exactly as there is room for.

    What does not fit goes in this order: coordinates of wide blocks, whose norm and principal axes
    stay; bits, from 16 to 12; particles, down to 2,000; frames, down to 20; further particles.

    Raises
    ------
    InvalidInput
        If what is asked for explicitly does not fit.
    UnknownName
        If there is no such coordinate.
    """
    there = run.frames
    if len(there) == 0:
        return Movie()
    end = there[len(there) - 1]
    coords, made = coordinates(end.layout), summaries(end)
    known = {q.name: q for q in [*coords, *made, Quantity("mass", mass)]}
    asked = _asked(wanted.coordinates, known, end) if wanted.coordinates is not None else None
    first = min(wanted.frames or FRAMES, len(there))
    counts = [first] + [n for n in FEWER_FRAMES if n < first and wanted.frames is None]
    count = min(wanted.particles or len(end), len(end))
    samples = [_Sample(run, _spaced(len(there), number), known) for number in counts[:1]]
    room = wanted.most / TEXT
    while True:
        for place, number in enumerate(counts):
            if place == len(samples):
                samples.append(_Sample(run, _spaced(len(there), number), known))
            last = number == counts[-1]
            plan = samples[place].plan(asked, count, room, wanted, last)
            if plan is not None:
                break
        assert plan is not None
        movie = _record(run, samples[place].places, plan, known)
        size = len(deflated(list(movie.channels.values()))) * TEXT
        if size <= wanted.most:
            return movie
        room *= 0.98 * wanted.most / size  # a few particles tell only about how large all will be


class _Plan(NamedTuple):
    """Quantities that are stored, with so many bits, of so many particles."""

    names: list[str]
    bits: int
    particles: int


class _Sample:
    """A few particles in the frames that are wanted, which tell what the others will take."""

    def __init__(self, run: Run, places: Sequence[int], known: dict[str, Quantity]) -> None:
        end = run.frames[-1]
        room = NUMBERS // (len(places) * end.dim)
        keep = Keep(particles=max(100, min(SAMPLE, room)))
        self.places, self._known, self._run = places, known, run
        self._frames = [keep.of(run.frames[i]) for i in places]
        self._rates: dict[tuple[str, int], float] = {}

    def plan(
        self, asked: list[str] | None, count: int, room: float, wanted: Wanted, last: bool
    ) -> _Plan | None:
        """What fits into so many bytes; None if fewer frames would be better."""
        if asked is None:
            every = [*(q.name for q in coordinates(self._frames[0].layout)), "mass"]
            if len(every) <= CANDIDATES and count * self._rate(every, 16) <= room:
                return _Plan(self._complete(every), 16, count)
        least = self._essential() if asked is None else asked
        for bits in PRECISIONS:
            if count * self._rate(least, bits) <= room:
                names = list(least)
                for name in self._lively() if asked is None else ():
                    if name not in names and count * self._rate([*names, name], bits) <= room:
                        names.append(name)
                return _Plan(self._complete(names), bits, count)
        bits = PRECISIONS[-1]
        fitting = int(room / self._rate(least, bits))
        if not last and (fitting < min(FEW, count) or wanted.particles is not None):
            return None
        if fitting < 1 or wanted.particles is not None:
            raise _too_large(wanted, count * self._rate(least, bits) * TEXT)
        return _Plan(self._complete(least), bits, fitting)

    def _rate(self, names: Sequence[str], bits: int) -> float:
        """Bytes for each particle."""
        for name in names:
            if (name, bits) not in self._rates:
                values = np.array([self._known[name].values(e) for e in self._frames], float)
                size = len(deflated([quantise(_finite(values, self._run)[0], bits)]))
                self._rates[name, bits] = size / len(self._frames[0])
        return sum(self._rates[name, bits] for name in names)

    def _essential(self) -> list[str]:
        """Narrow blocks as they are, of wide ones the norm and the principal axes; the mass."""
        layout, names = self._frames[0].layout, []
        for block in layout.blocks:
            columns = layout.labels[layout.columns(block)]
            axes = [f"{block} on axis {i}" for i in (1, 2)]
            names += columns if len(columns) <= NARROW else [f"|{block}|", *axes]
        return [*names, "mass"]

    def _lively(self) -> list[str]:
        """The coordinates that vary most over particles, the liveliest first."""
        first, end = self._frames[0], self._frames[-1]
        with np.errstate(over="ignore"):
            spread = np.vstack([first.position, end.position]).astype(float).std(axis=0)
        order = np.argsort(-spread, kind="stable")[:CANDIDATES]
        return [first.layout.labels[j] for j in order]

    def _complete(self, names: list[str]) -> list[str]:
        """With what can neither be made of these, nor is it a coordinate: the speed."""
        return [*names, "speed"] if "speed" in self._known and "speed" not in names else names


def makeable(quantity: Quantity, names: Sequence[str], known: dict[str, Quantity]) -> bool:
    """Whether a quantity is stored, or can be made of those that are."""
    if quantity.name in names:
        return True
    of = quantity.made.get("of", ())
    return bool(of) and all(makeable(known[name], names, known) for name in of)


def _record(run: Run, places: Sequence[int], plan: _Plan, known: dict[str, Quantity]) -> Movie:
    frames, names = run.frames, plan.names
    keep = Keep(particles=plan.particles)
    values = np.empty((len(names), len(places), min(plan.particles, len(frames[0]))))
    for row, place in enumerate(places):
        shown = keep.of(frames[place])
        for number, name in enumerate(names):
            values[number, row] = known[name].values(shown)
    cut, channels = False, {}
    for name, table in zip(names, values, strict=True):
        inside, was_cut = _finite(table, run)
        channels[name] = quantise(inside, plan.bits)
        cut |= was_cut
    shown_names = [q for q in known.values() if makeable(q, names, known)]
    # A run may hold a part of its particles only; their numbers there are what counts.
    of_run = run.file["frames/particle"][:]
    return Movie(
        shown_names,
        channels,
        frames.times[list(places)],
        frames.steps[list(places)],
        of_run[keep.which(len(of_run))],
        len(frames),
        len(of_run),
        [name for name in known if not makeable(known[name], names, known)],
        cut,
    )


def _finite(values: Array, run: Run) -> tuple[Array, bool]:
    """Values (T, N) without those of a run that diverged that hide all others."""
    if run.status != "diverged":
        return values, False
    start = values[0]
    middle = float(np.median(start))
    reach = BEYOND * max(float(np.abs(start - middle).max()), 0.01 * abs(middle), 1e-12)
    inside = np.clip(np.nan_to_num(values, nan=middle), middle - reach, middle + reach)
    return inside, bool((inside != values).any())


def _asked(names: Sequence[str], known: dict[str, Quantity], end: Ensemble) -> list[str]:
    """The quantities that are named, blocks taken apart, and the mass."""
    found = list(dict.fromkeys(_named(names, known, end)))
    require(len(found) > 0, "coordinates", list(names), "at least one name")
    return [*found, *(["mass"] if "mass" not in found else [])]


def _named(names: Sequence[str], known: dict[str, Quantity], end: Ensemble) -> Iterator[str]:
    for name in names:
        if name in known:
            yield name
        elif name in end.layout.blocks:
            yield from end.layout.labels[end.layout.columns(name)]
        else:
            raise UnknownName("coordinate", name, known)


def _spaced(have: int, wanted: int) -> list[int]:
    """Places of frames, evenly by number: what was spaced like powers stays so."""
    return sorted({round(x) for x in np.linspace(0, have - 1, wanted)})


def _too_large(wanted: Wanted, size: float) -> InvalidInput:
    needed = f"at least about {size / 1e6 + 0.1:.1f}MB for so much; or fewer particles or frames"
    return InvalidInput("most", f"{wanted.most / 1e6:g}MB", needed)
