"""Particles in one and two dimensions against the nonlinear Fokker–Planck equation."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import ClassVar, NamedTuple

import numpy as np

import meanfield as mf
from meanfield.arrays import Array
from meanfield.limits import FokkerPlanck, Limit, Samples, normal
from meanfield.verification.along import compared
from meanfield.verification.base import Comparison, System, systems
from meanfield.verification.particles import PLANE, potential, replicas, wells

TIMES = [0.5, 1.0, 2.0]


class Size(NamedTuple):
    """Particles, replicas and step of the simulation; cells and step of the equation."""

    particles: int
    replicas: int
    step: float
    cells: int
    fine: float


@systems.register("aggregation-diffusion")
class AggregationDiffusion(System):
    """Particles in two wells on the line, with noise, that attract what is within a length."""

    quick: ClassVar[Size] = Size(1000, 6, 0.05, 400, 0.005)
    whole: ClassVar[Size] = Size(4000, 16, 0.02, 800, 0.001)

    def compare(self, full: bool) -> Iterator[Comparison]:
        size, length = self.whole if full else self.quick, 0.5
        oracle = FokkerPlanck(
            normal(0.3, 0.6),
            [(-3.5, 3.5)],
            temperature=0.2,
            potential=wells,
            interaction=lambda apart: -_bump(apart, length),
            cells=size.cells,
            step=size.fine,
        )
        pairs = mf.Interaction({"kind": "rbf", "length": length}, name="interaction")
        flow = mf.Langevin(potential() + (-1.0) * pairs + 0.2 * mf.Entropy())
        start = oracle.measure(0.0, size.particles)
        found = replicas(flow, start, mf.StochasticHeun(size.step), TIMES, size.replicas)
        # A particle meets itself, which adds W(0)/2N to ½∬W; the paths of N differ by as much.
        yield from _compared(oracle.at(TIMES), found, 2.0 / size.particles)


@systems.register("aggregation-diffusion-plane")
class AggregationDiffusionPlane(System):
    """Particles among four wells in the plane, with noise, that repel what is within a length."""

    quick: ClassVar[Size] = Size(1000, 6, 0.05, 80, 0.01)
    whole: ClassVar[Size] = Size(4000, 16, 0.02, 160, 0.0025)

    def compare(self, full: bool) -> Iterator[Comparison]:
        size, length = self.whole if full else self.quick, 0.7
        oracle = FokkerPlanck(
            normal([0.2, 0.5], 0.4),
            [(-3.2, 3.2), (-3.2, 3.2)],
            temperature=0.2,
            potential=wells,
            interaction=lambda apart: _bump(apart, length),
            cells=size.cells,
            step=size.fine,
        )
        pairs = mf.Interaction({"kind": "rbf", "length": length}, name="interaction")
        flow = mf.Langevin(potential() + pairs + 0.2 * mf.Entropy())
        scale, mean = {"x": 0.4, "y": 0.4}, {"x": 0.2, "y": 0.5}
        start = mf.NormalInit(size.particles, scale=scale, mean=mean)
        found = replicas(flow, start, mf.StochasticHeun(size.step), TIMES, size.replicas, PLANE)
        yield from _compared(oracle.at(TIMES), found, 2.0 / size.particles)


@systems.register("aggregation")
class Aggregation(System):
    """Particles among two wells that attract nearby, and repel farther off, without noise."""

    quick: ClassVar[Size] = Size(400, 1, 0.05, 600, 0.004)
    whole: ClassVar[Size] = Size(3200, 1, 0.05, 1600, 0.001)

    def compare(self, full: bool) -> Iterator[Comparison]:
        size = self.whole if full else self.quick
        oracle = FokkerPlanck(
            normal(0.3, 0.5),
            [(-3.0, 3.0)],
            potential=wells,
            interaction=lambda apart: 3.0 * _bump(apart, 1.0) - _bump(apart, 0.5),
            cells=size.cells,
            step=size.fine,
        )
        far, near = (mf.Interaction({"kind": "rbf", "length": length}) for length in (1.0, 0.5))
        flow = mf.Wasserstein(potential() + 3.0 * far + (-1.0) * near)
        start = oracle.measure(0.0, size.particles)
        found = replicas(flow, start, mf.RK4(size.step), TIMES, 1)
        found["interaction"] = found["rbf"]  # both terms have the name of their kind
        # Quantiles miss the width of 1/N of the tails.
        yield from _compared(oracle.at(TIMES), found, 0.5 / size.particles)


@systems.register("neurons-on-samples")
class NeuronsOnSamples(System):
    """Neurons tanh(wx) on three samples by Langevin dynamics, against the equation for w."""

    quick: ClassVar[Size] = Size(1000, 8, 0.05, 280, 0.01)
    whole: ClassVar[Size] = Size(16000, 16, 0.05, 400, 0.005)

    def compare(self, full: bool) -> Iterator[Comparison]:
        size, times = self.whole if full else self.quick, [1.0, 4.0, 16.0]
        x, y, l2, tau = np.array([-1.0, 0.5, 2.0]), np.array([-0.3, 0.5, 0.6]), 0.1, 0.05
        oracle = FokkerPlanck(
            normal(0.0, 1.0),
            [(-7.0, 7.0)],
            temperature=tau,
            potential=lambda w: 0.5 * l2 * (w**2).sum(axis=1),
            data=Samples(lambda w: np.tanh(w * x), y),
            cells=size.cells,
            step=size.fine,
        )
        network = mf.TwoLayer("tanh", dim=1, outer="fixed")
        data = mf.FiniteData(x[:, None], y)
        energy = mf.Risk(network, data) + l2 * mf.L2() + tau * mf.Entropy()
        start = mf.NormalInit(size.particles, scale={"a": 0.0}, mean={"a": 1.0})
        scheme = mf.StochasticHeun(size.step)
        found = replicas(mf.Langevin(energy), start, scheme, times, size.replicas, layout=None)
        # The outputs of N neurons spread by N^-½, and ½(f − y)² by their variance.
        yield from compared("risk", found["risk"], oracle.at(times), "risk", 0.5 / size.particles)


def _compared(limit: Limit, found: Mapping[str, Array], bias: float) -> Iterator[Comparison]:
    for name in ("mean", "second_moment", "potential", "interaction"):
        yield from compared(name, found[name], limit, name, bias)


def _bump(apart: Array, length: float) -> Array:
    """exp(-r²/2l²), as the interaction "rbf" has it."""
    values: Array = np.exp(-(apart**2).sum(axis=1) / (2.0 * length**2))
    return values
