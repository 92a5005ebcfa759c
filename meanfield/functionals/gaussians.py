"""Particles that are Gaussians: functionals of the mixture that an ensemble of them is.

A particle holds a mean m (d,) and a root R (d, d) of its covariance S = R Rᵀ, in the blocks
``mean`` and ``root``. The measure on R^d is Σ_i m_i N(mean_i, S_i). The metric that particles
(m, R) move in, |dm|² + |dR|², is that of Bures and Wasserstein in (m, S).
"""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import logsumexp, roots_hermitenorm

from meanfield.arrays import Array, as_floats
from meanfield.ensemble import Ensemble, Layout
from meanfield.errors import InvalidInput, require
from meanfield.functionals.base import Evaluation, Functional, network_of
from meanfield.kernels import reductions

MOST_NODES = 100_000


def gaussian_layout(dim: int) -> Layout:
    """Blocks ``mean`` (d,) and ``root`` (d, d)."""
    return Layout({"mean": (dim,), "root": (dim, dim)})


def gaussian_particles(
    mean: ArrayLike, covariance: ArrayLike = 1.0, mass: ArrayLike | None = None
) -> Ensemble:
    """An ensemble of Gaussians.

    Parameters
    ----------
    mean : (N, d) array
    covariance : number, (d, d) or (N, d, d) array
        A number is a multiple of the identity.
    mass : (N,) array, optional
        Default 1/N each.

    Raises
    ------
    InvalidInput
        If a shape does not fit, or a covariance is not symmetric and positive definite.
    """
    means = as_floats(mean)
    require(means.ndim == 2, "mean", means.shape, "an array of shape (N, d)")
    count, dim = means.shape
    given = np.asarray(covariance, dtype=float)
    shapes = ((), (dim, dim), (count, dim, dim))
    expected = f"a number, or an array of shape {shapes[1]} or {shapes[2]}"
    require(given.shape in shapes, "covariance", given.shape, expected)
    matrices = given * np.eye(dim) if given.ndim == 0 else given
    symmetric = np.allclose(matrices, np.swapaxes(matrices, -1, -2), rtol=1e-12, atol=0)
    try:
        roots = np.linalg.cholesky(matrices)
    except np.linalg.LinAlgError:
        symmetric = False
    require(symmetric, "covariance", covariance, "symmetric and positive definite")
    columns = np.broadcast_to(roots, (count, dim, dim)).reshape(count, -1)
    position = np.hstack([means, columns.astype(means.dtype)])
    masses = None if mass is None else np.asarray(mass, dtype=float)
    return Ensemble(position, masses, gaussian_layout(dim))  # type: ignore[arg-type]


def covariances(ensemble: Ensemble) -> Array:
    """S = R Rᵀ of every particle, (N, d, d)."""
    root = ensemble["root"]
    return root @ np.swapaxes(root, 1, 2)


@lru_cache(maxsize=16)
def gaussian_rule(dim: int, degree: int) -> tuple[Array, Array]:
    """Nodes (Q, d) and weights (Q,) of a rule for N(0, I), exact for polynomials of a degree.

    Up to degree 3 these are the 2d sigma points ±√d e_j with equal weights; beyond, products of
    Gauss-Hermite rules, exact up to that degree in each coordinate.

    References
    ----------
    I. Arasaratnam, S. Haykin, IEEE Transactions on Automatic Control 2009 (sigma points).
    """
    if degree <= 3:
        nodes = math.sqrt(dim) * np.vstack([np.eye(dim), -np.eye(dim)])
        return nodes, np.full(2 * dim, 0.5 / dim)
    count = degree // 2 + 1
    if count**dim > MOST_NODES:
        expected = f"3, which has few nodes in {dim} dimensions ({count}^{dim} > {MOST_NODES})"
        raise InvalidInput("degree", degree, expected)
    line, weights = roots_hermitenorm(count)
    axes = np.meshgrid(*[line] * dim, indexing="ij")
    shares = np.meshgrid(*[weights / weights.sum()] * dim, indexing="ij")
    return np.stack(axes, axis=-1).reshape(-1, dim), np.prod(shares, axis=0).ravel()


