"""JAX, compiled: whole matrices, or rows in chunks of a `lax.map`."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, ClassVar

import jax
import jax.numpy as jnp

from benchmarks.contender import Run
from benchmarks.work import Attention, Empirical, Gaussian, Morse, Population

CHUNK = 100

jax.config.update("jax_enable_x64", True)
jax.config.update("jax_platforms", "cpu")

Rows = Callable[..., Any]


class JaxDense:
    name = "JAX, dense"
    matrices = 3

    def __init__(self, threads: int) -> None:
        """XLA has its threads from the environment, see `benchmarks.run`."""

    def over_rows(self, rows: Rows, *targets: Any) -> Any:
        """`rows` of all targets at once."""
        return rows(*targets)

    def population(self, work: Population) -> Run:
        kernel = {"relu": self._relu, "erf": self._erf}[work.activation]

        def among(a: Any, w: Any, c: Any, v: Any) -> Any:
            return kernel(a, w, c / work.count, v)

        return _timed(among, *work.targets, *work.sources)

    def empirical(self, work: Empirical) -> Run:
        """The gradient of the risk, by JAX."""
        activation = {"relu": lambda z: jnp.maximum(z, 0), "tanh": jnp.tanh}[work.activation]
        x, y, a, w, b = work.inputs

        def energy(a: Any, w: Any, b: Any, x: Any, y: Any) -> Any:
            f = activation(x @ w.T + b) @ a / work.count
            return 0.5 * work.count / work.samples * ((f - y) ** 2).sum()

        if work.bias:
            return _timed(jax.grad(energy, argnums=(0, 1, 2)), a, w, b, x, y)
        plain = jax.grad(lambda a, w, x, y: energy(a, w, 0, x, y), argnums=(0, 1))
        return _timed(plain, a, w, x, y)

    def gaussian(self, work: Gaussian) -> Run:
        def forces(c: Any, x: Any) -> Any:
            def rows(y: Any) -> Any:
                away = [x[:, k] - y[:, k, None] for k in range(work.d)]
                kernel = jnp.exp(-sum(e * e for e in away) / 2) * c
                return kernel.sum(1), jnp.stack([(kernel * e).sum(1) for e in away], 1)

            return self.over_rows(rows, x)

        return _timed(forces, *work.inputs)

    def morse(self, work: Morse) -> Run:
        (ca, la), (cr, lr) = work.attraction, work.repulsion

        def forces(x: Any) -> Any:
            def rows(y: Any) -> Any:
                away = [y[:, k, None] - x[:, k] for k in range(work.d)]
                square = sum(e * e for e in away)
                r = jnp.sqrt(square)
                push = cr / lr * jnp.exp(-r / lr) - ca / la * jnp.exp(-r / la)
                push = jnp.where(square > 0, push / r, 0)
                return (jnp.stack([(push * e).sum(1) for e in away], 1) / work.count,)

            return self.over_rows(rows, x)

        return _timed(forces, work.inputs)

    def attention(self, work: Attention) -> Run:
        def drift(x: Any) -> Any:
            def rows(y: Any) -> Any:
                mean = jax.nn.softmax(work.beta * (y @ x.T), axis=1) @ x
                return (mean - (mean * y).sum(1, keepdims=True) * y,)

            return self.over_rows(rows, x)

        return _timed(drift, work.inputs)

    def _relu(self, a: Any, w: Any, c: Any, v: Any) -> Any:
        lengths = jnp.linalg.norm(v, axis=1)
        x, y = w / jnp.linalg.norm(w, axis=1, keepdims=True), v / lengths[:, None]

        def rows(x: Any) -> Any:
            cosine = jnp.clip(x @ y.T, -1, 1)
            sine = jnp.sqrt(1 - cosine * cosine)
            rest = math.pi - jnp.arccos(cosine)
            return (sine @ (c * lengths))[:, None] * x + rest @ (c[:, None] * v)

        gradient = self.over_rows(rows, x) / (2 * math.pi)
        return (gradient * w).sum(1), a[:, None] * gradient

    def _erf(self, a: Any, w: Any, c: Any, v: Any) -> Any:
        scale, other = (math.sqrt(2) / jnp.sqrt(1 + 2 * (u * u).sum(1)) for u in (w, v))
        x, y = scale[:, None] * w, other[:, None] * v

        def rows(x: Any) -> Any:
            u = x @ y.T
            return jnp.arcsin(u) @ c, jax.lax.rsqrt(1 - u * u) @ (c[:, None] * y)

        potential, pull = self.over_rows(rows, x)
        gradient = scale[:, None] * (pull - (pull * x).sum(1, keepdims=True) * x)
        return potential * (2 / math.pi), a[:, None] * gradient * (2 / math.pi)


class JaxChunked(JaxDense):
    name = "JAX, chunked"
    matrices = 0
    empirical: ClassVar[None] = None  # type: ignore[assignment]

    def over_rows(self, rows: Rows, *targets: Any) -> Any:
        count = len(targets[0])
        chunk = next(size for size in range(CHUNK, 0, -1) if count % size == 0)
        cut = [array.reshape(-1, chunk, *array.shape[1:]) for array in targets]
        found = jax.lax.map(lambda some: rows(*some), tuple(cut))
        return jax.tree.map(lambda array: array.reshape(count, *array.shape[2:]), found)


def _timed(function: Any, *inputs: Any) -> Run:
    compiled, arrays = jax.jit(function), [jnp.asarray(array) for array in inputs]
    return lambda: jax.block_until_ready(compiled(*arrays))
