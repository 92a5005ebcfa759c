"""Each observable against its definition, computed by hand."""

import numpy as np
import pytest

from meanfield.data import FiniteData, Gaussian, GaussianMixture, Labels, SingleIndex, Teacher
from meanfield.ensemble import Ensemble, Layout
from meanfield.errors import InvalidInput, Unsupported
from meanfield.flows import Langevin, Wasserstein
from meanfield.functionals import L2, TV, Entropy, Risk
from meanfield.networks import TwoLayer
from meanfield.observables import (
    Accuracy,
    Balance,
    BlockNorm,
    DeadNeurons,
    Dissipation,
    EffectiveNeurons,
    Energy,
    ErrorRate,
    FreeEnergy,
    Moments,
    Observe,
    PathNorm,
    SampledRisk,
    Speed,
    View,
    observables,
)
from meanfield.observables import TestRisk as HeldOutRisk
from meanfield.schedules import every
from tests.conftest import size
from tests.oracles.sampling import AGREES, DIFFERS

RNG = np.random.default_rng(7)
NETWORK = TwoLayer("tanh", 2, bias=True)
ENSEMBLE = NETWORK.ensemble(
    RNG.standard_normal((4, 2)),
    a=RNG.standard_normal(4),
    b=RNG.standard_normal(4),
    mass=[0.1, 0.2, 0.3, 0.4],
)
TEST = FiniteData(RNG.standard_normal((3, 2)), [1.0, -1.0, 1.0], weights=[0.5, 0.25, 0.25])
TRAIN = FiniteData(RNG.standard_normal((6, 2)), RNG.choice([-1.0, 1.0], 6), test=TEST)
RISK = Risk(NETWORK, TRAIN)
FLOW = Wasserstein(2.0 * RISK + 0.1 * L2() + 0.3 * TV(), mobility={"a": 0.5})


def _view(flow=FLOW, ensemble=ENSEMBLE, start=None):
    return View(ensemble, flow, ensemble if start is None else start)


def _gradient():
    return 2.0 * RISK.gradient(ENSEMBLE) + 0.1 * ENSEMBLE.position + 0.3 * TV().gradient(ENSEMBLE)


def test_energy_and_its_parts():
    found = Energy()(_view())
    f = NETWORK(ENSEMBLE, TRAIN.x)
    risk = 0.5 * np.mean((f - TRAIN.y[:, 0]) ** 2)
    l2 = ENSEMBLE.mass @ (ENSEMBLE.position**2).sum(axis=1) / 2
    inner = np.sqrt((ENSEMBLE.w**2).sum(axis=1) + ENSEMBLE.b**2)
    tv = ENSEMBLE.mass @ (np.abs(ENSEMBLE.a) * inner)
    expected = {"risk": 2 * risk, "l2": 0.1 * l2, "tv": 0.3 * tv}
    assert found["energy"] == pytest.approx(sum(expected.values()), rel=1e-13)
    for name, value in expected.items():
        assert found[name] == pytest.approx(value, rel=1e-13)
    assert set(found) == {"energy", *expected}


def test_dissipation_and_speed_weigh_with_masses_and_mobility():
    gradient = _gradient()
    mobility = np.array([0.5, 1.0, 1.0, 1.0])
    dissipation = ENSEMBLE.mass @ (gradient**2 @ mobility)
    assert Dissipation()(_view())["dissipation"] == pytest.approx(dissipation, rel=1e-13)
    speed = np.sqrt(ENSEMBLE.mass @ ((mobility * gradient) ** 2).sum(axis=1))
    assert Speed()(_view())["speed"] == pytest.approx(speed, rel=1e-13)


def test_moments():
    found = Moments()(_view())
    mean = sum(m * theta for m, theta in zip(ENSEMBLE.mass, ENSEMBLE.position, strict=True))
    second = sum(m * theta**2 for m, theta in zip(ENSEMBLE.mass, ENSEMBLE.position, strict=True))
    np.testing.assert_allclose(found["mean"], mean, rtol=1e-13)
    np.testing.assert_allclose(found["second_moment"], second, rtol=1e-13)


