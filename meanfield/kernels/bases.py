"""Activations as sums of products: what a kernel of finite rank is made of.

Mehler's formula writes the kernel of two neurons of means m, m', norms s, s' and directions of
cosine ρ as ``K = Σ_k ĉ_k(m, s) ĉ_k(m', s') ρ^k``, ĉ_k = c_k / √k!, and powers and polynomials of ρ
factorise over harmonics (`meanfield.kernels.harmonics`). Cut off at degree L, the kernel is::

    K_L = Σ_t σ_t g_p(θ) g_p(θ') P_l(ρ),      a term t = (column p, degree l), σ_t > 0

Two bases, by what the activation is:

`Homogeneous`
    (ReLU, step, powers; no bias, no mean) depends on the norm by the factor s^h alone: one column,
    and K_L holds all of K that harmonics up to degree L can hold.
`Hermite`
    (anything else) has the columns ĉ_0 … ĉ_L, and ρ^k needs the degrees l ≤ k of its parity.

Monomials n^α would do for the second, but the first has coefficients in powers of ρ that alternate
and grow like 2^L. Here all σ are positive, so nothing cancels, and K - K_L is a kernel too. What is
left out of a neuron is its tail ``e_i² = K(θ_i, θ_i) - K_L(θ_i, θ_i)`` (Parseval), and of a pair
``|K - K_L|(θ_i, θ_j) ≤ e_i e_j`` (Cauchy and Schwarz).

References
----------
F. G. Mehler, J. reine angew. Math. 66, 1866. F. Bach, JMLR 18, 2017, appendix D (harmonics of
homogeneous activations).
"""

from __future__ import annotations

import functools
import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import numpy as np
from scipy.special import gammaln, roots_legendre

from meanfield.arrays import Array
from meanfield.kernels import elementwise, harmonics
from meanfield.kernels.compile import jit

ACCURACY = 1e-13  # of coefficients and kernels, relative: no tail is known to be smaller


class Radial(NamedTuple):
    """The columns g_p of neurons, (N, P), with derivatives in the mean and the norm, and g_p/s."""

    value: Array
    d_mean: Array
    d_norm: Array
    over_norm: Array


class Terms(NamedTuple):
    """Column p, degree l and weight σ > 0 of every term."""

    column: np.ndarray
    degree: np.ndarray
    weight: Array


@dataclass(frozen=True)
class Basis(ABC):
    """The columns g_p and weights σ of an activation.

    Parameters
    ----------
    activation : Activation
        With a closed form and Hermite coefficients.
    dim : int
        Dimension d of the inputs.
    shifted : bool
        Whether means other than 0 occur.
    """

    activation: Any
    dim: int
    shifted: bool
    highest: ClassVar[int]  # degree

    @abstractmethod
    def terms(self, degree: int) -> Terms:
        """All terms of K_L."""

    @abstractmethod
    def radial(self, m: Array, s: Array, degree: int) -> Radial:
        """The columns for neurons of means m and norms s, (N,) each."""

    @abstractmethod
    def tails(self, m: Array, s: Array, degree: int) -> Array:
        """√K_ii, then e_i for the degrees 0 … L: (N, L + 2)."""

    def rank(self, degree: int) -> int:
        """Number of moments: Σ_t (number of harmonics of degree l)."""
        return int(harmonics.counts(self.dim, degree)[self.dim, self.terms(degree).degree].sum())


class Homogeneous(Basis):
    """s(c t) = c^h s(t): K = (s s')^h Σ_l b_l P_l(ρ), with b_l ≥ 0 by Funk and Hecke."""

    highest = 500

    def terms(self, degree: int) -> Terms:
        b = _spectrum(self.activation, self.dim, self.highest)[: degree + 1]
        present = np.flatnonzero(b)
        return Terms(np.zeros_like(present), present, b[present])

    def radial(self, m: Array, s: Array, degree: int) -> Radial:
        h, still = self.activation.homogeneity, s == 0
        norm = np.where(still, 1.0, s)
        power = norm ** (h - 1.0)
        # Where w = 0, the slope at 0 is a matter of convention: that of the exact kernel.
        up, down = _ends(self.activation)
        slope = float(self.activation.slope(0.0)) if h == 1 else 0.0
        at_zero = 2.0 * slope / (up - down) if up != down else 0.0
        value, over = np.where(still, 0.0, norm * power), np.where(still, at_zero, power)
        return Radial(value[:, None], 0.0 * value[:, None], (h * power)[:, None], over[:, None])

    def tails(self, m: Array, s: Array, degree: int) -> Array:
        h = self.activation.homogeneity
        up, down = _ends(self.activation)
        absolute = math.exp(h * math.log(2.0) + gammaln(h + 0.5) - gammaln(0.5))  # E|Z|^2h
        total = 0.5 * (up**2 + down**2) * absolute
        b = _spectrum(self.activation, self.dim, self.highest)[: degree + 1]
        left = np.maximum(total - np.concatenate([[0.0], np.cumsum(b)]), 0.0)
        power = np.where(s == 0, 0.0, np.where(s == 0, 1.0, s) ** h)
        return power[:, None] * np.sqrt(left + ACCURACY * total)


