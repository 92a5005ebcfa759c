"""A self-check of the kernels: which path each takes on this machine, how fast, and how right.

Times are medians of samples taken in turn with a large matrix product, whose speed is the unit.
Results are compared with the definitions in `meanfield.kernels.definitions` at a few targets.
``benchmarks/`` compares with other libraries; this needs none of them.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from meanfield import kernels
from meanfield.activations import make
from meanfield.arrays import Array
from meanfield.kernels import definitions
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
    choice: Any
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
            yield _layer(activation, dim, outputs, count, dtype)
        for dim in (2, 16):
            yield _pairs(dim, count, dtype)
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
        f"{share:>7} of product  error {finding.error:.0e}{verdict}\n"
        f"    {finding.why}"
    )


def record(findings: list[Finding]) -> dict[str, Any]:
    """The findings for JSON, with versions and machine."""
    return {"provenance": provenance([]), "findings": [asdict(finding) for finding in findings]}


def _population(activation: str, dim: int, count: int, dtype: str) -> Case:
    a, w = _normal(dtype, (count, 1), (count, dim))
    kind, seen, some = make(activation), Projected(w, None, None, None), slice(0, TARGETS)

    def define() -> Results:
        found = definitions.population(kind, seen.some(some), a[some], seen, a / count)
        return found[0], found[2]  # there are no biases

    largest = float(seen.s.max())
    choice = kernels.explain("population", kind, dim=dim, dtype=w.dtype, largest=largest)
    return Case(
        f"{activation} population, d={dim}, N={count:,}",
        dtype,
        choice,
        count**2,
        None if choice.path == "moments" else 4 * count**2 * dim,
        lambda: kernels.interact(kind, kernels.Neurons(a, w))[:2],
        define,
    )


def _layer(activation: str, dim: int, outputs: int, count: int, dtype: str) -> Case:
    samples = max(1, count // 4)
    x, y, a, w = _normal(dtype, (samples, dim), (samples, outputs), (count, outputs), (count, dim))
    kind, b, some = make(activation), np.zeros(count, dtype), slice(0, TARGETS)

    def residual(rows: slice, f: Array) -> Array:
        return (f - y[rows]) / samples

    def define() -> Results:
        g = (definitions.layer_forward(kind, x, w, b, a / count) - y) / samples
        return definitions.layer_backward(kind, x, w[some], b[some], a[some], g)

    sizes = {"samples": samples, "dim": dim, "neurons": count, "outputs": outputs}
    several = f", k={outputs}" if outputs > 1 else ""
    return Case(
        f"{activation} layer, d={dim}, N={count:,}, n={samples:,}{several}",
        dtype,
        kernels.explain("layer", kind, dtype=w.dtype, **sizes),
        count * samples,
        4 * count * samples * (dim + (outputs if outputs > 1 else 0)),
        lambda: kernels.layer_pull(kind, kernels.Neurons(a, w, b), x, residual),
        define,
    )


def _pairs(dim: int, count: int, dtype: str) -> Case:
    x, mass = _normal(dtype, (count, dim), (count,))
    length = np.sqrt(dim)

    def value(r: Array) -> Array:
        return np.exp(-0.5 * (r / length) ** 2)

    def slope(r: Array) -> Array:
        return -r / length**2 * value(r)

    table = {"kind": "rbf", "length": float(length)}
    return Case(
        f"rbf pairs, d={dim}, N={count:,}",
        dtype,
        kernels.explain("pairs", interaction=table, dim=dim),
        count**2,
        4 * count**2 * dim,
        lambda: kernels.pair_sums(table, x, mass),
        lambda: definitions.pairwise(value, slope, x[:TARGETS], mass, x),
    )


def _attention(dim: int, count: int, dtype: str) -> Case:
    (points,) = _normal(dtype, (count, dim))
    x, beta = points / np.linalg.norm(points, axis=1, keepdims=True), 4.0
    identity, mass = np.eye(dim), np.full(count, 1 / count)

    def define() -> Results:
        maps = {"query": identity, "key": identity, "value": identity}
        return (definitions.attention(x[:TARGETS], beta, sources=x, mass=mass, **maps),)  # type: ignore[arg-type]

    return Case(
        f"attention, d={dim}, N={count:,}",
        dtype,
        kernels.explain("attention", dim=dim, dtype=x.dtype),
        count**2,
        4 * count**2 * dim,
        lambda: (kernels.attend(x, beta),),
        define,
    )


def _normal(dtype: str, *shapes: tuple[int, ...]) -> Iterator[Array]:
    rng = np.random.default_rng(0)
    return (rng.standard_normal(shape).astype(dtype) for shape in shapes)


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
