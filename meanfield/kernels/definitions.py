"""What each kernel computes, as NumPy says it: slow, obvious, and what the tests compare with."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from meanfield.activations.base import Activation
from meanfield.arrays import Array
from meanfield.kernels.projected import Projected

# Population


def population(
    activation: Activation, targets: Projected, a: Array, sources: Projected, c: Array
) -> tuple[Array, Array, Array]:
    """``sum_j c_j K_ij``, and ``sum_j <a_i, c_j>`` times the gradients of K_ij in m_i and α_i."""
    outer, d_mean, inner = np.zeros(a.shape), np.zeros(len(a)), np.zeros(targets.n.shape)
    for i, j in np.ndindex(len(a), len(c)):
        k, by_mean, by_weight = kernel(activation, targets, i, sources, j)
        outer[i] += c[j] * k
        d_mean[i] += a[i] @ c[j] * by_mean
        inner[i] += a[i] @ c[j] * by_weight
    return outer, d_mean, inner


def kernel(
    activation: Activation, targets: Projected, i: int, sources: Projected, j: int
) -> tuple[float, float, Array]:
    """K = E[s(u)s(v)] of two neurons, and its derivatives in the mean and weight of the first."""
    p = activation.parameters
    m1, s1, n1 = (float(targets.m[i]), float(targets.s[i]), targets.n[i].astype(float))
    m2, s2, n2 = (float(sources.m[j]), float(sources.s[j]), sources.n[j].astype(float))
    assert activation.pair is not None
    assert activation.mean is not None
    if s1 == 0 or s2 == 0:  # one of the two is a constant
        value_u, slope_u, curve_u = activation.mean(p, m1, s1)
        value_v, slope_v, _ = activation.mean(p, m2, s2)
        along = slope_u * slope_v * s2 * n2 if s1 == 0 else curve_u * value_v * n1
        return value_u * value_v, slope_u * value_v, along
    rho = float(np.clip(n1 @ n2, -1, 1))
    tangent = n2 - rho * n1
    sine = float(np.linalg.norm(tangent))
    value, by_mean, by_norm, by_angle = activation.pair(p, m1, s1, m2, s2, rho, sine)
    if sine > 0:
        tangent /= sine
    return value, by_mean, by_norm * n1 + by_angle * tangent


# Layer


def layer_forward(activation: Activation, x: Array, w: Array, b: Array, c: Array) -> Array:
    """``sum_i c_i s(<w_i, x> + b_i)`` at inputs (n, d)."""
    return activation(x @ w.T + b) @ c


def layer_backward(
    activation: Activation, x: Array, w: Array, b: Array, a: Array, g: Array
) -> tuple[Array, Array, Array]:
    """``sum_x g s(z_i)``, ``sum_x <g, a_i> s'(z_i) x`` and ``sum_x <g, a_i> s'(z_i)``."""
    z = x @ w.T + b
    pull = (g @ a.T) * activation.slope(z)
    return activation(z).T @ g, pull.T @ x, pull.sum(axis=0)


# Pairs


def pairwise(
    potential: Callable[[Array], Array],
    slope: Callable[[Array], Array],
    x: Array,
    mass: Array,
    y: Array,
) -> tuple[Array, Array]:
    """``sum_j m_j W(r_ij)`` and ``sum_j m_j W'(r_ij) (x_i - y_j) / r_ij``, 0 where r_ij = 0."""
    away = x.astype(float)[:, None] - y.astype(float)
    r = np.sqrt((away**2).sum(axis=2))
    safe = np.where(r > 0, r, 1.0)
    push = np.where(r > 0, slope(safe) / safe, 0.0)
    return potential(r) @ mass, np.einsum("ij,ijk->ik", push * mass, away)


# Reductions


def mean(values: Array, mass: Array) -> Array:
    """``sum_i m_i values_i`` of values (N, …)."""
    return np.tensordot(mass, values.astype(float), axes=(0, 0))


def second_moment(values: Array, mass: Array) -> Array:
    """``sum_i m_i values_i^2`` of values (N, …)."""
    return np.tensordot(mass, values.astype(float) ** 2, axes=(0, 0))


def pairing(first: Array, second: Array, mass: Array) -> float:
    """``sum_i m_i <first_i, second_i>`` of arrays (N, …)."""
    return float(mean(first.astype(float) * second, mass).sum())


def dissipation(gradient: Array, speeds: Array, mass: Array) -> float:
    """``sum_i m_i <g_i, M g_i>`` of a gradient (N, p), with the mobility M of each column (p,)."""
    return float(mass @ (gradient.astype(float) ** 2 @ speeds))


# Attention


def attention(
    x: Array,
    beta: float,
    *,
    sources: Array,
    mass: Array,
    normalised: bool = True,
    query: Array,
    key: Array,
    value: Array,
    tangent: bool = False,
) -> Array:
    """``sum_j A_ij V y_j`` with ``A_ij = m_j exp(beta <Q x_i, K y_j>)``, rows of A summing to one.

    Without ``normalised`` they do not; with ``tangent``, projected where tokens x are not 0.
    """
    x, sources = x.astype(float), sources.astype(float)
    exponents = beta * (x @ query.T) @ (sources @ key.T).T
    if normalised:
        exponents -= exponents.max(axis=1, where=mass > 0, initial=-np.inf, keepdims=True)
    weights = mass * np.exp(np.where(mass > 0, exponents, -np.inf))
    if normalised:
        weights /= weights.sum(axis=1, keepdims=True)
    found = weights @ sources @ value.T
    if tangent:
        directions = x / np.linalg.norm(x, axis=1, keepdims=True)
        found -= (found * directions).sum(axis=1, keepdims=True) * directions
    return found
