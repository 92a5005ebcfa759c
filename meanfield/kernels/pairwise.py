"""Sums of a symmetric W(x, y) and its gradient over all pairs of particles.

Where W depends on the distance alone, each unordered pair is evaluated once (`fused`, and `wide` in
many dimensions); where it is quadratic, moments say all; a user's function of two positions is
called for every ordered pair (`given`).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from meanfield import interactions
from meanfield.arrays import Array, as_floats
from meanfield.errors import require, require_count
from meanfield.interactions import PairPotential
from meanfield.kernels import fused, reductions, wide
from meanfield.kernels.choices import FUSED_DIM, Choice

Sums = tuple[Array, Array]


def choose(interaction: Any, dim: int) -> Choice:
    """The path of a sum over pairs.

    Parameters
    ----------
    interaction : str, dict or PairPotential
    dim : int
        p.

    Returns
    -------
    Choice
        "moments", "fused", "wide" or "rows".
    """
    require_count("dim", dim)
    potential = interactions.make(interaction)
    if potential.moments:
        return Choice("moments", f"for {potential.kind} W moments are exact, in O(N)")
    if potential.shape is None:
        return Choice("rows", "W of two positions, not of a distance: all ordered pairs are called")
    if dim <= FUSED_DIM:
        return Choice("fused", f"p = {dim} ≤ {FUSED_DIM}: coordinates in registers")
    return Choice("wide", f"p = {dim} > {FUSED_DIM}: coordinates in groups of {wide.GROUP}")


def pairwise(
    interaction: Any, x: ArrayLike, mass: ArrayLike, y: ArrayLike | None = None
) -> tuple[Array, Array]:
    """Potential Σ_j m_j W(x_i, y_j) and gradient Σ_j m_j ∇₁W(x_i, y_j) of every particle.

    No factor but the masses; a particle meets itself too, where sources are the targets. Particles
    that coincide do not push each other. NaN in a source reaches every target.

    Parameters
    ----------
    interaction : str, dict or PairPotential
        A name, a table ``{"kind": name, **parameters}``, or an object of `meanfield.interactions`.
    x : (N, p) array
        Targets. float32 stays float32, all else is float64; the others follow.
    mass : (N,) or (M,) array
        Of the sources; any sign.
    y : (M, p) array, optional
        Sources; default: the targets, and each unordered pair of a W of the distance counts once.

    Returns
    -------
    potential : (N,) array
    gradient : (N, p) array

    Raises
    ------
    InvalidInput
        If shapes do not fit.
    """
    potential = interactions.make(interaction)
    targets = np.ascontiguousarray(as_floats(x))
    require(targets.ndim == 2, "x", targets.shape, "the shape (N, p)")
    dim, dtype = targets.shape[1], targets.dtype
    sources = None if y is None else np.ascontiguousarray(y, dtype)
    count = len(targets) if sources is None else len(sources)
    weights = np.ascontiguousarray(mass, dtype)
    require(
        weights.shape == (count,),
        "mass",
        weights.shape,
        f"the shape ({count},), one for each source",
    )
    if sources is not None:
        require(sources.shape == (count, dim), "y", sources.shape, f"the shape (M, {dim})")
    path = choose(potential, dim).path
    values, gradient = _PATHS[path](potential, targets, weights, sources)
    # A user's function may lose NaN in a comparison.
    seen = targets if sources is None else sources
    lost = np.isnan(targets).any(axis=1) | np.isnan(seen).any()
    values[lost], gradient[lost] = np.nan, np.nan
    return np.ascontiguousarray(values), np.ascontiguousarray(gradient)


def _moments(potential: PairPotential, x: Array, mass: Array, y: Array | None) -> Sums:
    """W = k|x - y|²/2, around a centre of the sources: far from 0 no digits are lost."""
    (strength,) = potential.parameters
    sources = (x if y is None else y).astype(float)
    centre = sources.mean(axis=0) if len(sources) else 0.0
    near, weights = sources - centre, mass.astype(float)
    first = reductions.mean(near, weights)
    second = reductions.second_moment(near, weights).sum()
    total = weights.sum()
    away = x - centre
    squares = np.einsum("ip,ip->i", away, total * away - 2.0 * first)
    value = 0.5 * strength * (squares + second)
    return value.astype(x.dtype), (strength * (total * away - first)).astype(x.dtype)


def _fused(potential: PairPotential, x: Array, mass: Array, y: Array | None) -> Sums:
    p = tuple(map(x.dtype.type, potential.parameters))
    return fused.sums(potential.shape, fused.Distance, p, x, mass, y)


def _wide(potential: PairPotential, x: Array, mass: Array, y: Array | None) -> Sums:
    p = tuple(map(x.dtype.type, potential.parameters))
    return wide.sums(potential.shape, p, x, mass, y)


def _rows(potential: interactions.Given, x: Array, mass: Array, y: Array | None) -> Sums:
    value, gradient = np.empty(len(x), x.dtype), np.zeros_like(x)
    potential.drive(x, x if y is None else y, mass, value, gradient)
    return value, gradient


_PATHS: dict[str, Any] = {"moments": _moments, "fused": _fused, "wide": _wide, "rows": _rows}
