"""Rules for integrals over neurons in up to three dimensions."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import roots_legendre

from meanfield.arrays import Array


@dataclass(frozen=True)
class Rule:
    """Nodes (Q, q), logarithms of their weights (Q,), and which of them are at the edge (Q,)."""

    nodes: Array
    log_weights: Array
    edge: Array


def box(dim: int, count: int, reach: float) -> Rule:
    """The trapezoidal rule on [-reach, reach]^dim, with `count` intervals on every axis.

    For smooth integrands that vanish at the edge it converges geometrically.
    """
    axis = np.linspace(-reach, reach, count + 1)
    nodes = np.stack(np.meshgrid(*[axis] * dim, indexing="ij"), axis=-1).reshape(-1, dim)
    cell = dim * np.log(2.0 * reach / count)
    edge = np.abs(nodes).max(axis=1) >= reach * (1.0 - 1e-12)
    return Rule(nodes, np.full(len(nodes), cell), edge)


def polar(normals: Array, count: int, reach: float) -> Rule:
    """A rule in polar coordinates that is split where an integrand has kinks.

    Gauss–Legendre along the radius up to `reach`, and on every arc between neighbouring kinks.

    Parameters
    ----------
    normals : (n, q) array
        The kinks are on the lines ⟨z, normal⟩ = 0; q is 1 or 2.
    count : int
        Nodes along the radius; a quarter of them on every arc.
    reach : float
    """
    dim = normals.shape[1]
    points, weights = roots_legendre(count)
    radius = 0.5 * reach * (points + 1.0)
    along = np.log(0.5 * reach * weights) + (dim - 1) * np.log(radius)
    if dim == 1:
        directions, around = np.array([[-1.0], [1.0]]), np.zeros(2)
    else:
        angle, arc = _arcs(normals, max(count // 4, 4))
        directions, around = np.column_stack([np.cos(angle), np.sin(angle)]), np.log(arc)
    nodes = (radius[:, None, None] * directions).reshape(-1, dim)
    log_weights = (along[:, None] + around).ravel()
    return Rule(nodes, log_weights, np.repeat(np.arange(count) == count - 1, len(directions)))


def _arcs(normals: Array, count: int) -> tuple[Array, Array]:
    """Angles of a rule on the circle that is split at right angles to the normals; its weights."""
    long = normals[np.linalg.norm(normals, axis=1) > 0]
    right = np.arctan2(long[:, 1], long[:, 0]) + 0.5 * np.pi
    kinks = np.unique(np.mod(np.concatenate([right, right + np.pi, [0.0]]), 2.0 * np.pi))
    ends = np.append(kinks[1:], kinks[0] + 2.0 * np.pi)
    points, weights = roots_legendre(count)
    half = 0.5 * (ends - kinks)
    angles = kinks + half + half * points[:, None]
    return angles.ravel(), (half * weights[:, None]).ravel()
