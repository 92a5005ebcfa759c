"""Self-consistency: its equation and branches, and Dawson's critical temperature by four routes."""

import math

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.optimize import brentq
from scipy.special import gamma, kv

from meanfield.errors import InvalidInput
from meanfield.limits import SelfConsistency, SelfConsistent

DAWSON = SelfConsistency(lambda x: (x**4 / 4 - x**2 / 2).sum(axis=1), 1.0)


def integral(power, mean, temperature):
    def density(x):
        return x**power * math.exp(-(x**4 / 4 - mean * x) / temperature)

    return quad(density, -8, 8, epsabs=1e-14, epsrel=1e-12, limit=500)[0]


def test_states_against_another_quadrature():
    """With θ = 1 the quadratic terms of Dawson's potential cancel: ρ ∝ exp(-(x⁴/4 - mx)/τ)."""
    mean, temperature = 0.4, 0.3
    state = DAWSON.state(mean, temperature)
    moments = [integral(k, mean, temperature) for k in range(5)]
    first, second, fourth = (moments[k] / moments[0] for k in (1, 2, 4))
    assert state.mean == pytest.approx(first, rel=1e-11)
    assert state.second_moment == pytest.approx(second, rel=1e-11)
    assert state.potential == pytest.approx(fourth / 4 - second / 2, rel=1e-10)
    entropy = -(fourth / 4 - mean * first) / temperature - math.log(moments[0])
    assert state.entropy == pytest.approx(entropy, rel=1e-11)
    assert state.slope == pytest.approx((second - first**2) / temperature, rel=1e-10)
    step = 1e-5
    shifted = [DAWSON.state(mean, temperature + s * step).mean for s in (1, -1)]
    assert state.heating == pytest.approx((shifted[0] - shifted[1]) / (2 * step), rel=1e-7)


def test_the_critical_temperature_by_four_routes():
    found = DAWSON.critical_temperature()
    # For θ = 1 in closed form: Var of exp(-x⁴/4τ) is 2√τ Γ(3/4)/Γ(1/4), so √τ is that number.
    closed = (2 * gamma(0.75) / gamma(0.25)) ** 2
    assert found == pytest.approx(closed, rel=1e-12)
    # Where the branch of magnetised states turns.
    branch = DAWSON.branch(1.0, (0.3, 0.6))
    assert branch.temperature.max() == pytest.approx(found, abs=1e-4)
    # m² falls linearly to 0.
    temperatures = found * (1 - np.array([1e-3, 2e-3, 4e-3]))
    squares = [DAWSON.roots(t)[-1] ** 2 for t in temperatures]
    line = np.polyfit(squares, temperatures, 2)
    assert line[-1] == pytest.approx(found, abs=1e-6)
    # Where the sign of the stability of the symmetric state changes.
    assert SelfConsistent(DAWSON.potential, 1.0, 1.01 * found, near=0.0).at()["stability"] > 0
    assert SelfConsistent(DAWSON.potential, 1.0, 0.99 * found, near=0.0).at()["stability"] < 0


@pytest.mark.parametrize("coupling", [0.5, 2.0])
def test_another_coupling_against_bessel_functions(coupling):
    """Moments by quad; for a = θ - 1 > 0, ∫exp(-(x⁴/4 + ax²/2)/τ) is a Bessel function K_¼."""
    equation = SelfConsistency(DAWSON.potential, coupling)
    found = equation.critical_temperature()
    a = coupling - 1.0

    def variance(temperature):
        def weight(x, power):
            return x**power * math.exp(-(x**4 / 4 + a * x**2 / 2) / temperature)

        return quad(weight, -9, 9, (2,))[0] / quad(weight, -9, 9, (0,))[0]

    root = brentq(lambda t: coupling * variance(t) - t, 0.5 * found, 2 * found, xtol=1e-12)
    assert found == pytest.approx(root, rel=1e-8)
    if a > 0:
        # Var = -2τ d/da log Z.
        def log_z(a):
            z = a**2 / (8 * found)
            return math.log(math.sqrt(a / 2) * math.exp(z) * kv(0.25, z))

        slope = (log_z(a + 1e-5) - log_z(a - 1e-5)) / 2e-5
        assert -2 * found * slope * coupling == pytest.approx(found, rel=1e-7)


def test_three_states_below_and_one_above():
    critical = DAWSON.critical_temperature()
    for share in (0.3, 0.9, 0.9999):
        low, middle, high = DAWSON.roots(share * critical)
        assert abs(middle) < 1e-9
        assert low == pytest.approx(-high, abs=1e-9)
        slopes = [DAWSON.state(m, share * critical).slope for m in (low, middle, high)]
        assert slopes[0] < 1 < slopes[1]
        assert slopes[2] < 1
    for share in (1.0001, 2.0, 10.0):
        (only,) = DAWSON.roots(share * critical)
        assert abs(only) < 1e-9


