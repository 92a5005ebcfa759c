"""From the runs of a sweep to squared errors: what is measured once, and what it is held against.

A reference is an oracle; or, where there is none, the runs at the largest N (the smallest step).
"""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING, Any

import numpy as np

from meanfield.arrays import Array
from meanfield.storage import Run, open_run
from meanfield.sweeps import measure
from meanfield.sweeps.folder import FINISHED, Folder
from meanfield.sweeps.measure import Probe
from meanfield.sweeps.reference import Reference
from meanfield.sweeps.sweep import Say, Sweep

if TYPE_CHECKING:
    import xarray

SIZE = "ensemble.count"
LONGEST = 200  # letters in which an oracle is named: one may hold its data
Place = tuple[int, int]  # of a size and of a seed


def measured(
    found: Sweep,
    key: str,
    probe: Probe,
    exact: Reference | None,
    before: xarray.DataTree | None,
    say: Say | None,
) -> xarray.Dataset:
    """What is measured of every replica, at the times at which all have frames.

    Parameters
    ----------
    found : Sweep
        Over one key.
    key : str
    probe : Probe
    exact : Reference, optional
        An oracle: then W₂ is that to its measure; else to the largest run of the next seed, or to
        the run with the smallest step of the same one.
    before : DataTree, optional
        What an earlier session has written: the same of the same runs is taken from there.
    say : callable, optional

    Returns
    -------
    Dataset
        Over the key (from coarse to fine), ``seed`` and ``time``: ``output`` (with ``point`` and
        ``component``), ``independent``, ``coupling``, ``w2`` (squared, at the end), the observed
        ``values_NAME``; ``run`` and ``reference`` are the files that a row is from.
    """
    import xarray

    seeds, folder = found.seeds, Folder(found.path)
    sizes = found.grid[key][::-1]  # they were run from fine to coarse
    digests = np.array(found.order).reshape(len(sizes), len(seeds))[::-1]
    status = found.final["status"].transpose(key, "seed").values[::-1]
    done = list(zip(*np.nonzero(status == FINISHED), strict=True))
    last = len(sizes) - 1

    def opened(place: Place) -> Run:
        return open_run(folder.run(str(digests[place])))

    def partner(place: Place) -> Place | None:
        """The reference run of the same seed."""
        own = (last, place[1])
        return own if own in done and own != place else None

    def stranger(place: Place) -> Place | None:
        """A reference run to which W₂ is no matter of a common start: that of another seed."""
        if key != SIZE:
            return partner(place)
        others = [(last, (place[1] + i) % len(seeds)) for i in range(1, len(seeds))]
        return next((other for other in others if other in done), None)

    frames = {}
    for place in done:
        with opened(place) as run:
            frames[str(place)] = run.frames.times
    times = measure.common_times(frames)
    known = _known(before, probe, times)
    oracle = "" if exact is None else repr(exact.oracle)

    def row(place: Place) -> dict[str, Any]:
        pair = partner(place), (None if exact is not None else stranger(place))
        names = [str(digests[other]) if other else "" for other in pair]
        reference = " ".join([oracle, *names])
        identity = {"run": str(digests[place]), "reference": reference}
        if (kept := known.get((identity["run"], reference))) is not None:
            return identity | kept
        if say is not None:
            say(f"measuring {key}={sizes[place[0]]:g}, seed={seeds[place[1]]}")
        with opened(place) as run:
            new: dict[str, Any] = dict(measure.outputs(run, times, probe))
            new["coupling"], new["w2"] = np.full((2, len(times)), np.nan)
            if pair[0] is not None:
                with opened(pair[0]) as larger:
                    new["coupling"] = measure.coupling(run, larger, times)
            if exact is not None:
                new["w2"][-1] = measure.distance(run.final, exact.measure(float(times[-1])))
            elif pair[1] is not None and place[0] != last:
                with opened(pair[1]) as other:
                    new["w2"][-1] = measure.distance(run.final, other.final)
        return identity | new

    rows = {place: row(place) for place in done}
    dims: dict[str, tuple[str, ...]] = {
        **{"run": (), "reference": (), "output": ("time", "point", "component")},
        **dict.fromkeys(("independent", "coupling", "w2"), ("time",)),
    }
    data: dict[str, Any] = {}
    for name, own in dims.items():
        sample = next(iter(rows.values()))[name]
        text = isinstance(sample, str)
        empty = "" if text else np.full(np.shape(sample), np.nan)
        several = [
            [rows.get((i, j), {}).get(name, empty) for j in range(len(seeds))]
            for i in range(len(sizes))
        ]
        data[name] = ((key, "seed", *own), np.array(several))
    series = found.series.interp(time=times, kwargs={"fill_value": "extrapolate"})
    for name in map(str, series):
        if series[name].dims == (key, "seed", "time"):
            data[f"values_{name}"] = ((key, "seed", "time"), series[name].values[::-1])
    coordinates = {key: sizes, "seed": seeds, "time": times}
    return xarray.Dataset(data, coordinates, {"probe": probe.digest})


def errors(
    kept: xarray.Dataset, key: str, probe: Probe, exact: Reference | None
) -> tuple[str, xarray.Dataset]:
    """What the reference is, in words, and the squared errors; see `chaos.Chaos`."""
    import xarray

    names = [str(name) for name in kept if str(name).startswith("values_")]
    weights = xarray.DataArray(probe.weights, dims="point")

    def square(difference: xarray.DataArray) -> xarray.DataArray:
        """|·|², averaged over the test points."""
        return (difference**2).sum("component", skipna=False).dot(weights)

    finest = {key: kept[key].values[-1]}
    if exact is not None:
        against = textwrap.shorten(f"the oracle {exact.oracle!r}", LONGEST, placeholder=" …")
        reference = exact.dataset(kept)
    else:
        of = "the mean over replicas" if key == SIZE else "the same seed"
        against = f"{of} at {key} = {finest[key]:g}"
        reference = kept[["output", *names]].sel(finest, drop=True)
        reference = reference.mean("seed") if key == SIZE else reference
    found: dict[str, xarray.DataArray] = {}
    if "output" in reference:
        found["function"] = square(kept["output"] - reference["output"])
    if key == SIZE:  # of the larger run's own error, the part N/M is common to both
        common = kept[key] / kept[key].values[-1]
        found["coupling"] = kept["coupling"] / (1.0 - common).where(common < 1.0)
    found["w2"] = kept["w2"]
    for name in names:
        if name in reference:
            found[name.removeprefix("values_")] = (kept[name] - reference[name]) ** 2
    if exact is None:  # the reference itself is no data
        found = {name: values.where(kept[key] != finest[key]) for name, values in found.items()}
    if key == SIZE:
        replicas = (kept["run"] != "").sum("seed")
        about = square(kept["output"] - kept["output"].mean("seed"))
        found["variance"] = about * replicas / (replicas - 1.0).clip(min=1.0)
    return against, xarray.Dataset(found).merge(kept[[*names, "independent"]])


def _known(
    before: xarray.DataTree | None, probe: Probe, times: Array
) -> dict[tuple[str, str], dict[str, Array]]:
    """Rows of an earlier session, by run and reference."""
    if before is None or "measured" not in before:
        return {}
    old = before["measured"].to_dataset()
    if old.attrs.get("probe") != probe.digest or not np.array_equal(old["time"].values, times):
        return {}
    names = ("output", "independent", "coupling", "w2")
    return {
        (str(old["run"].values[place]), str(old["reference"].values[place])): {
            name: old[name].values[place] for name in names
        }
        for place in np.ndindex(old["run"].shape)
    }
