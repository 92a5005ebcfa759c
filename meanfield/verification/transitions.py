"""Particles that are drawn to their mean, against self-consistency: Dawson's transition."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar, NamedTuple

import meanfield as mf
from meanfield.limits import SelfConsistency, SelfConsistent
from meanfield.verification.base import Comparison, System, mean_and_error, systems
from meanfield.verification.particles import potential, replicas, wells


class Size(NamedTuple):
    """Particles, replicas, step, time until they are at rest, looks, and time between two."""

    particles: int
    replicas: int
    step: float
    burn: float
    looks: int
    apart: float


@systems.register("dawson")
class Dawson(System):
    """The mean of particles in two wells: ±m below the critical temperature, 0 above it."""

    quick: ClassVar[Size] = Size(1000, 6, 0.1, 15.0, 20, 3.0)
    whole: ClassVar[Size] = Size(4000, 16, 0.05, 50.0, 25, 10.0)

    def compare(self, full: bool) -> Iterator[Comparison]:
        size, coupling = self.whole if full else self.quick, 1.0
        critical = SelfConsistency(wells, coupling).critical_temperature()
        for share, near in ((0.6, 1.0), (1.4, 0.0)):
            tau = share * critical
            limit = SelfConsistent(wells, coupling, tau, near).at()
            spring = mf.Interaction({"kind": "quadratic", "strength": coupling})
            flow = mf.Langevin(potential() + spring + tau * mf.Entropy())
            start = mf.NormalInit(size.particles, scale={"x": 0.5}, mean={"x": near})
            times = [size.burn + size.apart * i for i in range(size.looks)]
            scheme = mf.LeimkuhlerMatthews(size.step)
            found = replicas(flow, start, scheme, times, size.replicas)
            said = f"at {share:g} of the critical temperature"
            # The step h biases the law at rest by h², N particles by 1/N.
            bias = 0.2 * size.step**2 + 2.0 / size.particles
            for name in ("mean", "second_moment"):
                mean, spread = mean_and_error(found[name].mean(axis=(1, 2)))
                exact, error = float(limit[name].item()), float(limit.error(name).item())
                yield Comparison(f"{name} {said}", mean, exact, bias, error, spread)
            # Of each run by itself, where the exact mean is that of the limit up to 1/N.
            swings = size.particles * ((found["mean"] - limit["mean"].item()) ** 2).mean(
                axis=(1, 2)
            )
            mean, spread = mean_and_error(swings)
            exact = float(limit["susceptibility"].item())
            error = float(limit.error("susceptibility").item())
            quantity = f"N Var of the mean {said}"
            yield Comparison(quantity, mean, exact, 0.05 * exact, error, spread)
