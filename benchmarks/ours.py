"""Our side of every comparison: the one place that knows the names of the kernels."""

from __future__ import annotations

import numpy as np

from benchmarks.contender import Run
from benchmarks.work import Array, Attention, Empirical, Gaussian, Morse, Population
from meanfield import kernels
from meanfield.kernels.compile import set_threads


class Ours:
    name = "meanfield"
    matrices = 0

    def __init__(self, threads: int) -> None:
        set_threads(threads)

    def population(self, work: Population) -> Run:
        neurons = kernels.Neurons(*work.targets)
        sources = kernels.Neurons(*work.sources) if work.others else None
        return lambda: kernels.interact(work.activation, neurons, sources)[:2]

    def empirical(self, work: Empirical) -> Run:
        x, y, a, w, b = work.inputs
        neurons = kernels.Neurons(a, w, b if work.bias else None)
        parts = 3 if work.bias else 2

        def residual(rows: slice, f: Array) -> Array:
            return (f - y[rows]) / work.samples

        return lambda: kernels.layer_pull(work.activation, neurons, x, residual)[:parts]

    def gaussian(self, work: Gaussian) -> Run:
        c, x = work.inputs
        return lambda: kernels.pair_sums({"kind": "rbf", "length": 1.0}, x, c)

    def morse(self, work: Morse) -> Run:
        x, mass = work.inputs, np.full(work.count, 1 / work.count)
        (ca, la), (cr, lr) = work.attraction, work.repulsion
        lengths = {"repulsion_length": lr, "attraction_length": la}
        potential = {"kind": "morse", "repulsion": cr, "attraction": ca, **lengths}
        return lambda: (-kernels.pair_sums(potential, x, mass)[1],)

    def attention(self, work: Attention) -> Run:
        return lambda: (kernels.attend(work.inputs, work.beta, tangent=True),)
