"""Slow and obvious definitions, independent of `meanfield`, that tests compare with.

`DEFINITIONS` states every activation again, in NumPy with its kinks and in mpmath. `Averages`
integrates them over Gaussian laws by nested composite Gauss-Legendre rules, split at the kinks.
The closed forms with many digits are for nearly parallel neurons.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import mpmath as mp
import numpy as np
from scipy import special

from meanfield.activations import Activation, make

Function = Callable[[np.ndarray], np.ndarray]

NODES, WEIGHTS = np.polynomial.legendre.leggauss(20)
REACH = 13


def density(z: np.ndarray) -> np.ndarray:
    return np.exp(-0.5 * z * z) / np.sqrt(2.0 * np.pi)


@dataclass(frozen=True)
class Definition:
    """An activation, its slope away from kinks, and where it is not smooth.

    ``jumps`` maps places to heights: there the slope has an atom.
    """

    spec: Any
    value: Function
    slope: Function
    exact: Callable[[Any], Any]
    kinks: tuple[float, ...] = ()
    jumps: dict[float, float] = field(default_factory=dict)

    @property
    def activation(self) -> Activation:
        return make(self.spec)

    @property
    def kind(self) -> str:
        return self.activation.kind


def _polynomial(spec: dict, coefficients: list[float], exact: Callable) -> Definition:
    p = np.polynomial.Polynomial(coefficients)
    return Definition(spec, p, p.deriv(), exact)


def _exact_ramp(t):
    return mp.mpf(-2.5) if t <= 0.5 else (mp.mpf(7.5) if t >= 1.5 else -2.5 + 10 * (t - 0.5))


RAMP = {"kind": "ramp", "low": -1.0, "high": 2.0, "start": -0.4, "stop": 0.7}

DEFINITIONS = [
    Definition(
        "step",
        lambda t: np.where(t > 0, 1.0, 0.0),
        np.zeros_like,
        lambda t: mp.mpf(t > 0),
        kinks=(0.0,),
        jumps={0.0: 1.0},
    ),
    Definition(
        "relu",
        lambda t: np.maximum(t, 0.0),
        lambda t: np.where(t > 0, 1.0, 0.0),
        lambda t: max(t, mp.mpf(0)),
        kinks=(0.0,),
    ),
    Definition(
        {"kind": "leaky-relu", "slope_left": 0.2},
        lambda t: np.where(t > 0, t, 0.2 * t),
        lambda t: np.where(t > 0, 1.0, 0.2),
        lambda t: t if t > 0 else mp.mpf(0.2) * t,
        kinks=(0.0,),
    ),
    Definition("abs", np.abs, np.sign, abs, kinks=(0.0,)),
    Definition(
        RAMP,
        lambda t: -1.0 + 3.0 / 1.1 * (np.clip(t, -0.4, 0.7) + 0.4),
        lambda t: np.where((t > -0.4) & (t < 0.7), 3.0 / 1.1, 0.0),
        lambda t: -1 + 3 / mp.mpf(1.1) * (min(max(t, mp.mpf(-0.4)), mp.mpf(0.7)) + 0.4),
        kinks=(-0.4, 0.7),
    ),
    Definition("erf", special.erf, lambda t: 2.0 / np.sqrt(np.pi) * np.exp(-t * t), mp.erf),
    Definition(
        {"kind": "probit", "variance": 0.7},
        lambda t: special.ndtr(t / np.sqrt(0.7)),
        lambda t: density(t / np.sqrt(0.7)) / np.sqrt(0.7),
        lambda t: mp.erfc(-t / mp.sqrt(2 * mp.mpf(0.7))) / 2,
    ),
    Definition(
        "gelu",
        lambda t: t * special.ndtr(t),
        lambda t: special.ndtr(t) + t * density(t),
        lambda t: t * mp.erfc(-t / mp.sqrt(2)) / 2,
    ),
    Definition("sin", np.sin, np.cos, mp.sin),
    Definition("cos", np.cos, lambda t: -np.sin(t), mp.cos),
    _polynomial({"kind": "linear"}, [0, 1], lambda t: t),
    _polynomial({"kind": "quadratic"}, [0, 0, 1], lambda t: t**2),
    _polynomial({"kind": "monomial", "degree": 1}, [0, 1], lambda t: t),
    _polynomial({"kind": "monomial", "degree": 5}, [0, 0, 0, 0, 0, 1], lambda t: t**5),
    _polynomial({"kind": "hermite", "degree": 1}, [0, 1], lambda t: t),
    _polynomial({"kind": "hermite", "degree": 4}, [3, 0, -6, 0, 1], lambda t: t**4 - 6 * t**2 + 3),
    Definition("exp", np.exp, np.exp, mp.exp),
    Definition(
        {"kind": "bump", "rate": 0.8},
        lambda t: np.exp(-0.8 * t * t),
        lambda t: -1.6 * t * np.exp(-0.8 * t * t),
        lambda t: mp.exp(-mp.mpf(0.8) * t * t),
    ),
    Definition(
        "tanh", np.tanh, lambda t: 4.0 * special.expit(2 * t) * special.expit(-2 * t), mp.tanh
    ),
    Definition(
        "sigmoid",
        special.expit,
        lambda t: special.expit(t) * special.expit(-t),
        lambda t: 1 / (1 + mp.exp(-t)),
    ),
    Definition(
        "softplus",
        lambda t: np.logaddexp(0.0, t),
        special.expit,
        lambda t: mp.log1p(mp.exp(t)),
    ),
    Definition(
        "silu",
        lambda t: t * special.expit(t),
        lambda t: special.expit(t) * (1.0 + t * special.expit(-t)),
        lambda t: t / (1 + mp.exp(-t)),
    ),
]


def _panels(cuts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Nodes and Gaussian weights on [-REACH, REACH], split at ``cuts`` (…, k)."""
    fixed = np.linspace(-REACH, REACH, 2 * REACH + 1)
    shape = cuts.shape[:-1]
    edges = np.concatenate([np.broadcast_to(fixed, (*shape, fixed.size)), cuts], axis=-1)
    edges = np.sort(np.clip(edges, -REACH, REACH), axis=-1)
    half = 0.5 * np.diff(edges)[..., None]
    z = edges[..., :-1, None] + half * (1.0 + NODES)
    weight = half * WEIGHTS * density(z)
    return z.reshape(*shape, -1), weight.reshape(*shape, -1)


