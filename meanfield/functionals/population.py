"""The population risk in closed form: ½E|y|² + ∫V dρ + ½∬U dρdρ, without a single sample.

U is the interaction of neurons under the law of inputs, V = -E[y φ] their pull from the target.
Squared loss only: for it alone the risk is quadratic in ρ.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from scipy.special import gammaln

from meanfield.arrays import Array
from meanfield.data.finite import FiniteData
from meanfield.data.laws import Gaussian, GaussianMixture, Hypercube, LabelledLaw, Sphere
from meanfield.data.targets import Labels, Norm, SingleIndex, Teacher
from meanfield.ensemble import Ensemble
from meanfield.errors import require
from meanfield.functionals.hypercube import HypercubeRisk
from meanfield.functionals.interactions import Error, Exact, Neurons, Summation
from meanfield.functionals.pull import Pull, no_closed_form
from meanfield.kernels import elementwise
from meanfield.kernels.blas import single_threaded
from meanfield.kernels.population import Projected, interact
from meanfield.kernels.reductions import pairing
from meanfield.networks import TwoLayer

ENUMERABLE_DIM = 14  # 2^14 corners are a finite data set like any other
FEW = 0.25  # a teacher up to this share of the neurons is summed together with them


def population(network: TwoLayer, law: LabelledLaw, loss: str, pairs: Summation) -> Any:
    """The expectation over a labelled law, or a finite data set that is equal to it.

    `pairs` says how a Gaussian law's is summed over pairs of neurons; others have no choice.

    Raises
    ------
    Unsupported
        Where neither exists; the message names the two alternatives.
    """
    inputs = law.inputs
    if isinstance(inputs, Hypercube) and inputs.dim <= ENUMERABLE_DIM:
        corners = inputs.corners()
        return FiniteData(corners, law.target(corners, np.zeros(len(corners))))
    if loss != "squared":
        raise no_closed_form(f"the {loss} loss")
    require(network.outputs == law.outputs, "outputs", network.outputs, f"{law.outputs}, as in y")
    if isinstance(inputs, Hypercube):
        return HypercubeRisk(network, law)
    if not network.activation.has_closed_form:
        raise no_closed_form(f"the activation {network.activation.kind!r}")
    if isinstance(inputs, Sphere):
        _check_homogeneous(network, law)
        return GaussianRisk(network, law, _sphere_factor(network, inputs), pairs)
    if isinstance(inputs, (Gaussian, GaussianMixture)):
        return GaussianRisk(network, law, 1.0, pairs)
    raise no_closed_form(f"inputs from a {inputs.kind} of dimension {inputs.dim}")


class GaussianRisk:
    """The population risk over Gaussian inputs or a mixture of Gaussians.

    On a sphere, a homogeneous activation has the Gaussian averages times one factor.

    References
    ----------
    S. Mei, A. Montanari, P.-M. Nguyen, PNAS 2018 (with V = -E[y φ]; their risk is twice ours).
    """

    def __init__(
        self, network: TwoLayer, law: LabelledLaw, factor: float, pairs: Summation
    ) -> None:
        self._network, self._factor, self._pairs = network, factor, pairs
        inputs = law.inputs
        if isinstance(inputs, Sphere):
            inputs = Gaussian(inputs.dim)
        assert isinstance(inputs, (Gaussian, GaussianMixture))
        self._components = [Component(*component) for component in inputs.components()]
        self._attraction = _attraction(network, law)

    @cached_property
    def _powers(self) -> list[float]:
        """E|y|² on every component: a sum over pairs, which is not to be had by naming a risk."""
        with single_threaded():  # the same bits, however many cores there are
            return [self._attraction.power(*part) for part in enumerate(self._components)]

    def __call__(self, ensemble: Ensemble) -> Pull:
        a, w, b = self._weights(ensemble)
        outer, inner, bias = np.zeros_like(a), np.zeros_like(w), np.zeros(len(w), w.dtype)
        value, teacher = 0.0, self._attraction
        joined = isinstance(self._pairs, Exact) and isinstance(teacher, TeacherAttraction)
        joined = joined and len(teacher) <= FEW * len(w)
        with single_threaded():  # the same bits, however many cores there are
            for number, component in enumerate(self._components):
                if joined:
                    error, sums = teacher.beside(component, a, w, b, ensemble.mass)
                else:
                    seen = component.sees(w, b)
                    repulsion = self._pairs(self._neurons(seen, a, ensemble))
                    attraction = teacher(number, component, seen, a)
                    error = 0.5 * self._powers[number]
                    error += 0.5 * pairing(a, repulsion[0], ensemble.mass)
                    error += pairing(a, attraction[0], ensemble.mass)
                    sums = tuple(map(np.add, repulsion, attraction))
                potential, d_mean, whitened = sums
                weight = self._factor * component.weight
                value += weight * error
                outer += weight * potential
                inner += weight * component.unwhiten(d_mean, whitened)
                if b is not None:
                    bias += weight * d_mean
        return Pull(value, outer, inner, bias)

    def pairs_error(self, ensemble: Ensemble) -> Error:
        """How far the sum over pairs is from the exact one, at most (added over components)."""
        a, w, b = self._weights(ensemble)
        potential, gradient = 0.0, 0.0
        with single_threaded():
            for component in self._components:
                seen = component.sees(w, b)
                found = self._pairs.error(self._neurons(seen, a, ensemble))
                # From the whitened weight and the mean to w and b.
                jacobian = np.column_stack([component.mean, component.root])
                if self._network.bias:
                    jacobian = np.vstack([jacobian, np.eye(1, jacobian.shape[1])])
                potential += component.weight * found.potential
                gradient += component.weight * found.gradient * float(np.linalg.norm(jacobian, 2))
        return Error(abs(self._factor) * potential, abs(self._factor) * gradient)

    def _weights(self, ensemble: Ensemble) -> tuple[Array, Array, Array | None]:
        a, _ = self._network.outer_weights(ensemble)
        w, b = self._network.inner_weights(ensemble)
        return a, w, b if self._network.bias else None

    def _neurons(self, seen: Projected, a: Array, ensemble: Ensemble) -> Neurons:
        return Neurons(self._network.activation, seen, a, ensemble.weigh(a), ensemble.step)


@dataclass(frozen=True)
class Component:
    """One Gaussian of the law of inputs, N(mean, root root^T), and its weight."""

    weight: float
    mean: Array
    root: Array

    def sees(self, w: Array, b: Array | None) -> Projected:
        """Neurons as this Gaussian sees them, in their precision."""
        mean = self.mean.astype(w.dtype, copy=False) if self.mean.any() else None
        return Projected(w, b, mean, None if self._white else self.root.astype(w.dtype, copy=False))

    def unwhiten(self, d_mean: Array, whitened: Array) -> Array:
        """The gradient in w (N, d) from those in the means (N,) and in the whitened weights."""
        gradient = whitened
        if not self._white:
            gradient = gradient @ self.root.T.astype(whitened.dtype, copy=False)
        if self.mean.any():
            gradient = gradient + d_mean[:, None] * self.mean.astype(whitened.dtype, copy=False)
        return gradient

    @cached_property
    def _white(self) -> bool:
        return np.array_equal(self.root, np.eye(len(self.root)))


class TeacherAttraction:
    """V(θ) = -Σ_t m_t <a_t, a> K(θ, θ_t): the teacher's neurons are sources of negative mass."""

    def __init__(self, network: TwoLayer, teacher: Teacher) -> None:
        theirs = teacher.network
        if theirs.activation != network.activation:
            raise no_closed_form(
                f"a {theirs.activation.kind!r} teacher of {network.activation.kind!r} neurons"
            )
        self._activation = network.activation
        neurons = teacher.ensemble.astype("float64")
        self._a, _ = theirs.outer_weights(neurons)
        self._c = neurons.weigh(self._a)
        self._mass = neurons.mass
        self._w, b = theirs.inner_weights(neurons)
        self._b = b if theirs.bias else None

    def __len__(self) -> int:
        return len(self._mass)

    def __call__(
        self, number: int, component: Component, seen: Projected, a: Array
    ) -> tuple[Array, Array, Array]:
        b = None if self._b is None else self._b.astype(a.dtype, copy=False)
        sources = component.sees(self._w.astype(a.dtype, copy=False), b)
        return interact(self._activation, seen, a, sources, -self._c.astype(a.dtype, copy=False))

    def beside(
        self, component: Component, a: Array, w: Array, b: Array | None, mass: Array
    ) -> tuple[float, tuple[Array, ...]]:
        """½E|f - y|² on one component, and its derivatives in the neurons.

        It is ½∬U dμ dμ with μ = ρ - ρ*: one sum over the pairs of all neurons, where the
        teacher's have negative mass.
        """
        weights, inner = (
            np.concatenate([mine, theirs.astype(mine.dtype, copy=False)])
            for mine, theirs in ((a, self._a), (w, self._w))
        )
        biases = None
        if b is not None or self._b is not None:
            parts = (b, len(w)), (self._b, len(self))
            biases = np.concatenate([np.zeros(n) if v is None else v for v, n in parts])
            biases = biases.astype(a.dtype, copy=False)
        masses = np.concatenate([mass, -self._mass])
        seen = component.sees(inner, biases)
        c = (masses[:, None] * weights).astype(a.dtype, copy=False)
        sums = interact(self._activation, seen, weights, seen, c)
        return 0.5 * pairing(weights, sums[0], masses), tuple(each[: len(w)] for each in sums)

    def power(self, number: int, component: Component) -> float:
        """E|y|² on one component."""
        own = component.sees(self._w, self._b)
        potential, _, _ = interact(self._activation, own, self._a, own, self._c)
        return float(np.einsum("ik,ik->", self._c, potential))


