"""Independent neurons from a measure, and the path norm that a flow ends with, in closed form.

What the shipped experiment `barron` claims is computed here by other routes than the simulation.
"""

import math
import tomllib
from pathlib import Path

import numpy as np
import pytest
from scipy.integrate import quad

import meanfield as mf
from tests.conftest import size

FILE = Path(__file__).parents[2] / "experiments" / "barron.toml"
BARRON = tomllib.loads(FILE.read_text(encoding="utf-8"))


def kernel(angle):
    """E <w, x>_+ <v, x>_+ of unit vectors at an angle (Cho and Saul 2009)."""
    return (math.sin(angle) + (math.pi - angle) * math.cos(angle)) / (2 * math.pi)


def alike(dim):
    """∬ K dρdρ = E f*² for ρ uniform on the unit sphere: the angle has the density sin^(d-2)."""

    def weighted(f):
        return quad(lambda t: f(t) * math.sin(t) ** (dim - 2), 0, math.pi, epsabs=1e-14)[0]

    return weighted(kernel) / weighted(lambda t: 1.0)


def maurey(dim):
    """N E risk of N independent neurons: ½ (∫ K(w, w) dρ - ∬ K dρdρ)."""
    return 0.5 * (kernel(0.0) - alike(dim))


def risk_of(dim):
    """The risk against the mean over all directions; its path norm is 1."""
    target = mf.Norm(math.sqrt(alike(dim) / dim))
    return mf.Risk(mf.TwoLayer("relu", dim), mf.Gaussian(dim).labelled_by(target))


@pytest.mark.parametrize("dim", [2, 10])
def test_independent_neurons_have_maureys_risk(dim):
    risk, count, seeds = risk_of(dim), 5, size(2000, 200)
    law = mf.SphereInit(count, scale={"a": 0.0}, mean={"a": 1.0})
    found = np.array(
        [count * risk.value(law.draw(risk.network.layout, seed)) for seed in range(seeds)]
    )
    error = found.std() / math.sqrt(seeds)
    assert error < size(0.03, 0.1) * maurey(dim)
    assert abs(found.mean() - maurey(dim)) < 4 * error


@pytest.mark.parametrize("dim", [2, 10])
def test_the_target_is_the_mean_over_all_directions(dim):
    """Then a neuron alone has the risk ½ (K - 2 E K + E K), and F' = K - E K, wherever it looks."""
    risk = risk_of(dim)
    one = risk.network.ensemble(w=[np.eye(dim)[0]], a=[1.0])
    assert risk.evaluate(one).variation[0] == pytest.approx(2 * maurey(dim), rel=1e-10)
    assert risk.value(one) == pytest.approx(maurey(dim), rel=1e-10)


@pytest.mark.parametrize(("variant", "dim"), [("drawn", 10), ("plane-drawn", 2)])
def test_the_shipped_claims_are_maureys(variant, dim):
    (claim,) = [claim for claim in BARRON["claims"] if claim["of"] == variant]
    assert claim["value"] == pytest.approx(maurey(dim) / BARRON["ensemble"]["count"], rel=1e-6)
    data = BARRON["data"] | BARRON["variants"][variant].get("data", {})
    assert data["dim"] == dim
    assert data["target"]["scale"] == pytest.approx(math.sqrt(alike(dim) / dim), rel=1e-12)


@pytest.mark.parametrize("alpha", [0.1, 1.0, 10.0])
def test_rich_starts_find_the_least_path_norm_and_lazy_ones_keep_theirs(alpha):
    """On the line the two directions are all there are: four neurons are infinitely many."""
    network, root, exact = mf.TwoLayer("relu", 1), math.sqrt(alpha), math.sqrt(1 + alpha**2)
    start = network.ensemble(w=[[root], [root], [-root], [-root]], a=[root, -root, root, -root])
    risk = mf.Risk(network, mf.Gaussian(1).labelled_by(mf.Norm(0.5)))
    run = mf.simulate(
        mf.Wasserstein(risk),
        mf.Given(start),
        scheme=mf.RK4(step=size(0.25, 0.5) / exact),
        until=size(60.0, 25.0) / exact,
        observe=[mf.Energy(), mf.PathNorm()],
        observe_when=mf.at([]),
    )
    assert float(run["risk"][-1]) < size(1e-12, 1e-4)
    assert float(run["path_norm"][-1]) == pytest.approx(exact, rel=size(1e-6, 1e-2))
    (claim,) = [
        claim
        for claim in BARRON["claims"]
        if claim["of"] == f"alpha-{alpha:g}" and claim["series"] == "path_norm"
    ]
    assert claim["value"] == pytest.approx(exact, abs=1e-6)
    scale = BARRON["variants"][claim["of"]]["ensemble"]["scale"]
    assert scale == pytest.approx({"a": root, "w": root})
