"""Laws of the inputs: their moments, and what they refuse."""

import numpy as np
import pytest

import meanfield as mf
from meanfield.errors import InvalidInput

COUNT = 40_000
SHEARED = [[1.3, 0.4], [0.4, 0.5]]


def assert_moments(x, mean, covariance):
    """Within 4 standard errors, estimated from the sample itself."""
    error = x.std(axis=0) / np.sqrt(len(x))
    assert (np.abs(x.mean(axis=0) - mean) <= 4 * error).all()
    centred = x - mean
    products = centred[:, :, None] * centred[:, None, :]
    error = products.std(axis=0) / np.sqrt(len(x))
    assert (np.abs(products.mean(axis=0) - covariance) <= 4 * error + 1e-15).all()


@pytest.mark.parametrize(
    ("covariance", "matrix"),
    [
        (1.0, np.eye(2)),
        (0.25, 0.25 * np.eye(2)),
        ([0.0, 2.0], np.diag([0.0, 2.0])),
        (SHEARED, SHEARED),
        ([[1.0, 2.0], [2.0, 4.0]], [[1.0, 2.0], [2.0, 4.0]]),  # singular
    ],
)
def test_gaussian(covariance, matrix, rng):
    law = mf.Gaussian(2, [0.5, -2.0], covariance)
    np.testing.assert_allclose(law.root @ law.root.T, matrix, atol=1e-14)
    x, component = law.draw(COUNT, rng)
    assert_moments(x, [0.5, -2.0], matrix)
    assert not component.any()


def test_gaussian_has_gaussian_tails(rng):
    x, _ = mf.Gaussian(1).draw(COUNT, rng)
    for power, moment in ((3, 0.0), (4, 3.0), (6, 15.0)):
        sample = x[:, 0] ** power
        assert abs(sample.mean() - moment) < 4 * sample.std() / np.sqrt(COUNT)


def test_mixture(rng):
    law = mf.GaussianMixture(2, [[1.0, 0.0], [0.0, -3.0]], [0.5, SHEARED], [0.3, 0.7])
    x, component = law.draw(COUNT, rng)
    share = component.mean()
    assert abs(share - 0.7) < 4 * np.sqrt(0.21 / COUNT)
    assert_moments(x[component == 0], [1.0, 0.0], 0.5 * np.eye(2))
    assert_moments(x[component == 1], [0.0, -3.0], SHEARED)
    weights, means, roots = zip(*law.components(), strict=True)
    assert weights == (0.3, 0.7)
    assert np.array(means).tolist() == [[1.0, 0.0], [0.0, -3.0]]
    np.testing.assert_allclose(roots[1] @ roots[1].T, SHEARED)


def test_defaults_of_a_mixture():
    law = mf.GaussianMixture(3, covariances=[1.0, 4.0])
    assert law.probabilities.tolist() == [0.5, 0.5]
    assert [mean.tolist() for _, mean, _ in law.components()] == [[0.0] * 3] * 2


def test_hypercube(rng):
    law = mf.Hypercube(3)
    x, _ = law.draw(COUNT, rng)
    assert set(np.unique(x)) == {-1.0, 1.0}
    assert_moments(x, np.zeros(3), np.eye(3))
    corners = law.corners()
    assert corners.shape == (8, 3)
    assert {tuple(row) for row in corners} == {
        (a, b, c) for a in (-1, 1) for b in (-1, 1) for c in (-1, 1)
    }