def test_block_norms():
    start = TwoLayer("relu", 3).ensemble(
        [[3.0, 0.0, 4.0], [1.0, 2.0, 2.0]], a=[9.0, 9.0], mass=[0.25, 0.75]
    )
    view = _view(ensemble=start)
    assert BlockNorm()(view) == {"norm_1": pytest.approx((25 / 4 + 3 * 9 / 4) ** 0.5, rel=1e-14)}
    found = BlockNorm("w", [1, 1])(view)
    expected = {"norm_1": 9 / 4 + 3 / 4, "norm_2": 3 * 4 / 4, "norm_3": 16 / 4 + 3 * 4 / 4}
    assert {name: value**2 for name, value in found.items()} == pytest.approx(expected, rel=1e-14)
    with pytest.raises(InvalidInput, match="less than the 3 of w together"):
        BlockNorm("w", [2, 1])(view)
    with pytest.raises(InvalidInput, match="parts"):
        BlockNorm("w", [0])


def test_path_norm_is_the_value_of_the_regulariser():
    assert PathNorm()(_view())["path_norm"] == pytest.approx(TV().value(ENSEMBLE), rel=1e-13)
    plain = TwoLayer("relu", 2).ensemble([[3.0, 4.0], [0.0, 1.0]], a=[2.0, -1.0])
    assert PathNorm()(_view(ensemble=plain))["path_norm"] == 0.5 * (10 + 1)
    two = TwoLayer("relu", 1, outputs=2).ensemble([[2.0]], a=[[3.0, 4.0]])
    assert PathNorm()(_view(ensemble=two))["path_norm"] == 10.0


@pytest.mark.parametrize(
    ("a", "mass", "expected"),
    [
        ([1, -1, 1, 1], None, 4.0),
        ([1, 0, 0, 0], None, 1.0),
        ([1, 1, 0, 0], None, 2.0),
        ([1, 1, 1, 1], [1, 0, 0, 0], 1.0),
        ([3, 1, 0, 0], None, 16 / 10),
        ([0, 0, 0, 0], None, 0.0),
    ],
)
def test_effective_neurons(a, mass, expected):
    ensemble = TwoLayer("relu", 1).ensemble(np.ones((4, 1)), a=np.array(a, float), mass=mass)
    found = EffectiveNeurons()(_view(ensemble=ensemble))["effective_neurons"]
    assert found == pytest.approx(expected, rel=1e-14)


def test_balance_and_its_drift():
    network = TwoLayer("relu", 2, outputs=2, bias=True)
    start = network.ensemble([[1.0, 2.0], [0.0, 1.0]], a=[[3.0, 1.0], [0.0, 0.0]], b=[1.0, 0.0])
    now = network.ensemble([[1.0, 2.0], [0.0, 2.0]], a=[[3.0, 0.0], [0.0, 0.0]], b=[1.0, 0.0])
    found = Balance()(_view(ensemble=now, start=start))
    # |a|² - |w|² - b²: 10 - 5 - 1 and -1 at the start; 9 - 5 - 1 and -4 now.
    assert found == {"balance": 0.5 * (3.0 - 4.0), "balance_drift": 3.0}


def test_dead_neurons_are_silent_on_every_sample():
    network = TwoLayer("relu", 1, bias=True)
    x = np.linspace(0.5, 1.5, 700)[:, None]
    ensemble = network.ensemble(
        [[1.0], [-1.0], [-1.0], [1.0]], b=[0.0, 0.0, 1.0, -1.49], mass=[0.1, 0.2, 0.3, 0.4]
    )
    risk = Risk(network, FiniteData(x, np.zeros(700)))
    # The second is silent; the third speaks at the first samples only, the fourth at the last.
    found = DeadNeurons()(_view(Wasserstein(risk), ensemble))
    assert found["dead_neurons"] == pytest.approx(0.2)


def test_dead_neurons_of_a_stream_are_those_of_the_batch():
    network = TwoLayer("relu", 2)
    law = Gaussian(2).labelled_by(SingleIndex())
    risk = Risk(network, law.stream(batch=1, seed=3))
    ensemble = network.ensemble([[1.0, 0.0], [-1.0, 0.0], [0.0, 1.0], [0.0, -1.0]])
    # One sample: of a direction and its opposite, one is silent.
    assert DeadNeurons()(_view(Wasserstein(risk), ensemble))["dead_neurons"] == 0.5
    with pytest.raises(Unsupported, match=r"^the observable 'dead-neurons' needs samples"):
        DeadNeurons()(_view(Wasserstein(Risk(network, law)), ensemble))