class OfGaussians(Functional):
    """F(ρ) + τ ∫ ρ log ρ of the mixture ρ of Gaussian particles.

    Expectations under each particle are sums over the nodes m + R z of a rule, so any functional
    of measures on R^d is one of Gaussian particles. With f = F'(ρ) + τ log ρ and z ~ N(0, I),

        ∇_m = E ∇f(m + R z),      ∇_R = E ∇f(m + R z) zᵀ = E ∇²f(m + R z) R,

    where the second form is Stein's identity: no second derivatives are needed. For a single
    particle the entropy is exact, -τ R⁻ᵀ in ∇_R. For several, the gradient is that of the value
    but for the error of the rule; the derivative of the rule itself is not taken, as its descent
    lets Gaussians hide between the nodes of others.

    Parameters
    ----------
    energy : Functional
        F, without entropy.
    temperature : float
        τ ≥ 0.
    degree : int
        Of the polynomials that expectations are exact for: see `gaussian_rule`.
    """

    name = "of gaussians"

    def __init__(self, energy: Functional, temperature: float = 0.0, degree: int = 3) -> None:
        self.energy, self.temperature, self.degree = energy, temperature, degree

    def inner(self, dim: int) -> Layout:
        """Layout of the points that Gaussians are laws of: that of the network, if there is one."""
        network = network_of(self.energy)
        return Layout.plain(dim) if network is None else network.layout

    def evaluate(self, ensemble: Ensemble) -> Evaluation:
        mean, root = ensemble["mean"], ensemble["root"]
        count, dim = mean.shape
        nodes, weights = gaussian_rule(dim, self.degree)
        points = (mean[:, None] + nodes @ np.swapaxes(root, 1, 2)).reshape(-1, dim)
        masses = np.outer(ensemble.mass, weights).ravel()
        cloud = ensemble.having(
            position=points.astype(ensemble.dtype), mass=masses, layout=self.inner(dim)
        )
        found = self.energy.evaluate(cloud)
        value, parts = found.value, dict(found.parts)
        level = found.variation.astype(float)
        slope = found.gradient.astype(float)
        if self.temperature:
            log, score = log_density(ensemble, points)
            entropy = self.temperature * float(reductions.mean(log, masses))
            value, parts["mixture_entropy"] = value + entropy, entropy
            level += self.temperature * (log + 1.0)
            slope += self.temperature * score
        weighted = weights[:, None] * slope.reshape(count, -1, dim)
        along_root = np.swapaxes(weighted, 1, 2) @ nodes
        gradient = np.hstack([weighted.sum(axis=1), along_root.reshape(count, -1)])
        variation = level.reshape(count, -1) @ weights
        dtype = ensemble.dtype
        return Evaluation(value, variation.astype(dtype), gradient.astype(dtype), parts)

    def __repr__(self) -> str:
        entropy = f" + {self.temperature:g}·Entropy()" if self.temperature else ""
        return f"OfGaussians({self.energy!r}{entropy}, degree={self.degree})"


def log_density(ensemble: Ensemble, points: Array) -> tuple[Array, Array]:
    """log ρ (n,) and ∇log ρ (n, d) of the mixture at points (n, d).

    Memory is O(N n), for N Gaussians.
    """
    mean, root = (ensemble[block].astype(float) for block in ("mean", "root"))
    inverse = np.linalg.inv(root)
    _, volume = np.linalg.slogdet(root)
    with np.errstate(divide="ignore"):  # a particle may have no mass
        constant = np.log(ensemble.mass) - volume - 0.5 * mean.shape[1] * math.log(2 * math.pi)
    logs = np.empty((len(points), len(mean)))
    for j, inverted in enumerate(inverse):
        z = (points - mean[j]) @ inverted.T
        logs[:, j] = constant[j] - 0.5 * np.einsum("nd,nd->n", z, z)
    log = logsumexp(logs, axis=1)
    share = np.exp(logs - log[:, None])
    score = np.zeros(points.shape)
    for j, inverted in enumerate(inverse):
        z = (points - mean[j]) @ inverted.T
        score -= share[:, j, None] * (z @ inverted)
    return log, score
