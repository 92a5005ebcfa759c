"""NumPy in chunks of rows, with the same algebra as ours: the best that plain NumPy can do."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from benchmarks.contender import Run
from benchmarks.work import Array, Attention, Empirical, Gaussian, Morse, Population

CACHED = 2**18  # entries of a chunk that stays in the second-level cache
WIDE = 32  # from this dimension on, matrix products want more rows


def chunks(rows: int, columns: int, d: int) -> Iterator[slice]:
    """Rows cut as NumPy likes it best: measured, a factor of two against chunks of 512."""
    size = 256 if d >= WIDE else max(16, CACHED // columns)
    return (slice(i, i + size) for i in range(0, rows, size))


class NumPyChunks:
    name = "NumPy, chunked"
    matrices = 0

    def __init__(self, threads: int) -> None:
        """BLAS has its threads from the environment; the rest of NumPy has one."""

    def population(self, work: Population) -> Run:
        (a, w), (c, v) = work.targets, work.sources
        rows = {"relu": _relu, "erf": _erf}[work.activation]
        return lambda: rows(a, w, c / work.count, v)

    def empirical(self, work: Empirical) -> Run:
        x, y, a, w, b = work.inputs
        n, shifted = work.samples, work.bias

        def run() -> tuple[Array, ...]:
            outer, inner, bias = np.zeros_like(a), np.zeros_like(w), np.zeros_like(b)
            for rows in chunks(n, work.count, work.d):
                z = x[rows] @ w.T
                if shifted:
                    z += b
                if work.activation == "relu":
                    s = np.maximum(z, 0)
                    slope = z > 0
                else:
                    s = np.tanh(z)
                    slope = 1 - s * s
                g = (s @ (a / work.count) - y[rows]) / n
                outer += s.T @ g
                # A single output leaves the sum over samples before it multiplies.
                pull = slope * (g if work.outputs == 1 else g @ a.T)
                inner += pull.T @ x[rows]
                if shifted:
                    bias += pull.sum(axis=0)
            if work.outputs == 1:
                inner *= a
                bias *= a[:, 0]
            return (outer, inner, bias) if shifted else (outer, inner)

        return run

    def gaussian(self, work: Gaussian) -> Run:
        c, x = work.inputs

        def run() -> tuple[Array, ...]:
            half = 0.5 * np.einsum("ij,ij->i", x, x)
            moments = np.column_stack([c, c[:, None] * x])
            potential, gradient = np.empty_like(c), np.empty_like(x)
            for rows in chunks(len(x), len(x), work.d):
                kernel = x[rows] @ x.T
                kernel -= half
                kernel -= half[rows, None]
                np.exp(kernel, out=kernel)
                sums = kernel @ moments
                potential[rows] = sums[:, 0]
                gradient[rows] = sums[:, 1:] - sums[:, :1] * x[rows]
            return potential, gradient

        return run

    def morse(self, work: Morse) -> Run:
        x = work.inputs
        (ca, la), (cr, lr) = work.attraction, work.repulsion

        def run() -> tuple[Array, ...]:
            square = np.einsum("ij,ij->i", x, x)
            moments = np.column_stack([np.ones(len(x), x.dtype), x])
            force = np.empty_like(x)
            for rows in chunks(len(x), len(x), work.d):
                r = x[rows] @ x.T
                r *= -2
                r += square
                r += square[rows, None]
                np.maximum(r, 0, out=r)
                np.sqrt(r, out=r)
                push = np.exp(r * (-1 / lr))
                push *= cr / lr
                push -= ca / la * np.exp(r * (-1 / la))
                r[r == 0] = 1
                push /= r
                # A particle does not push itself, though rounding may leave it a distance.
                push[np.arange(len(push)), np.arange(rows.start, rows.start + len(push))] = 0
                sums = push @ moments
                force[rows] = (sums[:, :1] * x[rows] - sums[:, 1:]) / len(x)
            return (force,)

        return run

    def attention(self, work: Attention) -> Run:
        x, beta = work.inputs, work.beta

        def run() -> tuple[Array, ...]:
            drift = np.empty_like(x)
            for rows in chunks(len(x), len(x), work.d):
                weight = x[rows] @ x.T
                weight -= 1
                weight *= beta
                np.exp(weight, out=weight)
                mean = weight @ x / weight.sum(axis=1, keepdims=True)
                drift[rows] = mean - np.einsum("ij,ij->i", mean, x[rows])[:, None] * x[rows]
            return (drift,)

        return run


def _relu(a: Array, w: Array, c: Array, v: Array) -> tuple[Array, ...]:
    x, y = _unit(w), _unit(v)
    lengths, moments = c * np.linalg.norm(v, axis=1), c[:, None] * v
    columns = np.ascontiguousarray(y.T)
    gradient = np.empty_like(w)
    for rows in chunks(len(w), len(v), w.shape[1]):
        cosine = x[rows] @ columns
        np.clip(cosine, -1, 1, out=cosine)
        angle = np.arccos(cosine)
        np.subtract(np.pi, angle, out=angle)
        np.multiply(cosine, cosine, out=cosine)
        np.subtract(1, cosine, out=cosine)
        np.sqrt(cosine, out=cosine)
        gradient[rows] = (cosine @ lengths)[:, None] * x[rows] + angle @ moments
    gradient /= 2 * np.pi
    # K is homogeneous of degree one in w: by Euler, the potential is <w, gradient>.
    return np.einsum("ij,ij->i", gradient, w), a[:, None] * gradient


def _erf(a: Array, w: Array, c: Array, v: Array) -> tuple[Array, ...]:
    scale, x = _probit(w)
    _, y = _probit(v)
    moments, columns = c[:, None] * y, np.ascontiguousarray(y.T)
    potential, gradient = np.empty_like(a), np.empty_like(w)
    for rows in chunks(len(w), len(v), w.shape[1]):
        u = x[rows] @ columns
        potential[rows] = np.arcsin(u) @ c
        np.multiply(u, u, out=u)
        np.subtract(1, u, out=u)
        np.sqrt(u, out=u)
        np.reciprocal(u, out=u)
        pull = u @ moments
        along = np.einsum("ij,ij->i", pull, x[rows])
        gradient[rows] = scale[rows] * (pull - along[:, None] * x[rows])
    return potential * (2 / np.pi), (a * (2 / np.pi))[:, None] * gradient


def _unit(w: Array) -> Array:
    return w / np.linalg.norm(w, axis=1, keepdims=True)


def _probit(w: Array) -> tuple[Array, Array]:
    """√2/q and √2 w/q with q² = 1 + 2|w|²: the correlation is then a scalar product."""
    scale = math.sqrt(2) / np.sqrt(1 + 2 * np.einsum("ij,ij->i", w, w))[:, None]
    return scale, scale * w
