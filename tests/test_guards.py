"""What must stay true while an energy descends."""

import numpy as np
import pytest

from meanfield.ensemble import Ensemble
from meanfield.errors import Diverged
from meanfield.guards import check_finite


def _before():
    return Ensemble([[1.0, 0.0], [3.0, 4.0], [0.0, 2.0]], time=1.5, step=15)


@pytest.mark.parametrize("lost", [np.nan, np.inf, -np.inf])
def test_the_first_lost_particle_is_named_with_step_time_and_remedy(lost):
    after = np.array([[1.0, 0.0], [0.0, lost], [lost, lost]])
    with pytest.raises(Diverged) as caught:
        check_finite(_before(), after, 0.1)
    assert str(caught.value) == (
        "step 16 (time 1.5): 2 of 3 particles are no longer finite, the first is number 1 "
        "(|θ| was 5); try a smaller step than 0.1"
    )


def test_infinities_of_both_signs_do_not_cancel():
    with pytest.raises(Diverged, match="2 of 3 particles"), np.errstate(invalid="ignore"):
        check_finite(_before(), np.array([[np.inf, 0], [-np.inf, 0], [0, 0]]), 0.1)


def test_large_particles_are_not_lost():
    check_finite(_before(), np.zeros((3, 2)), 0.1)
    with np.errstate(over="ignore"):
        check_finite(_before(), np.full((3, 2), 1e308), 0.1)