class LabelAttraction:
    """V(θ) = -Σ_k p_k <y_k, a> E_k s(u) for labels y_k of the components."""

    def __init__(self, network: TwoLayer, labels: Labels) -> None:
        self._activation, self._table = network.activation, labels.table

    def __call__(
        self, number: int, component: Component, seen: Projected, a: Array
    ) -> tuple[Array, Array, Array]:
        y = self._table[number]
        value, slope, curve = elementwise.mean(self._activation, seen.m, seen.s)
        agreement = -(a @ y)
        inner = (agreement * curve)[:, None] * seen.n
        return -value[:, None] * y, agreement * slope, inner

    def power(self, number: int, component: Component) -> float:
        """E|y|² on one component."""
        return float(self._table[number] @ self._table[number])


class NormAttraction(LabelAttraction):
    """V(θ) = -a scale E[s(u) |x|] for a homogeneous s without bias and x ~ N(0, I).

    s(u) is |x|^h times a function of the direction of x, which is independent of |x|: the factor
    |x| in the average is E|x|^(h+1) / E|x|^h.
    """

    def __init__(self, network: TwoLayer, target: Norm, dim: int) -> None:
        degree = network.activation.homogeneity
        if degree is None or network.bias:
            raise no_closed_form(
                "the target Norm unless the activation is homogeneous and without bias"
            )
        half = 0.5 * (dim + degree)
        length = math.sqrt(2.0) * math.exp(gammaln(half + 0.5) - gammaln(half))
        super().__init__(network, Labels([target.scale * length]))
        self._power = target.scale**2 * dim

    def power(self, number: int, component: Component) -> float:
        """E|y|²."""
        return self._power


