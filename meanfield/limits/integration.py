"""Reduced flows as ordinary differential equations, integrated twice to know the error."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import ArrayLike
from scipy.integrate import solve_ivp

from meanfield.arrays import Array
from meanfield.errors import MeanfieldError
from meanfield.limits.base import Limit, checked_times

Rate = Callable[[Array], Array]
Look = Callable[[Array], Mapping[str, ArrayLike]]
TOLERANCE = 1e-11  # relative, and absolute on states of size 1


def integrate(rate: Rate, start: Array, times: Array, tolerance: float = TOLERANCE) -> Array:
    """States (T, n) of dy/dt = rate(y) at increasing times, from y(0) = start (n,), by DOP853.

    Raises
    ------
    MeanfieldError
        If the integrator gives up, as where the solution ends at a finite time.
    """
    if times[-1] == 0.0:
        return np.repeat(start[None], len(times), axis=0)
    found = solve_ivp(
        lambda _, y: rate(y),
        (0.0, times[-1]),
        start,
        method="DOP853",
        t_eval=times,
        rtol=tolerance,
        atol=tolerance,
    )
    if not found.success:
        raise MeanfieldError(f"the reduced flow was not integrated to {times[-1]}: {found.message}")
    return found.y.T


def looked_at(states: Array, look: Look) -> dict[str, Array]:
    """The series that `look` finds in each of the states."""
    seen = [look(state) for state in states]
    return {name: np.array([one[name] for one in seen], dtype=float) for name in seen[0]}


def flow_limit(rate: Rate, start: Array, times: ArrayLike, look: Look) -> Limit:
    """The series of a reduced flow; their errors are the differences from 100 times the tolerance.

    Parameters
    ----------
    rate : callable
        ``rate(state) -> (n,)``.
    start : (n,) array
    times : (T,) array
    look : callable
        ``look(state) -> {name: number or array}``.
    """
    when = checked_times(times)
    fine = looked_at(integrate(rate, start, when), look)
    rough = looked_at(integrate(rate, start, when, 100 * TOLERANCE), look)
    return refined(when, fine, rough, "difference from 100 times the tolerance")


def refined(times: Array, fine: Mapping[str, Array], rough: Mapping[str, Array], how: str) -> Limit:
    """A limit with the difference from a rougher computation as its error."""
    errors = {name: np.abs(fine[name] - rough[name]) for name in fine}
    return Limit(times, dict(fine), errors, how)
