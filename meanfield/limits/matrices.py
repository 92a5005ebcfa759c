"""Linear and quadratic networks: their flows close in the moments of the neurons.

The force on a neuron θ is linear in it, so that a normal law of neurons stays normal, with noise
and ridge too (`meanfield.limits.normal`). From another start of the same moments, only the entropy
differs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import ArrayLike
from scipy.linalg import expm

from meanfield.arrays import Array
from meanfield.ensemble import Layout
from meanfield.errors import require, require_nonnegative, require_positive
from meanfield.limits.base import Limit, oracles
from meanfield.limits.normal import NormalFlow, covariance, square
from meanfield.networks import TwoLayer

Matrix = float | Sequence[Sequence[float]] | Array


@oracles.register("linear-network")
@dataclass(frozen=True)
class LinearNetwork(NormalFlow):
    """f(x) = ∫ a ⟨w, x⟩ dρ and y = ⟨b*, x⟩, x of covariance Σ: θ = (a, w) of p = 1 + d columns.

    With β = ∫ a w dρ and g = Σ (β - b*), ∇F′ is (⟨w, g⟩ + λa, a g + λw) at (a, w), so that

        dβ = -(S_a I + M) g - 2λβ,
        dS_a = -2⟨β, g⟩ - 2λ S_a + 2τ,
        dM = -(β gᵀ + g βᵀ) - 2λ M + 2τ I,

    with S_a = ∫ a² dρ and M = ∫ w wᵀ dρ (Saxe, McClelland and Ganguli 2014 for the balanced case
    without noise). Where τ = 0 and λ > 0, the least energy is min_β ½|β - b*|²_Σ + λ|β|.

    Parameters
    ----------
    target : (d,)
        b*.
    inputs : number or (d, d)
        Σ.
    scale_a, scale_w : float
        Standard deviations of a and of each w at the start.
    mean_a, mean_w : float
        Their means.
    initial : (1 + d, 1 + d), optional
        ∫ θθᵀ dρ at the start instead, as of an ensemble of neurons; the mean is 0 then.
    l2, temperature : float
        λ and τ.
    """

    target: Sequence[float]
    inputs: Matrix = 1.0
    scale_a: float = 1.0
    scale_w: float = 1.0
    mean_a: float = 0.0
    mean_w: float = 0.0
    initial: Matrix | None = None
    l2: float = 0.0
    temperature: float = 0.0

    def __post_init__(self) -> None:
        require(np.ndim(self.target) == 1, "target", self.target, "one number for each input")
        covariance("inputs", self.inputs, len(self.target))
        for key in ("scale_a", "scale_w", "l2", "temperature"):
            require_nonnegative(key, getattr(self, key))
        self.start()

    def layout(self) -> Layout:
        return TwoLayer("linear", len(self.target)).layout

    def start(self) -> tuple[Array, Array]:
        dim = len(self.target)
        if self.initial is not None:
            return np.zeros(dim + 1), covariance("initial", self.initial, dim + 1)
        mean = np.array([self.mean_a] + [self.mean_w] * dim)
        return mean, np.diag([self.scale_a**2] + [self.scale_w**2] * dim)

    def slope(self, mean: Array, cov: Array) -> Array:
        """β (d,) = ∫ a w dρ: f(x) = ⟨β, x⟩."""
        return cov[0, 1:] + mean[0] * mean[1:]

    def force(self, mean: Array, cov: Array) -> tuple[Array, Array]:
        dim = len(self.target)
        residual = self.slope(mean, cov) - np.asarray(self.target)
        matrix = self.l2 * np.eye(dim + 1)
        matrix[0, 1:] = matrix[1:, 0] = square("inputs", self.inputs, dim) @ residual
        return matrix, np.zeros(dim + 1)

    def parts(self, mean: Array, cov: Array) -> Mapping[str, float]:
        residual = self.slope(mean, cov) - np.asarray(self.target)
        sigma = square("inputs", self.inputs, len(residual))
        return {"risk": 0.5 * float(residual @ sigma @ residual), **_ridge(self.l2, mean, cov)}


@oracles.register("quadratic-network")
@dataclass(frozen=True)
class QuadraticNetwork(NormalFlow):
    """f(x) = ∫ ⟨w, x⟩² dρ and y = ⟨x, M* x⟩ over x ~ N(0, I): outer weights are fixed at 1.

    With M = ∫ w wᵀ dρ and D = M - M*, R = tr D² + ½ (tr D)², G = 2D + tr(D) I, and the gradient of
    F′ at w is (2G + λ I) w:

        dM = -2 (G M + M G) - 2λ M + 2τ I.

    A normal law at rest has, in the basis of M*, m_i (2 (2 (m_i - m*_i) + tr D) + λ) = τ.

    Parameters
    ----------
    target : (d, d)
        M*, symmetric.
    initial : number or (d, d)
        M at the start.
    l2, temperature : float
        λ and τ.
    """

    target: Matrix
    initial: Matrix = 1.0
    l2: float = 0.0
    temperature: float = 0.0
    frozen: ClassVar[tuple[float, ...]] = (1.0,)

    def __post_init__(self) -> None:
        require(np.ndim(self.target) == 2, "target", self.target, "a matrix (d, d)")
        square("target", self.target, self.dim)
        for key in ("l2", "temperature"):
            require_nonnegative(key, getattr(self, key))
        self.start()

    @property
    def dim(self) -> int:
        """Dimension d of the inputs."""
        return len(np.asarray(self.target))

    def layout(self) -> Layout:
        return TwoLayer("quadratic", self.dim, outer="fixed").layout

    def start(self) -> tuple[Array, Array]:
        return np.zeros(self.dim), covariance("initial", self.initial, self.dim)

    def force(self, mean: Array, cov: Array) -> tuple[Array, Array]:
        off = self.error(mean, cov)
        ridge = (2.0 * np.trace(off) + self.l2) * np.eye(self.dim)
        return 4.0 * off + ridge, np.zeros(self.dim)

    def parts(self, mean: Array, cov: Array) -> Mapping[str, float]:
        off = self.error(mean, cov)
        risk = float(np.sum(off**2) + 0.5 * np.trace(off) ** 2)
        return {"risk": risk, **_ridge(self.l2, mean, cov)}

    def error(self, mean: Array, cov: Array) -> Array:
        """D = M - M*, (d, d)."""
        return cov + np.outer(mean, mean) - np.asarray(self.target, dtype=float)


@oracles.register("centred-quadratic-network")
@dataclass(frozen=True)
class CentredQuadraticNetwork(QuadraticNetwork):
    """The quadratic network with a free offset, which takes the mean of the error away.

    R = tr D² and dM = 4 (M* M + M M*) - 8 M², a Riccati equation with the solution

        M(t)⁻¹ = e^{-4M*t} M(0)⁻¹ e^{-4M*t} + M*⁻¹ (I - e^{-8M*t}),

    in decaying exponentials only. Without ridge and noise; M* and M(0) are invertible.
    """

    def __post_init__(self) -> None:
        super().__post_init__()
        for key in ("l2", "temperature"):
            require(getattr(self, key) == 0, key, getattr(self, key), "0: no closed form else")
        for key, matrix in (("target", np.asarray(self.target)), ("initial", self.start()[1])):
            smallest = float(np.abs(np.linalg.eigvalsh(matrix)).min())
            require_positive(f"smallest eigenvalue of {key}", smallest)

    def force(self, mean: Array, cov: Array) -> tuple[Array, Array]:
        return 4.0 * self.error(mean, cov), np.zeros(self.dim)

    def parts(self, mean: Array, cov: Array) -> Mapping[str, float]:
        return {"risk": float(np.sum(self.error(mean, cov) ** 2))}

    def law(self, time: float) -> tuple[Array, Array]:
        require_nonnegative("time", time)
        target = square("target", self.target, self.dim)
        decay = expm(-4.0 * time * target)
        rest = np.linalg.solve(target, np.eye(self.dim) - decay @ decay)
        return np.zeros(self.dim), np.linalg.inv(
            decay @ np.linalg.solve(self.start()[1], decay) + 0.5 * (rest + rest.T)
        )

    def at(self, times: ArrayLike) -> Limit:
        return self.closed_form(times)


def _ridge(l2: float, mean: Array, cov: Array) -> dict[str, float]:
    """The part of the energy that a ridge is, as a run has it: none for the weight 0."""
    return {"l2": 0.5 * l2 * float(np.trace(cov) + mean @ mean)} if l2 else {}
