"""Real harmonics on the sphere of any dimension, each made by one multiplication.

A harmonic of degree l in the first e coordinates is one of degree j ≤ l in the first e - 1 of them,
times a polynomial of degree l - j in x_e and |x_1 … x_e|² that solves the three-term recursion of
the Gegenbauer polynomials. So a harmonic that does not need x_e is there already, and from
``1, x_1`` on every coordinate only adds new ones: all of degree ≤ L in R^d cost as many
multiplications as there are. Nothing is divided by a norm: no pole is singular.

Within degree l, the harmonics of the first e coordinates are the last ``number[e, l]`` ones. They
are orthogonal, and with the weights ``norm`` they satisfy the addition theorem::

    Σ_f norm_f Y_f(x) Y_f(y) = |x|^l |y|^l P_l(cos of the angle),   P_l(1) = 1

References
----------
A. Erdélyi et al., Higher Transcendental Functions II, 1953, chapter 11.
"""

from __future__ import annotations

import functools
from typing import NamedTuple

import numpy as np
from scipy.special import beta

from meanfield.arrays import Array
from meanfield.kernels.compile import jit

LANES = 64  # points that a kernel works on side by side; with 32 it takes 1.3 to 1.9 times as long


class Tables(NamedTuple):
    """What the recursions in R^d up to degree L need.

    Attributes
    ----------
    end : (L + 1,) array
        Where the harmonics of each degree end, in the order of degrees.
    number, first : (d + 1, L + 1) arrays
        Number of harmonics of a degree, and of lower degrees, in the first e coordinates.
    up, down : (d + 1, L + 1, L + 1) arrays
        Step n of the recursion in coordinate e upon degree j:
        ``p_n = up[e, j, n] x_e p_{n-1} - down[e, j, n] |x_1 … x_e|² p_{n-2}``.
    """

    end: np.ndarray
    number: np.ndarray
    first: np.ndarray
    up: np.ndarray
    down: np.ndarray


def counts(dim: int, degree: int) -> Array:
    """How many independent harmonics of degree 0 … L there are in R^e, (d + 1, L + 1) floats."""
    number = np.zeros((dim + 1, degree + 1))
    number[0, 0] = 1
    number[1, :2] = 1
    for e in range(2, dim + 1):
        number[e] = np.cumsum(number[e - 1])
    return number


@functools.lru_cache(maxsize=32)
def tables(dim: int, degree: int) -> tuple[Tables, Array]:
    """The tables, and the weights ``norm`` (R,) of the addition theorem."""
    number = counts(dim, degree).astype(np.int64)
    end = np.cumsum(number[dim])
    first = np.cumsum(number, axis=1) - number
    up, down = np.zeros((2, dim + 1, degree + 1, degree + 1))
    n = np.arange(1, degree + 1)
    norm = np.zeros(end[-1])
    norm[0] = 1.0
    norm[end[min(1, degree)] - 1] = 1.0
    for e in range(2, dim + 1):
        mass = np.array([beta(0.5, j + 0.5 * (e - 1)) for j in range(degree + 1)])
        below, lower = np.zeros_like(norm), norm.copy()
        for j in range(degree + 1):
            # Of orthonormal polynomials for the weight (1 - z²)^(λ - 1/2).
            order = j + 0.5 * (e - 2)
            squares = n * (n + 2 * order - 1) / np.maximum(4 * (n + order) * (n + order - 1), 1e-9)
            squares[:1] = 0.5 / (1 + order)
            ratio = np.sqrt(squares)
            up[e, j, 1:] = 1 / ratio
            down[e, j, 2:] = ratio[:-1] / ratio[1:]
            source = slice(end[j] - number[e - 1, j], end[j])
            for l in range(j, degree + 1):
                start = end[l] - number[e, l] + first[e - 1, j]
                share = number[e - 1, j] / number[e, l] * mass[0] / mass[j]
                below[start : start + number[e - 1, j]] = share * lower[source]
        norm = below
    return Tables(end, number, first, up, down), norm


def powers(dim: int, degree: int) -> Array:
    """The coefficients of ``ρ^k = Σ_l τ_kl P_l(ρ)``, (L + 1, L + 1): none negative, rows sum to 1.

    By ``(2l + d - 2) ρ P_l = (l + d - 2) P_{l+1} + l P_{l-1}``, P_l(1) = 1.
    """
    l = np.arange(degree + 1)
    raised = np.ones(degree + 1)  # at l = 0, also where this is 0/0
    raised[1:] = (l[1:] + dim - 2) / (2 * l[1:] + dim - 2)
    tau = np.zeros((degree + 1, degree + 1))
    tau[0, 0] = 1.0
    for k in range(degree):
        tau[k + 1, 1:] = (tau[k] * raised)[:-1]
        tau[k + 1, :-1] += (tau[k] * (1 - raised))[1:]
    return tau


