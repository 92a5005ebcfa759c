"""The Wasserstein flow among Gaussians, against closed forms and the equations in (m, S)."""

import numpy as np
import pytest
from scipy.integrate import quad, romb, solve_ivp
from scipy.linalg import expm
from scipy.stats import multivariate_normal, ortho_group

import meanfield as mf
from meanfield.errors import InvalidInput, Unsupported
from meanfield.flows import BuresWasserstein
from meanfield.functionals.gaussians import OfGaussians, gaussian_rule, log_density
from meanfield.observables import Dissipation
from tests.conftest import size

TAU = 0.7
A = np.array([[1.2, 0.5], [0.5, 0.8]])
CENTRE = np.array([0.3, -1.0])
EXACT = mf.Adaptive(0.5, "DOP853", 1e-11, 1e-12)


def _bowl(x):
    u, v = x[0] - 0.3, x[1] + 1.0
    return 0.6 * u * u + 0.5 * u * v + 0.4 * v * v


def _bowl_slope(x, out):
    u, v = x[0] - 0.3, x[1] + 1.0
    out[0] = 1.2 * u + 0.5 * v
    out[1] = 0.5 * u + 0.8 * v


def _quartic(x):
    return 0.25 * (x[0] ** 4 + x[1] ** 4) + 0.4 * x[0] * x[1]


def _quartic_slope(x, out):
    out[0] = x[0] ** 3 + 0.4 * x[1]
    out[1] = x[1] ** 3 + 0.4 * x[0]


def _wells(x):
    return 2.0 * (x[0] ** 2 - 1.0) ** 2 + 0.2 * x[0]


def _wells_slope(x, out):
    out[0] = 8.0 * x[0] * (x[0] ** 2 - 1.0) + 0.2


BOWL = mf.Potential(_bowl, _bowl_slope)
QUARTIC = mf.Potential(_quartic, _quartic_slope)
WELLS = mf.Potential(_wells, _wells_slope)


def two_gaussians():
    rng = np.random.default_rng(1)
    roots = rng.standard_normal((2, 2, 2))
    spread = roots @ np.swapaxes(roots, 1, 2) + 0.1 * np.eye(2)
    return mf.gaussian_particles(rng.standard_normal((2, 2)), spread, [0.3, 0.7])


def alone(ensemble, i):
    """One of the Gaussians, with all the mass."""
    return mf.Ensemble(ensemble.position[i : i + 1], layout=ensemble.layout)


def end(flow, start, until=1.0, scheme=EXACT):
    run = mf.simulate(flow, start, scheme=scheme, until=until, observe=(), frames={"evenly": 2})
    assert run.status == "finished"
    return run.final


@pytest.mark.parametrize("degree", [2, 3, 6])
@pytest.mark.parametrize("tau", [0.0, TAU])
def test_a_gaussian_target_is_an_ornstein_uhlenbeck_process(degree, tau):
    start, until = alone(two_gaussians(), 0), 1.5
    final = end(BuresWasserstein(BOWL + tau * mf.Entropy(), degree=degree), start, until)
    decay, rest = expm(-until * A), tau * np.linalg.inv(A)
    mean = CENTRE + decay @ (start["mean"][0] - CENTRE)
    spread = rest + decay @ (mf.covariances(start)[0] - rest) @ decay
    np.testing.assert_allclose(final["mean"][0], mean, rtol=0, atol=1e-9)
    np.testing.assert_allclose(mf.covariances(final)[0], spread, rtol=0, atol=1e-9)


def test_mobility_is_that_of_the_points():
    """dx = -M ∇V dt + √(2τM) dW: m' = -M A (m - c), S' = 2τM - M A S - S A M."""
    network = mf.TwoLayer("linear", 1)
    risk = 0.0 * mf.Risk(network, mf.FiniteData([[1.0]], [1.0]))
    start, until, speed = alone(two_gaussians(), 0), 1.5, np.array([1.0, 0.3])
    flow = BuresWasserstein(risk + BOWL + TAU * mf.Entropy(), {"w": 0.3})
    final = end(flow, start, until)
    decay, rest = expm(-until * speed[:, None] * A), TAU * np.linalg.inv(A)
    mean = CENTRE + decay @ (start["mean"][0] - CENTRE)
    spread = rest + decay @ (mf.covariances(start)[0] - rest) @ decay.T
    np.testing.assert_allclose(final["mean"][0], mean, rtol=0, atol=1e-9)
    np.testing.assert_allclose(mf.covariances(final)[0], spread, rtol=0, atol=1e-9)


