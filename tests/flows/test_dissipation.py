"""Every flow loses its energy at the rate that it declares: at once, and along every scheme.

What descends is the driving energy; with the kinetic energy, where particles have velocities.
"""

import numpy as np
import pytest
from scipy.integrate import romb

import meanfield as mf
from meanfield.flows import Flow, Moves, flows
from meanfield.kernels.compile import DISABLED
from meanfield.schemes import schemes
from tests.conftest import size
from tests.orders import fitted_order


class Washboard(mf.Linear):
    """V = x²/2 - cos(2x)/2 in every coordinate."""

    name = "washboard"

    def density(self, ensemble):
        x = ensemble.position
        return (0.5 * x**2 - 0.5 * np.cos(2 * x)).sum(axis=1), x + np.sin(2 * x)


ENERGY = Washboard() + mf.Interaction(mf.RBF(1.0))
SLOW = {"x": 0.6}
# What is declared is the rate of the drift: noise is left out, and so are births and deaths here.
FLOWS: dict[str, list[Flow]] = {
    "birth-death": [mf.BirthDeath(ENERGY, SLOW, alpha=0.8, beta=0.0)],
    "blob": [mf.Blob(ENERGY + 0.4 * mf.Entropy(), SLOW, bandwidth=0.7)],
    "bures-wasserstein": [mf.BuresWasserstein(ENERGY, SLOW, width=0.5)],
    "conic": [mf.Conic(ENERGY, {"x": 0.6})],
    "fisher-rao": [mf.FisherRao(ENERGY, 1.5), mf.FisherRao(ENERGY, 1.5, balanced=False)],
    "heavy-ball": [mf.HeavyBall(ENERGY, SLOW, friction=0.7)],
    "kinetic": [mf.Kinetic(ENERGY + 0.3 * mf.Entropy(), SLOW, friction=0.7)],
    "langevin": [
        mf.Langevin(ENERGY + 0.3 * mf.Entropy(), SLOW),
        mf.Langevin(ENERGY, SLOW, {"x": "sphere"}),
    ],
    "nesterov": [mf.Nesterov(ENERGY, SLOW)],
    "sgd-sde": [mf.SGDDiffusion(ENERGY, SLOW, rate=0.1, covariance="isotropic")],
    "stein": [mf.Stein(ENERGY, SLOW, {"kind": "rbf", "length": 0.8})],
    "wasserstein": [mf.Wasserstein(ENERGY, SLOW), mf.Wasserstein(ENERGY, SLOW, {"x": "sphere"})],
    "wasserstein-fisher-rao": [
        mf.WassersteinFisherRao(ENERGY, SLOW, None, 0.8, 1.5),
        mf.WassersteinFisherRao(ENERGY, SLOW, {"x": "sphere"}, 0.8, 1.5, balanced=False),
    ],
}
ALL = [flow for name in flows for flow in FLOWS[name]]
UNCERTAIN = {Moves.NOISE, Moves.SAMPLING, Moves.JUMPS}


def is_of_its_own(name):
    """Not one that is Euler's or Heun's where there is no noise."""
    scheme = schemes[name]
    return bool(scheme.order) and (scheme.weak is None or Moves.MOMENTUM in scheme.needs)


CASES = [
    (flow, name)
    for flow in ALL
    for name in filter(is_of_its_own, schemes)
    if schemes[name].suits(flow) and not flow.moves & UNCERTAIN
    if name == flow.usual[0] or not DISABLED
]


def identity(flow):
    walls = "-".join(flow.constraint)
    return "-".join(
        filter(None, [flow.kind, walls, "" if getattr(flow, "balanced", 1) else "free"])
    )


def beginning(flow):
    """Six particles of unequal masses on the unit circle or about it, some time after time 0."""
    rng = np.random.default_rng(4)
    points = rng.standard_normal((6, 2))
    if flow.constraint:
        points /= np.linalg.norm(points, axis=1, keepdims=True)
    even, layout = flow.kind == "birth-death", None
    if flow.kind == "conic":
        layout = mf.Layout({"a": (), "x": (2,)})
        points = np.column_stack([[1.0, -1.0] * 3, points])
    start = mf.Ensemble(points, None if even else rng.dirichlet(np.full(6, 2.0)), layout)
    if Moves.MOMENTUM in flow.moves:
        start.velocity = rng.standard_normal((6, 2))
    return flow.prepare(start.having(time=0.5), seed=0)


def falling(flow, ensemble):
    kinetic = flow.kinetic_energy(ensemble) if Moves.MOMENTUM in flow.moves else 0.0
    return flow.driving.value(ensemble) + kinetic


def test_no_flow_is_forgotten():
    assert set(FLOWS) == set(flows)


@pytest.mark.parametrize("flow", ALL, ids=identity)
def test_energy_falls_at_the_declared_rate(flow):
    """By central differences along the motion, extrapolated to h = 0."""
    start = beginning(flow)
    evaluation = flow.driving.evaluate(start)
    motion = flow.motion(start, evaluation)

    def slope(h):
        ahead, behind = (falling(flow, start.moved(motion, sign * h)) for sign in (1, -1))
        return (ahead - behind) / (2 * h)

    h = 2e-3
    rate = -(4 * slope(h / 2) - slope(h)) / 3
    assert rate > 0.01
    assert flow.dissipation(start, evaluation) == pytest.approx(rate, rel=1e-8)


@pytest.mark.parametrize(
    ("flow", "name"), CASES, ids=[f"{identity(flow)}-{name}" for flow, name in CASES]
)
def test_energy_lost_is_the_dissipation_integrated_to_the_order(flow, name):
    scheme, start, until = schemes[name], beginning(flow), 1.5

    def error(count):
        """The worse of the two halves, as one may cross zero."""
        h, state, energies, rates = until / count, start, [], []
        for step in range(count + 1):
            here = flow.driving.evaluate(state)
            energies.append(falling(flow, state))
            rates.append(flow.dissipation(state, here))
            state = scheme(h).advance(flow, state, here, h, 0).ensemble.having(step=step + 1)
        halves = np.array([rates[: count // 2 + 1], rates[count // 2 :]])
        lost = -np.diff(energies[:: count // 2])
        assert np.all(lost > 0)
        return np.abs(lost - romb(halves, h)).max()

    finest = {1: 8, 2: 8, 4: 7}[scheme.order]
    counts = [2**level for level in range(finest - 4, finest + size(1, -2))]
    # Some schemes keep the balance better than the path.
    assert fitted_order(error, counts) > scheme.order - size(0.15, 1.0)


def test_births_and_deaths_lose_the_variance_in_the_mean():
    """To 1/N and to the length of the step: the mean over many seeds of one step's jumps."""
    count, beta, h, seeds = size(400, 100), 1.5, 0.01, size(1000, 200)
    flow = mf.BirthDeath(Washboard(), alpha=0.0, beta=beta)
    start = mf.NormalInit(count).draw(mf.Layout.plain(1), 0)
    here = flow.driving.evaluate(start)
    falls = []
    for seed in range(seeds):
        source = flow.jump(start, here, h, seed, 0)
        falls.append(here.value - float(here.variation[source].mean()))
    rate = flow.dissipation(start, here)
    assert rate == pytest.approx(beta * here.variation.var(), rel=1e-12)
    error = np.std(falls) / np.sqrt(seeds) / h
    assert abs(np.mean(falls) / h - rate) < 4 * error + rate * beta * h
    assert error < size(0.04, 0.2) * rate
