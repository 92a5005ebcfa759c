"""Every registered system agrees with its oracle; and one with a wrong factor does not."""

import numpy as np
import pytest

from meanfield.flows import Flow
from meanfield.flows.fisher_rao import Reacting
from meanfield.flows.langevin import Langevin
from meanfield.kernels.compile import DISABLED
from meanfield.limits import oracles
from meanfield.verification import systems, verify

# Of those that take seconds for real, what is left when kernels are plain Python.
LIGHT = ("bures-wasserstein", "fisher-rao")


# More is asked of these, each once, in the files named after their oracles.
ELSEWHERE = (
    *("aggregation", "aggregation-diffusion", "aggregation-diffusion-plane"),
    *("neurons-on-samples", "dawson", "learning-rate-as-temperature"),
)


@pytest.mark.parametrize("name", [name for name in systems if name not in ELSEWHERE])
def test_system_agrees_with_its_oracle(name):
    if DISABLED and name not in LIGHT:
        pytest.skip("takes minutes without compiled kernels")
    (verdict,) = verify([name])
    assert verdict.passes, str(verdict)
    assert len(verdict.comparisons) >= 1
    for found in verdict.comparisons:
        # What is stated is of the quantity, and not so wide that all passes.
        assert found.tolerance < 0.15
        assert np.isfinite(found.allowed)


NOISY = ("linear-neurons", "mckean-vlasov")


@pytest.mark.skipif(DISABLED, reason="takes minutes without compiled kernels")
@pytest.mark.parametrize("name", NOISY)
def test_noise_of_half_the_variance_is_found(name, monkeypatch):
    right = Langevin.noise

    def wrong(self, layout, time=0.0):
        found = right(self, layout, time)
        return None if found is None else np.sqrt(0.5) * found

    monkeypatch.setattr(Langevin, "noise", wrong)
    (verdict,) = verify([name])
    assert not verdict.passes
    assert not verdict.failure


DETERMINISTIC = ("two-gaussians", "fisher-rao", "linear-network", "relu-teacher")


@pytest.mark.skipif(DISABLED, reason="takes minutes without compiled kernels")
@pytest.mark.parametrize("name", DETERMINISTIC)
def test_another_speed_is_found(name, monkeypatch):
    descent, reaction = Flow.descent, Reacting.reaction
    monkeypatch.setattr(Flow, "descent", lambda *given: 1.02 * descent(*given))
    monkeypatch.setattr(Reacting, "reaction", lambda *given: 1.02 * reaction(*given))
    (verdict,) = verify([name])
    assert not verdict.passes
    assert not verdict.failure


def test_every_oracle_says_what_it_is():
    for name in oracles:
        assert oracles[name].__doc__
        assert oracles[name].kind == name