def test_accuracy_and_risk_on_both_parts():
    found = Accuracy()(_view())
    for part, data in (("train", TRAIN), ("test", TEST)):
        right = np.sign(NETWORK(ENSEMBLE, data.x)) == data.y[:, 0]
        assert found[f"{part}_accuracy"] == pytest.approx(data.weights @ right)
    wrong = {name.replace("accuracy", "error"): 1.0 - value for name, value in found.items()}
    assert ErrorRate()(_view()) == pytest.approx(wrong)
    squares = (NETWORK(ENSEMBLE, TEST.x) - TEST.y[:, 0]) ** 2
    held_out = HeldOutRisk()(_view())
    assert held_out == {"test_risk": pytest.approx(0.5 * TEST.weights @ squares, rel=1e-13)}


def test_the_risk_on_held_out_data_needs_no_classes():
    test = FiniteData(TEST.x, TEST.y + 0.3, TEST.weights)
    view = _view(Wasserstein(Risk(NETWORK, FiniteData(TRAIN.x, TRAIN.y, test=test))))
    squares = (NETWORK(ENSEMBLE, test.x) - test.y[:, 0]) ** 2
    assert HeldOutRisk()(view)["test_risk"] == pytest.approx(0.5 * test.weights @ squares)


def test_accuracy_of_several_classes_is_by_the_largest_output():
    network = TwoLayer("linear", 2, outputs=3)
    data = FiniteData(np.eye(2), [0, 2], classes=("p", "q", "r"))
    ensemble = network.ensemble([[1.0, 0.0], [0.0, 1.0]], a=[[2.0, 0.0, 1.0], [0.0, 2.0, 1.0]])
    for loss in ("softmax", "squared"):
        view = _view(Wasserstein(Risk(network, data, loss)), ensemble)
        assert Accuracy()(view) == {"train_accuracy": 0.5}


def test_what_cannot_be_looked_at_is_refused_in_one_sentence():
    law = Gaussian(2).labelled_by(SingleIndex())
    relu = TwoLayer("relu", 2)
    population = _view(Wasserstein(Risk(relu, law)), relu.ensemble(np.eye(2)))
    with pytest.raises(Unsupported, match=r"^the observable 'test-risk' needs held-out data"):
        HeldOutRisk()(population)
    with pytest.raises(Unsupported, match=r"^the observable 'accuracy' needs a finite data set"):
        Accuracy()(population)
    with pytest.raises(Unsupported, match=r"^the observable 'sampled-risk' needs a law"):
        SampledRisk()(_view())
    no_risk = _view(Wasserstein(L2()), Ensemble([[1.0]]))
    for observable in (Accuracy(), HeldOutRisk(), SampledRisk(), DeadNeurons()):
        with pytest.raises(Unsupported, match=r"^this observable needs a risk in the energy$"):
            observable(no_risk)
    for observable in (PathNorm(), EffectiveNeurons(), Balance()):
        with pytest.raises(InvalidInput, match=r"expected neurons with a and w$"):
            observable(no_risk)


@pytest.mark.parametrize("streamed", [False, True])
def test_sampled_risk_is_the_population_risk_within_its_error(streamed):
    network = TwoLayer("relu", 2)
    teacher = Teacher(network, network.ensemble(np.eye(2), a=[1.0, -1.0]))
    law = Gaussian(2).labelled_by(teacher)
    student = network.ensemble(RNG.standard_normal((3, 2)), a=[1.0, 0.5, -2.0])
    data = law.stream(batch=4) if streamed else law
    view = _view(Wasserstein(Risk(network, data)), student)
    observable = SampledRisk(samples=size(40_000, 2_000))
    found, exact = observable(view), Risk(network, law).value(student)
    error = found["sampled_risk_error"]
    assert abs(found["sampled_risk"] - exact) < AGREES * error
    for wrong in (2 * exact, exact / 2):
        assert abs(found["sampled_risk"] - wrong) > DIFFERS * error
    drawn = law.sample(observable.samples)
    costs = 0.5 * (network(student, drawn.x) - drawn.y[:, 0]) ** 2
    assert error == pytest.approx(costs.std() / np.sqrt(len(costs)))
    # The same samples at every call: differences along a run are not noise.
    assert observable(view) == found


