"""Two runs held against each other: what was asked for, what was seen, and where they ended."""

from __future__ import annotations

import dataclasses
import os
import tomllib
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from meanfield.arrays import Array
from meanfield.ensemble import Ensemble
from meanfield.errors import FileProblem, NotConverged, Unsupported
from meanfield.storage import Run, differences, open_run
from meanfield.transport import distance

MISSING = "not there"
PATIENCE = 60.0  # seconds for the distance of two ends


@dataclass(frozen=True)
class Deviation:
    """How far a series of one run is from that of the other.

    Attributes
    ----------
    times : int
        At how many common times, of how many in the two runs …
    of : tuple of int
    absolute, relative : float
        The largest |x - y| and |x - y| / max(|x|, |y|) there, over seeds and
        coordinates; NaN where nothing can be compared.
    same_bits : bool
        Whether both have the same times and the same bits at all of them.
    """

    times: int
    of: tuple[int, int]
    absolute: float
    relative: float
    same_bits: bool


@dataclass(frozen=True)
class End:
    """How far the final measures of one seed are from each other.

    Attributes
    ----------
    same_bits : bool
        Of positions, masses and velocities, particle by particle.
    w2 : float or None
        The distance W₂; None where ``reason`` says why there is none.
    reason : str
    """

    same_bits: bool
    w2: float | None
    reason: str = ""


@dataclass(frozen=True)
class Comparison:
    """What differs between two runs.

    Attributes
    ----------
    names : tuple of str
        What the runs are called.
    configuration, versions : mapping of str to pair
        Keys that differ, with their values; without versions of the same.
    series : mapping of str to Deviation
        Of the series that both have.
    alone : pair of lists
        Names of the series that only one has.
    ends : mapping of str to End
        By seed; where the runs have none in common, by their seeds in order, as in "0 and 1".
    frames : bool
        Whether all frames have the same times and bits.
    seeds : pair of lists
        Of the runs.
    same_bits : bool
        Whether every number is the same: seeds, series, frames and ends. What was asked for
        and the versions may differ.
    """

    names: tuple[str, str]
    configuration: Mapping[str, tuple[Any, Any]]
    versions: Mapping[str, tuple[Any, Any]]
    series: Mapping[str, Deviation]
    alone: tuple[list[str], list[str]]
    ends: Mapping[str, End]
    frames: bool
    seeds: tuple[list[int], list[int]]
    same_bits: bool = field(init=False)

    def __post_init__(self) -> None:
        same = (
            self.seeds[0] == self.seeds[1]
            and not any(self.alone)
            and self.frames
            and all(deviation.same_bits for deviation in self.series.values())
            and all(end.same_bits for end in self.ends.values())
        )
        object.__setattr__(self, "same_bits", same)

    def table(self) -> dict[str, Any]:
        """The comparison as JSON can hold it; no number is null."""
        return _plain(dataclasses.asdict(self))

    def __str__(self) -> str:
        return "\n".join(self._lines())

    def _lines(self) -> Iterator[str]:
        first, second = self.names
        yield f"{first} and {second}: {'the same bits' if self.same_bits else 'they differ'}"
        for title, table in (("configuration", self.configuration), ("versions", self.versions)):
            for key, (one, other) in table.items():
                yield f"{title:<14} {key}: {_short(one)} → {_short(other)}"
        if self.seeds[0] != self.seeds[1]:
            yield f"{'seeds':<14} {self.seeds[0]} → {self.seeds[1]}"
        for name, deviation in self.series.items():
            yield f"{'series':<14} {name:<20} {_say(deviation)}"
        for name, only in zip(self.names, self.alone, strict=True):
            if only:
                yield f"{'series':<14} only in {name}: {', '.join(only)}"
        yield f"{'frames':<14} {'the same bits' if self.frames else 'they differ'}"
        for seed, end in self.ends.items():
            w2 = end.reason if end.w2 is None else f"W2 = {end.w2:.6g}"
            yield f"{'end':<14} seed {seed}: {'the same bits' if end.same_bits else w2}"


def compare(a: Run | str | os.PathLike[str], b: Run | str | os.PathLike[str]) -> Comparison:
    """Hold two runs against each other.

    Parameters
    ----------
    a, b : Run or path
        Finished or not. Frames and ends are read one at a time.
    """
    with _opened(a) as one, _opened(b) as other:
        found = _compare(one, other)
        for run in (one, other):
            if not run.is_current:
                raise FileProblem(f"{run.path} has ended while it was compared: compare it again")
    return found


def _opened(given: Run | str | os.PathLike[str]) -> AbstractContextManager[Run]:
    """A run, which is closed again if it was given as a path."""
    return nullcontext(given) if isinstance(given, Run) else open_run(given)


