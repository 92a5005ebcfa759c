"""Normal laws: noise, attraction, and flows of masses and of Gaussians."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import ArrayLike

from meanfield.arrays import Array
from meanfield.data import Gaussian, Teacher
from meanfield.ensemble import Ensemble, Layout
from meanfield.flows import BuresWasserstein, FisherRao, Langevin, WassersteinFisherRao
from meanfield.functionals import L2, Entropy, Interaction, Linear, Risk, gaussian_particles
from meanfield.initial import NormalInit
from meanfield.interactions import Quadratic
from meanfield.limits import GaussianWassersteinFisherRao, linear_neurons, ornstein_uhlenbeck
from meanfield.limits.gaussians import BuresWasserstein as OneGaussian
from meanfield.networks import TwoLayer
from meanfield.observables import Dissipation, Energy, Moments
from meanfield.schedules import at
from meanfield.schemes import RK4, StochasticHeun
from meanfield.simulation import simulate
from meanfield.verification.along import along, compared
from meanfield.verification.base import Comparison, System, systems

STIFFNESS = np.array([[1.5, 0.6], [0.6, 0.9]])
CENTRE = (1.0, -2.0)


class Bowl(Linear):
    """½⟨θ - c, A (θ - c)⟩ + q/4 Σ (θ_j - c_j)⁴."""

    name = "potential"

    def __init__(self, stiffness: ArrayLike, centre: ArrayLike, quartic: float = 0.0) -> None:
        self.stiffness, self.centre = np.asarray(stiffness, float), np.asarray(centre, float)
        self.quartic = quartic

    def density(self, ensemble: Ensemble) -> tuple[Array, Array]:
        away = ensemble.position - self.centre
        force = away @ self.stiffness
        value = 0.5 * (away * force).sum(axis=1) + 0.25 * self.quartic * (away**4).sum(axis=1)
        return value, force + self.quartic * away**3


@systems.register("ornstein-uhlenbeck")
class OrnsteinUhlenbeck(System):
    """Independent particles in a quadratic well, with noise: mean, second moment, energy."""

    def compare(self, full: bool) -> Iterator[Comparison]:
        tau, times = 0.3, [0.1, 0.4, 1.5]
        step, count = (0.01, 50_000) if full else (0.025, 4_000)
        oracle = ornstein_uhlenbeck(STIFFNESS, CENTRE, (0.5, 0.5), 1.4**2, tau)
        flow = Langevin(Bowl(STIFFNESS, CENTRE) + tau * Entropy())
        law = NormalInit(count, scale={"x": 1.4}, mean={"x": 0.5})
        runs = [
            simulate(
                *(flow, law),
                scheme=StochasticHeun(step),
                until=times[-1],
                seed=seed,
                layout=Layout.plain(2),
                observe=[Energy(), Dissipation(), Moments()],
                observe_when=at(times),
                frames=at([times[-1]]),
            )
            for seed in range(16 if full else 6)
        ]
        # The mean and the variance of a step have relative errors (λh)³/6 with λ < 2, those of the
        # moments add up to less than 2h² of what they are, up to 15 here.
        bias = {"mean": 2.0 * step**2, "second_moment": 20.0 * step**2}
        yield from along(runs, oracle.at(times), {**bias, "energy": 20.0 * step**2})


@systems.register("mckean-vlasov")
class McKeanVlasov(System):
    """Particles that attract each other, exactly for five of them, and for many."""

    def compare(self, full: bool) -> Iterator[Comparison]:
        stiffness, kappa, tau, times = 0.5, 2.0, 0.4, [0.2, 1.0]
        step, replicas = (0.01, 40_000) if full else (0.025, 3_000)
        for count in (5, 50):
            # The force is on each coordinate alone: each is a replica.
            flow = Langevin(stiffness * L2() + Interaction(Quadratic(kappa)) + tau * Entropy())
            run = simulate(
                *(flow, NormalInit(count, scale={"x": 1.2}, mean={"x": 0.7})),
                scheme=StochasticHeun(step),
                until=times[-1],
                layout=Layout.plain(replicas),
                observe=(),
                frames=at(times),
            )
            oracle = ornstein_uhlenbeck(stiffness, [0.0], [0.7], 1.44, tau, kappa, count)
            states = [run.frames.at(time).position for time in times]
            # (rate h)³/6 in every step, with the rate 2.5: 2.5 (2.5 h)²/6 of numbers of size 2.
            bias = 5.0 * step**2
            limit = oracle.at(times)
            means = np.array([state.mean(axis=0) for state in states]).T[:, :, None]
            squares = np.array([(state**2).mean(axis=0) for state in states]).T[:, :, None]
            yield from compared(f"mean, N = {count}", means, limit, "mean", bias)
            label = f"second_moment, N = {count}"
            yield from compared(label, squares, limit, "second_moment", bias)
            spreads = means[:, :, 0] ** 2
            for k, time in enumerate(times):
                expected, _, of_mean = oracle.pieces(time)
                value = float(expected[0] ** 2 + of_mean[0, 0])
                found, error = spreads[:, k].mean(), spreads[:, k].std() / np.sqrt(replicas)
                name = f"square of the mean, N = {count} at t = {time:g}"
                yield Comparison(name, float(found), value, bias, 0.0, float(error))


@systems.register("linear-neurons")
class LinearNeurons(System):
    """Eight linear neurons of one residual at rest: risk and moments, with their O(1/N)."""

    def compare(self, full: bool) -> Iterator[Comparison]:
        count, ridge, tau, target, until = 8, 0.5, 0.6, 1.5, 8.0
        step, dim = (0.02, 20_000) if full else (0.1, 500)
        network = TwoLayer("linear", dim, outer="fixed")
        teacher = Teacher(network, network.ensemble(np.full((1, dim), target)))
        risk = Risk(network, Gaussian(dim).labelled_by(teacher))
        oracle = linear_neurons([target], ridge, [0.0], 1.0, tau, particles=count)
        law = NormalInit(count, scale={"a": 0.0, "w": 1.0}, mean={"a": 1.0})
        run = simulate(
            *(Langevin(risk + ridge * L2() + tau * Entropy()), law),
            scheme=StochasticHeun(step),
            until=until,
            observe=(),
            frames=at([1.0, until]),
        )
        limit, states = oracle.at([1.0, until]), [run.frames.at(t).w for t in (1.0, until)]
        # Rates up to 1.5: relative errors (1.5 h)²/6 of the rate, on numbers of size 2.
        bias = 2.0 * step**2
        means = np.array([state.mean(axis=0) for state in states]).T[:, :, None]
        squares = np.array([(state**2).mean(axis=0) for state in states]).T[:, :, None]
        yield from compared("mean", means, limit, "mean", bias)
        yield from compared("second_moment", squares, limit, "second_moment", bias)
        energies = 0.5 * (means[:, :, 0] - target) ** 2 + 0.5 * ridge * squares[:, :, 0]
        yield from compared("energy", energies, limit, "energy", bias)


@systems.register("bures-wasserstein")
class VariationalInference(System):
    """One Gaussian on a quartic potential, by the flow of Gaussian particles."""

    def compare(self, full: bool) -> Iterator[Comparison]:
        tau, quartic, times = 0.7, 0.4, [0.2, 1.0, 3.0]
        step = 0.005 if full else 0.02
        start, spread = (0.2, 0.4), np.array([[0.8, 0.2], [0.2, 1.1]])
        oracle = OneGaussian(STIFFNESS, quartic, CENTRE, start, spread, tau)
        run = simulate(
            # Moments of degree 4 are all that is asked of the rule.
            BuresWasserstein(Bowl(STIFFNESS, CENTRE, quartic) + tau * Entropy(), degree=5),
            gaussian_particles([start], spread),
            scheme=RK4(step),
            until=times[-1],
            observe=[Energy(), Dissipation()],
            observe_when=at(times),
        )
        # RK4: from h = 0.02 to 0.01 all errors fall 16-fold, and none is above 260 h⁴.
        bias = 500.0 * step**4
        names = ("energy", "potential", "mixture_entropy", "dissipation")
        yield from along([run], oracle.at(times), dict.fromkeys(names, bias))


@systems.register("fisher-rao")
class MassesOfANormalLaw(System):
    """Fisher–Rao flow of a normal law: masses on a grid."""

    def compare(self, full: bool) -> Iterator[Comparison]:
        tau, times = 0.5, [0.3, 1.0, 4.0]
        step, count = (0.02, 4_000) if full else (0.1, 400)
        oracle = GaussianWassersteinFisherRao(1.3, [0.6], [-1.0], 0.8, tau, alpha=0.0, beta=1.5)
        edges = np.linspace(-11.0, 11.0, count + 1)
        points, cell = 0.5 * (edges[1:] + edges[:-1]), edges[1] - edges[0]
        mass = np.exp(-0.5 * (points + 1.0) ** 2 / 0.8)
        flow = FisherRao(Bowl([[1.3]], [0.6]) + tau * Entropy(), beta=1.5, cells=[cell] * count)
        run = simulate(
            *(flow, Ensemble(points[:, None], mass / mass.sum())),
            scheme=RK4(step),
            until=times[-1],
            observe=[Energy(), Dissipation(), Moments()],
            observe_when=at(times),
        )
        # Log masses move linearly at the rate βτ: a relative error (βτh)⁴/120 of logarithms of up
        # to 60 where there is mass. The rule of rectangles is right to 1e-12 for such laws.
        bias = 60.0 * (0.75 * step) ** 4 / 120.0 + 1e-11
        names = ("energy", "potential", "mean", "second_moment", "dissipation")
        yield from along([run], oracle.at(times), dict.fromkeys(names, bias))


@systems.register("wasserstein-fisher-rao")
class MassesAndPlacesOfANormalLaw(System):
    """Wasserstein–Fisher–Rao flow of a normal law: masses that move, with a smoothed entropy."""

    def compare(self, full: bool) -> Iterator[Comparison]:
        tau, times, bandwidth = 0.5, [0.3, 1.0], 0.1 if full else 0.2
        count = 800 if full else 200
        oracle = GaussianWassersteinFisherRao(1.3, [0.6], [-1.0], 0.8, tau, alpha=1.0, beta=1.5)
        flow = WassersteinFisherRao(
            Bowl([[1.3]], [0.6]) + tau * Entropy(), beta=1.5, bandwidth=bandwidth
        )
        start = oracle.measure(0.0, count)
        run = simulate(
            *(flow, start),
            scheme=RK4(0.005 if full else 0.02),
            until=times[-1],
            observe=[Moments()],
            observe_when=at(times),
        )
        # The law of the smoothed entropy is off by O(h²) of its variance 0.4 (the limit of the flow
        # has the variance of the smoothed measure): up to τh² here, and quantiles by 2/N.
        bias = tau * bandwidth**2 + 2.0 / count
        yield from along([run], oracle.at(times), {"mean": bias, "second_moment": 2 * bias})
