"""The Bures-Wasserstein distance: what W₂ sees of means and covariances."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from meanfield.arrays import Array, scaled
from meanfield.errors import require
from meanfield.transport.base import Cost, Distance, Method, Potentials, methods
from meanfield.transport.measures import Measure


@methods.register("bures")
@dataclass(frozen=True)
class Bures(Method):
    """W₂ between the Gaussians with the means and covariances of the two measures.

    It is a lower bound of W₂ (Gelbrich 1990), and W₂ itself between Gaussians and between affine
    images of one law under symmetric positive maps. Covariances may have any rank.

    References
    ----------
    M. Gelbrich, Mathematische Nachrichten 1990; R. Bhatia, T. Jain, Y. Lim, Expositiones
    Mathematicae 2019 (the best rotation).
    """

    def cost(self, first: int, second: int, dim: int) -> Cost:
        numbers = float(first + second) * dim
        return Cost(1e-9 * numbers * dim + 3e-9 * dim**3, 4e-8 * numbers)

    def between(self, first: Measure, second: Measure, near: Potentials | None = None) -> Distance:
        (m, root), (n, other) = (_of_points(each) for each in (first, second))
        return Distance(_apart(m, root, n, other), self, status="closed form")


def gaussian_distance(
    mean: ArrayLike, covariance: ArrayLike, other_mean: ArrayLike, other_covariance: ArrayLike
) -> float:
    """W₂ between two Gaussians: (|m - n|² + tr A + tr B - 2 tr (A^½ B A^½)^½)^½.

    Parameters
    ----------
    mean, other_mean : (p,) arrays
    covariance, other_covariance : (p, p) arrays
        Symmetric and positive semidefinite, of any rank.

    Raises
    ------
    InvalidInput
        If a covariance is not such a matrix.
    """
    means = [np.atleast_1d(np.asarray(m, dtype=float)) for m in (mean, other_mean)]
    for each in means:
        require(bool(np.isfinite(each).all()), "mean", each, "finite numbers")
    roots = [
        _root(np.atleast_2d(np.asarray(c, dtype=float))) for c in (covariance, other_covariance)
    ]
    shapes = {(len(m), len(m)) for m in means} | {root.shape for root in roots}
    require(len(shapes) == 1, "covariance", sorted(shapes), "means (p,) and covariances (p, p)")
    return _apart(means[0], roots[0], means[1], roots[1])


def _of_points(measure: Measure) -> tuple[Array, Array]:
    """Mean (p,), and R with RᵀR the covariance: never squared, so that nothing is rounded away."""
    mean = measure.mean
    rows = scaled(measure.points - mean, np.sqrt(measure.shares))
    root = np.linalg.qr(rows, mode="r")
    return mean, np.vstack([root, np.zeros((rows.shape[1] - len(root), rows.shape[1]))])


def _root(covariance: Array) -> Array:
    square = covariance.ndim == 2 and covariance.shape[0] == covariance.shape[1]
    require(square, "covariance", covariance.shape, "a matrix (p, p)")
    require(bool(np.isfinite(covariance).all()), "covariance", covariance, "finite numbers")
    values, vectors = np.linalg.eigh(covariance)
    size = max(1e-300, float(np.abs(values).max()))
    symmetric = bool(np.allclose(covariance, covariance.T, rtol=1e-10, atol=1e-12 * size))
    fine = symmetric and values.min() >= -1e-10 * size
    require(fine, "covariance", covariance, "a symmetric positive semidefinite matrix")
    # What is left of a zero by rounding would have a root of 1e-8.
    rounding = len(values) * np.finfo(float).eps * size
    return scaled(vectors.T, np.sqrt(np.where(values > rounding, values, 0.0)))


def _apart(mean: Array, root: Array, other_mean: Array, other: Array) -> float:
    """The distance is |R - U S| in Frobenius' norm, with the rotation U that brings S closest."""
    left, _, right = np.linalg.svd(root @ other.T)
    return float(
        np.hypot(np.linalg.norm(mean - other_mean), np.linalg.norm(root - left @ right @ other))
    )