@pytest.mark.parametrize(("law", "radius"), [(mf.Sphere(4), 2.0), (mf.Sphere(3, 5.0), 5.0)])
def test_sphere(law, radius, rng):
    x, _ = law.draw(COUNT, rng)
    np.testing.assert_allclose(np.linalg.norm(x, axis=1), radius)
    assert_moments(x, np.zeros(law.dim), radius**2 / law.dim * np.eye(law.dim))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: mf.Gaussian(0), "dim = 0: expected a whole number ≥ 1"),
        (lambda: mf.Gaussian(2, [1.0]), r"mean = \[1.0\]: expected 2 numbers"),
        (lambda: mf.Gaussian(2, (), -1.0), "covariance = -1.0: expected variances ≥ 0"),
        (lambda: mf.Gaussian(2, (), [1.0]), "covariance = .*expected 1 or 2 variances"),
        (lambda: mf.Gaussian(2, (), [[1, 2], [0, 1]]), "covariance = .*a symmetric matrix"),
        (lambda: mf.Gaussian(2, (), [[1, 2], [2, 1]]), "covariance = .*eigenvalues ≥ 0"),
        (lambda: mf.Gaussian(2, (), np.eye(3)), r"covariance = \(3, 3\): expected the shape"),
        (lambda: mf.Gaussian(2, (), float("nan")), "covariance = nan: expected finite"),
        (lambda: mf.GaussianMixture(2), "means = .*at least one component"),
        (lambda: mf.GaussianMixture(2, [[0, 0]], [1, 2]), "means = .*one entry for each of 2"),
        (lambda: mf.GaussianMixture(1, [[0], [1]], (), [0.5, 0.6]), "weights that sum to 1"),
        (lambda: mf.GaussianMixture(1, [[0], [1]], (), [1.5, -0.5]), "weights = .*weights ≥ 0"),
        (lambda: mf.GaussianMixture(2, [[0, 0], [1]]), r"mean = \[1\]: expected 2 numbers"),
        (lambda: mf.Hypercube(1.5), "dim = 1.5"),
        (lambda: mf.Sphere(3, -1.0), "radius = -1.0: expected a finite number > 0"),
    ],
)
def test_laws_that_make_no_sense(make, message):
    with pytest.raises(InvalidInput, match=message):
        make()


# Samples and streams.


@pytest.fixture
def law():
    return mf.GaussianMixture(2, covariances=[0.5, 2.0]).labelled_by(mf.Labels([2.0, -1.0]))


def test_labels_follow_the_component(law):
    data = law.sample(COUNT, seed=1)
    for value, variance in ((2.0, 0.5), (-1.0, 2.0)):
        assert_moments(data.x[data.y[:, 0] == value], np.zeros(2), variance * np.eye(2))
    assert (law.dim, law.outputs) == (2, 1)


def test_a_sample_is_a_function_of_its_seed(law):
    a, b, c = law.sample(50, seed=3), law.sample(50, seed=3), law.sample(50, seed=4)
    assert (a.x == b.x).all()
    assert (a.y == b.y).all()
    assert not (a.x == c.x).any()


def test_a_held_out_part_is_another_sample(law):
    data = law.sample(50, seed=3, test=20)
    assert (len(data), len(data.test)) == (50, 20)
    assert not set(data.x[:, 0]) & set(data.test.x[:, 0])
    assert data.test.weights == pytest.approx(np.full(20, 1 / 20))


def test_a_stream_is_a_function_of_seed_and_step(law):
    stream = law.stream(batch=6, seed=3, test=9)
    assert (stream.dim, stream.outputs, len(stream.test)) == (2, 1, 9)
    a, b, c = stream.at(10), stream.at(10), stream.at(11)
    assert (a.x == b.x).all()
    assert len(a) == 6
    assert not (a.x == c.x).any()
    assert not (a.x == law.stream(batch=6, seed=4).at(10).x).any()
    # The batches are no part of the sample of the same seed.
    assert not set(law.sample(50, seed=3).x[:, 0]) & set(stream.at(0).x[:, 0])


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda law: law.sample(0), "samples = 0"),
        (lambda law: law.sample(5, test=-1), "test = -1"),
        (lambda law: law.sample(5, seed=-1), "seed = -1"),
        (lambda law: law.stream(0), "batch = 0"),
        (lambda law: law.stream(2.5), "batch = 2.5"),
        (lambda law: law.stream(2, seed=2**63), "seed = "),
    ],
)
def test_counts_and_seeds(law, make, message):
    with pytest.raises(InvalidInput, match=message):
        make(law)
