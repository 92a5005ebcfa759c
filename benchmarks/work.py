"""What is computed: five kinds of work, each with its inputs, its definition and its cost.

A definition is evaluated in float64 for a few targets against all sources, straight from the
formula and sharing no code with any contender: results are compared with it before any clock runs.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.floating]

COMPARED = 16  # targets whose results are compared with the definition


class Neurons(NamedTuple):
    """Outer weights (N,) and inner weights (N, d)."""

    a: Array
    w: Array


class Samples(NamedTuple):
    """Inputs (n, d), targets (n, k); and neurons a (N, k), w (N, d), b (N,)."""

    x: Array
    y: Array
    a: Array
    w: Array
    b: Array


@dataclass(frozen=True)
class Work(ABC):
    """One computation at one size.

    Attributes
    ----------
    count : int
        Number of particles N.
    d : int
        Dimension of the positions, or of the inputs of a network.
    dtype : {"float64", "float32"}
    """

    count: int
    d: int
    dtype: str = "float64"

    kind: ClassVar[str]

    @property
    def pairs(self) -> int:
        """How many pairs are summed over."""
        return self.count**2

    @property
    def flops(self) -> int:
        """Floating-point operations of the matrix products that the definition needs."""
        return 4 * self.pairs * self.d

    @property
    def tolerance(self) -> float:
        """Largest accepted error, relative to the largest entry of the result."""
        return 1e-8 if self.dtype == "float64" else 1e-3

    @cached_property
    def compared(self) -> NDArray[np.intp]:
        """Targets of the definition."""
        return np.linspace(0, self.count - 1, min(COMPARED, self.count)).astype(int)

    @abstractmethod
    def expected(self) -> tuple[Array, ...]:
        """What the definition says at the compared targets, one row for each."""

    def _cast(self, array: NDArray[np.float64]) -> Array:
        return np.ascontiguousarray(array, dtype=self.dtype)


@dataclass(frozen=True)
class Population(Work):
    """Potential Σ_j a_j K(w_i, w_j)/N and its gradient a_i ∂/∂w_i, with K(w, w') = E s(u)s(u').

    x ~ N(0, I), u = <w, x>, u' = <w', x>; by Cho & Saul (2009) for the ReLU, Williams (1997) for
    erf. With `others` the sources are a second set of as many neurons.
    """

    activation: str = "relu"
    others: bool = False

    kind: ClassVar[str] = "population"

    def __str__(self) -> str:
        among = ", other sources" if self.others else ""
        return f"{_TITLE[self.activation]} population{among}"

    @cached_property
    def targets(self) -> Neurons:
        """Neurons that are acted on."""
        return self._draw(0)

    @cached_property
    def sources(self) -> Neurons:
        """Neurons that act: the targets themselves, or others."""
        return self._draw(1) if self.others else self.targets

    def _draw(self, seed: int) -> Neurons:
        rng = np.random.default_rng(seed)
        return Neurons(
            self._cast(rng.standard_normal(self.count)),
            self._cast(rng.standard_normal((self.count, self.d))),
        )

    def expected(self) -> tuple[Array, ...]:
        """Potential (n,) and gradient (n, d) at the compared targets."""
        a, w = (array.astype(float) for array in self.targets)
        c, v = (array.astype(float) for array in self.sources)
        row = {"relu": _relu_row, "erf": _erf_row}[self.activation]
        found = [row(w[i], v, c / len(c)) for i in self.compared]
        potential, gradient = (np.array(part) for part in zip(*found, strict=True))
        return potential, a[self.compared, None] * gradient


def _relu_row(w: Array, v: Array, c: Array) -> tuple[float, Array]:
    r, s = np.linalg.norm(w), np.linalg.norm(v, axis=1)
    x, y = w / r, v / s[:, None]
    angle = 2 * np.arctan2(np.linalg.norm(x - y, axis=1), np.linalg.norm(x + y, axis=1))
    sine, rest = np.sin(angle), np.pi - angle
    kernel = r * s * (sine + rest * np.cos(angle)) / (2 * np.pi)
    gradient = (c * s * sine).sum() * x + (c * rest) @ v
    return float(c @ kernel), gradient / (2 * np.pi)


def _erf_row(w: Array, v: Array, c: Array) -> tuple[float, Array]:
    q, p = 1 + 2 * w @ w, 1 + 2 * np.einsum("ij,ij->i", v, v)
    u = 2 * v @ w / np.sqrt(q * p)
    slope = c * 2 / np.pi / np.sqrt(1 - u**2)
    gradient = (slope * 2 / np.sqrt(q * p)) @ v - (slope @ u) * 2 / q * w
    return float(c @ np.arcsin(u)) * 2 / np.pi, gradient


@dataclass(frozen=True)
class Empirical(Work):
    """Forces on each neuron of f(x) = Σ_i a_i s(<w_i, x> + b_i)/N under ½|f − y|² over n samples.

    Potentials (1/n) Σ_x (f − y) s(z_i), and the gradients in w (and in b) of <a_i, potential>.
    """

    activation: str = "relu"
    samples: int = 2000
    outputs: int = 1
    bias: bool = False

    kind: ClassVar[str] = "empirical"

    def __str__(self) -> str:
        bias = " with bias" if self.bias else ""
        several = f", k={self.outputs}" if self.outputs > 1 else ""
        return f"{_TITLE[self.activation]} on n={self.samples:,} samples{bias}{several}"

    @property
    def pairs(self) -> int:
        return self.samples * self.count

    @property
    def flops(self) -> int:
        return 4 * self.pairs * (self.d + (self.outputs if self.outputs > 1 else 0))

    @cached_property
    def inputs(self) -> Samples:
        """Data and neurons."""
        rng = np.random.default_rng(0)
        n, k = self.samples, self.outputs
        return Samples(
            self._cast(rng.standard_normal((n, self.d))),
            self._cast(rng.standard_normal((n, k))),
            self._cast(rng.standard_normal((self.count, k))),
            self._cast(rng.standard_normal((self.count, self.d)) / math.sqrt(self.d)),
            self._cast(rng.standard_normal(self.count) * self.bias),
        )

    def expected(self) -> tuple[Array, ...]:
        """Outer (n, k), inner (n, d) and, with a bias, bias (n,) at the compared neurons."""
        x, y, a, w, b = (array.astype(float) for array in self.inputs)
        f = np.zeros_like(y)
        for i in range(0, self.count, 1000):
            z = x @ w[i : i + 1000].T + b[i : i + 1000]
            f += _ACTIVATION[self.activation](z)[0] @ a[i : i + 1000] / self.count
        g = (f - y) / self.samples
        some = self.compared
        s, slope = _ACTIVATION[self.activation](x @ w[some].T + b[some])
        pull = slope * (g @ a[some].T)
        inner = (s.T @ g, pull.T @ x)
        return (*inner, pull.sum(axis=0)) if self.bias else inner


@dataclass(frozen=True)
class Gaussian(Work):
    """Potential Σ_j c_j exp(−|x_i − x_j|²/2) and its gradient in x_i."""

    kind: ClassVar[str] = "gaussian"

    def __str__(self) -> str:
        return "Gaussian kernel"

    @cached_property
    def inputs(self) -> Neurons:
        """Weights c (N,) and positions x (N, d)."""
        rng = np.random.default_rng(0)
        return Neurons(
            self._cast(rng.standard_normal(self.count)),
            self._cast(rng.standard_normal((self.count, self.d))),
        )

    def expected(self) -> tuple[Array, ...]:
        """Potential (n,) and gradient (n, d) at the compared particles."""
        c, x = (array.astype(float) for array in self.inputs)
        away = x - x[self.compared, None]
        kernel = c * np.exp(-(away**2).sum(axis=2) / 2)
        return kernel.sum(axis=1), np.einsum("ij,ijk->ik", kernel, away)


@dataclass(frozen=True)
class Morse(Work):
    """Force −∇ Σ_j U(|x_i − x_j|)/N with U(r) = C_r exp(−r/l_r) − C_a exp(−r/l_a).

    The swarm of D'Orsogna, Chuang, Bertozzi & Chayes (2006).
    """

    kind: ClassVar[str] = "morse"

    attraction: ClassVar[tuple[float, float]] = (0.5, 2.0)  # strength and length
    repulsion: ClassVar[tuple[float, float]] = (1.0, 0.5)

    def __str__(self) -> str:
        return "Morse swarm"

    @cached_property
    def inputs(self) -> Array:
        """Positions (N, d)."""
        return self._cast(np.random.default_rng(0).standard_normal((self.count, self.d)))

    def expected(self) -> tuple[Array, ...]:
        """Force (n, d) at the compared particles."""
        x = self.inputs.astype(float)
        away = x[self.compared, None] - x
        r = np.linalg.norm(away, axis=2)
        (ca, la), (cr, lr) = self.attraction, self.repulsion
        push = cr / lr * np.exp(-r / lr) - ca / la * np.exp(-r / la)
        return (np.einsum("ij,ijk->ik", push / np.where(r > 0, r, 1), away) / self.count,)


@dataclass(frozen=True)
class Attention(Work):
    """Drift P⊥(Σ_j softmax_j(β<x_i, x_j>) x_j) of points on the sphere.

    P⊥ y = y − <y, x_i> x_i (Geshkovski, Letrouit, Polyanskiy & Rigollet 2023).
    """

    kind: ClassVar[str] = "attention"

    beta: ClassVar[float] = 4.0

    def __str__(self) -> str:
        return "Attention on the sphere"

    @cached_property
    def inputs(self) -> Array:
        """Points (N, d) of norm one."""
        x = np.random.default_rng(0).standard_normal((self.count, self.d))
        return self._cast(x / np.linalg.norm(x, axis=1, keepdims=True))

    def expected(self) -> tuple[Array, ...]:
        """Drift (n, d) at the compared points."""
        x = self.inputs.astype(float)
        y = x[self.compared]
        weight = np.exp(self.beta * (y @ x.T - 1))
        mean = weight @ x / weight.sum(axis=1, keepdims=True)
        return (mean - np.einsum("ij,ij->i", mean, y)[:, None] * y,)


def relu(z: Array) -> tuple[Array, Array]:
    """max(z, 0) and its slope."""
    return np.maximum(z, 0), (z > 0).astype(z.dtype)


def tanh(z: Array) -> tuple[Array, Array]:
    """tanh z and its slope."""
    s = np.tanh(z)
    return s, 1 - s * s


_ACTIVATION = {"relu": relu, "tanh": tanh}
_TITLE = {"relu": "ReLU", "erf": "erf", "tanh": "tanh"}
