"""PyTorch's automatic gradient of the energy: what one writes first."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from benchmarks.contender import Run
from benchmarks.work import Attention, Empirical, Gaussian, Morse, Population


class TorchAutograd:
    name = "PyTorch, autograd"
    matrices = 12

    def __init__(self, threads: int) -> None:
        torch.set_num_threads(threads)

    def population(self, work: Population) -> Run:
        """The energy Σ_i a_i Σ_j c_j K_ij, halved among themselves, has these two gradients."""
        (a, w), (c, v) = (map(torch.from_numpy, pair) for pair in (work.targets, work.sources))
        kernel = {"relu": _relu, "erf": _erf}[work.activation]

        def energy(ta: Tensor, tw: Tensor) -> Tensor:
            if work.others:
                return ta @ kernel(tw, v) @ c / work.count
            return 0.5 * ta @ kernel(tw, tw) @ ta / work.count

        return _gradients(energy, a, w)

    def empirical(self, work: Empirical) -> Run:
        """N times the gradient of the risk is what acts on each neuron."""
        x, y, a, w, b = map(torch.from_numpy, work.inputs)
        activation = {"relu": torch.relu, "tanh": torch.tanh}[work.activation]

        def energy(ta: Tensor, tw: Tensor, tb: Tensor | None = None) -> Tensor:
            z = x @ tw.T if tb is None else torch.addmm(tb, x, tw.T)
            f = activation(z) @ ta / work.count
            return 0.5 * work.count / work.samples * ((f - y) ** 2).sum()

        return _gradients(energy, a, w, *([b] if work.bias else []))

    def gaussian(self, work: Gaussian) -> Run:
        c, x = map(torch.from_numpy, work.inputs)

        def run() -> tuple[Tensor, ...]:
            leaf = x.detach().requires_grad_()
            half = 0.5 * (leaf * leaf).sum(1)[:, None]
            potential = torch.exp(leaf @ x.T - half - 0.5 * (x * x).sum(1)) @ c
            return potential.detach(), *torch.autograd.grad(potential.sum(), leaf)

        return run

    def morse(self, work: Morse) -> Run:
        x = torch.from_numpy(work.inputs)
        (ca, la), (cr, lr) = work.attraction, work.repulsion

        def energy(leaf: Tensor) -> Tensor:
            r = torch.cdist(leaf, leaf, compute_mode="donot_use_mm_for_euclid_dist")
            return 0.5 * (ca * torch.exp(-r / la) - cr * torch.exp(-r / lr)).sum() / len(x)

        return _gradients(energy, x)

    def attention(self, work: Attention) -> Run:
        """log Σ_j exp(β<x_i, x_j>) has the gradient β Σ_j softmax_j x_j."""
        x, beta = torch.from_numpy(work.inputs), work.beta

        def run() -> tuple[Tensor, ...]:
            leaf = x.detach().requires_grad_()
            energy = torch.logsumexp(beta * (leaf @ x.T), 1).sum() / beta
            (mean,) = torch.autograd.grad(energy, leaf)
            return (mean - (mean * x).sum(1, keepdim=True) * x,)

        return run


def _gradients(energy: Any, *inputs: Tensor) -> Run:
    leaves = [array.clone().requires_grad_() for array in inputs]
    return lambda: torch.autograd.grad(energy(*leaves), leaves)


def _relu(w: Tensor, v: Tensor) -> Tensor:
    r, s = w.norm(dim=1)[:, None], v.norm(dim=1)
    rim = 1 - 8 * torch.finfo(w.dtype).eps  # where arccos has no derivative
    cosine = (w @ v.T / (r * s)).clamp(-rim, rim)
    angle = torch.acos(cosine)
    return r * s / (2 * math.pi) * (torch.sin(angle) + (math.pi - angle) * cosine)


def _erf(w: Tensor, v: Tensor) -> Tensor:
    q, p = 1 + 2 * (w * w).sum(1)[:, None], 1 + 2 * (v * v).sum(1)
    return 2 / math.pi * torch.asin(2 * (w @ v.T) / torch.sqrt(q * p))
