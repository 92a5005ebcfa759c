"""Distances of a measure from a target that is given by samples, or by its potential."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np

from meanfield import interactions
from meanfield.arrays import Array, dots
from meanfield.ensemble import Ensemble
from meanfield.errors import require, require_positive
from meanfield.functionals.base import Evaluation, Functional
from meanfield.functionals.regularisers import Linear, functionals
from meanfield.functionals.stein_kernels import (
    RBF,
    RadialKernel,
    SteinKernel,
    centred,
    squared_distances,
    stein_kernels,
)
from meanfield.interactions import InverseMultiquadric, PairPotential, Riesz
from meanfield.kernels import reductions
from meanfield.kernels.pairwise import pairwise


@functionals.register("mmd")
class MMD(Functional):
    """Squared maximum mean discrepancy from samples: ∬ k d(ρ - π)d(ρ - π), without a factor ½.

    It is the V-statistic: pairs of a particle or a sample with itself count. The first variation
    is 2 ∫ k d(ρ - π).

    Parameters
    ----------
    samples : (M, p) array
        Of π, in the columns of a particle.
    weights : (M,) array, optional
        Of the samples. Default 1/M each.
    kernel : str, dict or PairPotential
        "rbf" or "inverse-multiquadric" of `meanfield.interactions`; or "riesz" with a negative
        exponent -s, k = -r^s: the energy distance, for s = 1.

    References
    ----------
    A. Gretton, K. Borgwardt, M. Rasch, B. Schölkopf, A. Smola, JMLR 2012, equation (5);
    M. Arbel, A. Korba, A. Salim, A. Gretton, NeurIPS 2019 (its flow, there of half the square).
    """

    name = "mmd"

    def __init__(
        self,
        samples: Sequence[Sequence[float]] | Array,
        weights: Sequence[float] | Array | None = None,
        kernel: str | dict[str, Any] | PairPotential = "rbf",
    ) -> None:
        points = np.asarray(samples, dtype=float)
        require(points.ndim == 2, "samples", points.shape, "an array of shape (M, p)")
        target = Ensemble(points) if weights is None else Ensemble(points, np.asarray(weights))
        self.samples, self.weights = target.position, target.mass
        self.kernel = interactions.make(kernel)
        positive = isinstance(self.kernel, (interactions.RBF, InverseMultiquadric))
        positive |= isinstance(self.kernel, Riesz) and self.kernel.exponent < 0
        expected = "rbf, inverse-multiquadric, or riesz with a negative exponent"
        require(positive, "kernel", kernel, expected)

    @cached_property
    def _among_samples(self) -> float:
        potential, _ = pairwise(self.kernel, self.samples, self.weights)
        return float(reductions.mean(potential, self.weights))

    def evaluate(self, ensemble: Ensemble) -> Evaluation:
        x, mass = ensemble.position, ensemble.mass
        fits = self.samples.shape[1] == ensemble.dim
        require(fits, "samples", self.samples.shape, f"the shape (M, {ensemble.dim})")
        own, push = pairwise(self.kernel, x, mass)
        theirs, pull = pairwise(self.kernel, x, self.weights, self.samples)
        cross = float(reductions.mean(own - 2 * theirs, mass))
        value = cross + self._among_samples
        return Evaluation(value, 2 * (own - theirs), 2 * (push - pull), {self.name: value})

    def __repr__(self) -> str:
        return f"MMD({len(self.samples)} samples, {self.kernel!r})"


@functionals.register("ksd")
class KSD(Functional):
    """Squared kernel Stein discrepancy from the density e^{-V/τ}: ∬ u dρdρ.

    With the score s = -∇V/τ and k = ψ(r²), D = x - y,

    u(x, y) = k <s, s'> - 2ψ' <s - s', D> - 4 r² ψ'' - 2p ψ',

    as a V-statistic: u(x_i, x_i) counts. The first variation is 2 ∫ u dρ. Its gradient needs
    products of the Hessian of V with vectors, which are central differences of ∇V: about ten of
    its digits are right.

    Parameters
    ----------
    target : Functional, str or table
        ∫ V dρ: a `Linear` functional such as `Potential` or `L2`, or a sum of multiples of them;
        or one by name, as "l2".
    temperature : float
        τ.
    kernel : str or table
        "imq", or "rbf" with its length: see `meanfield.functionals.stein_kernels`.

    References
    ----------
    Q. Liu, J. Lee, M. Jordan, ICML 2016, theorem 3.6; A. Korba, P.-C. Aubin-Frankowski,
    S. Majewski, P. Ablin, ICML 2021 (its flow).
    """

    name = "ksd"

    def __init__(
        self,
        target: str | Mapping[str, Any] | Functional,
        temperature: float = 1.0,
        kernel: str | Mapping[str, Any] | SteinKernel = "imq",
    ) -> None:
        given = target if isinstance(target, Functional) else functionals.make("target", target)
        linear = all(isinstance(term, Linear) for _, term in given.terms())
        require(linear, "target", target, "a functional ∫ V dρ, as in Potential or L2")
        require_positive("temperature", temperature)
        self.target, self.temperature = given, float(temperature)
        found = stein_kernels.make("kernel", kernel)
        radial = isinstance(found, RadialKernel)
        require(radial, "kernel", kernel, "'imq' or 'rbf': a function of the distance")
        fixed = not isinstance(found, RBF) or found.length is not None
        require(fixed, "kernel.length", None, "a number, as the kernel may not move with ρ")
        assert isinstance(found, RadialKernel)
        self.kernel: RadialKernel = found

    def evaluate(self, ensemble: Ensemble) -> Evaluation:
        mass, score = ensemble.mass, self.score(ensemble)
        stein, field, rest = _sums(self.kernel, ensemble, score)
        gradient = 2 * (rest + self._hessian_of_log(ensemble, field))
        value = float(reductions.mean(stein, mass))
        return Evaluation(value, 2 * stein, gradient.astype(ensemble.dtype), {self.name: value})

    def score(self, ensemble: Ensemble) -> Array:
        """s = -∇V/τ at every particle, (N, p)."""
        return self.target.gradient(ensemble) / -self.temperature

    def _hessian_of_log(self, ensemble: Ensemble, vectors: Array) -> Array:
        """The derivative of the score along vectors (N, p); the Hessian of V is symmetric."""
        exact = ensemble.astype("float64")
        length = np.linalg.norm(vectors, axis=1, keepdims=True)
        scale = 1e-5 * np.maximum(1.0, np.linalg.norm(exact.position, axis=1, keepdims=True))
        step = scale * np.divide(vectors, length, out=np.zeros(vectors.shape), where=length > 0)
        ahead, behind = (self.score(exact.at(exact.position + s * step)) for s in (1, -1))
        return length * (ahead - behind) / (2 * scale)

    def __repr__(self) -> str:
        return f"KSD({self.target!r}, {self.kernel.kind})"


def _sums(kernel: RadialKernel, ensemble: Ensemble, score: Array) -> tuple[Array, Array, Array]:
    """Σ_j m_j u_ij, the field Σ_j m_j (k s_j + ∇_j k), and Σ_j m_j ∇_i u_ij with s_i held fixed."""
    x, p = centred(ensemble.position), ensemble.dim
    mass = ensemble.mass.astype(x.dtype)
    along = dots(score, x)
    values, field, rest = np.empty(len(x), x.dtype), np.empty_like(x), np.empty_like(x)
    for rows, u in squared_distances(x):
        k, first, second, third = (d * mass for d in kernel.derivatives(u, 3))
        here, there = x[rows], score[rows]
        products = there @ score.T
        # <s_i - s_j, x_i - x_j>
        apart = along[rows, None] + along - there @ x.T - here @ score.T
        values[rows] = np.sum(
            k * products - 2 * first * apart - 4 * u * second - 2 * p * first, axis=1
        )
        field[rows] = k @ score - 2 * _differences(first, here, x)
        pairs = 2 * first * products - 4 * second * apart - (8 + 4 * p) * second - 8 * u * third
        rest[rows] = _differences(pairs, here, x) - 2 * _differences(first, there, score)
    return values, field, rest


def _differences(factors: Array, first: Array, second: Array) -> Array:
    """``Σ_j c_ij (first_i - second_j)``."""
    return factors.sum(axis=1, keepdims=True) * first - factors @ second