def test_both_branches_with_their_stability():
    critical = DAWSON.critical_temperature()
    ordered = DAWSON.branch(1.0, (0.2, 0.8))
    assert ordered.mean.max() > 0.8
    assert ordered.mean.min() < -0.8
    assert ordered.stable.mean() > 0.95  # all but where it crosses the symmetric branch
    for tau, mean in zip(ordered.temperature, ordered.mean, strict=True):
        assert DAWSON.state(mean, tau).mean == pytest.approx(mean, abs=1e-11)
    symmetric = DAWSON.branch(0.0, (0.2, 0.8))
    np.testing.assert_allclose(symmetric.mean, 0.0, atol=1e-9)
    np.testing.assert_array_equal(symmetric.stable, symmetric.temperature > critical)


def test_a_branch_passes_folds():
    """In tilted wells the two branches are apart; one of them folds, and changes its stability."""
    tilted = SelfConsistency(lambda x: (x**4 / 4 - x**2 / 2 - 0.02 * x).sum(axis=1), 1.0)
    assert len(tilted.roots(0.2)) == 3
    branch = tilted.branch(-1.0, (0.2, 0.8))
    fold = int(branch.temperature.argmax())
    assert branch.stable[: fold - 1].all()
    assert not branch.stable[fold + 2 :].any()
    assert branch.temperature[-1] < 0.25
    upper = tilted.branch(1.0, (0.2, 0.8))
    assert upper.stable.all()
    assert upper.mean.min() > 0


def test_the_state_has_the_least_free_energy_nearby():
    """m ↦ F(ρ_m), along the states in the field of any mean, is stationary at the solution."""
    temperature = 0.25

    def free_energy(mean):
        state = DAWSON.state(mean, temperature)
        spread = state.second_moment - state.mean**2
        return state.potential + 0.5 * spread + temperature * state.entropy

    limit = SelfConsistent(DAWSON.potential, 1.0, temperature).at()
    mean = limit["mean"].item()
    assert free_energy(mean) == pytest.approx(limit["free_energy"][0], abs=1e-13)
    around = [free_energy(mean + shift) for shift in (-1e-3, 1e-3)]
    assert min(around) > limit["free_energy"][0]
    assert abs(around[0] - around[1]) / 2e-3 < 1e-5
    energy = limit["potential"] + limit["interaction"]
    np.testing.assert_allclose(limit["energy"], energy)
    assert max(float(np.max(limit.error(name))) for name in limit.series) < 1e-11


def test_the_susceptibility_is_the_response_to_a_field():
    """dm/dε of V - εx is Var/(1 - θ Var/τ)/τ."""
    temperature, field = 0.25, 1e-5

    def mean(strength):
        def tilted(x):
            return DAWSON.potential(x) - strength * x[:, 0]

        return SelfConsistent(tilted, 1.0, temperature).at()["mean"].item()

    response = (mean(field) - mean(-field)) / (2 * field)
    limit = SelfConsistent(DAWSON.potential, 1.0, temperature).at()
    assert response * temperature == pytest.approx(limit["susceptibility"][0], rel=1e-6)


def test_what_is_wrong_is_told():
    with pytest.raises(InvalidInput, match="V\\(x\\) = V\\(-x\\)"):
        SelfConsistency(lambda x: (x**2 - x).sum(axis=1), 1.0).critical_temperature()
    with pytest.raises(InvalidInput, match="one transition between"):
        DAWSON.critical_temperature(1.0, 2.0)
    with pytest.raises(InvalidInput, match="dx < ∞"):
        SelfConsistency(lambda x: -(x**2).sum(axis=1), 1.0).state(0.0, 1.0)
    with pytest.raises(InvalidInput, match=r"shape = \(1600, 1\): expected \(1600,\)"):
        SelfConsistency(lambda x: x**4, 1.0).roots(0.3)
    for step, within, said in ((0.0, (0.1, 0.2), "step = 0"), (0.1, (0.2, 0.1), "0 < low < high")):
        with pytest.raises(InvalidInput, match=said):
            DAWSON.branch(1.0, within, step)
    for wrong in ({"temperature": -1.0}, {"near": np.nan}, {"nodes": 16}):
        with pytest.raises(InvalidInput, match=f"{next(iter(wrong))} = .*expected"):
            SelfConsistent(
                **({"potential": DAWSON.potential, "coupling": 1.0, "temperature": 0.2} | wrong)
            )
    with pytest.raises(InvalidInput, match="infinity: it is a stationary state"):
        SelfConsistent(DAWSON.potential, 1.0, 0.2).at([1.0])