def _compare(a: Run, b: Run) -> Comparison:
    common = [name for name in a.names if name in b.names]
    pairs = [(seed, seed) for seed in a.seeds if seed in b.seeds]
    pairs = pairs or list(zip(a.seeds, b.seeds, strict=False))
    replicas = [(a.replica(first), b.replica(second)) for first, second in pairs]
    versions = [
        {k: v for k, v in run.provenance.items() if k.startswith("version_") or k == "python"}
        for run in (a, b)
    ]
    return Comparison(
        names=(_name(a), _name(b)),
        configuration=_differing(_asked(a), _asked(b)),
        versions=_differing(*versions),
        series={name: _deviation(a, b, name, pairs) for name in common},
        alone=(sorted({*a.names} - {*common}), sorted({*b.names} - {*common})),
        ends={_label(pair): _end(*two) for pair, two in zip(pairs, replicas, strict=True)},
        frames=all(_same_frames(*two) for two in replicas),
        seeds=(a.seeds, b.seeds),
    )


def _label(pair: tuple[int, int]) -> str:
    first, second = pair
    return str(first) if first == second else f"{first} and {second}"


def _name(run: Run) -> str:
    return str(run.path) if run.path is not None else run.title or "a run in memory"


def _asked(run: Run) -> dict[str, Any]:
    """The experiment; of a run that was started from Python, what is known of it."""
    if run.experiment:
        return tomllib.loads(run.experiment)
    about = run.provenance
    return {key: about[key] for key in ("flow", "scheme", "until", "seeds") if key in about}


def _differing(one: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, tuple[Any, Any]]:
    return {key: (_at(one, key), _at(other, key)) for key in sorted(differences(one, other))}


def _at(table: Any, key: str) -> Any:
    for part in key.split("."):
        table = table.get(part, MISSING) if isinstance(table, Mapping) else MISSING
    return table


def _deviation(a: Run, b: Run, name: str, seeds: list[tuple[int, int]]) -> Deviation:
    one, other = a[name], b[name]
    times, first, second = np.intersect1d(one["time"], other["time"], return_indices=True)
    sizes = one.sizes["time"], other.sizes["time"]
    pairs = [(_of_seed(one, a, i)[first], _of_seed(other, b, j)[second]) for i, j in seeds]
    fits = all(x.shape == y.shape for x, y in pairs)
    same = fits and sizes == (len(times), len(times)) and all(_same(x, y) for x, y in pairs)
    if not fits or not len(times):
        return Deviation(len(times), sizes, np.nan, np.nan, same)
    x, y = (np.stack(side) for side in zip(*pairs, strict=True))
    with np.errstate(invalid="ignore", divide="ignore"):
        gap = np.where(x == y, 0.0, np.abs(x - y))
        size = np.maximum(np.abs(x), np.abs(y))
        relative = np.where(gap == 0, 0.0, gap / size)
    known = ~(np.isnan(x) & np.isnan(y))  # a value that neither has is the same
    gap, relative = gap[known], relative[known]
    largest = [float(part.max()) if part.size else 0.0 for part in (gap, relative)]
    return Deviation(len(times), sizes, largest[0], largest[1], same)


def _of_seed(data: Any, run: Run, seed: int) -> Array:
    """What a series holds for one seed, time first."""
    return (data.sel(seed=seed) if len(run.seeds) > 1 else data).values


def _end(a: Run, b: Run) -> End:
    try:
        one, other = a.final, b.final
    except FileProblem as problem:
        return End(False, None, str(problem))
    if _same_ensemble(one, other):
        return End(True, 0.0)
    if dict(one.layout.blocks) != dict(other.layout.blocks):
        return End(False, None, "particles of another kind")
    try:
        return End(False, distance(one, other, "exact", most_seconds=PATIENCE).value)
    except (Unsupported, NotConverged) as error:
        return End(False, None, str(error))


def _same_frames(a: Run, b: Run) -> bool:
    one, other = a.frames, b.frames
    if not np.array_equal(one.times, other.times):
        return False
    return all(_same_ensemble(x, y) for x, y in zip(one, other, strict=True))


def _same_ensemble(one: Ensemble, other: Ensemble) -> bool:
    if (one.velocity is None) != (other.velocity is None) or one.time != other.time:
        return False
    pairs = [(one.position, other.position), (one.mass, other.mass)]
    if one.velocity is not None and other.velocity is not None:
        pairs.append((one.velocity, other.velocity))
    return all(_same(x, y) for x, y in pairs)


def _same(one: Array, other: Array) -> bool:
    """Whether two arrays have the same shape, precision and bits."""
    alike = one.shape == other.shape and one.dtype == other.dtype
    return alike and one.tobytes() == other.tobytes()


def _say(deviation: Deviation) -> str:
    if deviation.same_bits:
        return "the same bits"
    first, second = deviation.of
    where = f"{deviation.times} common times"
    if (first, second) != (deviation.times, deviation.times):
        where += f" of {first} and {second}"
    return f"differs by {deviation.absolute:.3g}, relatively {deviation.relative:.3g}, at {where}"


def _short(value: Any, limit: int = 40) -> str:
    text = " ".join(str(value).split())
    return text if len(text) <= limit else text[: limit - 1] + "…"


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if isinstance(value, float) and not np.isfinite(value):
        return None
    return value if isinstance(value, (str, int, float, bool, type(None))) else str(value)
