"""Flows under which a normal law stays normal: a mean, a covariance, and what a run sees of them.

Wherever the force on a particle is linear in its place, dθ = -(A θ + c) dt + √(2τ) dW with A and c
functions of the law, the first two moments close among themselves,

    dm/dt = -(A m + c),      dS/dt = -(A S + S A) + 2τ I,

and a normal law stays one. From another start of the same moments, all series but the entropy are
the same.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Mapping
from typing import ClassVar

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import ndtri

from meanfield.arrays import Array
from meanfield.ensemble import Ensemble, Layout
from meanfield.errors import require, require_count, require_nonnegative
from meanfield.limits.base import Limit, Oracle, checked_times
from meanfield.limits.integration import flow_limit, integrate, looked_at


def square(key: str, given: ArrayLike, dim: int) -> Array:
    """A symmetric matrix (d, d); a number stands for a multiple of the identity.

    Raises
    ------
    InvalidInput
        If it has another shape, or is not symmetric.
    """
    found = np.asarray(given, dtype=float)
    require(bool(np.isfinite(found).all()), key, given, "finite numbers")
    if found.ndim == 0:
        return float(found) * np.eye(dim)
    require(found.shape == (dim, dim), key, given, f"a number, or an array of shape {(dim, dim)}")
    rounding = 1e-12 * float(np.abs(found).max())
    require(bool(np.allclose(found, found.T, 0.0, rounding)), key, given, "a symmetric matrix")
    return found


def covariance(key: str, given: ArrayLike, dim: int) -> Array:
    """The same for a covariance: eigenvalues ≥ 0."""
    found = square(key, given, dim)
    values = np.linalg.eigvalsh(found)
    fits = values[0] >= -1e-12 * max(0.0, values[-1])
    require(fits, key, given, "a matrix with eigenvalues ≥ 0")
    return found


def normal_entropy(cov: Array) -> float:
    """∫ρ log ρ of a normal law; infinite where its covariance is singular."""
    sign, volume = np.linalg.slogdet(cov)
    if sign <= 0:
        return math.inf
    return -0.5 * float(volume + len(cov) * (1.0 + math.log(2.0 * math.pi)))


def low_discrepancy(count: int, dim: int) -> Array:
    """Points (count, dim) that fill the unit cube evenly: midpoints on a line, Halton's beyond."""
    require_count("count", count)
    if dim == 1:
        return ((np.arange(count) + 0.5) / count)[:, None]
    from scipy.stats import qmc  # which takes half a second to import

    return qmc.Halton(dim, scramble=False).random(count + 1)[1:]


def normal_points(mean: Array, cov: Array, count: int) -> Array:
    """Points (count, p) that represent a normal law: its quantiles on a line."""
    values, vectors = np.linalg.eigh(cov)
    root = vectors * np.sqrt(np.maximum(values, 0.0))
    return mean + ndtri(low_discrepancy(count, len(mean))) @ root.T


class NormalFlow(Oracle):
    """A flow of mean m (p,) and covariance S (p, p); see the module.

    Subclasses say how they start, how they move and what their energy is.

    Attributes
    ----------
    frozen : tuple of float
        Columns that stay, as fixed outer weights do; they come first in ``mean`` and
        ``second_moment``.
    entropy_part : str
        Of flows without noise: the part of the energy that their entropy is, weighted with the
        temperature. Empty: noise makes the entropy, and a run estimates it beside the energy.
    """

    temperature: float
    frozen: ClassVar[tuple[float, ...]] = ()
    entropy_part: ClassVar[str] = ""

    @abstractmethod
    def start(self) -> tuple[Array, Array]:
        """Mean and covariance at time 0."""

    @abstractmethod
    def force(self, mean: Array, cov: Array) -> tuple[Array, Array]:
        """A (p, p), symmetric, and c (p,): the gradient of F′ at θ is A θ + c."""

    @abstractmethod
    def parts(self, mean: Array, cov: Array) -> Mapping[str, float]:
        """The energy without entropy, as parts with their weights."""

    def layout(self) -> Layout:
        """Of the particles of `measure`."""
        return Layout.plain(len(self.start()[0]))

    def rate(self, mean: Array, cov: Array) -> tuple[Array, Array]:
        """dm/dt and dS/dt."""
        matrix, shift = self.force(mean, cov)
        spreading = 2.0 * self.temperature * np.eye(len(mean))
        return -(matrix @ mean + shift), spreading - matrix @ cov - cov @ matrix

    def at(self, times: ArrayLike) -> Limit:
        return flow_limit(self._rate, pack(*self.start()), times, self._look)

    def law(self, time: float) -> tuple[Array, Array]:
        """Mean and covariance at a time."""
        require_nonnegative("time", time)
        return unpack(integrate(self._rate, pack(*self.start()), np.array([float(time)]))[0])

    def closed_form(self, times: ArrayLike) -> Limit:
        """The series where `law` is a closed form."""
        when = checked_times(times)
        states = np.array([pack(*self.law(float(time))) for time in when])
        return Limit(when, looked_at(states, self._look))

    def measure(self, time: float, count: int) -> Ensemble:
        points = normal_points(*self.law(time), count)
        stay = np.broadcast_to(np.asarray(self.frozen, dtype=float), (count, len(self.frozen)))
        return Ensemble(np.hstack([stay, points]), layout=self.layout(), time=float(time))

    def look(self, mean: Array, cov: Array) -> dict[str, ArrayLike]:
        """What a run observes where the law is N(mean, cov)."""
        parts, entropy = dict(self.parts(mean, cov)), normal_entropy(cov)
        if self.entropy_part:
            parts[self.entropy_part] = self.temperature * entropy if self.temperature else 0.0
        energy, stay = sum(parts.values()), np.asarray(self.frozen, dtype=float)
        found: dict[str, ArrayLike] = {
            **parts,
            "energy": energy,
            "dissipation": self.dissipation(mean, cov),
            "mean": np.concatenate([stay, mean]),
            "second_moment": np.concatenate([stay**2, mean**2 + np.diag(cov)]),
        }
        if not self.entropy_part:
            found["entropy"] = entropy
            found["free_energy"] = energy + (self.temperature * entropy if self.temperature else 0)
        return found

    def slopes(self, mean: Array, cov: Array) -> tuple[Array, Array]:
        """A (p, p) and g (p,): what the flow descends has the gradient A (θ - m) + g at θ."""
        matrix, shift = self.force(mean, cov)
        if self.entropy_part and self.temperature:
            return matrix - self.temperature * np.linalg.inv(cov), matrix @ mean + shift
        return matrix, matrix @ mean + shift

    def dissipation(self, mean: Array, cov: Array) -> float:
        """∫ |A (θ - m) + g|² dρ."""
        matrix, slope = self.slopes(mean, cov)
        return float(slope @ slope + np.einsum("ij,jk,ik->", matrix, cov, matrix))

    def _rate(self, state: Array) -> Array:
        return pack(*self.rate(*unpack(state)))

    def _look(self, state: Array) -> dict[str, ArrayLike]:
        return self.look(*unpack(state))


def pack(mean: Array, cov: Array) -> Array:
    """Mean and covariance as one vector."""
    return np.concatenate([mean, cov.ravel()])


def unpack(state: Array) -> tuple[Array, Array]:
    """The mean (p,) and the covariance (p, p) of a vector of p + p² numbers."""
    dim = (math.isqrt(4 * len(state) + 1) - 1) // 2
    return state[:dim], state[dim:].reshape(dim, dim)
