"""torch.compile of the same functions: the loops between matrix products become one.

In few dimensions no product needs a matrix: written coordinate by coordinate, the whole sum is one
loop that the compiler vectorises and that keeps nothing of the size of all pairs.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from benchmarks.contender import Run
from benchmarks.peers.torch_eager import TorchEager
from benchmarks.work import Gaussian, Morse, Population

FEW = 4


class TorchCompiled(TorchEager):
    name = "torch.compile"
    matrices = 2

    def _timed(self, function: Any, *inputs: Tensor) -> Run:
        torch.compiler.reset()
        return super()._timed(torch.compile(function, dynamic=False), *inputs)


class TorchFused:
    """Takes part where it wins: at d=10 it is six times slower than with matrix products."""

    name = "torch.compile, fused"
    matrices = 0

    def __init__(self, threads: int) -> None:
        self._compiled = TorchCompiled(threads)

    def population(self, work: Population) -> Run | None:
        if work.d > FEW:
            return None
        (a, w), (c, v) = (map(torch.from_numpy, pair) for pair in (work.targets, work.sources))
        function = {"relu": _relu, "erf": _erf}[work.activation]
        return self._compiled._timed(function, a, w, c / work.count, v)

    def gaussian(self, work: Gaussian) -> Run | None:
        if work.d > FEW:
            return None
        return self._compiled._timed(_gaussian, *map(torch.from_numpy, work.inputs))

    def morse(self, work: Morse) -> Run | None:
        if work.d > FEW:
            return None
        (ca, la), (cr, lr) = work.attraction, work.repulsion

        def force(x: Tensor) -> tuple[Tensor, ...]:
            away = [x[:, k, None] - x[:, k] for k in range(x.shape[1])]
            square = sum(e * e for e in away)
            r = torch.sqrt(square)
            push = cr / lr * torch.exp(r * (-1 / lr)) - ca / la * torch.exp(r * (-1 / la))
            push = torch.where(square > 0, push / r, 0)
            return (torch.stack([(push * e).sum(1) for e in away], 1) / len(x),)

        return self._compiled._timed(force, torch.from_numpy(work.inputs))


def _products(x: Tensor, y: Tensor) -> Tensor:
    return (x[:, None] * y).sum(-1)


def _sums(weight: Tensor, y: Tensor) -> Tensor:
    return torch.stack([(weight * column).sum(1) for column in y.T], 1)


def _relu(a: Tensor, w: Tensor, c: Tensor, v: Tensor) -> tuple[Tensor, ...]:
    lengths = v.norm(dim=1)
    x, y = w / w.norm(dim=1, keepdim=True), v / lengths[:, None]
    cosine = _products(x, y).clamp(-1, 1)
    rest = math.pi - torch.acos(cosine)
    along = (torch.sqrt(1 - cosine * cosine) * (c * lengths)).sum(1)
    gradient = (along[:, None] * x + _sums(rest, c[:, None] * v)) / (2 * math.pi)
    return (gradient * w).sum(1), a[:, None] * gradient


def _erf(a: Tensor, w: Tensor, c: Tensor, v: Tensor) -> tuple[Tensor, ...]:
    scale, y = (math.sqrt(2) / torch.sqrt(1 + 2 * (u * u).sum(1, keepdim=True)) for u in (w, v))
    x, y = scale * w, y * v
    u = _products(x, y)
    potential = (torch.asin(u) * c).sum(1)
    pull = _sums(torch.rsqrt(1 - u * u), c[:, None] * y)
    gradient = scale * (pull - (pull * x).sum(1, keepdim=True) * x)
    return potential * (2 / math.pi), a[:, None] * gradient * (2 / math.pi)


def _gaussian(c: Tensor, x: Tensor) -> tuple[Tensor, ...]:
    away = [x[:, k] - x[:, k, None] for k in range(x.shape[1])]
    kernel = torch.exp(sum(e * e for e in away) * -0.5) * c
    return kernel.sum(1), torch.stack([(kernel * e).sum(1) for e in away], 1)
