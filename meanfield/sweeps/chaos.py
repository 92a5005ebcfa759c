"""What finite N costs, or a finite step: errors against a reference, their rates and constants.

Replicas at several N share data and teacher. Where the start draws each particle on its own, those
of one seed are coupled: particle i starts in the same place and has the same noise for every N.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from meanfield.arrays import Array
from meanfield.config import Experiment, ExperimentFile
from meanfield.config.files import Paths
from meanfield.config.oracles import oracle_of
from meanfield.errors import require, require_count
from meanfield.guards import warn
from meanfield.limits import Oracle
from meanfield.loop import Problem
from meanfield.schemes import Scheme
from meanfield.sweeps import results, statistics
from meanfield.sweeps.design import Design
from meanfield.sweeps.deviations import SIZE, errors, measured
from meanfield.sweeps.executors import cluster, local
from meanfield.sweeps.folder import FINISHED
from meanfield.sweeps.measure import Probe
from meanfield.sweeps.reference import Reference
from meanfield.sweeps.statistics import Estimate
from meanfield.sweeps.sweep import Say, Sweep, run_design

if TYPE_CHECKING:
    import xarray

STEP = "scheme.step"
RESULTS = "chaos.nc"
POINTS = 256


@dataclass(frozen=True)
class Chaos:
    """Runs at several N (or steps), and their errors.

    Attributes
    ----------
    sweep : Sweep
    key : str
        "ensemble.count" or "scheme.step".
    order : float
        Of the bias in 1/N, 1, or in the step.
    against : str
        What the reference is, in words.
    errors : Dataset
        By ``seed``, ``time`` and the key, the squared errors whose means have rates. ``function``:
        |f - f_ref|², averaged over the test points. ``variance``: the same about the mean over
        replicas, unbiased. ``coupling``: |θᵢ - θ̄ᵢ|² averaged over the particles that the reference
        run of the same seed, of M particles, has too, over 1 - N/M: the error of M is not zero, and
        to leading order E|θᵢ - θ̄ᵢ|² = c (1/N - 1/M) for nested starts. ``w2``: W₂², at the end. Of
        each observed series, the squared difference. And what no errors are: ``values_NAME``, the
        series; ``independent``,
        which N·``function`` would be for independent particles.
    """

    sweep: Sweep
    key: str
    order: float
    against: str
    errors: xarray.Dataset

    @property
    def quantities(self) -> list[str]:
        """What has an error, at some time at least."""
        names = [str(name) for name in self.errors if not str(name).startswith("values_")]
        return [n for n in names if n != "independent" and np.isfinite(self.errors[n].values).any()]

    @property
    def power(self) -> float:
        """What a squared error is expected to be proportional to: N^-1, or step^2p."""
        return -1.0 if self.key == SIZE else 2.0 * self.order

    @property
    def sizes(self) -> Array:
        """N (or steps), increasing."""
        return np.asarray(self.errors[self.key].values, dtype=float)

    def slope(self, quantity: str, time: float | None = None) -> Estimate:
        """Of log(mean error) against log N (or the step), with its 95 % interval over replicas.

        Parameters
        ----------
        quantity : str
        time : float, optional
            Of the nearest frame; default: the end.
        """
        samples = self._at(quantity, time)
        known = np.isfinite(samples).any(axis=1)
        if known.sum() < 2:
            return Estimate(np.nan, np.nan, np.nan)
        return self._known(quantity, statistics.slope(self.sizes[known], samples[known]))

    def constants(self, quantity: str, time: float | None = None) -> list[Estimate]:
        """N · mean error at each N: the same for all where the rate is 1/N. Or error / step^2p."""
        rows = zip(self.sizes**-self.power, self._at(quantity, time), strict=True)
        return [self._known(quantity, statistics.mean(scale * row)) for scale, row in rows]

    def limit(self, series: str, time: float | None = None) -> tuple[Estimate, Estimate]:
        """Richardson's limit of an observed series, and the constant of its bias.

        The series is Q + c/N, or Q + c·step^p with p the order of the scheme.
        """
        samples = self._at(f"values_{series}", time)
        small = 1.0 / self.sizes if self.key == SIZE else self.sizes**self.order
        weights = self.sizes if self.key == SIZE else None
        return statistics.extrapolate(small, samples, weights)

    def rates(self) -> xarray.Dataset:
        """The slope of every quantity over time, with its interval (``low``, ``high``)."""
        import xarray

        times = self.errors["time"].values
        found = {
            name: np.array([[*self.slope(name, time)] for time in times])
            for name in self.quantities
        }
        return xarray.Dataset(
            {name: (("time", "estimate"), values) for name, values in found.items()},
            {"time": times, "estimate": ["value", "low", "high"]},
        )

    def table(self) -> str:
        """Rates, constants and limits at the end, as text; the last constant with its interval."""
        scale = "N · error" if self.key == SIZE else f"error / step^{self.power:g}"
        rows = [
            ["squared error", "slope [95 %]", f"{scale}, {self.key} = {self.sizes[0]:g} … [95 %]"]
        ]
        for name in self.quantities:
            constants = [each for each in self.constants(name) if np.isfinite(each.value)]
            values = [*(f"{each.value:.4g}" for each in constants[:-1]), *map(str, constants[-1:])]
            rows.append([name, str(self.slope(name)), "  ".join(values)])
        at = "N → ∞" if self.key == SIZE else "step → 0"
        rows += [["", "", ""], ["series", f"limit, {at} [95 %]", "constant of the bias [95 %]"]]
        for name in self._series:
            rows.append([name, *map(str, self.limit(name))])
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        lines = ["  ".join(map(str.ljust, row, widths)).rstrip() for row in rows]
        final = float(self.errors["time"][-1])
        return "\n".join([f"at time {final:g}, against {self.against}", *lines])

    def record(self) -> dict[str, Any]:
        """The same for programs."""
        constants = {name: self.constants(name) for name in self.quantities}
        limits = {name: self.limit(name) for name in self._series}
        return {
            "key": self.key,
            "values": self.sizes.tolist(),
            "against": self.against,
            "slopes": {name: self.slope(name)._asdict() for name in self.quantities},
            "constants": {name: [each._asdict() for each in c] for name, c in constants.items()},
            "limits": {name: limit._asdict() for name, (limit, _) in limits.items()},
            "biases": {name: bias._asdict() for name, (_, bias) in limits.items()},
        }

    def plot(
        self, path: str | os.PathLike[str] | None = None, axes: Sequence[Any] | None = None
    ) -> Any:
        """Errors against N (or the step) on log-log axes, and rates over time; with their bands."""
        from meanfield.viewing.chaos import chaos_figure

        return chaos_figure(self, path, axes)

    @property
    def _series(self) -> list[str]:
        names = (str(name) for name in self.errors)
        return [name.removeprefix("values_") for name in names if name.startswith("values_")]

    def _known(self, quantity: str, found: Estimate) -> Estimate:
        """Without its interval where two replicas, as far from their mean each, have none."""
        alike = quantity == "variance" and len(self.errors["seed"]) == 2
        return found._replace(low=np.nan, high=np.nan) if alike else found

    def _at(self, quantity: str, time: float | None) -> Array:
        names = [str(name).removeprefix("values_") for name in self.errors]
        known = f"one of {', '.join(dict.fromkeys(names))}"
        require(quantity in self.errors, "quantity", quantity.removeprefix("values_"), known)
        data = self.errors[quantity].transpose(self.key, "seed", "time")
        moments = data["time"].values
        inside = time is None or moments[0] <= time <= moments[-1]
        require(inside, "time", time, f"one from {moments[0]:g} to {moments[-1]:g}")
        place = -1 if time is None else int(np.abs(moments - time).argmin())
        return np.asarray(data.values[..., place])

    def _repr_html_(self) -> str:
        from meanfield.viewing import displays

        return displays.chaos(self)

    def __repr__(self) -> str:
        return f"Chaos {self.sweep.title!r} over {self.key}, {self.table()}"


def chaos(
    experiment: Paths | ExperimentFile,
    folder: str | os.PathLike[str],
    *,
    sizes: Sequence[int] = (),
    steps: Sequence[float] = (),
    replicas: int | Sequence[int] = 20,
    reference: Oracle | str | Mapping[str, Any] | None = None,
    points: int = POINTS,
    overrides: Sequence[str] = (),
    variant: str = "",
    jobs: int | None = None,
    threads: int = 1,
    on: str = "",
    max_wall: float | None = None,
    say: Say | None = None,
) -> Chaos | Sweep:
    """Run an experiment at several N, or with several steps, and measure what these cost.

    Parameters
    ----------
    experiment : path, sequence of paths, or ExperimentFile
        Data and teacher are drawn once, from ``data.seed`` or the first seed.
    folder : path
        As in `sweep`; the measurements are in ``chaos.nc``.
    sizes : sequence of int
        N; or
    steps : sequence of float
        of the scheme.
    replicas : int or sequence of int
        How many seeds, or which.
    reference : Oracle, str or table, optional
        What is exact: its series, its function f, and its measure, as far as it knows them. By
        name, or as a table with ``kind``, it is made for the experiment; see
        `meanfield.config.oracles`. Default: the mean of the runs at the largest N, which then are
        no data; of the smallest step, the run of the same seed.
    points : int
        Test points of functions, at most: inputs of the data.
    overrides, variant, jobs, threads, on, max_wall, say
        As in `sweep`.

    Returns
    -------
    Chaos, or Sweep
        The latter if it was stopped, or if fewer than two sizes or two seeds are finished. A
        replica that fails at one N is left out of what is said about all.

    Raises
    ------
    MeanfieldError
        Before anything runs, with everything that is wrong.
    """
    sizes, steps = np.asarray(sizes).tolist(), np.asarray(steps).tolist()
    for name, given in (("sizes", sizes), ("steps", steps)):
        numbers = isinstance(given, list) and all(isinstance(v, (int, float)) for v in given)
        require(numbers, name, given, "a sequence of numbers")
    require(bool(sizes) != bool(steps), "sizes", sizes, "either sizes or steps")
    require_count("points", points)
    key, values = (SIZE, sorted(sizes)) if sizes else (STEP, sorted(steps, reverse=True))
    least = 2 if reference is not None else 3
    said = "at least 2" if reference is not None else "at least 3: the last is the reference"
    require(len(values) >= least, "sizes" if sizes else "steps", values, said)
    seeds = replicas if isinstance(replicas, int) else list(replicas)
    several = seeds if isinstance(seeds, int) else len(seeds)
    require(several >= 2, "replicas", replicas, "at least 2")
    file = experiment if isinstance(experiment, ExperimentFile) else ExperimentFile.read(experiment)
    workers = cluster(on) if on else local(jobs, threads)
    # What takes longest comes first, so that no processor waits for it at the end.
    grid = {key: values[::-1]}
    options: dict[str, Any] = {"overrides": overrides, "variant": variant}
    design = Design.of(file, grid, seeds, **options, same_data=True, series=("energy",))
    first = tomllib.loads(design.members[0].experiment)
    keep = first["run"].get("keep", {})
    require("particles" not in keep, "run.keep", keep, "frames of all particles, to compare them")
    model = Experiment(first)
    problem = model.problem(model.seeds[0])
    probe = Probe.of(problem.flow.energy, points)
    exact = None
    if reference is not None:
        oracle = oracle_of(reference, "reference", problem.flow.energy, first["energy"])
        exact = Reference(oracle, probe, problem.start)
        if doubt := exact.doubt(problem.flow.driving):
            warn(doubt)
    found = run_design(design, Path(folder), workers, threads, max_wall, say)
    done = (found.final["status"].transpose(key, "seed") == FINISHED).values
    if found.stopped or done.any(axis=1).sum() < least or done.all(axis=0).sum() < 2:
        return found
    path = found.path / RESULTS
    kept = measured(found, key, probe, exact, results.read(path), say)
    order = 1.0 if key == SIZE else _order(problem, model.scheme)
    result = Chaos(found, key, order, *errors(kept, key, probe, exact))
    tree = {"/": result.errors, "/rates": result.rates(), "/measured": kept}
    results.write(path, tree, {"title": found.title, "against": result.against})
    return result


def _order(problem: Problem, scheme: Scheme) -> float:
    """Of the bias in the step: that of the scheme, the weak one where there is noise."""
    noisy = problem.flow.noise(problem.start.layout) is not None
    return float(scheme.weak if noisy and scheme.weak is not None else scheme.order)
