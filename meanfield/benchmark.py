"""A self-check of the kernels: which path each takes on this machine, how fast, and how right.

Times are medians of samples taken in turn with a large matrix product, whose speed is the unit.
Results are compared with the definitions in `meanfield.kernels.definitions` at a few targets.
``benchmarks/`` compares with other libraries; this needs none of them.
"""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from meanfield.activations import make
from meanfield.arrays import Array
from meanfield.errors import FileProblem
from meanfield.kernels import definitions, layer, population
from meanfield.kernels.attention import attention
from meanfield.kernels.attention import choose as choose_attention
from meanfield.kernels.choices import Choice
from meanfield.kernels.compile import threads
from meanfield.kernels.projected import Projected
from meanfield.storage.provenance import provenance

SIDE = 1000  # of the matrices whose product is the unit of speed
TARGETS = 4  # compared with the definition
ROUNDS = 5
SAMPLE = 0.03  # seconds
TOLERANCE = {"float64": 1e-9, "float32": 1e-4}

Results = tuple[Array, ...]


@dataclass(frozen=True)
class Case:
    """One kernel at one size.

    Attributes
    ----------
    title : str
    dtype : {"float64", "float32"}
    choice : Choice
        Path and reason.
    pairs : int
        How many pairs are summed over.
    flops : int or None
        Operations of the matrix products in the definition; None where the path needs none.
    run : callable
        What is timed: results with one row for each target.
    define : callable
        The same from the definition, at the first `TARGETS` rows.
    """

    title: str
    dtype: str
    choice: Choice
    pairs: int
    flops: int | None
    run: Callable[[], Results]
    define: Callable[[], Results]


@dataclass(frozen=True)
class Finding:
    """What was measured of one case.

    Attributes
    ----------
    kernel, dtype, path, why : str
    milliseconds, nanoseconds_per_pair : float
        Of one evaluation; of one pair.
    share_of_product : float or None
        Useful operations per second, as a fraction of those of a large matrix product.
    error, tolerance : float
        Relative to the largest entry of the result.
    """

    kernel: str
    dtype: str
    path: str
    why: str
    milliseconds: float
    nanoseconds_per_pair: float
    share_of_product: float | None
    error: float
    tolerance: float

    @property
    def right(self) -> bool:
        """Whether the result is that of the definition; NaN is not."""
        return self.error <= self.tolerance


def check(scale: float = 1.0) -> Iterator[Finding]:
    """Measure and compare every case, on as many threads as kernels use now.

    Parameters
    ----------
    scale : float
        Of the numbers of particles and samples.
    """
    with threadpool_limits(threads(), user_api="blas"):
        for case in cases(scale):
            yield _examine(case)


