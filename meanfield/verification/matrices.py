"""Linear and quadratic networks, whose moments obey equations of their own."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from meanfield.data import Gaussian, LabelledLaw, Teacher
from meanfield.ensemble import Ensemble
from meanfield.flows import Langevin, Wasserstein
from meanfield.functionals import L2, Entropy, Risk
from meanfield.initial import NormalInit
from meanfield.limits import LinearNetwork, QuadraticNetwork
from meanfield.networks import TwoLayer
from meanfield.observables import Dissipation, Energy, FreeEnergy, Moments
from meanfield.schedules import at
from meanfield.schemes import RK4, StochasticHeun
from meanfield.simulation import simulate
from meanfield.storage import Run
from meanfield.verification.along import along
from meanfield.verification.base import Comparison, System, systems

INPUTS = np.array([[1.0, 0.3, 0.0], [0.3, 0.7, -0.2], [0.0, -0.2, 1.4]])
SLOPE = (1.2, -0.5, 0.4)
TARGET = np.array([[1.0, 0.4, 0.0], [0.4, 0.6, -0.3], [0.0, -0.3, 0.8]])
TIMES = [0.2, 1.0, 3.0]
WATCHED = ("risk", "energy", "dissipation", "second_moment")


def linear_law(network: TwoLayer) -> LabelledLaw:
    """Inputs of covariance `INPUTS`, labelled by the slope `SLOPE`."""
    teacher = network.ensemble(np.array([SLOPE]), a=1.0)
    return Gaussian(3, covariance=INPUTS.tolist()).labelled_by(Teacher(network, teacher))


def quadratic_law(network: TwoLayer) -> LabelledLaw:
    """Standard normal inputs, labelled by the quadratic form `TARGET`."""
    values, vectors = np.linalg.eigh(TARGET)
    teacher = network.ensemble(vectors.T, a=values, mass=np.ones(3))
    return Gaussian(3).labelled_by(Teacher(network, teacher))


def second_moment(ensemble: Ensemble) -> np.ndarray:
    """∫ θθᵀ dρ over the columns that move."""
    theta = ensemble.position[:, ensemble.layout.moving]
    return (theta.T * ensemble.mass) @ theta


def _runs(flow: Wasserstein | Langevin, count: int, step: float, replicas: int) -> list[Run]:
    """Noisy runs from normal neurons; outer weights that are fixed are 1."""
    network = next(t.network for _, t in flow.energy.terms() if isinstance(t, Risk))
    fixed = network.outer == "fixed"
    law = NormalInit(*(count, {"a": 0.0 if fixed else 0.8, "w": 0.6}, {"a": 1.0 if fixed else 0.3}))
    return [
        simulate(
            *(flow, law),
            scheme=StochasticHeun(step),
            until=TIMES[-1],
            seed=seed,
            observe=[Energy(), FreeEnergy(), Moments()],
            observe_when=at(TIMES),
            frames=at([TIMES[-1]]),
        )
        for seed in range(replicas)
    ]


@systems.register("linear-network")
class LinearNeurons(System):
    """A linear network with trained outer weights and ridge, without noise: five neurons."""

    def compare(self, full: bool) -> Iterator[Comparison]:
        step, ridge, network = 0.002 if full else 0.01, 0.2, TwoLayer("linear", 3)
        start = NormalInit(5, scale={"a": 0.8, "w": 0.6}).draw(network.layout, 0)
        run = simulate(
            *(Wasserstein(Risk(network, linear_law(network)) + ridge * L2()), start),
            scheme=RK4(step),
            until=TIMES[-1],
            observe=[Energy(), Dissipation(), Moments()],
            observe_when=at(TIMES),
        )
        oracle = LinearNetwork(SLOPE, INPUTS, initial=second_moment(start), l2=ridge)
        # Exact for five neurons. RK4 with rates below 2: errors of 0.02 h⁴, and rounding.
        yield from along([run], oracle.at(TIMES), dict.fromkeys(WATCHED, step**4 + 1e-12))


@systems.register("linear-network-with-noise")
class NoisyLinearNeurons(System):
    """The same with noise, from normal neurons that stay normal: entropy and free energy too."""

    def compare(self, full: bool) -> Iterator[Comparison]:
        ridge, tau, network = 0.3, 0.2, TwoLayer("linear", 3)
        count, step, replicas = (20_000, 0.01, 16) if full else (2_000, 0.05, 5)
        energy = Risk(network, linear_law(network)) + ridge * L2() + tau * Entropy()
        runs = _runs(Langevin(energy), count, step, replicas)
        oracle = LinearNetwork(*(SLOPE, INPUTS, 0.8, 0.6), mean_a=0.3, l2=ridge, temperature=tau)
        # Step: rates below 2, relative errors (2h)²/6 of numbers of size 3. Number: the variance of
        # the output is Σ Var(a w)/N, half of which is the risk of the sampling: 3/N at most.
        bias = 2.0 * step**2 + 3.0 / count
        series = dict.fromkeys(("risk", "energy", "second_moment"), bias)
        # The estimate by nearest neighbours in R⁴ is too high by 3.3 N^(-2/4).
        estimated = bias + 5.0 * count**-0.5
        yield from along(runs, oracle.at(TIMES), {**series, "entropy": estimated})


@systems.register("quadratic-network")
class QuadraticNeurons(System):
    """A network of squares that learns a quadratic form, without noise: six neurons."""

    def compare(self, full: bool) -> Iterator[Comparison]:
        step, ridge = 0.001 if full else 0.005, 0.2
        network = TwoLayer("quadratic", 3, outer="fixed")
        law = NormalInit(6, scale={"a": 0.0, "w": 0.5}, mean={"a": 1.0})
        start = law.draw(network.layout, 0)
        run = simulate(
            *(Wasserstein(Risk(network, quadratic_law(network)) + ridge * L2()), start),
            scheme=RK4(step),
            until=TIMES[-1],
            observe=[Energy(), Dissipation(), Moments()],
            observe_when=at(TIMES),
        )
        oracle = QuadraticNetwork(TARGET, second_moment(start), ridge)
        # Exact for six neurons. RK4 with rates up to 10: errors of 70 h⁴, 1800 h⁴ in what is a
        # square of rates.
        bias = dict.fromkeys(WATCHED, 200.0 * step**4 + 1e-12)
        yield from along([run], oracle.at(TIMES), {**bias, "dissipation": 5000.0 * step**4 + 1e-12})


@systems.register("quadratic-network-with-noise")
class NoisyQuadraticNeurons(System):
    """The same with noise, from normal neurons that stay normal."""

    def compare(self, full: bool) -> Iterator[Comparison]:
        ridge, tau = 0.4, 0.5
        count, step, replicas = (20_000, 0.002, 16) if full else (2_000, 0.01, 5)
        network = TwoLayer("quadratic", 3, outer="fixed")
        energy = Risk(network, quadratic_law(network)) + ridge * L2() + tau * Entropy()
        runs = _runs(Langevin(energy), count, step, replicas)
        oracle = QuadraticNetwork(TARGET, 0.36, ridge, tau)
        # Step: rates up to 10, (10h)²/6 of numbers of size 2. Number: half the variance of a
        # neuron's output, ½ Var ⟨w, x⟩² < 10, over N.
        bias = 40.0 * step**2 + 10.0 / count
        series = dict.fromkeys(("risk", "energy", "second_moment"), bias)
        # The estimate by nearest neighbours in R³ is too high by 4 N^(-2/3).
        estimated = bias + 6.0 * count ** (-2.0 / 3.0)
        yield from along(runs, oracle.at(TIMES), {**series, "entropy": estimated})