class Averages:
    """Moments ``E[f(u) g(v) (1, z1, z2)]``, with f either s or s', and g = s.

    ``u = m1 + s1 z1`` and ``v = m2 + s2 (rho z1 + r z2)`` with independent standard normal z.
    """

    def __init__(self, definition: Definition, m1, s1, m2, s2, rho, r) -> None:
        self.definition = definition
        self.m1, self.s1, self.m2, self.s2, self.rho, self.r = m1, s1, m2, s2, rho, r

    def _inner(self, z1: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """E[s(v)] and E[s(v) z2] given z1."""
        center = self.m2 + self.s2 * self.rho * z1
        kinks = np.array(self.definition.kinks)
        z2, weight = _panels((kinks - center[:, None]) / (self.s2 * self.r))
        g = weight * self.definition.value(center[:, None] + self.s2 * self.r * z2)
        return g.sum(axis=1), (g * z2).sum(axis=1)

    def _outer(self, f: Function) -> np.ndarray:
        z1, weight = _panels((np.array(self.definition.kinks) - self.m1) / self.s1)
        one, tilted = self._inner(z1)
        f_u = weight * f(self.m1 + self.s1 * z1)
        return np.array([f_u @ one, f_u @ (z1 * one), f_u @ tilted])

    def value(self) -> float:
        """E[s(u) s(v)]."""
        return float(self._outer(self.definition.value)[0])

    def slopes(self) -> np.ndarray:
        """E[s'(u) s(v) (1, z1, z2)], with the atoms of s'."""
        moments = self._outer(self.definition.slope)
        for place, height in self.definition.jumps.items():
            z1 = np.array([(place - self.m1) / self.s1])
            (one,), (tilted,) = self._inner(z1)
            atom = height * density(z1[0]) / self.s1
            moments += atom * np.array([one, z1[0] * one, tilted])
        return moments


def average(function: Function, m: float, s: float, kinks: tuple[float, ...] = ()) -> float:
    """E function(m + s Z)."""
    z, weight = _panels((np.array(kinks) - m) / s if s > 0 else np.zeros(0))
    return float(weight @ function(m + s * z))


def hermite_coefficients(definition: Definition, m: float, s: float, degree: int) -> np.ndarray:
    """E[s(m + s Z) He_k(Z)] for k = 0 … degree."""
    # A smooth function changes over a few units of t, wherever these are in units of Z.
    cuts = np.array(definition.kinks) if definition.kinks else np.arange(-8.0, 9.0)
    z, weight = _panels((cuts - m) / s)
    return (weight * definition.value(m + s * z)) @ np.polynomial.hermite_e.hermevander(z, degree)


def interaction(definition: Definition, w1, b1, w2, b2, mean, root):
    """K and its gradients in w1 and in b1, under N(mean, root root^T)."""
    a1, a2 = root.T @ w1, root.T @ w2
    s1, s2 = np.linalg.norm(a1), np.linalg.norm(a2)
    n1 = a1 / s1
    across = a2 - (n1 @ a2) * n1
    e = across / np.linalg.norm(across)
    rho, r = n1 @ a2 / s2, np.linalg.norm(across) / s2
    averages = Averages(definition, w1 @ mean + b1, s1, w2 @ mean + b2, s2, rho, r)
    one, along, sideways = averages.slopes()
    return averages.value(), one * mean + root @ (along * n1 + sideways * e), one


def exact_relu(w1, w2):
    """K, grad_w K and dK/db without bias under N(0, I) (Cho and Saul 2009), to 100 digits."""
    with mp.workdps(100):
        w1, w2 = [mp.mpf(x) for x in map(float, w1)], [mp.mpf(x) for x in map(float, w2)]
        s1, s2 = mp.sqrt(mp.fdot(w1, w1)), mp.sqrt(mp.fdot(w2, w2))
        cosine = min(mp.mpf(1), max(mp.mpf(-1), mp.fdot(w1, w2) / (s1 * s2)))
        angle, sine = mp.acos(cosine), mp.sqrt(1 - cosine**2)
        value = s1 * s2 * (sine + (mp.pi - angle) * cosine) / (2 * mp.pi)
        pairs = zip(w1, w2, strict=True)
        grad = [(s2 * sine * x / s1 + (mp.pi - angle) * y) / (2 * mp.pi) for x, y in pairs]
        return value, grad, s2 * (1 + cosine) / (2 * mp.sqrt(2 * mp.pi))


def exact_erf(w1, w2):
    """K, grad_w K and dK/db without bias under N(0, I) (Williams 1996), to 100 digits."""
    with mp.workdps(100):
        w1, w2 = [mp.mpf(x) for x in map(float, w1)], [mp.mpf(x) for x in map(float, w2)]
        q1, q2, c = 1 + 2 * mp.fdot(w1, w1), 1 + 2 * mp.fdot(w2, w2), mp.fdot(w1, w2)
        sine = 2 * c / mp.sqrt(q1 * q2)
        factor = 2 / (mp.pi * mp.sqrt(1 - sine**2))
        pairs = zip(w1, w2, strict=True)
        grad = [factor * (2 * y / mp.sqrt(q1 * q2) - 2 * sine * x / q1) for x, y in pairs]
        return 2 / mp.pi * mp.asin(sine), grad, mp.mpf(0)


def _normal_orthant(h, k, rho, r):
    """P(X < h, Y < k) for standard normal X, Y of correlation rho."""
    width = r / rho
    edge = [k / rho + j * width for j in (-9, -3, -1, 0, 1, 3, 9)]
    cuts = [-30, -6, -2, 0, 2, 6, *edge]
    points = sorted({mp.mpf(x) for x in cuts if -30 <= x < h} | {h})
    return mp.quad(lambda x: mp.npdf(x) * mp.ncdf((k - rho * x) / r), points)


def _frame(w1, w2):
    w1, w2 = [mp.mpf(x) for x in map(float, w1)], [mp.mpf(x) for x in map(float, w2)]
    s1, s2 = mp.sqrt(mp.fdot(w1, w1)), mp.sqrt(mp.fdot(w2, w2))
    return w1, w2, s1, s2, mp.fdot(w1, w2) / (s1 * s2)


def exact_biased_relu(w1, w2, b1, b2):
    """K, grad_w K and dK/db under N(0, I), to 30 digits; not for parallel weights."""
    with mp.workdps(40):
        w1, w2, s1, s2, rho = _frame(w1, w2)
        r = mp.sqrt(1 - rho**2)
        h, k = mp.mpf(float(b1)) / s1, mp.mpf(float(b2)) / s2
        a, b = (k - rho * h) / r, (h - rho * k) / r
        both = _normal_orthant(h, k, rho, r)
        edge_u, edge_v = mp.npdf(h) * mp.ncdf(a), mp.npdf(k) * mp.ncdf(b)
        corner = r * mp.npdf(h) * mp.npdf(a)
        value = s1 * s2 * ((h * k + rho) * both + h * edge_v + k * edge_u + corner)
        d_bias = s2 * (k * both + edge_v + rho * edge_u)
        curve = s2 / s1 * ((k - rho * h) * edge_u + corner)
        grad = [both * y + curve * x for x, y in zip(w1, w2, strict=True)]
        return value, grad, d_bias


def exact_biased_erf(w1, w2, b1, b2):
    """K, grad_w K and dK/db under N(0, I), to 30 digits."""
    with mp.workdps(40):
        w1, w2, s1, s2, rho = _frame(w1, w2)
        wide1, wide2 = mp.sqrt(s1**2 + 0.5), mp.sqrt(s2**2 + 0.5)
        rho = rho * s1 * s2 / (wide1 * wide2)
        r = mp.sqrt(1 - rho**2)
        h, k = mp.mpf(float(b1)) / wide1, mp.mpf(float(b2)) / wide2
        a = (k - rho * h) / r
        both = _normal_orthant(h, k, rho, r)
        value = 4 * both - 2 * mp.ncdf(h) - 2 * mp.ncdf(k) + 1
        d_bias = 2 * mp.npdf(h) / wide1 * mp.erf(a / mp.sqrt(2))
        cross = 4 * mp.npdf(h) * mp.npdf(a) / (wide1 * wide2 * r)
        bend = mp.erf(a / mp.sqrt(2)) * h + 2 * mp.npdf(a) * rho / r
        curve = -2 * mp.npdf(h) / wide1**2 * bend
        grad = [cross * y + curve * x for x, y in zip(w1, w2, strict=True)]
        return value, grad, d_bias
