"""How lazy training is: how far neurons have moved, and what a linear model would have missed."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from meanfield.arrays import Array
from meanfield.ensemble import Ensemble
from meanfield.errors import Unsupported
from meanfield.flows import Moves
from meanfield.kernels import reductions
from meanfield.networks import TwoLayer
from meanfield.observables.base import Observable, View, observables
from meanfield.observables.metrics import Points
from meanfield.schedules import Schedule

ROWS = 256  # samples that meet all neurons at once


@observables.register("displacement")
class Displacement(Observable):
    """``displacement`` = (∫ |θ - θ₀|² dρ)^½ of every particle from its start; and of each block.

    The blocks are ``displacement_a``, ``displacement_w``, …: those that some flow may move.
    """

    def __call__(self, view: View) -> Mapping[str, ArrayLike]:
        if Moves.JUMPS in view.flow.moves:
            raise Unsupported(
                f"the observable 'displacement' follows particles, which the flow "
                f"{view.flow.kind!r} kills and copies: leave it out"
            )
        now, layout = view.ensemble, view.ensemble.layout
        away = reductions.second_moment(now.position - view.start.position, now.mass)
        moving = [name for name in layout.blocks if name not in layout.frozen]
        each = {f"displacement_{n}": math.sqrt(away[layout.columns(n)].sum()) for n in moving}
        return {"displacement": math.sqrt(away.sum()), **each}


@observables.register("linearisation")
class Linearisation(Observable):
    """``linearisation_error`` = |f_t - T f_t|, and the same relative to |f_t - f_0|.

    T f_t = f_0 + Df_0(θ_t - θ₀) is what the model that is linear in the parameters, as it is at
    the start, makes of the particles' motion, and |.| the norm of L²(data). Both are 0 in the lazy
    limit. ``linearisation_relative`` is 0 where f_t = f_0.

    Parameters
    ----------
    samples : int
        How many inputs are drawn where the data are a law, the same ones at every call; else the
        samples that are trained on are used.
    when : Schedule, optional

    References
    ----------
    L. Chizat, E. Oyallon, F. Bach, NeurIPS 2019.
    """

    def __init__(
        self, samples: int = 1000, when: Schedule | Mapping[str, Any] | None = None
    ) -> None:
        super().__init__(when)
        self._points = Points(samples)

    def __call__(self, view: View) -> Mapping[str, ArrayLike]:
        if view.flow.moves & {Moves.JUMPS, Moves.REACTION}:
            raise Unsupported(
                f"the observable 'linearisation' is for particles that move, and the flow "
                f"{view.flow.kind!r} changes masses: leave it out"
            )
        data, network = self._points(view.risk), view.risk.network
        moved = network.output(view.ensemble, data.x) - network.output(view.start, data.x)
        linear = tangent(network, view.start, view.ensemble.position, data.x)
        missed, whole = (
            math.sqrt(data.weights @ np.square(f, dtype=float).sum(axis=1))
            for f in (moved - linear, moved)
        )
        relative = missed / whole if whole > 0 else 0.0
        return {"linearisation_error": missed, "linearisation_relative": relative}


def tangent(network: TwoLayer, start: Ensemble, position: Array, x: Array) -> Array:
    """Df(θ - θ₀) at inputs x (n, d), (n, k): the derivative at the start along a displacement.

    Parameters
    ----------
    network : TwoLayer
    start : Ensemble
        The particles θ₀ (N, p), whose masses count.
    position : (N, p) array
        θ.
    x : (n, d) array
    """
    away = start.having(position=position - start.position)
    outer, slope = network.outer_weights(start)
    turned = away.position[:, : network.outputs]
    turned = start.weigh(turned if slope is None else slope * turned)
    outer = start.weigh(outer)
    w, b = network.inner_weights(start)
    dw, db = network.inner_weights(away)
    f = np.empty((len(x), network.outputs))
    for first in range(0, len(x), ROWS):
        rows = slice(first, first + ROWS)
        z, dz = x[rows] @ w.T + b, x[rows] @ dw.T + db
        f[rows] = network.activation(z) @ turned + (network.activation.slope(z) * dz) @ outer
    return f
