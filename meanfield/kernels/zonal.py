"""Zonal kernels: K(θ, θ') = C κ(s) κ(s') φ(⟨x, x'⟩), with x = s n / l(s).

Without bias and mean, most Gaussian averages have this form: n is the direction of the whitened
weight and s its norm, φ a `shapes` function of one variable. So all pairs need one product and
one elementwise pass, and the gradient of the sum follows from the sums S_i = Σ c_j κ_j φ and
H_i = Σ c_j κ_j φ' x_j:

    ∇ Σ_j c_j K_ij = C ( κ'_i S_i n_i + (κ_i / l_i) (H_i - l'_i ⟨x_i, H_i⟩ n_i) ).

Errors are absolute: some units of the last place of C κ(s) Σ_j |c_j| κ(s_j), the size of the sum
if all neurons were aligned. The general path (`population`) is accurate pair by pair.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from meanfield.arrays import dots, scaled
from meanfield.kernels import fused, tiles
from meanfield.kernels.projected import Projected


class Scaled(NamedTuple):
    """Neurons, as a zonal kernel sees them: x (N, d), and l, l', κ, κ' of the norms s (N,)."""

    x: np.ndarray
    length: Any
    length_slope: Any
    kappa: Any
    kappa_slope: Any


class Scales(NamedTuple):
    """How a neuron's norm enters.

    Attributes
    ----------
    of : callable
        The `Scaled` neurons of `Projected` ones, in their number type.
    largest : float
        Norm up to which float64 serves.
    largest_single : float
        Norm up to which float32 serves.
    """

    of: Callable[[Projected], Scaled]
    largest: float = np.inf
    largest_single: float = np.inf


@dataclass(frozen=True)
class Zonal:
    """What an activation says of its kernel for centred pre-activations.

    Parameters
    ----------
    shape : factory of kernels
        φ and φ' (`shapes`).
    scales : Scales
        l and κ.
    factor : float
        C.
    """

    shape: Any
    scales: Scales
    factor: float = 1.0


def homogeneous(degree: int) -> Scales:
    """x = n, κ = s^h: positively homogeneous activations."""

    def of(seen: Projected) -> Scaled:
        s = seen.s
        still = s == 0
        length = np.where(still, s.dtype.type(1), s)  # x = 0 where there is no direction
        if degree == 0:
            return Scaled(seen.n, length, 1, np.where(still, s, s.dtype.type(1)), 0)
        return Scaled(seen.n, length, 1, s**degree, degree * s ** (degree - 1))

    return Scales(of)


def squashed(square: float, power: int = 0) -> Scales:
    """x = s n / √(s² + v), κ = (s² + v)^(-power/2): noise of variance v in u."""

    def of(seen: Projected) -> Scaled:
        s = seen.s
        length = np.sqrt(s * s + s.dtype.type(square))
        slope = s / length
        x = seen.a / length[:, None]
        if power == 0:
            return Scaled(x, length, slope, 1, 0)
        kappa = length**-power
        return Scaled(x, length, slope, kappa, -power * kappa * slope / length)

    # 1 - u² of parallel neurons is v/s², and u has an error of one unit: φ' of such pairs keeps
    # 10 digits, or 4.
    return Scales(of, 1000.0 * square**0.5, 64.0 * square**0.5)


def exponential(sign: int) -> Scales:
    """x = s n, κ = exp(± s²/2)."""

    def of(seen: Projected) -> Scaled:
        s = seen.s
        kappa = np.exp(s.dtype.type(sign / 2) * s * s)
        return Scaled(seen.a, 1, 0, kappa, sign * s * kappa)

    # e^(s²) must fit in, and its relative error is one unit times s².
    return Scales(of, 26.0, 9.0)


def interact(
    zonal: Zonal,
    parameters: tuple[float, ...],
    targets: Projected,
    target_weights: np.ndarray,
    sources: Projected,
    source_weights: np.ndarray,
    path: str,
    meet: Callable[..., tuple[np.ndarray, np.ndarray]] = tiles.sums,
) -> tuple[np.ndarray, np.ndarray]:
    """Potential and gradient in the whitened weight: see `population.interact`.

    Parameters
    ----------
    path : {"fused", "tiles"}
        "fused" is for one output.
    meet : callable
        What sums over the pairs in "tiles", or in other ways than all with all.
    """
    dtype = targets.s.dtype.type
    p = tuple(dtype(value) for value in parameters)
    a = target_weights
    x, length, length_slope, kappa, kappa_slope = zonal.scales.of(targets)
    y, kappa_sources = None, kappa
    if sources is not targets:
        y, _, _, kappa_sources, _ = zonal.scales.of(sources)
    c = dtype(zonal.factor) * source_weights * _column(kappa_sources)
    if path == "fused":
        total, pull = fused.sums(zonal.shape, fused.Product, p, x, c[:, 0], y)
        total = total[:, None]
    else:
        total, pull = meet(zonal.shape, p, x, a, c, y)
    single = a.shape[1] == 1
    agreement = total[:, 0] if single else dots(a, total)
    rate = kappa / length
    along = kappa_slope * agreement - rate * length_slope * dots(x, pull)
    if single:
        along, rate = a[:, 0] * along, a[:, 0] * rate
    inner = scaled(targets.n, along)
    inner += scaled(pull, rate)
    return total * _column(kappa), inner


def _column(values: Any) -> Any:
    """One value per neuron, or one for all."""
    return values[:, None] if np.ndim(values) else values
