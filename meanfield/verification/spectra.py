"""How fast independent particles forget where they started, against the spectral gap."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar, NamedTuple

import numpy as np

import meanfield as mf
from meanfield.arrays import Array
from meanfield.limits import Limit, Spectrum
from meanfield.verification.base import Comparison, System, mean_and_error, systems
from meanfield.verification.particles import potential, replicas, wells


class Size(NamedTuple):
    """Particles, replicas and step."""

    particles: int
    replicas: int
    step: float


@systems.register("learning-rate-as-temperature")
class LearningRateAsTemperature(System):
    """How fast the mean relaxes at learning rates s, τ = s/2: among two wells, and in a bowl."""

    quick: ClassVar[Size] = Size(10_000, 6, 0.1)
    whole: ClassVar[Size] = Size(100_000, 16, 0.05)

    def compare(self, full: bool) -> Iterator[Comparison]:
        size = self.whole if full else self.quick
        # Between the two times only the slowest mode is left, and is not yet forgotten.
        for rate, times in ((0.4, (2.0, 8.0)), (0.2, (3.0, 20.0))):
            limit = Spectrum(wells, [(-3.0, 3.0)], rate / 2).at()
            measured = _relaxation(potential(), 1.0, rate, times, size)
            yield _compared(f"among two wells, s = {rate}", limit, measured, size)
        for rate in (0.2, 2.0):
            limit = Spectrum(_bowl, [(-9.0, 9.0)], rate / 2).at()
            measured = _relaxation(mf.L2(), 3.0, rate, (0.5, 2.0), size)
            yield _compared(f"in a bowl, s = {rate}", limit, measured, size)


def _bowl(points: Array) -> Array:
    values: Array = 0.5 * points[:, 0] ** 2
    return values


def _relaxation(
    energy: mf.Functional, mean: float, rate: float, times: tuple[float, float], size: Size
) -> Array:
    """Rate at which the mean decays between two times, of each replica."""
    flow = mf.Langevin(energy + (rate / 2) * mf.Entropy())
    start = mf.NormalInit(size.particles, scale={"x": 0.2}, mean={"x": mean})
    found = replicas(flow, start, mf.StochasticHeun(size.step), times, size.replicas)
    first, last = found["mean"][:, :, 0].T
    return np.log(first / last) / (times[1] - times[0])


def _compared(where: str, limit: Limit, rates: Array, size: Size) -> Comparison:
    mean, spread = mean_and_error(rates)
    exact, error = float(limit["gap"][0]), float(limit.error("gap")[0])
    # Of the step, and of what is left of the faster modes.
    bias = exact * (0.3 * size.step**2 + 1e-3)
    return Comparison(f"rate of the mean {where}", mean, exact, bias, error, spread)
