"""The particles of a run as a page shows them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from meanfield.arrays import Array
from meanfield.ensemble import Ensemble
from meanfield.errors import UnknownName, require
from meanfield.storage import Keep, Run
from meanfield.viewing.explorer.packing import Channel, pack, quantise
from meanfield.viewing.explorer.quantities import Quantity, coordinates, mass, summaries
from meanfield.viewing.explorer.room import Plan, Planner, Wanted, drawable


@dataclass(frozen=True)
class Movie:
    """What a page shows of the particles.

    Attributes
    ----------
    quantities : list of Quantity
        All that the page can draw.
    channels : dict of str to Channel
        Those that are stored; the others are made of these.
    times, steps : (T,) array
    numbers : (n,) array
        Of the particles in the run.
    of_frames, of_particles : int
        How many the run has of each.
    left_out : list of str
        Quantities that had no room.
    cut : bool
        Whether something is drawn nearer than it was.
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


def film(run: Run, wanted: Wanted, besides: int = 0) -> Movie:
    """The particles of a run, as many and as exactly as there is room for.

    Parameters
    ----------
    run : Run
    wanted : Wanted
    besides : int
        Bytes that the page has without particles.

    Raises
    ------
    InvalidInput
        If what is asked for explicitly does not fit.
    UnknownName
        If there is no such coordinate.
    """
    frames = run.frames
    if len(frames) == 0:
        return Movie()
    end = frames[-1]
    made = [*coordinates(end.layout), *summaries(end), Quantity("mass", mass)]
    known = {quantity.name: quantity for quantity in made}
    asked = None if wanted.coordinates is None else _asked(wanted.coordinates, known, end)
    planner = Planner(run, known, asked, wanted, besides)
    whole = planner.room
    while True:
        movie = _record(run, planner.plan(), known)
        size = len(movie.to_text())
        if size <= whole:
            return movie
        planner.room *= 0.98 * whole / size  # a sample tells only about how large all will be


def makeable(quantity: Quantity, names: Sequence[str], known: Mapping[str, Quantity]) -> bool:
    """Whether a quantity is stored, or can be made of those that are."""
    if quantity.name in names:
        return True
    of = quantity.made.get("of", ())
    return bool(of) and all(makeable(known[name], names, known) for name in of)


def _record(run: Run, plan: Plan, known: Mapping[str, Quantity]) -> Movie:
    frames, keep = run.frames, Keep(particles=plan.particles)
    values = np.empty((len(plan.names), len(plan.places), min(plan.particles, len(frames[0]))))
    for row, place in enumerate(plan.places):
        shown = keep.of(frames[place])
        for number, name in enumerate(plan.names):
            values[number, row] = known[name].values(shown)
    drawn = [drawable(table, run) for table in values]
    channels = [quantise(table, plan.bits) for table, _ in drawn]
    there = {name: makeable(known[name], plan.names, known) for name in known}
    of_run = run.file["frames/particle"][:]  # a run may have kept some particles only
    return Movie(
        [quantity for name, quantity in known.items() if there[name]],
        dict(zip(plan.names, channels, strict=True)),
        frames.times[plan.places],
        frames.steps[plan.places],
        of_run[keep.which(len(of_run))],
        len(frames),
        len(of_run),
        [name for name in known if not there[name]],
        any(cut for _, cut in drawn),
    )


def _asked(names: Sequence[str], known: Mapping[str, Quantity], end: Ensemble) -> list[str]:
    """The quantities that are named, blocks taken apart, and the mass."""
    found = list(dict.fromkeys(_named(names, known, end)))
    require(len(found) > 0, "coordinates", list(names), "at least one name")
    return [*found, *(["mass"] if "mass" not in found else [])]


def _named(names: Sequence[str], known: Mapping[str, Quantity], end: Ensemble) -> Iterator[str]:
    for name in names:
        if name in known:
            yield name
        elif name in end.layout.blocks:
            yield from end.layout.labels[end.layout.columns(name)]
        else:
            raise UnknownName("coordinate", name, known)