class SingleIndexAttraction:
    """V(θ) = -a Σ_k y_k t^k c_k(m, s)/√k! with t the cosine of the neuron's and target's direction.

    c_k = E[s(m + s Z) He_k(Z)] are the activation's Hermite coefficients.
    """

    def __init__(self, network: TwoLayer, target: SingleIndex, dim: int) -> None:
        self._activation = network.activation
        factorials = [math.factorial(k) for k in range(len(target.link))]
        self._power = float(np.sum(target.link**2))
        self._link = target.link / np.sqrt(factorials)
        self._direction = target.vector(dim) / np.linalg.norm(target.vector(dim))

    def __call__(
        self, number: int, component: Component, seen: Projected, a: Array
    ) -> tuple[Array, Array, Array]:
        k = np.arange(len(self._link))
        c = self._activation.hermite(seen.m, seen.s, len(k) + 1)
        # The coefficients of s' are c_{k+1}/s, to all digits; or s'(b) and zeros where w = 0.
        still = seen.s == 0
        slopes = c[:, 1:] / np.where(still, 1.0, seen.s)[:, None]
        if still.any():
            slopes[still, 0] = elementwise.mean(self._activation, seen.m[still], seen.s[still])[1]
        c = c[:, : len(k)]
        direction = component.root.T @ self._direction
        t = seen.n @ direction
        powers = t[:, None] ** k
        lower = k * t[:, None] ** np.maximum(k - 1, 0)
        before = np.roll(slopes, 1, axis=1)[:, :-1]
        value = powers * c @ self._link
        slope = powers * slopes[:, :-1] @ self._link
        along = powers * (slopes[:, 1:] + k * before) @ self._link
        turn = lower * before @ self._link
        agreement = -a[:, 0]
        inner = agreement[:, None] * (
            (along - turn * t)[:, None] * seen.n + turn[:, None] * direction
        )
        return -value[:, None], agreement * slope, inner

    def power(self, number: int, component: Component) -> float:
        """E|y|² on one component."""
        return self._power


