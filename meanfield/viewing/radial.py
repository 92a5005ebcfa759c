"""The distribution of |w| beside that of the mean field, N = ∞."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from meanfield.arrays import Array
from meanfield.ensemble import Ensemble
from meanfield.errors import require, require_count
from meanfield.viewing import style
from meanfield.viewing.distribution import at_times, common_limits
from meanfield.viewing.marks import bins_for, moment
from meanfield.viewing.oracles import Curve, oracle_of
from meanfield.viewing.projections import Projection, norm
from meanfield.viewing.registry import figure, has_blocks, has_frames

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from meanfield.storage import Run

LIMIT = 1000  # particles that represent the limit


@figure("radial", has_frames, has_blocks("w"))
def radial(
    run: Run,
    times: Sequence[float] | None = None,
    axes: Axes | Sequence[Axes] | None = None,
    *,
    limit: Curve | None = None,
    bins: int | None = None,
) -> list[Axes]:
    """The density of |w|, weighted by mass, against its limit N → ∞.

    Parameters
    ----------
    run : Run
    times : sequence of float, optional
        A panel for each of the nearest frames. Default: the first, the middle and the last.
    axes : Axes or sequence of Axes, optional
        One for each time.
    limit : oracle, optional
        Anything with ``measure(time, count)``, as in `meanfield.limits`. Default: that of the two
        isotropic Gaussians, where the run's experiment is of them; else none is drawn.
    bins : int, optional
        The same for particles and limit.
    """
    if bins is not None:
        require_count("bins", bins)
    oracle = limit is None or hasattr(limit, "measure")
    require(oracle, "limit", limit, "an object with measure(time, count), in Python")
    shown = [frame.astype("float64") for frame in at_times(run, times)]
    known = limit if limit is not None else oracle_of(run)
    radii = [radius(frame) for frame in shown]
    curves = [known.measure(frame.time, LIMIT) for frame in shown] if known is not None else []
    beyond = [radius(curve) for curve in curves]
    points = [values[:, None] for values in radii + beyond]
    low, high = common_limits(points, Projection("density", ("$|w|$",), radius))[0]
    low = max(low, 0.0)
    edges = np.linspace(low, high, 1 + (bins or bins_for(max(map(len, shown)))))
    drawn = style.targets(axes, len(shown), "time", columns=3, height=2.1)
    for number, (ax, frame, values) in enumerate(zip(drawn, shown, radii, strict=True)):
        look: dict[str, Any] = {"fill": True, "facecolor": "#CFE0EE", "edgecolor": style.POSITIVE}
        density = _density(values, frame.mass, edges)
        ax.stairs(density, edges, label=f"N = {len(frame):,}", linewidth=0.8, **look)
        if curves:
            there = _density(beyond[number], curves[number].mass, edges)
            ax.stairs(there, edges, color="black", linewidth=1.3, label="limit")
        ax.set(xlabel="$|w|$", title=moment(frame), xlim=(low, high))
    highest = max(ax.get_ylim()[1] for ax in drawn)
    for ax in drawn:
        ax.set_ylim(0.0, highest)
    for ax in style.firsts(drawn):
        ax.set_ylabel("density")
        if curves:
            ax.legend()
    return drawn


def radius(ensemble: Ensemble) -> Array:
    """|w| of every neuron, (N,)."""
    return norm(ensemble.position[:, ensemble.layout.columns("w")])


def _density(values: Array, mass: Array, edges: Array) -> Array:
    found, _ = np.histogram(values, edges, weights=mass)
    return found / np.diff(edges)
