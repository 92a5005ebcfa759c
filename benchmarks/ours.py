"""Our side of every comparison: the one place that knows the names of the kernels."""

from __future__ import annotations

from benchmarks.contender import Run
from benchmarks.work import Array, Attention, Empirical, Population
from meanfield import activations
from meanfield.kernels import layer
from meanfield.kernels.attention import attention
from meanfield.kernels.compile import set_threads
from meanfield.kernels.population import Projected, interact


class Ours:
    name = "meanfield"
    matrices = 0

    def __init__(self, threads: int) -> None:
        set_threads(threads)

    def population(self, work: Population) -> Run:
        activation = activations.make(work.activation)
        (a, w), (c, v) = work.targets, work.sources

        def run() -> tuple[Array, ...]:
            seen = Projected(w, None, None, None)
            other = Projected(v, None, None, None) if work.others else seen
            weights = c[:, None] / work.count
            potential, _, gradient = interact(activation, seen, a[:, None], other, weights)
            return potential, gradient

        return run

    def empirical(self, work: Empirical) -> Run:
        x, y, a, w, b = work.inputs
        activation = activations.make(work.activation)

        def run() -> tuple[Array, ...]:
            def residual(rows: slice, f: Array) -> Array:
                return (f - y[rows]) / work.samples

            found = layer.pull(activation, x, w, b, a / work.count, a, residual)
            return found if work.bias else found[:2]

        return run

    def attention(self, work: Attention) -> Run:
        return lambda: (attention(work.inputs, work.beta, tangent=True),)