def _quartic_rate(tau):
    """m' = -E∇V and S' = 2τ - S E∇²V - E∇²V S, by the moments of a Gaussian."""

    def rate(_, flat):
        m, s = flat[:2], flat[2:].reshape(2, 2)
        v, k = np.diag(s), 0.4 * np.array([[0, 1], [1, 0]])
        hessian = np.diag(3 * (m**2 + v)) + k
        spread = 2 * tau * np.eye(2) - s @ hessian - hessian @ s
        return np.concatenate([-(m**3 + 3 * m * v + k @ m), spread.ravel()])

    return rate


@pytest.mark.parametrize("tau", [0.0, TAU])
def test_the_equations_of_mean_and_covariance(tau):
    start = alone(two_gaussians(), 1)
    final = end(BuresWasserstein(QUARTIC + tau * mf.Entropy(), degree=4), start)
    first = np.concatenate([start["mean"][0], mf.covariances(start)[0].ravel()])
    solved = solve_ivp(_quartic_rate(tau), (0, 1), first, method="DOP853", rtol=1e-11, atol=1e-12)
    found = np.concatenate([final["mean"][0], mf.covariances(final)[0].ravel()])
    np.testing.assert_allclose(found, solved.y[:, -1], rtol=0, atol=1e-8)
    assert np.abs(found - first).max() > 0.1


def test_another_root_of_the_same_covariance_is_the_same_gaussian():
    start = two_gaussians()
    turned = start.copy()
    turned["root"][:] = start["root"] @ ortho_group.rvs(2, random_state=3)
    flow = BuresWasserstein(QUARTIC, degree=4)
    ends = [end(flow, each) for each in (start, turned)]
    np.testing.assert_allclose(ends[0]["mean"], ends[1]["mean"], atol=1e-9)
    np.testing.assert_allclose(mf.covariances(ends[0]), mf.covariances(ends[1]), atol=1e-9)


def test_a_mixture_of_equal_gaussians_is_one():
    one = alone(two_gaussians(), 0)
    three = mf.Ensemble(np.repeat(one.position, 3, axis=0), [0.2, 0.3, 0.5], one.layout)
    flow = BuresWasserstein(QUARTIC + TAU * mf.Entropy(), degree=6)
    single, triple = flow.driving.evaluate(one), flow.driving.evaluate(three)
    assert triple.value == pytest.approx(single.value, rel=1e-13)
    np.testing.assert_allclose(
        triple.gradient, np.repeat(single.gradient, 3, axis=0), rtol=0, atol=1e-12
    )


def test_the_energy_of_one_gaussian_is_its_free_energy():
    start = alone(two_gaussians(), 0)
    m, s = start["mean"][0], mf.covariances(start)[0]
    away = m - CENTRE
    potential = 0.5 * (away @ A @ away + np.trace(A @ s))
    entropy = -multivariate_normal(m, s).entropy()
    found = BuresWasserstein(BOWL + TAU * mf.Entropy()).driving.evaluate(start)
    assert found.value == pytest.approx(potential + TAU * entropy, rel=1e-13)
    assert found.parts["mixture_entropy"] == pytest.approx(TAU * entropy, rel=1e-13)


def test_density_of_a_mixture(rng):
    mixture = two_gaussians()
    points = rng.standard_normal((7, 2))
    log, score = log_density(mixture, points)
    laws = zip(mixture["mean"], mf.covariances(mixture), mixture.mass, strict=True)
    exact = sum(mass * multivariate_normal(m, s).pdf(points) for m, s, mass in laws)
    np.testing.assert_allclose(np.exp(log), exact, rtol=1e-12)
    shift = 1e-6 * np.eye(2)
    slopes = [
        (log_density(mixture, points + h)[0] - log_density(mixture, points - h)[0]) / 2e-6
        for h in shift
    ]
    np.testing.assert_allclose(score, np.transpose(slopes), rtol=0, atol=1e-8)


def test_entropy_of_a_mixture_by_quadrature():
    mixture = mf.gaussian_particles([[-0.4], [0.9]], [[[0.5]], [[0.3]]], [0.4, 0.6])
    found = OfGaussians(0.0 * mf.L2(), 1.0, degree=80).value(mixture)

    def integrand(x):
        log, _ = log_density(mixture, np.array([[x]]))
        return float(np.exp(log[0]) * log[0])

    assert found == pytest.approx(quad(integrand, -8, 8, epsabs=1e-12)[0], abs=1e-6)


