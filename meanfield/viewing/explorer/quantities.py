"""What a page knows of each particle: coordinates, and what is made of them.

A quantity that can be made of others is not stored: the page makes it from them (``made``).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np

from meanfield.arrays import Array
from meanfield.ensemble import Ensemble, Layout
from meanfield.viewing.projections import norm, principal

Made = Mapping[str, Any]


@dataclass(frozen=True)
class Quantity:
    """One number for each particle.

    Attributes
    ----------
    name : str
        As in ``w[0]`` or ``|w|``.
    values : callable
        ``values(ensemble)`` is (N,).
    made : mapping, optional
        How to make it of others: ``how`` is norm, angle, linear or product, ``of`` their names.
    unit : str
        Two quantities of one unit can be drawn to one scale.
    row : (p,) array, optional
        Of one that is linear in the particle.
    note : str
        What else is to be said of it.
    """

    name: str
    values: Callable[[Ensemble], Array]
    made: Made = field(default_factory=dict)
    unit: str = ""
    row: Array | None = None
    note: str = ""


def coordinates(layout: Layout) -> list[Quantity]:
    """Every column of a particle."""
    blocks = [name for name in layout.blocks for _ in range(layout.width)[layout.columns(name)]]
    rows = np.eye(layout.width)
    return [
        Quantity(label, partial(_column, j), unit=block, row=rows[j])
        for j, (label, block) in enumerate(zip(layout.labels, blocks, strict=True))
    ]


def summaries(end: Ensemble) -> list[Quantity]:
    """What is made of the columns: of each vector its norm, and its angle or principal axes.

    Parameters
    ----------
    end : Ensemble
        The last frame, which the principal axes are those of.
    """
    layout = end.layout
    found: list[Quantity] = []
    for block in layout.blocks:
        found += _of_block(end, block)
    if {"a", "w"} <= set(layout.blocks):
        sizes = [size_of(layout, block) for block in ("a", "w")]
        made = {"how": "product", "of": ["mass", *sizes]}
        found.append(Quantity("m|a||w|", influence, made))
    if end.velocity is not None:
        found.append(Quantity("speed", lambda e: _norm(e.velocity)))
    return found


def size_of(layout: Layout, block: str) -> str:
    """The name of the quantity that says how large a block is."""
    columns = layout.labels[layout.columns(block)]
    return columns[0] if len(columns) == 1 else f"|{block}|"


def mass(ensemble: Ensemble) -> Array:
    """The masses, (N,)."""
    return ensemble.mass


def influence(ensemble: Ensemble) -> Array:
    """m |a| |w| of every neuron, (N,)."""
    with np.errstate(over="ignore"):
        return ensemble.mass * _norm(ensemble["a"]) * _norm(ensemble["w"])


def principal_axes(end: Ensemble, block: str) -> tuple[Array, tuple[float, float]]:
    """The two main axes (k, 2) of ∫ w wᵀ dρ for a block w, and their shares of ∫ |w|² dρ.

    Not centred: w = 0 stays in the middle.
    """
    return principal(end.position[:, end.layout.columns(block)].astype(float), end.mass)


def _of_block(end: Ensemble, block: str) -> Iterable[Quantity]:
    layout = end.layout
    place = layout.columns(block)
    columns = layout.labels[place]
    if len(columns) == 1:
        return
    yield Quantity(f"|{block}|", partial(_size, block), {"how": "norm", "of": columns})
    if len(columns) == 2:
        made = {"how": "angle", "of": columns}
        yield Quantity(f"angle of {block}", partial(_angle, block), made, note="in units of π")
        return
    axes, shares = principal_axes(end, block)
    for number, (axis, share) in enumerate(zip(axes.T, shares, strict=True), start=1):
        row = np.zeros(layout.width)
        row[place] = axis
        made = {"how": "linear", "of": columns, "by": axis.tolist()}
        said = f"{100 * share:.0f} % of ∫|{block}|²dρ at the end"
        values = partial(_along, row)
        yield Quantity(f"{block} on axis {number}", values, made, block, row, said)


def _column(j: int, ensemble: Ensemble) -> Array:
    return ensemble.position[:, j]


def _along(row: Array, ensemble: Ensemble) -> Array:
    return ensemble.position.astype(float) @ row


def _size(block: str, ensemble: Ensemble) -> Array:
    return _norm(ensemble[block])


def _angle(block: str, ensemble: Ensemble) -> Array:
    x, y = ensemble[block].reshape(len(ensemble), 2).astype(float).T
    return np.arctan2(y, x) / np.pi


def _norm(rows: Array | None) -> Array:
    assert rows is not None
    return norm(rows.reshape(len(rows), -1).astype(float))
