"""Clusters: where their inputs are, and what is refused."""

import numpy as np
import pytest
from scipy import stats

import meanfield as mf
from meanfield.errors import InvalidInput, Unsupported

CENTRES = [[-2.0, 0.0], [2.0, 1.0], [0.0, 5.0]]


def test_balls_in_some_coordinates_and_noise_in_the_others(rng):
    law = mf.Clusters(5, CENTRES, radius=0.5, noise=2.0)
    x, component = law.draw(20_000, rng)
    counts = np.bincount(component.astype(int))
    assert stats.chisquare(counts).pvalue > 1e-3
    away = x[:, :2] - np.array(CENTRES)[component.astype(int)]
    distance = np.linalg.norm(away, axis=1)
    # Uniform in a disc: the square of the distance is uniform, and so is the angle.
    assert stats.kstest((distance / 0.5) ** 2, "uniform").pvalue > 1e-3
    angle = np.arctan2(away[:, 1], away[:, 0])
    assert stats.kstest(angle, "uniform", (-np.pi, 2 * np.pi)).pvalue > 1e-3
    for column in x[:, 2:].T:
        assert stats.kstest(column, "uniform", (-2.0, 4.0)).pvalue > 1e-3
    assert np.abs(np.corrcoef(x.T)[2:, :2]).max() < 4 / np.sqrt(len(x))


def test_labels_are_those_of_the_cluster():
    law = mf.Clusters(3, CENTRES).labelled_by(mf.Labels([1.0, -1.0, 1.0]))
    data = law.sample(50, seed=3, test=10)
    number = [CENTRES.index(list(row)) for row in data.x[:, :2]]  # of radius 0: points
    assert data.y[:, 0].tolist() == [(1.0, -1.0, 1.0)[k] for k in number]
    assert len(data.test) == 10
    with pytest.raises(Unsupported, match=r"^no closed form .* for inputs from a clusters"):
        mf.Risk(mf.TwoLayer("relu", 3), law)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"centres": []}, r"^centres = \[\]: expected one point of 1 to 3 coordinates"),
        ({"centres": [[0.0], [0.0, 1.0]]}, "expected one point of 1 to 3 coordinates"),
        ({"centres": [[0.0] * 4]}, "expected one point of 1 to 3 coordinates for each cluster$"),
        ({"centres": [[np.nan]]}, "expected finite numbers$"),
        ({"centres": [[0.0]], "radius": -1.0}, "^radius = -1.0: expected a finite number ≥ 0$"),
        ({"centres": [[0.0]], "noise": np.inf}, "^noise = inf: expected a finite number ≥ 0$"),
    ],
)
def test_clusters_that_make_no_sense(arguments, message):
    with pytest.raises(InvalidInput, match=message):
        mf.Clusters(3, **arguments)
