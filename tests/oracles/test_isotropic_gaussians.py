"""Two isotropic Gaussians that differ in scale, by radii alone (Mei, Montanari & Nguyen 2018).

A law of neurons that is invariant under rotations is a law of radii. Their risk is twice ours,
and their time half of ours.
"""

import numpy as np
import pytest
from scipy import stats

from meanfield.data import FiniteData
from meanfield.flows import Wasserstein
from meanfield.functionals import Risk
from meanfield.initial import QuantileInit
from meanfield.networks import TwoLayer
from meanfield.schedules import at
from meanfield.schemes import RK4
from meanfield.simulation import simulate
from tests.conftest import size

RADII = {"law": "radial-normal", "scale": 0.8, "dim": 40}


def _risks(activation, data, times, count, step):
    """Twice the risk at the given times, in the time of the paper."""
    network = TwoLayer(activation, 1, outer="fixed")
    run = simulate(
        *(Wasserstein(Risk(network, data)), QuantileInit(count, **RADII)),
        scheme=RK4(step),
        until=2 * times[-1],
        observe_when=at([2 * time for time in times]),
        frames={"evenly": 2},
    )
    series = 2 * run["risk"]
    return np.array([float(series.sel(time=2 * t, method="nearest")) for t in times])


def test_infinite_dimension():
    times, expected = [0.1, 0.3, 1.0, 3.0, 10.0], [0.5971, 0.3654, 0.34135, 0.34121, 0.34115]
    keep = size(5, 2)
    data = FiniteData([[1.2], [0.8]], [1.0, -1.0])
    found = _risks("averaged-ramp", data, times[:keep], size(200, 40), size(0.02, 0.05))
    np.testing.assert_allclose(found, expected[:keep], rtol=0, atol=size(6e-5, 2e-3))


def test_start_in_infinite_dimension():
    """E ramp by quadrature over the normal law, without the activation's own formula."""

    def ramp(t):
        return np.clip(-2.5 + 10 * (t - 0.5), -2.5, 7.5)

    radii = 0.8 * np.sqrt(stats.chi2.ppf((np.arange(20) + 0.5) / 20, 40) / 40)
    z = np.linspace(-9, 9, 20_001)
    law = stats.norm.pdf(z) * (z[1] - z[0])
    outputs = [np.mean([law @ ramp(s * r * z) for r in radii]) for s in (1.2, 0.8)]
    data = FiniteData([[1.2], [0.8]], [1.0, -1.0])
    network = TwoLayer("averaged-ramp", 1, outer="fixed")
    start = QuantileInit(20, **RADII).draw(network.layout, 0)
    assert Risk(network, data).value(start) == pytest.approx(
        0.25 * ((1 - outputs[0]) ** 2 + (1 + outputs[1]) ** 2), abs=1e-6
    )


# Twice the risk at Δ = 0.8 and times 0.1, 1, 3, by an independent program: NumPy, SciPy's betainc
# and DOP853 at 1e-9; for 60 quantiles and 24 nodes, and for 20 quantiles and 16 nodes.
BY_SCIPY = size([1.3390061, 1.0706579, 0.9499327], [1.3390864])


def test_dimension_forty():
    # |x| is τ times a chi-distributed number of 40 degrees of freedom.
    edges = stats.chi.ppf([1e-14, 1 - 1e-14], 40)
    nodes, weights = np.polynomial.legendre.leggauss(size(24, 16))
    chi = 0.5 * np.diff(edges) * (nodes + 1) + edges[0]
    weights = weights * stats.chi.pdf(chi, 40)
    weights /= 2 * weights.sum()
    data = FiniteData(
        np.concatenate([1.8 * chi, 0.2 * chi])[:, None],
        np.repeat([1.0, -1.0], len(chi)),
        np.concatenate([weights, weights]),
    )
    activation, times = {"kind": "sphere-ramp", "dim": 40}, [0.1, 1.0, 3.0][: len(BY_SCIPY)]
    found = _risks(activation, data, times, size(60, 20), 0.04)
    np.testing.assert_allclose(found, BY_SCIPY, rtol=0, atol=2e-6)
    # From many more quantiles, to the four digits known of them.
    np.testing.assert_allclose(found, [1.3390, 1.0706, 0.9496][: len(times)], rtol=0, atol=4e-4)