def _attraction(network: TwoLayer, law: LabelledLaw) -> Any:
    target, inputs = law.target, law.inputs
    if isinstance(target, Teacher):
        return TeacherAttraction(network, target)
    if isinstance(target, Labels) and isinstance(inputs, GaussianMixture):
        target(np.zeros((1, 1)), np.array([len(inputs.probabilities) - 1.0]))
        return LabelAttraction(network, target)
    if isinstance(target, (SingleIndex, Norm)) and isinstance(inputs, Gaussian):
        covariance = inputs.root @ inputs.root.T
        white = np.allclose(covariance, np.eye(inputs.dim), rtol=0, atol=1e-12)
        if not white or inputs.centre.any():
            said = "a single index" if isinstance(target, SingleIndex) else "the norm as target"
            raise no_closed_form(f"{said} on inputs that are not N(0, I)")
        if isinstance(target, Norm):
            return NormAttraction(network, target, inputs.dim)
        return SingleIndexAttraction(network, target, inputs.dim)
    raise no_closed_form(f"a target of kind {type(target).__name__} on {inputs.kind} inputs")


def _check_homogeneous(network: TwoLayer, law: LabelledLaw) -> None:
    degree = network.activation.homogeneity
    biased = network.bias or (isinstance(law.target, Teacher) and law.target.network.bias)
    if degree is None or biased or not isinstance(law.target, Teacher):
        raise no_closed_form(
            "inputs on a sphere unless a teacher and the network share a homogeneous activation "
            "without bias"
        )


def _sphere_factor(network: TwoLayer, sphere: Sphere) -> float:
    """E over the sphere divided by E over N(0, I), for s(u)s(v) of homogeneity 2h in x."""
    h = network.activation.homogeneity or 0.0
    log_gaussian = h * math.log(2.0) + gammaln(sphere.dim / 2 + h) - gammaln(sphere.dim / 2)
    return math.exp(2 * h * math.log(sphere.radius) - log_gaussian)