def legendre(dim: int, degree: int, t: Array) -> Array:
    """P_0 … P_L of R^d at t (n,), d ≥ 2, (L + 1, n): Chebyshev in the plane, Legendre in space."""
    values = np.ones((degree + 1, np.size(t)))
    if degree:
        values[1] = t
    for l in range(1, degree):
        values[l + 1] = (2 * l + dim - 2) * t * values[l] - l * values[l - 1]
        values[l + 1] /= l + dim - 2
    return values


@jit
def forward(x, tables, wanted, y, work):
    """Harmonics of LANES points: ``y`` (R, LANES) of ``x`` (d, LANES).

    ``wanted`` (L + 1,) says which degrees are needed: most harmonics of the others are left out.
    ``work`` has room for 3 rows.
    """
    end, number, first, up, down = tables
    dim, degree = x.shape[0], end.shape[0] - 1
    square, before, now = work[0], work[1], work[2]
    y[0] = 1.0
    if degree >= 1:
        y[end[1] - 1] = x[0]
    square[:] = x[0] * x[0]
    for e in range(2, dim + 1):
        z = x[e - 1]
        for b in range(LANES):
            square[b] += z[b] * z[b]
        for j in range(degree):
            rows = number[e - 1, j]
            if rows == 0:
                continue
            before[:] = 0.0
            now[:] = 1.0
            for n in range(1, degree - j + 1):
                rise, fall = up[e, j, n], down[e, j, n]
                for b in range(LANES):
                    following = rise * z[b] * now[b] - fall * square[b] * before[b]
                    before[b] = now[b]
                    now[b] = following
                l = j + n
                if e == dim and not wanted[l]:
                    continue
                source = end[j] - rows
                target = end[l] - number[e, l] + first[e - 1, j]
                for m in range(rows):
                    low, high = y[source + m], y[target + m]
                    for b in range(LANES):
                        high[b] = now[b] * low[b]


@jit
def backward(x, tables, wanted, y, t, work, gradient):
    """Gradient (d, LANES) of ``Σ_f t_f Y_f(x)``, but for a multiple of x; ``t`` is used up.

    ``y`` are the harmonics of ``forward``, ``work`` has room for 10 rows.
    """
    end, number, first, up, down = tables
    dim, degree = x.shape[0], end.shape[0] - 1
    square, before, now = work[0], work[1], work[2]
    z_before, z_now, s_before, s_now = work[3], work[4], work[5], work[6]
    inner, by_square, pull = work[7], work[8], work[9]
    by_square[:] = 0.0
    for e in range(dim, 1, -1):
        z = x[e - 1]
        pull[:], square[:] = 0.0, 0.0
        for q in range(e):
            for b in range(LANES):
                square[b] += x[q, b] * x[q, b]
        for j in range(degree):
            rows = number[e - 1, j]
            if rows == 0:
                continue
            before[:], z_before[:], z_now[:], s_before[:], s_now[:] = 0.0, 0.0, 0.0, 0.0, 0.0
            now[:] = 1.0
            for n in range(1, degree - j + 1):
                rise, fall = up[e, j, n], down[e, j, n]
                for b in range(LANES):
                    next_z = rise * (now[b] + z[b] * z_now[b]) - fall * square[b] * z_before[b]
                    next_s = rise * z[b] * s_now[b]
                    next_s -= fall * (before[b] + square[b] * s_before[b])
                    following = rise * z[b] * now[b] - fall * square[b] * before[b]
                    before[b], z_before[b], s_before[b] = now[b], z_now[b], s_now[b]
                    now[b], z_now[b], s_now[b] = following, next_z, next_s
                l = j + n
                if e == dim and not wanted[l]:
                    continue
                source = end[j] - rows
                target = end[l] - number[e, l] + first[e - 1, j]
                inner[:] = 0.0
                for m in range(rows):
                    low, share, above = y[source + m], t[source + m], t[target + m]
                    for b in range(LANES):
                        inner[b] += above[b] * low[b]
                        share[b] += above[b] * now[b]
                for b in range(LANES):
                    pull[b] += inner[b] * z_now[b]
                    # |x|² of all coordinates pulls along x: the caller has no use for it.
                    by_square[b] += inner[b] * s_now[b] if e < dim else 0.0
        for b in range(LANES):
            gradient[e - 1, b] = pull[b] + 2.0 * z[b] * by_square[b]
    for b in range(LANES):
        gradient[0, b] = 2.0 * x[0, b] * by_square[b]
        if degree >= 1:
            gradient[0, b] += t[end[1] - 1, b]
