"""KeOps: formulas compiled to C++ loops over pairs, without the matrix."""

from __future__ import annotations

import math

import numpy as np
from pykeops.numpy import LazyTensor

from benchmarks.contender import Run
from benchmarks.work import Array, Attention, Gaussian, Morse, Population


class KeOps:
    name = "KeOps"
    matrices = 0

    def __init__(self, threads: int) -> None:
        """OpenMP has its threads from the environment, see `benchmarks.run`."""

    def population(self, work: Population) -> Run:
        (a, w), (c, v) = work.targets, work.sources
        rows = {"relu": _relu, "erf": _erf}[work.activation]
        return lambda: rows(a, w, c / work.count, v)

    def gaussian(self, work: Gaussian) -> Run:
        c, x = work.inputs

        def run() -> tuple[Array, ...]:
            away = _sources(x) - _targets(x)
            kernel = (-(away**2).sum(-1) / 2).exp() * _sources(c[:, None])
            sums = kernel.concat(kernel * away).sum(1)
            return sums[:, 0], sums[:, 1:]

        return run

    def morse(self, work: Morse) -> Run:
        x = work.inputs
        (ca, la), (cr, lr) = work.attraction, work.repulsion

        def run() -> tuple[Array, ...]:
            away = _targets(x) - _sources(x)
            r = (away**2).sum(-1).sqrt()
            push = cr / lr * (-r / lr).exp() - ca / la * (-r / la).exp()
            safe = r + (1 - r.sign())  # a particle does not push itself
            return ((push / safe * away).sum(1) / work.count,)

        return run

    def attention(self, work: Attention) -> Run:
        x, beta = work.inputs, work.beta
        ones = np.ones((len(x), 1), x.dtype)

        def run() -> tuple[Array, ...]:
            weight = ((_targets(x) | _sources(x)) * beta - beta).exp()
            sums = (weight * _sources(ones)).concat(weight * _sources(x)).sum(1)
            mean = sums[:, 1:] / sums[:, :1]
            return (mean - (mean * x).sum(1, keepdims=True) * x,)

        return run


def _relu(a: Array, w: Array, c: Array, v: Array) -> tuple[Array, ...]:
    lengths = np.linalg.norm(v, axis=1)
    x, y = w / np.linalg.norm(w, axis=1, keepdims=True), v / lengths[:, None]
    cosine = (_targets(x) | _sources(y)).clamp(-1, 1)
    rest = math.pi - cosine.acos()
    sine = (1 - cosine * cosine).sqrt()
    along = sine * _sources((c * lengths)[:, None])
    sums = along.concat(rest * _sources(c[:, None] * v)).sum(1)
    gradient = (sums[:, :1] * x + sums[:, 1:]) / (2 * math.pi)
    return (gradient * w).sum(1), a[:, None] * gradient


def _erf(a: Array, w: Array, c: Array, v: Array) -> tuple[Array, ...]:
    scale, other = (math.sqrt(2) / np.sqrt(1 + 2 * (u * u).sum(1)) for u in (w, v))
    x, y = scale[:, None] * w, other[:, None] * v
    u = _targets(x) | _sources(y)
    value = u.asin() * _sources(c[:, None])
    sums = value.concat((1 - u * u).rsqrt() * _sources(c[:, None] * y)).sum(1)
    pull = sums[:, 1:]
    gradient = scale[:, None] * (pull - (pull * x).sum(1, keepdims=True) * x)
    return sums[:, 0] * (2 / math.pi), a[:, None] * gradient * (2 / math.pi)


def _targets(array: Array) -> LazyTensor:
    return LazyTensor(np.ascontiguousarray(array[:, None]))


def _sources(array: Array) -> LazyTensor:
    return LazyTensor(np.ascontiguousarray(array[None]))
