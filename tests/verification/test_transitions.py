"""Dawson's transition: the particles agree on both sides of it, and not with each other's side."""

import pytest

from meanfield.kernels.compile import DISABLED
from meanfield.verification import systems
from meanfield.verification.transitions import Size


def test_particles_agree_on_both_sides(monkeypatch):
    if DISABLED:
        small = Size(12, 3, 0.25, 2.0, 4, 1.0)
        monkeypatch.setattr(systems["dawson"], "quick", small)
    found = list(systems["dawson"]().compare(full=False))
    assert len(found) == 6
    means = [one.exact for one in found if one.quantity.startswith("mean")]
    assert means[0] == pytest.approx(0.7504960620269)
    assert means[1] == pytest.approx(0.0, abs=1e-9)
    assert [str(one) for one in found if not one.passes] == [] or DISABLED
