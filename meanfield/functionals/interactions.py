"""How the repulsion ∬U dρdρ of a population risk is summed: exactly, or faster with a known error.

The exact sum costs O(N²). Two others are chosen by name, never by themselves, and say how far off
they are (`Risk.pairs_error`):

* `RandomBatches`, O(N p): a fresh random partition at every step; unbiased, with a standard error.
* `FiniteRank`, O(N rank): the kernel cut off in harmonics; deterministic, with a rigorous bound.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from typing import Any, ClassVar, NamedTuple

import numpy as np

from meanfield import random
from meanfield.arrays import Array
from meanfield.errors import Unsupported, require, require_count
from meanfield.kernels import bases, batches, expansion
from meanfield.kernels.population import Projected, interact
from meanfield.registry import Registry

Sums = tuple[Array, Array, Array]

ROWS = 64  # neurons whose exact sums tell the error of the gradient


class Neurons(NamedTuple):
    """All neurons of an ensemble, as one Gaussian component of the inputs sees them.

    Attributes
    ----------
    activation : Activation
    seen : Projected
        Mean, norm and direction of the pre-activations.
    a, c : (N, k) arrays
        Outer weights, without and with the masses.
    step : int
        Of the simulation.
    """

    activation: Any
    seen: Projected
    a: Array
    c: Array
    step: int


class Error(NamedTuple):
    """How far a sum is from the exact one, in the units of the risk's derivatives.

    What the numbers are (a bound, a standard error) is said by the summation.

    Attributes
    ----------
    potential : float
        Of the derivative in the outer weights.
    gradient : float
        Of the gradient in the inner weights (whitened: times the root of the covariance) and mean.
    """

    potential: float
    gradient: float


class Summation(ABC):
    """A way to sum K and its gradients over all pairs of neurons."""

    kind: ClassVar[str] = ""

    @abstractmethod
    def __call__(self, neurons: Neurons) -> Sums:
        """Sums for every neuron, as `meanfield.kernels.population.interact` returns them."""

    @abstractmethod
    def error(self, neurons: Neurons) -> Error:
        """How far these sums are from the exact ones."""

    def seeded(self, seed: int) -> Summation:
        """The same with `seed` where it needs one and has none."""
        return self


summations: Registry[Summation] = Registry("sum over pairs")


@summations.register("exact")
@dataclass(frozen=True)
class Exact(Summation):
    """All pairs, O(N²)."""

    def __call__(self, neurons: Neurons) -> Sums:
        activation, seen, a, c, _ = neurons
        return interact(activation, seen, a, seen, c)

    def error(self, neurons: Neurons) -> Error:
        return Error(0.0, 0.0)


@summations.register("random-batches")
@dataclass(frozen=True)
class RandomBatches(Summation):
    """Neurons meet in random batches of `size`, dealt anew at every step: O(N size).

    Sums are unbiased given the state, and so is the value of the risk. All evaluations at one step
    (the stages of a scheme, observables) share the partition. The error is a standard error, the
    root of the mean square over neurons; it is estimated from a second partition.

    Parameters
    ----------
    size : int
        Neurons in a batch, at least 2; batches are of equal size, up to one, and none is smaller.
    seed : int, optional
        With the step, decides the partition. Default 0; in an experiment, the seed of the run.

    References
    ----------
    S. Jin, L. Li, J.-G. Liu, J. Comput. Phys. 400, 2020.
    """

    size: int = 32
    seed: int | None = None

    def __post_init__(self) -> None:
        require_count("size", self.size, least=2)
        if self.seed is not None:
            random.check_seed(self.seed)

    def seeded(self, seed: int) -> RandomBatches:
        return self if self.seed is not None else replace(self, seed=seed)

    def __call__(self, neurons: Neurons) -> Sums:
        return self._sums(neurons, 1)[0]

    def error(self, neurons: Neurons) -> Error:
        first, second = self._sums(neurons, 2)
        # Var X = E (X - X')² / 2 for independent X, X'.
        squares = [0.5 * ((x - y) ** 2).sum() for x, y in zip(first, second, strict=True)]
        count = len(neurons.c)
        return Error(math.sqrt(squares[0] / count), math.sqrt((squares[1] + squares[2]) / count))

    def _sums(self, neurons: Neurons, times: int) -> list[Sums]:
        activation, seen, a, c, step = neurons
        rng = random.generator(self.seed or 0, random.Stream.PAIRS, step)
        orders = [rng.permutation(len(c)) for _ in range(times)]
        return [batches.interact(activation, seen, a, c, order, self.size) for order in orders]


@summations.register("finite-rank")
@dataclass(frozen=True)
class FiniteRank(Summation):
    """The kernel cut off at a degree of the harmonics of direction: O(N rank).

    See `meanfield.kernels.bases`. The number of harmonics grows like degree^(d-1): this is for
    few dimensions. Without bias, homogeneous activations (ReLU) converge fast; other activations
    need the higher degrees, the larger |w|.

    The error of the potential is a rigorous bound over all neurons. That of the gradient is the
    largest found in a comparison with exact sums, of at most 64 neurons evenly spaced.

    Parameters
    ----------
    degree : int, optional
        Where the kernel is cut off …
    tolerance : float, optional
        … or the smallest degree whose bound on the error of the potential is below this, relative
        to the same bound on the potential itself, max_i √K_ii Σ_j |m_j a_j| √K_jj.

    Raises
    ------
    Unsupported
        When evaluated, if the rank would exceed the number of neurons.
    """

    degree: int | None = None
    tolerance: float | None = None

    def __post_init__(self) -> None:
        both = (self.degree, self.tolerance)
        one = (self.degree is None) != (self.tolerance is None)
        require(one, "degree, tolerance", both, "exactly one of the two")
        if self.degree is not None:
            require_count("degree", self.degree, least=0)
        if self.tolerance is not None:
            usable = 1e-12 <= self.tolerance < 1.0
            require(usable, "tolerance", self.tolerance, "a number in [1e-12, 1)")

    def __call__(self, neurons: Neurons) -> Sums:
        basis, degree = self.cut(neurons)
        _, seen, a, c, _ = neurons
        return expansion.interact(basis, degree, seen, a, seen, c)

    def error(self, neurons: Neurons) -> Error:
        basis, degree = self.cut(neurons)
        activation, seen, a, c, _ = neurons
        bound = float(expansion.truncation(basis, seen, c, degree)[-1])
        rows = np.unique(np.linspace(0, len(c) - 1, min(ROWS, len(c))).astype(int))
        some = seen.some(rows)
        found = expansion.interact(basis, degree, some, a[rows], seen, c)
        exact = interact(activation, some, a[rows], seen, c)
        squares = ((found[2] - exact[2]) ** 2).sum(axis=1)
        if not neurons.seen.centred:
            squares += (found[1] - exact[1]) ** 2
        return Error(bound, math.sqrt(squares.max()))

    def cut(self, neurons: Neurons) -> tuple[bases.Basis, int]:
        """The basis for an activation, and the degree where it is cut off."""
        count, dim = neurons.seen.n.shape
        basis = bases.basis(neurons.activation, dim, not neurons.seen.centred)
        largest = expansion.largest_degree(basis, count)
        others = "'random-batches' or 'exact'"
        if self.degree is not None:
            if self.degree > largest:
                raise Unsupported(
                    f"a finite rank of degree {self.degree} in dimension {dim} has rank "
                    f"{basis.rank(self.degree)} for {count} neurons, more than an exact sum is "
                    f"worth: take a degree ≤ {largest}, {others}"
                )
            return basis, self.degree
        assert self.tolerance is not None
        trial = 4
        while True:
            trial = min(2 * trial, largest)
            bounds = expansion.truncation(basis, neurons.seen, neurons.c, trial)
            within = np.flatnonzero(bounds[1:] <= self.tolerance * bounds[0])
            if len(within) or not np.isfinite(bounds[0]):  # what is not finite stays so
                return basis, int(within[0]) if len(within) else 0
            if trial == largest:
                raise Unsupported(
                    f"a finite rank within {self.tolerance:g} would need more than degree "
                    f"{largest}, where {count} neurons in dimension {dim} have rank "
                    f"{basis.rank(largest)} and {bounds[-1] / bounds[0]:.1e}: "
                    f"take a larger tolerance, {others}"
                )


def make(spec: str | dict[str, Any] | Summation) -> Summation:
    """A summation from its name, or from a table ``{"kind": name, **parameters}``."""
    if isinstance(spec, Summation):
        return spec
    table = {"kind": spec} if isinstance(spec, str) else dict(spec)
    return summations[table.pop("kind", "")](**table)
