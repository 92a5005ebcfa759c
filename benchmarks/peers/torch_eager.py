"""PyTorch, operation by operation: whole matrices, gradients by hand; and its fused attention."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from benchmarks.contender import Run
from benchmarks.work import Attention, Empirical, Gaussian, Morse, Population


class TorchEager:
    name = "PyTorch, eager"
    matrices = 6

    def __init__(self, threads: int) -> None:
        torch.set_num_threads(threads)

    def population(self, work: Population) -> Run:
        (a, w), (c, v) = (map(torch.from_numpy, pair) for pair in (work.targets, work.sources))
        return self._timed({"relu": relu, "erf": erf}[work.activation], a, w, c / work.count, v)

    def empirical(self, work: Empirical) -> Run:
        return self._timed(empirical(work), *map(torch.from_numpy, work.inputs))

    def gaussian(self, work: Gaussian) -> Run:
        return self._timed(gaussian, *map(torch.from_numpy, work.inputs))

    def morse(self, work: Morse) -> Run:
        return self._timed(morse(work), torch.from_numpy(work.inputs))

    def attention(self, work: Attention) -> Run:
        return self._timed(attention(work.beta), torch.from_numpy(work.inputs))

    def _timed(self, function: Any, *inputs: Tensor) -> Run:
        def run() -> tuple[Tensor, ...]:
            with torch.no_grad():
                found: tuple[Tensor, ...] = function(*inputs)
                return found

        return run


class TorchAttention:
    """``scaled_dot_product_attention``: streaming, without the matrix."""

    name = "PyTorch, SDPA"
    matrices = 0

    def __init__(self, threads: int) -> None:
        torch.set_num_threads(threads)

    def attention(self, work: Attention) -> Run:
        x, beta = torch.from_numpy(work.inputs), work.beta
        fused = torch.nn.functional.scaled_dot_product_attention

        def run() -> tuple[Tensor, ...]:
            with torch.no_grad():
                tokens = x[None, None]
                mean = fused(tokens, tokens, tokens, scale=beta)[0, 0]
                return (mean - (mean * x).sum(1, keepdim=True) * x,)

        return run


def relu(a: Tensor, w: Tensor, c: Tensor, v: Tensor) -> tuple[Tensor, ...]:
    """Potential and gradient by the arc-cosine kernel."""
    lengths = v.norm(dim=1)
    x, y = w / w.norm(dim=1, keepdim=True), v / lengths[:, None]
    cosine = (x @ y.T).clamp(-1, 1)
    rest = math.pi - torch.acos(cosine)
    sine = torch.sqrt(1 - cosine * cosine)
    # A sum of products, not a matrix product: that is what the compiler can fuse with the rest.
    along = (sine * (c * lengths)).sum(1)
    gradient = (along[:, None] * x + rest @ (c[:, None] * v)) / (2 * math.pi)
    return (gradient * w).sum(1), a[:, None] * gradient


def erf(a: Tensor, w: Tensor, c: Tensor, v: Tensor) -> tuple[Tensor, ...]:
    """Potential and gradient by the arc-sine kernel."""
    scale, y = (math.sqrt(2) / torch.sqrt(1 + 2 * (u * u).sum(1, keepdim=True)) for u in (w, v))
    x, y = scale * w, y * v
    u = x @ y.T
    potential = (torch.asin(u) * c).sum(1)
    pull = torch.rsqrt(1 - u * u) @ (c[:, None] * y)
    gradient = scale * (pull - (pull * x).sum(1, keepdim=True) * x)
    return potential * (2 / math.pi), a[:, None] * gradient * (2 / math.pi)


def empirical(work: Empirical) -> Any:
    """Forces of the squared loss on neurons."""
    rectified, biased, single = work.activation == "relu", work.bias, work.outputs == 1

    def run(x: Tensor, y: Tensor, a: Tensor, w: Tensor, b: Tensor) -> tuple[Tensor, ...]:
        z = torch.addmm(b, x, w.T) if biased else x @ w.T
        if rectified:
            s = torch.relu(z)
            slope = (z > 0).to(z.dtype)
        else:
            s = torch.tanh(z)
            slope = 1 - s * s
        g = (s @ a / len(a) - y) / len(x)
        pull = slope * (g if single else g @ a.T)
        outer, inner, bias = s.T @ g, pull.T @ x, pull.sum(0)
        if single:
            inner, bias = inner * a, bias * a[:, 0]
        return (outer, inner, bias) if biased else (outer, inner)

    return run


def gaussian(c: Tensor, x: Tensor) -> tuple[Tensor, ...]:
    """Potential and gradient of the Gaussian kernel."""
    half = 0.5 * (x * x).sum(1)
    kernel = torch.exp(x @ x.T - half[:, None] - half) * c
    potential = kernel.sum(1)
    return potential, kernel @ x - potential[:, None] * x


def morse(work: Morse) -> Any:
    """Force of the Morse swarm."""
    (ca, la), (cr, lr) = work.attraction, work.repulsion

    def run(x: Tensor) -> tuple[Tensor, ...]:
        r = torch.cdist(x, x, compute_mode="donot_use_mm_for_euclid_dist")
        push = cr / lr * torch.exp(r * (-1 / lr)) - ca / la * torch.exp(r * (-1 / la))
        push = torch.where(r > 0, push / r, 0)
        return ((push.sum(1, keepdim=True) * x - push @ x) / len(x),)

    return run


def attention(beta: float) -> Any:
    """Drift of softmax attention, with the matrix."""

    def run(x: Tensor) -> tuple[Tensor, ...]:
        mean = torch.softmax(beta * (x @ x.T), 1) @ x
        return (mean - (mean * x).sum(1, keepdim=True) * x,)

    return run
