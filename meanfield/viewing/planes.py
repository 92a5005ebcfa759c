"""The plane in which a neuron is one point, and where the teacher's neurons are in it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from meanfield.arrays import Array
from meanfield.ensemble import Ensemble, Layout
from meanfield.errors import MeanfieldError, require
from meanfield.viewing.projections import drawable, moving_columns, norm, principal

if TYPE_CHECKING:
    from meanfield.config import Setting
    from meanfield.storage import Run


@dataclass(frozen=True)
class Plane:
    """A map from particles to points, and the points of the teacher.

    Attributes
    ----------
    labels : tuple of two str
        Of the axes. The first is empty where a particle is one number: the other axis is time.
    points : callable
        ``points(ensemble)`` is (N, 2), or (N, 1) of one number.
    teacher : (T, 2) array
        Its neurons in the same plane; T = 0 without one.
    signs : (T,) array
        Of the teacher's outer weights.
    homogeneous : bool
        Whether a neuron is a direction times its strength: then rays and equal axes mean something.
    """

    labels: tuple[str, str]
    points: Callable[[Ensemble], Array]
    teacher: Array
    signs: Array
    homogeneous: bool = False


def plane(run: Run, setting: Setting | None = None) -> Plane:
    """The plane that suits the particles of a run.

    Neurons with two inner weights (bias included) are the points m N |a| w: what they add to the
    network, if the activation is homogeneous of degree 1. With more, these are projected on the
    two axes of the teacher's first neurons, or else the principal ones of the last frame. With one
    inner weight they are (w, a). Other particles are their first two coordinates that move, or the
    only one.

    Parameters
    ----------
    run : Run
    setting : Setting, optional
        Default: that of the run's experiment, if it has one.
    """
    known = known_setting(run, setting)
    frames = run.frames
    layout, moving = run.layout, moving_columns(frames[0], frames[-1])
    nowhere = np.empty((0, 2)), np.empty(0)
    if not {"a", "w"} <= set(layout.blocks) or len(moving) == 1:
        names = ["", *(f"${_math(layout.labels[j])}$" for j in moving[:2])]
        return Plane((names[-2], names[-1]), _columns(moving[:2]), *nowhere)
    inner = inner_columns(layout)
    a = layout.columns("a")
    if len(inner) == 1:
        taught, signs = teacher_neurons(known, len(inner))
        beside = np.column_stack([taught[:, 0], signs]) if len(taught) else nowhere[0]
        label = "$a$" if a.stop - a.start == 1 else "$|a|$"
        return Plane(("$w$", label), _beside(inner, a), beside, np.sign(signs))
    taught, signs = teacher_neurons(known, len(inner))
    trained = set(range(a.start, a.stop)) & set(moving)
    factor = "|a|\\," if trained else ""
    if len(inner) == 2:
        across = np.eye(2)
        first, second = (f"${factor}{_math(layout.labels[j])}$" for j in inner)
    else:
        across, along = main_axes(run, inner, taught)
        first, second = (f"${factor}w$ along {name}" for name in along)
    labels = first, second
    strength = np.abs(signs)[:, None] if trained else 1.0
    return Plane(labels, _of_neurons(inner, a, across), strength * taught @ across, signs, True)


def known_setting(run: Run, given: Setting | None = None) -> Setting | None:
    """What was given, or that of the run's experiment; None if it cannot be made again."""
    from meanfield.config import setting

    if given is not None:
        return check_setting(given)
    try:
        return setting(run) if run.experiment else None
    except MeanfieldError:
        return None


def check_setting(given: Setting) -> Setting:
    """Refuse what is no setting."""
    from meanfield.config import Setting

    require(isinstance(given, Setting), "setting", given, "mf.Setting(network, data), in Python")
    return given


def teacher_neurons(setting: Setting | None, width: int) -> tuple[Array, Array]:
    """Inner weights (T, width), bias included, and outer weights (T,) of a teacher; T may be 0.

    The direction of a single index is two neurons, v and -v.
    """
    from meanfield.data import SingleIndex

    if setting is None:
        return np.empty((0, width)), np.empty(0)
    teacher, network = setting.teacher, setting.network
    if teacher is not None:
        position = teacher.ensemble.position
        layout = teacher.ensemble.layout
        outer = position[:, layout.columns("a")]
        signs = outer[:, 0] if outer.shape[1] == 1 else norm(outer)
        return position[:, inner_columns(layout)], signs
    if isinstance(setting.target, SingleIndex) and not network.bias:
        v = setting.target.vector(network.dim)
        v = v / np.linalg.norm(v)
        return np.stack([v, -v]), np.ones(2)
    return np.empty((0, width)), np.empty(0)


def inner_columns(layout: Layout) -> list[int]:
    """The columns of w, and of b where there is one."""
    blocks = [name for name in ("w", "b") if name in layout.blocks]
    return [j for name in blocks for j in range(layout.width)[layout.columns(name)]]


def main_axes(run: Run, inner: list[int], taught: Array) -> tuple[Array, tuple[str, str]]:
    """Orthonormal axes (q, 2) and their names: two of the teacher's, or the principal ones."""
    if len(taught) >= 2:
        q, r = np.linalg.qr(taught[:2].T)
        if abs(r[1, 1]) > 1e-6 * abs(r[0, 0]) > 0:
            names = "teacher 1", "teacher 2, rest"
            return np.asarray(q * np.sign(np.diag(r))), names
    end = run.frames[-1].astype("float64")
    axes, shares = principal(end.position[:, inner], end.mass)
    return axes, (f"axis 1 ({shares[0]:.0%})", f"axis 2 ({shares[1]:.0%})")


def _columns(columns: list[int]) -> Callable[[Ensemble], Array]:
    return lambda ensemble: ensemble.position[:, columns]


def _beside(inner: list[int], a: slice) -> Callable[[Ensemble], Array]:
    def points(ensemble: Ensemble) -> Array:
        outer = ensemble.position[:, a]
        strength = outer[:, 0] if outer.shape[1] == 1 else norm(outer)
        return np.column_stack([ensemble.position[:, inner[0]], strength])

    return points


def _of_neurons(inner: list[int], a: slice, across: Array) -> Callable[[Ensemble], Array]:
    def points(ensemble: Ensemble) -> Array:
        strength = len(ensemble) * ensemble.mass * norm(drawable(ensemble.position[:, a]))
        w = drawable(ensemble.position[:, inner])
        return drawable(strength[:, None] * w @ across)

    return points


def _math(label: str) -> str:
    """A column's name as mathematics: w[0] is w_0."""
    return label.replace("[", "_{").replace("]", "}")