def test_gradient_of_a_mixture():
    """Each particle's gradient is 1/mass times the derivative of the value in (m, R)."""
    start = two_gaussians()
    smooth = QUARTIC + mf.Interaction("rbf")
    assert mf.gradient_error(OfGaussians(smooth, 0.0, degree=4), start) < 1e-8
    # With an entropy that is up to the error of the rule.
    line = mf.gaussian_particles([[-0.4], [0.9]], [[[0.5]], [[0.3]]], [0.4, 0.6])
    assert mf.gradient_error(OfGaussians(WELLS, TAU, degree=80), line) < 1e-6


def change_and_dissipation(flow, start, count):
    run = mf.simulate(
        *(flow, start),
        scheme=mf.RK4(1.0 / count),
        until=1.0,
        observe=[mf.Energy(), Dissipation()],
        observe_when={"steps": 1},
    )
    energy = run["energy"].values
    np.testing.assert_allclose(energy, run["potential"] + run["mixture_entropy"], rtol=1e-13)
    return energy - energy[0], romb(run["dissipation"].values, 1.0 / count)


def test_energy_lost_is_the_dissipation_integrated():
    flow = BuresWasserstein(QUARTIC + TAU * mf.Entropy(), {"x": 0.5}, degree=4)
    change, dissipated = change_and_dissipation(flow, alone(two_gaussians(), 1), size(256, 128))
    assert np.all(np.diff(change) < 0)
    assert -change[-1] == pytest.approx(dissipated, rel=1e-6)


def test_energy_lost_by_a_mixture_up_to_the_error_of_the_rule():
    start = mf.gaussian_particles([[-0.5], [0.4], [0.6]], 0.2, [0.2, 0.3, 0.5])
    errors = []
    for degree in (20, 40, 200):
        flow = BuresWasserstein(WELLS + 0.5 * mf.Entropy(), {"x": 0.5}, degree=degree)
        change, dissipated = change_and_dissipation(flow, start, 32)
        errors.append(abs(change[-1] / dissipated + 1))
    assert np.all(np.diff(change) < 0)
    assert errors[2] < 0.05 * errors[1] < 0.025 * errors[0] < 2e-4


def test_more_gaussians_come_closer_to_the_gibbs_measure():
    """F + τ log Z = τ KL ≥ 0: of one Gaussian in two wells it is large."""
    tau = 0.5
    gibbs = quad(lambda x: np.exp(-_wells([x]) / tau), -4, 4)[0]
    flow = BuresWasserstein(WELLS + tau * mf.Entropy(), degree=24)
    excess = []
    for means in ([0.1], [-0.9, 0.8], [-1.2, -0.9, -0.5, 0.5, 1.2]):
        start = mf.gaussian_particles(np.transpose([means]), 0.1)
        final = end(flow, start, size(6.0, 2.0), mf.RK4(0.02))
        exact = OfGaussians(WELLS, tau, degree=100)
        excess.append(exact.value(final) + tau * np.log(gibbs))
    assert 0 < 4 * excess[2] < excess[1] < 0.25 * excess[0]


def test_interacting_gaussians():
    """W = ½k|x-y|² keeps the mean and has dv/dt = 2τ - 2k v for one Gaussian."""
    start = mf.gaussian_particles([[0.5, -1.0]], 2.0)
    energy = mf.Interaction(mf.Quadratic(1.5)) + TAU * mf.Entropy()
    final = end(BuresWasserstein(energy), start)
    np.testing.assert_allclose(final["mean"], start["mean"], atol=1e-12)
    variance = TAU / 1.5 + (2.0 - TAU / 1.5) * np.exp(-3.0)
    np.testing.assert_allclose(mf.covariances(final)[0], variance * np.eye(2), atol=1e-9)


def neurons():
    rng = np.random.default_rng(0)
    network = mf.TwoLayer("tanh", 2)
    risk = mf.Risk(network, mf.FiniteData(rng.normal(size=(5, 2)), rng.normal(size=5)))
    return risk, network.ensemble(rng.normal(size=(4, 2)), rng.normal(size=4))