def cases(scale: float = 1.0) -> Iterator[Case]:
    """Every kernel on each of its paths."""
    count = max(TARGETS, round(4000 * scale))
    for dtype in ("float64", "float32"):
        for activation, dim in (("relu", 2), ("erf", 2), ("relu", 10), ("relu", 100)):
            yield _population(activation, dim, count, dtype)
        for activation, dim, outputs in (("relu", 10, 1), ("relu", 100, 1), ("tanh", 64, 10)):
            yield _layer(activation, dim, outputs, count, max(1, count // 4), dtype)
        for dim in (3, 64):
            yield _attention(dim, count, dtype)
    yield _population("quadratic", 10, count, "float64")
    yield _population("gelu", 10, max(TARGETS, count // 8), "float64")


def describe(finding: Finding) -> str:
    """A finding in one line, and its reason in another."""
    share = "–" if finding.share_of_product is None else f"{finding.share_of_product:.0%}"
    verdict = "" if finding.right else f"  WRONG: more than {finding.tolerance:.0e}"
    return (
        f"{finding.kernel:<41} {finding.dtype}  {finding.path:<11}"
        f"{finding.milliseconds:9.2f} ms {finding.nanoseconds_per_pair:8.3f} ns/pair"
        f"{share:>7}  error {finding.error:.0e}{verdict}\n"
        f"    {finding.why}"
    )


def write(findings: list[Finding], path: Path) -> None:
    """Write the findings, with versions and machine, as JSON.

    Raises
    ------
    FileProblem
        If the file cannot be written.
    """
    record = {"provenance": provenance([]), "findings": [asdict(finding) for finding in findings]}
    try:
        path.write_text(json.dumps(record, indent=1), encoding="utf-8")
    except OSError as error:
        raise FileProblem(f"{path} cannot be written: {error.strerror or error}") from None


def _population(activation: str, dim: int, count: int, dtype: str) -> Case:
    rng = np.random.default_rng(0)
    kind = make(activation)
    seen = Projected(_normal(rng, (count, dim), dtype), None, None, None)
    a = _normal(rng, (count, 1), dtype)
    c = a / count
    some = slice(0, TARGETS)

    def both(found: tuple[Array, Array, Array]) -> Results:
        return found[0], found[2]  # without biases, their gradient is not computed

    choice = population.choose(kind, seen, seen, 1)
    return Case(
        f"{activation} population, d={dim}, N={count:,}",
        dtype,
        choice,
        count**2,
        None if choice.path == "moments" else 4 * count**2 * dim,
        lambda: both(population.interact(kind, seen, a, seen, c)),
        lambda: both(definitions.population(kind, seen.some(some), a[some], seen, c)),
    )


def _layer(activation: str, dim: int, outputs: int, count: int, samples: int, dtype: str) -> Case:
    rng = np.random.default_rng(0)
    kind = make(activation)
    x, y = _normal(rng, (samples, dim), dtype), _normal(rng, (samples, outputs), dtype)
    w, b = _normal(rng, (count, dim), dtype), np.zeros(count, dtype)
    a = _normal(rng, (count, outputs), dtype)
    c = a / count
    some = slice(0, TARGETS)

    def residual(rows: slice, f: Array) -> Array:
        return (f - y[rows]) / samples

    def define() -> Results:
        g = (definitions.layer_forward(kind, x, w, b, c) - y) / samples
        return definitions.layer_backward(kind, x, w[some], b[some], a[some], g)

    chosen = layer.choose(kind, samples, dim, count, outputs, x.dtype)
    return Case(
        f"{activation} layer, d={dim}, N={count:,}, n={samples:,}"
        + (f", k={outputs}" if outputs > 1 else ""),
        dtype,
        Choice(chosen.path, chosen.why),
        count * samples,
        4 * count * samples * (dim + (outputs if outputs > 1 else 0)),
        lambda: layer.pull(kind, x, w, b, c, a, residual),
        define,
    )


def _attention(dim: int, count: int, dtype: str) -> Case:
    points = np.random.default_rng(0).standard_normal((count, dim))
    x = (points / np.linalg.norm(points, axis=1, keepdims=True)).astype(dtype)
    beta, identity = 4.0, np.eye(dim)

    def define() -> Results:
        mass = np.full(count, 1 / count)
        maps = {"query": identity, "key": identity, "value": identity}
        found = definitions.attention(x[:TARGETS], beta, sources=x, mass=mass, **maps)  # type: ignore[arg-type]
        return (found,)

    return Case(
        f"attention, d={dim}, N={count:,}",
        dtype,
        choose_attention(dim, x.dtype),
        count**2,
        4 * count**2 * dim,
        lambda: (attention(x, beta),),
        define,
    )


def _normal(rng: np.random.Generator, shape: tuple[int, ...], dtype: str) -> Array:
    return rng.standard_normal(shape).astype(dtype)


def _examine(case: Case) -> Finding:
    error = _error(case.run(), case.define())
    square = np.random.default_rng(0).standard_normal((SIDE, SIDE)).astype(case.dtype)
    product = np.empty_like(square)
    products, runs = [], []
    for _ in range(ROUNDS):
        products.append(_seconds(lambda: np.dot(square, square, out=product)))
        runs.append(_seconds(case.run))
    seconds, unit = statistics.median(runs), statistics.median(products)
    return Finding(
        case.title,
        case.dtype,
        case.choice.path,
        case.choice.why,
        1e3 * seconds,
        1e9 * seconds / case.pairs,
        None if case.flops is None else case.flops / seconds / (2 * SIDE**3 / unit),
        error,
        TOLERANCE[case.dtype],
    )


def _seconds(run: Callable[[], Any]) -> float:
    """Of one evaluation: processor time on one thread, which neighbours hardly disturb."""
    clock = time.process_time if threads() == 1 else time.perf_counter
    begin, count = clock(), 0
    while not count or clock() - begin < SAMPLE:
        run()
        count += 1
    return (clock() - begin) / count


def _error(found: Results, expected: Results) -> float:
    errors = [
        float(np.abs(mine[:TARGETS] - right).max() / (np.abs(right).max() or 1.0))
        for mine, right in zip(found, expected, strict=True)
    ]
    return max(errors) if np.isfinite(errors).all() else np.inf
