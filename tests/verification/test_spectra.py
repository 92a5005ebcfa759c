"""Relaxation rates agree with the gap, and do not with that of another learning rate."""

import numpy as np
import pytest

from meanfield.kernels.compile import DISABLED
from meanfield.verification import spectra, systems


def test_rates_are_gaps(monkeypatch):
    if DISABLED:
        small = spectra.Size(10, 3, 0.5)
        monkeypatch.setattr(systems["learning-rate-as-temperature"], "quick", small)
        # The mean of few particles may have any sign.
        monkeypatch.setattr(spectra, "_relaxation", lambda *given: np.zeros(3))
    found = list(systems["learning-rate-as-temperature"]().compare(full=False))
    exact = [one.exact for one in found]
    assert exact == pytest.approx([0.134778, 0.0335453, 1.0, 1.0], rel=1e-4)
    assert [str(one) for one in found if not one.passes] == [] or DISABLED
    # The two learning rates are told apart.
    assert abs(exact[0] - exact[1]) > found[0].allowed + found[1].allowed or DISABLED
