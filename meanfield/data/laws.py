"""Laws of the inputs, and of (x, y) once something labels them.

A law can be *integrated* (population risk; the functional finds the closed form), *sampled once*
(`LabelledLaw.sample`, empirical risk) or *streamed* (`LabelledLaw.stream`, online risk).
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import ClassVar

import numpy as np
from numpy.typing import ArrayLike

from meanfield import random
from meanfield.arrays import Array
from meanfield.data.finite import FiniteData
from meanfield.data.targets import Target
from meanfield.errors import require, require_count, require_positive
from meanfield.kernels.blas import single_threaded
from meanfield.memory import require_room
from meanfield.registry import Registry


class Law(ABC):
    """A probability law of inputs x in R^d."""

    kind: ClassVar[str]
    dim: int

    @abstractmethod
    def draw(self, count: int, rng: np.random.Generator) -> tuple[Array, Array]:
        """`count` inputs (n, d), and the number (n,) of the component each came from."""

    def labelled_by(self, target: Target) -> LabelledLaw:
        """The law of (x, y) with y given by a target."""
        return LabelledLaw(self, target)


laws: Registry[Law] = Registry("law of data")


@dataclass(frozen=True)
class LabelledLaw:
    """The law of (x, y): inputs from a law, outputs from a target."""

    inputs: Law
    target: Target

    def __post_init__(self) -> None:
        self.target.check(self.inputs.dim)

    @property
    def dim(self) -> int:
        """Dimension d of the inputs."""
        return self.inputs.dim

    @property
    def outputs(self) -> int:
        """Dimension k of y."""
        return self.target.outputs

    def draw(self, count: int, rng: np.random.Generator) -> FiniteData:
        """`count` independent samples."""
        with single_threaded():  # the same bits, however many cores there are
            x, component = self.inputs.draw(count, rng)
        return FiniteData(x, self.target(x, component))

    def sample(self, count: int, seed: int = 0, test: int = 0) -> FiniteData:
        """A data set drawn once: the risk over it is empirical.

        Parameters
        ----------
        count : int
            Samples n of the training part.
        seed : int
            The data are a function of it.
        test : int
            Further samples, held out.
        """
        require_count("samples", count)
        require_count("test", test, least=0)
        require_room("samples", count, float(count) * self.dim)
        require_room("test", test, float(test) * self.dim)
        drawn = self.draw(count, random.generator(seed, random.Stream.DATA))
        held_out = self.draw(test, random.generator(seed, random.Stream.DATA, 1)) if test else None
        return FiniteData(drawn.x, drawn.y, test=held_out)

    def stream(self, batch: int, seed: int = 0, test: int = 0) -> Stream:
        """Fresh samples at every step: the risk over them is that of online SGD."""
        require_count("test", test, least=0)
        held_out = self.sample(test, seed) if test else None
        return Stream(self, batch, seed, held_out)


@dataclass(frozen=True)
class Stream:
    """A batch of samples at every step, a function of (seed, step): online and minibatch SGD.

    The risk of every batch has the risk over the source as its mean. Without replacement, batches
    are dealt from one random order of the samples after the other: an epoch is n/batch steps, and
    over n/gcd(n, batch) steps the risks of the batches average to the full one exactly.

    Parameters
    ----------
    source : LabelledLaw or FiniteData
        What is drawn from: fresh samples of a law, or samples of a finite set, with probabilities
        proportional to their weights.
    batch : int
        Samples per step.
    seed : int
        With the step, decides the batch; without replacement, with the epoch, the order.
    test : FiniteData, optional
        A held-out set for observables.
    replacement : bool
        False: every sample of a finite set once in each epoch ("random reshuffling").

    Raises
    ------
    InvalidInput
        Without replacement, if the source is a law, its samples have unequal weights, or there
        are fewer of them than a batch has.
    """

    source: LabelledLaw | FiniteData
    batch: int
    seed: int = 0
    test: FiniteData | None = None
    replacement: bool = True

    def __post_init__(self) -> None:
        require_count("batch", self.batch)
        require_room("batch", self.batch, float(self.batch) * self.source.dim)
        random.check_seed(self.seed)
        if self.replacement:
            return
        source = self.source
        finite = isinstance(source, FiniteData)
        require(finite, "replacement", False, "true, as a law has no samples that run out")
        assert isinstance(source, FiniteData)
        even = bool(np.ptp(source.weights) <= 1e-12 * source.weights.max())
        require(even, "replacement", False, "true, as the samples have unequal weights")
        few = len(source) < self.batch
        require(not few, "batch", self.batch, f"at most the {len(source)} samples of an epoch")

    @property
    def dim(self) -> int:
        """Dimension d of the inputs."""
        return self.source.dim

    @property
    def outputs(self) -> int:
        """Dimension k of y."""
        return self.source.outputs

    def at(self, step: int) -> FiniteData:
        """The batch of a step."""
        if self.replacement:
            rng = random.generator(self.seed, random.Stream.BATCH, step)
            return self.source.draw(self.batch, rng)
        assert isinstance(self.source, FiniteData)
        count = len(self.source)
        epoch, place = np.divmod(np.arange(step * self.batch, (step + 1) * self.batch), count)
        dealt = [_order(self.seed, int(e), count)[place[epoch == e]] for e in np.unique(epoch)]
        return self.source.take(np.concatenate(dealt))


@lru_cache(maxsize=4)
def _order(seed: int, epoch: int, count: int) -> Array:
    """The order (count,) of the samples in an epoch."""
    return random.generator(seed, random.Stream.BATCH, epoch).permutation(count)


@laws.register("gaussian")
@dataclass(frozen=True)
class Gaussian(Law):
    """N(mean, covariance) in R^dim.

    Parameters
    ----------
    dim : int
    mean : (d,) sequence, optional
        Default 0.
    covariance : float, (d,) or (d, d), optional
        A variance, one per coordinate, or a matrix. Default 1.
    """

    dim: int
    mean: Sequence[float] = ()
    covariance: float | Sequence[float] | Sequence[Sequence[float]] = 1.0

    def __post_init__(self) -> None:
        require_count("dim", self.dim)
        _ = self.root, self.centre

    @property
    def centre(self) -> Array:
        """The mean as an array (d,)."""
        require_room("dim", self.dim, self.dim)
        mean = np.asarray(self.mean, dtype=float)
        if mean.size == 0:
            return np.zeros(self.dim)
        require(mean.shape == (self.dim,), "mean", self.mean, f"{self.dim} numbers")
        return mean

    @property
    def root(self) -> Array:
        """L (d, d) with covariance L L^T."""
        return covariance_root(self.covariance, self.dim)

    def components(self) -> Iterator[tuple[float, Array, Array]]:
        """Weight, mean and root of each Gaussian component: here, one."""
        yield 1.0, self.centre, self.root

    def draw(self, count: int, rng: np.random.Generator) -> tuple[Array, Array]:
        normal = rng.standard_normal((count, self.dim))
        return normal @ self.root.T + self.centre, np.zeros(count)


@laws.register("gaussian-mixture")
@dataclass(frozen=True)
class GaussianMixture(Law):
    """A mixture of Gaussians; a sample remembers its component, for labels.

    Parameters
    ----------
    dim : int
    means : (K, d) sequence, optional
        Default: all 0.
    covariances : sequence of K
        Each as in `Gaussian`.
    weights : (K,) sequence, optional
        Default 1/K each.
    """

    dim: int
    means: Sequence[Sequence[float]] = ()
    covariances: Sequence[float | Sequence[float] | Sequence[Sequence[float]]] = ()
    weights: Sequence[float] = ()

    def __post_init__(self) -> None:
        require_count("dim", self.dim)
        count = max(len(self.means), len(self.covariances))
        require(count >= 1, "means", self.means, "at least one component (means or covariances)")
        for key in ("means", "covariances", "weights"):
            given = getattr(self, key)
            require(len(given) in (0, count), key, given, f"one entry for each of {count}")
        weights = self.probabilities
        require(bool(np.all(weights >= 0)), "weights", self.weights, "weights ≥ 0")
        require(abs(weights.sum() - 1) < 1e-9, "weights", self.weights, "weights that sum to 1")
        _ = self.parts

    @property
    def probabilities(self) -> Array:
        """Weights of the components (K,)."""
        count = max(len(self.means), len(self.covariances))
        return (
            np.asarray(self.weights, dtype=float)
            if len(self.weights)
            else np.full(count, 1.0 / count)
        )

    @property
    def parts(self) -> list[Gaussian]:
        """The components as Gaussian laws."""
        count = len(self.probabilities)
        means = self.means if len(self.means) else [()] * count
        covariances = self.covariances if len(self.covariances) else [1.0] * count
        return [Gaussian(self.dim, m, c) for m, c in zip(means, covariances, strict=True)]

    def components(self) -> Iterator[tuple[float, Array, Array]]:
        """Weight, mean and root of each Gaussian component."""
        for weight, part in zip(self.probabilities, self.parts, strict=True):
            yield float(weight), part.centre, part.root

    def draw(self, count: int, rng: np.random.Generator) -> tuple[Array, Array]:
        component = rng.choice(len(self.probabilities), size=count, p=self.probabilities)
        normal = rng.standard_normal((count, self.dim))
        x = np.empty_like(normal)
        for number, part in enumerate(self.parts):
            rows = component == number
            x[rows] = normal[rows] @ part.root.T + part.centre
        return x, component.astype(float)


@laws.register("hypercube")
@dataclass(frozen=True)
class Hypercube(Law):
    """Uniform on {-1, +1}^dim."""

    dim: int

    def __post_init__(self) -> None:
        require_count("dim", self.dim)

    def draw(self, count: int, rng: np.random.Generator) -> tuple[Array, Array]:
        return rng.choice([-1.0, 1.0], size=(count, self.dim)), np.zeros(count)

    def corners(self) -> Array:
        """All 2^d points, (2^d, d)."""
        bits = (np.arange(2**self.dim)[:, None] >> np.arange(self.dim)) & 1
        return np.asarray(2.0 * bits - 1.0)


@laws.register("sphere")
@dataclass(frozen=True)
class Sphere(Law):
    """Uniform on the sphere of R^dim.

    Parameters
    ----------
    dim : int
    radius : float, optional
        Default sqrt(dim), so that every coordinate has variance 1.
    """

    dim: int
    radius: float = field(default=0.0)

    def __post_init__(self) -> None:
        require_count("dim", self.dim)
        if self.radius == 0.0:
            object.__setattr__(self, "radius", math.sqrt(self.dim))
        require_positive("radius", self.radius)

    def draw(self, count: int, rng: np.random.Generator) -> tuple[Array, Array]:
        normal = rng.standard_normal((count, self.dim))
        directions = normal / np.linalg.norm(normal, axis=1, keepdims=True)
        return np.asarray(self.radius * directions), np.zeros(count)


def covariance_root(covariance: ArrayLike, dim: int) -> Array:
    """L with ``L L^T`` equal to a covariance given as a variance, a diagonal or a matrix."""
    given = np.asarray(covariance, dtype=float)
    require(bool(np.isfinite(given).all()), "covariance", covariance, "finite numbers")
    require_room("dim", dim, float(dim) ** 2)
    if given.ndim < 2:
        require(given.shape in ((), (dim,)), "covariance", covariance, f"1 or {dim} variances")
        require(bool(np.all(given >= 0)), "covariance", covariance, "variances ≥ 0")
        return np.diag(np.broadcast_to(np.sqrt(given), (dim,)))
    require(given.shape == (dim, dim), "covariance", given.shape, f"the shape ({dim}, {dim})")
    require(bool(np.allclose(given, given.T)), "covariance", covariance, "a symmetric matrix")
    with single_threaded():
        values, vectors = np.linalg.eigh(given)
    tolerance = 1e-12 * max(1.0, float(values[-1]))
    require(values[0] >= -tolerance, "covariance", covariance, "a matrix with eigenvalues ≥ 0")
    return np.ascontiguousarray(vectors * np.sqrt(np.maximum(values, 0.0)))