def test_gaussians_without_width_are_points():
    risk, start = neurons()
    plain = end(mf.Wasserstein(risk), start)
    final = end(BuresWasserstein(risk, width=0.0), start)
    np.testing.assert_allclose(final["mean"], plain.position, rtol=0, atol=1e-10)
    np.testing.assert_allclose(final["root"], 0.0, atol=1e-15)


def test_gaussian_neurons_descend_and_run_in_single_precision():
    risk, start = neurons()
    flow = BuresWasserstein(risk + 0.01 * mf.L2() + 0.01 * mf.Entropy(), width=0.3)
    runs = [
        mf.simulate(flow, start.astype(dtype), scheme=mf.Heun(0.1), until=1.0)
        for dtype in ("float64", "float32")
    ]
    assert np.all(np.diff(runs[0]["energy"]) < 0)
    assert runs[1].final.position.dtype == np.float32
    np.testing.assert_allclose(runs[1].final.position, runs[0].final.position, atol=1e-5)
    # From its end a run goes on: its particles are Gaussians already.
    more = mf.simulate(flow, runs[0].final, scheme=mf.Heun(0.1), until=0.5)
    whole = mf.simulate(flow, start, scheme=mf.Heun(0.1), until=1.5)
    np.testing.assert_allclose(more.final.position, whole.final.position, rtol=1e-13)


def test_from_an_experiment_file():
    tables = {
        "network": {"activation": "tanh"},
        "data": {"kind": "arrays", "x": [[0.5], [1.0], [2.0]], "y": [1.0, 2.0, 3.0]},
        "energy": {"l2": 0.1, "temperature": 0.1},
        "ensemble": {"count": 3},
        "flow": {"kind": "bures-wasserstein", "width": 0.2},
        "scheme": {"kind": "heun", "step": 0.05},
        "run": {"until": 0.3},
    }
    run = mf.Experiment(tables).run()
    assert run.final.layout == mf.Layout({"mean": (2,), "root": (2, 2)})
    np.testing.assert_allclose(mf.covariances(run.frames[0]), [0.04 * np.eye(2)] * 3)
    assert np.all(np.diff(run["energy"]) < 0)


@pytest.mark.parametrize(("dim", "degree"), [(1, 3), (4, 3), (1, 9), (3, 5), (2, 8)])
def test_rules_are_exact_up_to_their_degree(dim, degree):
    nodes, weights = gaussian_rule(dim, degree)
    exact = {0: 1, 2: 1, 4: 3, 6: 15, 8: 105}
    for power in range(degree + 1):
        found = weights @ nodes**power
        np.testing.assert_allclose(found, exact.get(power, 0), rtol=1e-12, atol=1e-10)
    np.testing.assert_allclose((weights * nodes.T) @ nodes, np.eye(dim), atol=1e-13)


def test_what_is_refused():
    with pytest.raises(InvalidInput, match=r"^degree = 1: expected a whole number ≥ 2"):
        BuresWasserstein(BOWL, degree=1)
    with pytest.raises(InvalidInput, match=r"^degree = 9: expected 3, which has few nodes in 8"):
        gaussian_rule(8, 9)
    with pytest.raises(InvalidInput, match=r"^covariance = .*: expected symmetric and positive"):
        mf.gaussian_particles(np.zeros((1, 2)), [[1.0, 2.0], [2.0, 1.0]])
    with pytest.raises(InvalidInput, match=r"^covariance = \(3,\): expected a number, or an array"):
        mf.gaussian_particles(np.zeros((1, 2)), [1.0, 2.0, 3.0])
    warm = BuresWasserstein(BOWL + mf.Entropy(), width=0.0)
    with pytest.raises(InvalidInput, match=r"^det root = 0\.0: expected an invertible root"):
        mf.simulate(warm, mf.Ensemble(np.zeros((2, 2))), scheme=mf.Euler(0.1), until=1.0)
    risk = mf.Risk(mf.TwoLayer("tanh", 1, outer="fixed"), mf.FiniteData([[1.0]], [1.0]))
    start = mf.NormalInit(3).draw(risk.network.layout, 0)
    with pytest.raises(Unsupported, match=r"whole Gaussians, and a is to stay"):
        mf.simulate(BuresWasserstein(risk), start, scheme=mf.Euler(0.1), until=1.0)
    with pytest.raises(InvalidInput, match=r"^mobility\.w = 2\.0: expected a block of x$"):
        mf.simulate(
            *(BuresWasserstein(BOWL, {"w": 2.0}), two_gaussians()),
            scheme=mf.Euler(0.1),
            until=1.0,
        )