class Hermite(Basis):
    """K = Σ_k ĉ_k ĉ_k' ρ^k with ĉ_k = E[s(m + s Z) He_k(Z)] / √k!, and ρ^k = Σ_l τ_kl P_l(ρ)."""

    highest = 250  # beyond, √k! leaves float64

    def terms(self, degree: int) -> Terms:
        # Even and odd functions lack every other coefficient, polynomials those of high degree:
        # what vanishes for two unrelated neurons vanishes for all.
        m = np.array([0.37, -0.81]) if self.shifted else np.zeros(2)
        present = np.any(self._coefficients(m, np.array([0.71, 1.37]), degree), axis=0)
        tau = np.where(present[:, None], harmonics.powers(self.dim, degree), 0.0)
        column, degrees = np.nonzero(tau)
        return Terms(column, degrees, tau[column, degrees])

    def radial(self, m: Array, s: Array, degree: int) -> Radial:
        c, k, still = self._coefficients(m, s, degree + 2), np.arange(degree + 2), s == 0
        # Coefficients of s', to all digits; or s'(m) and zeros where w = 0.
        slopes = np.sqrt(k + 1.0) * c[:, 1:] / np.where(still, 1.0, s)[:, None]
        if still.any():
            slopes[still, 0] = elementwise.mean(self.activation, m[still], s[still])[1]
        over, root = np.zeros((len(m), degree + 1)), np.sqrt(k[1:])
        over[:, 1:] = slopes[:, :degree] / root[:degree]
        d_norm = root * slopes[:, 1:] + k[:-1] * over
        return Radial(c[:, : degree + 1], slopes[:, : degree + 1], d_norm, over)

    def tails(self, m: Array, s: Array, degree: int) -> Array:
        squares = np.empty((len(m), degree + 2))
        squares[:, 0] = 0.0
        np.cumsum(self._coefficients(m, s, degree) ** 2, axis=1, out=squares[:, 1:])
        total = diagonal(self.activation, m, s)[:, None]
        return np.sqrt(np.maximum(total - squares, 0.0) + ACCURACY * total)

    def _coefficients(self, m: Array, s: Array, degree: int) -> Array:
        factors = np.exp(-0.5 * gammaln(np.arange(degree + 1) + 1.0))
        with np.errstate(over="ignore", invalid="ignore"):
            c = self.activation.hermite(m, s, degree) * factors
        # 0 · inf is a coefficient without a number: left out, it is in the tail.
        return np.where(np.isnan(c) & np.isfinite(m + s)[:, None], 0.0, c)


def basis(activation: Any, dim: int, shifted: bool) -> Basis:
    """The basis for an activation; `shifted` says whether means other than 0 occur."""
    homogeneous = activation.homogeneity is not None and not shifted
    return (Homogeneous if homogeneous else Hermite)(activation, dim, shifted)


def diagonal(activation: Any, m: Array, s: Array) -> Array:
    """K(θ, θ) = E s(u)² for u ~ N(m, s²), elementwise over (N,) arrays."""
    out = np.empty_like(m)
    with np.errstate(divide="ignore", invalid="ignore"):  # as parallel neurons do
        _compiled_diagonal(activation.pair, activation.evaluate)(activation.parameters, m, s, out)
    return out


@functools.lru_cache(maxsize=32)
def _spectrum(activation: Any, dim: int, degree: int) -> Array:
    """b_0 … b_L with K = Σ_l b_l P_l(ρ) for a homogeneous activation and |w| = 1.

    b_l = a_l² N_l E|x|^2h with N_l the number of harmonics and a_l the average of s(t) P_l(t) over
    the sphere, t the first coordinate. The integrand is smooth in the angle on either side of the
    kink, where Gauss's rule converges faster than any power.
    """
    h, l = activation.homogeneity, np.arange(degree + 1)
    up, down = _ends(activation)
    even = up + down * (-1.0) ** l
    if dim == 1:
        a = np.where(l < 2, 0.5 * even, 0.0)
    else:
        z, weight = roots_legendre(degree + dim + 64)
        angle = 0.25 * math.pi * (1.0 + z)
        weight = weight * np.sin(angle) ** (dim - 2)
        half = harmonics.legendre(dim, degree, np.cos(angle)) @ (weight * np.cos(angle) ** h)
        a = even * half / (2.0 * weight.sum())
        # A power on one half of the line is half of an even or odd polynomial, and that has no
        # harmonics of higher degree.
        a[np.logical_and(l > h, (l - h) % 2 == 0)] = 0.0
    moment = math.exp(h * math.log(2.0) + gammaln(0.5 * dim + h) - gammaln(0.5 * dim))
    return np.asarray(a**2 * harmonics.counts(dim, degree)[dim] * moment)


def _ends(activation: Any) -> tuple[float, float]:
    """s(1) and s(-1)."""
    up, down = activation(np.array([1.0, -1.0]))
    return float(up), float(down)


@functools.cache
def _compiled_diagonal(pair: Any, evaluate: Any) -> Any:
    @jit
    def drive(p, m, s, out):
        for i in range(m.shape[0]):
            if s[i] == 0.0:
                out[i] = evaluate(p, m[i])[0] ** 2
            else:
                out[i] = pair(p, m[i], s[i], m[i], s[i], 1.0, 0.0)[0]

    return drive
