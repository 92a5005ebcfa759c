"""What of a particle to draw: one number, for a density, or two, for a plane."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np

from meanfield.arrays import Array
from meanfield.ensemble import Ensemble, Layout

FURTHEST = 1e150  # what a run that diverged has beyond is drawn there: its square is no float


@dataclass(frozen=True)
class Projection:
    """A map from particles to one or two numbers.

    Attributes
    ----------
    name : str
        ``density``, ``norm``, ``plane``, ``weights`` or ``pca``.
    labels : tuple of str
        Of the one or two numbers.
    points : callable
        ``points(ensemble)`` is (N, 1) or (N, 2).
    neurons : bool
        Whether markers show what a neuron does: area m |a| |w|, and the sign of a.
    equal : bool
        Whether both axes have one unit.
    norm : bool
        Whether the first number is a norm, so that its axis starts at zero.
    """

    name: str
    labels: tuple[str, ...]
    points: Callable[[Ensemble], Array]
    neurons: bool = False
    equal: bool = False
    norm: bool = False


def projections(start: Ensemble, end: Ensemble) -> dict[str, Projection]:
    """The projections that suit a run, by name, the first one first.

    Parameters
    ----------
    start, end : Ensemble
        Its first and last frame.
    """
    layout = start.layout
    moving = moving_columns(start, end)
    end = end.astype("float64")
    if len(moving) == 1:
        found = [marginal(layout, moving)]
    elif {"a", "w"} <= set(layout.blocks):
        found = _of_neurons(layout, moving, end)
    else:
        found = [marginal(layout, moving[:2])]
    if len(moving) > 2:
        found.append(_components(moving, end))
    return {projection.name: projection for projection in found}


def moving_columns(start: Ensemble, end: Ensemble) -> list[int]:
    """The columns that differ between two frames; where none does, those the layout lets move."""
    layout = start.layout
    moved = np.flatnonzero(np.any(start.position != end.position, axis=0)).tolist()
    frozen = {j for name in layout.frozen for j in range(layout.width)[layout.columns(name)]}
    free = [j for j in range(layout.width) if j not in frozen]
    return moved or free or list(range(layout.width))


def outer(ensemble: Ensemble) -> Array:
    """a (N,) of a network with one output, |a| with several."""
    a = ensemble.position[:, ensemble.layout.columns("a")]
    return a[:, 0] if a.shape[1] == 1 else norm(a)


def influence(ensemble: Ensemble) -> Array:
    """log(m |a| |w|) of every neuron, (N,): the product itself overflows where a run diverges."""
    w = ensemble.position[:, ensemble.layout.columns("w")]
    with np.errstate(divide="ignore"):
        factors = np.log(ensemble.mass), np.log(np.abs(outer(ensemble))), np.log(norm(w))
    return np.sum(factors, axis=0)


def norm(rows: Array) -> Array:
    """Euclidean norm of every row, without overflow for numbers up to 1e300."""
    largest = np.maximum(np.abs(rows).max(axis=1, keepdims=True), 1e-300)
    return largest[:, 0] * np.linalg.norm(rows / largest, axis=1)


def drawable(values: Array) -> Array:
    """Values that axes can hold."""
    return np.clip(values, -FURTHEST, FURTHEST)


def marginal(layout: Layout, columns: list[int]) -> Projection:
    """One or two columns as they are."""
    labels = tuple(layout.labels[j] for j in columns)
    name = "density" if len(columns) == 1 else "plane"
    return Projection(name, labels, lambda ensemble: ensemble.position[:, columns])


def _components(moving: list[int], end: Ensemble) -> Projection:
    """The principal axes of the moving columns about their mean, as they are in the end."""
    shares = end.mass / max(float(end.mass.sum()), np.finfo(float).tiny)
    centre = shares @ end.position[:, moving]
    axes, explained = principal(end.position[:, moving] - centre, end.mass)
    labels = tuple(f"component {i + 1} ({share:.0%})" for i, share in enumerate(explained))
    return Projection(
        "pca", labels, lambda ensemble: (ensemble.position[:, moving] - centre) @ axes, equal=True
    )


def _of_neurons(layout: Layout, moving: list[int], end: Ensemble) -> list[Projection]:
    a, w = layout.columns("a"), layout.columns("w")
    dim, outputs = w.stop - w.start, a.stop - a.start
    trained = any(a.start <= j < a.stop for j in moving)
    label = "$a$" if outputs == 1 else "$|a|$"
    found = []
    if trained and dim == 1:
        points = partial(_beside, lambda e: e.position[:, w.start])
        found.append(Projection("plane", ("$w$", label), points))
    elif trained:
        points = partial(_beside, lambda e: norm(e.position[:, w]))
        found.append(Projection("plane", ("$|w|$", label), points, norm=True))
    elif dim > 1:
        found.append(
            Projection("norm", ("$|w|$",), lambda e: norm(e.position[:, w])[:, None], norm=True)
        )
    if dim == 1 and "b" in layout.blocks:
        columns = [w.start, layout.columns("b").start]
        found.append(
            Projection("weights", ("$w$", "$b$"), lambda e: e.position[:, columns], neurons=True)
        )
    elif dim == 2:
        labels = tuple(layout.labels[w])
        found.append(
            Projection("weights", labels, lambda e: e.position[:, w], neurons=True, equal=True)
        )
    elif dim > 2:
        axes, shares = principal_axes(end)
        percent = [f"{100 * share:.0f} %" for share in shares]
        labels = tuple(f"$w$ along axis {i + 1} ({part})" for i, part in enumerate(percent))
        points = partial(_along, w, axes)
        found.append(Projection("weights", labels, points, neurons=True, equal=True))
    return found


def _beside(first: Callable[[Ensemble], Array], ensemble: Ensemble) -> Array:
    return np.column_stack([first(ensemble), outer(ensemble)])


def _along(columns: slice, axes: Array, ensemble: Ensemble) -> Array:
    return ensemble.position[:, columns] @ axes


def principal_axes(ensemble: Ensemble) -> tuple[Array, tuple[float, float]]:
    """The two main axes (d, 2) of ∫ w wᵀ dρ, and their shares of ∫ |w|² dρ.

    Not centred: a neuron at w = 0 is a dead one, and stays in the middle of the picture.
    """
    return principal(ensemble.position[:, ensemble.layout.columns("w")], ensemble.mass)


def principal(points: Array, mass: Array) -> tuple[Array, tuple[float, float]]:
    """The two main axes (q, 2) of ∫ x xᵀ for points (N, q) with masses; their shares of ∫ |x|²."""
    scaled = points / max(1e-300, float(np.abs(points).max()))
    values, vectors = np.linalg.eigh(scaled.T @ (mass[:, None] * scaled))
    axes = vectors[:, [-1, -2]]
    largest = np.abs(axes).argmax(axis=0)
    axes = axes * np.sign(axes[largest, [0, 1]])  # an eigenvector's sign is arbitrary: fix it
    total = max(1e-300, float(values.sum()))
    return axes, (float(values[-1]) / total, float(values[-2]) / total)
