"""What a risk does to each neuron, before the layout of its parameters matters; or why not."""

from __future__ import annotations

from typing import NamedTuple

from meanfield.arrays import Array
from meanfield.errors import Unsupported


class Pull(NamedTuple):
    """A risk's value and derivatives, with g = dl/df averaged over the data.

    Attributes
    ----------
    value : float
        R(ρ).
    outer : (N, k) array
        E[g s(z)]: derivative of the first variation in the (effective) outer weight.
    inner : (N, d) array
        E[<g, a> s'(z) x].
    bias : (N,) array
        E[<g, a> s'(z)].
    """

    value: float
    outer: Array
    inner: Array
    bias: Array


def no_closed_form(what: str) -> Unsupported:
    """The error for a population risk without a formula; it names the two ways round."""
    return Unsupported(
        f"no closed form of the population risk for {what}: "
        "draw the data once (samples = …) or stream them (batch = …)"
    )