def test_sampled_risk_of_labels_of_a_mixture():
    network = TwoLayer("erf", 1)
    law = GaussianMixture(1, means=[[1.0], [-1.0]]).labelled_by(Labels())
    student = network.ensemble([[1.0], [0.3]], a=[1.0, 0.5])
    risk = Risk(network, law)
    found = SampledRisk(samples=size(40_000, 2_000))(_view(Wasserstein(risk), student))
    distance = abs(found["sampled_risk"] - risk.value(student))
    assert distance < AGREES * found["sampled_risk_error"]


def test_free_energy_of_a_gaussian():
    """Ent(N(0, S)) = -½ (log det S + d (1 + log 2π)); the bias is far below the error here."""
    count, tau, scale = size(20_000, 2_000), 0.7, 1.8
    ensemble = Ensemble(scale * RNG.standard_normal((count, 1)))
    found = FreeEnergy()(_view(Langevin(L2() + tau * Entropy()), ensemble))
    exact = -0.5 * (np.log(scale**2) + 1 + np.log(2 * np.pi))
    # Variance of log ρ plus that of the distance's logarithm, ψ'(3), over N.
    error = np.sqrt((0.5 + 0.3949) / count)
    assert abs(found["entropy"] - exact) < AGREES * error
    assert abs(found["entropy"] + exact) > DIFFERS * error
    driving = 0.5 * np.mean(ensemble.position**2)
    assert found["free_energy"] == pytest.approx(driving + tau * found["entropy"], rel=1e-12)


def test_free_energy_counts_only_what_moves_and_needs_equal_masses():
    layout = Layout({"a": (), "w": (1,)}, frozen=("a",))
    moving = RNG.standard_normal((500, 1))
    labelled = Ensemble(np.hstack([np.ones((500, 1)), moving]), layout=layout)
    flow = Langevin(L2() + 0.5 * Entropy())
    found = FreeEnergy()(_view(flow, labelled))
    assert found["entropy"] == FreeEnergy()(_view(flow, Ensemble(moving)))["entropy"]
    with pytest.raises(Unsupported, match="equal masses and more than 3 particles"):
        FreeEnergy()(_view(flow, Ensemble(np.zeros((4, 1)), [0.4, 0.2, 0.2, 0.2])))
    with pytest.raises(Unsupported, match="equal masses and more than 3 particles"):
        FreeEnergy()(_view(flow, Ensemble(np.arange(3.0)[:, None])))


def test_the_users_own_function():
    observable = Observe("largest", lambda ensemble: np.abs(ensemble.a).max(), when=every(steps=2))
    assert observable(_view()) == {"largest": np.abs(ENSEMBLE.a).max()}
    assert observable.when == every(steps=2)
    with pytest.raises(InvalidInput, match=r"^name = 'no name': expected a name made of letters"):
        Observe("no name", lambda ensemble: 0.0)


def test_a_view_evaluates_once():
    calls = []

    class Counted(L2):
        def density(self, ensemble):
            calls.append(1)
            return super().density(ensemble)

    view = _view(Wasserstein(Counted()))
    for observable in (Energy(), Dissipation(), Speed()):
        observable(view)
    assert len(calls) == 1


def test_every_observable_has_a_name_and_reads_only():
    names = {"energy", "free-energy", "dissipation", "moments", "speed", "path-norm", "balance"}
    names |= {"effective-neurons", "dead-neurons", "accuracy", "test-risk", "sampled-risk", "w2"}
    assert names <= set(observables)
    equal = Ensemble(ENSEMBLE.position, layout=ENSEMBLE.layout)
    before = equal.position.copy()
    for name in observables:
        if name not in ("sampled-risk", "kinetic-energy"):  # of other risks, of other flows
            found = observables[name]()(_view(ensemble=equal))
            assert all(np.shape(value) in ((), (4,)) for value in found.values())
    assert np.array_equal(equal.position, before)
