"""Finite data sets: samples with weights, perhaps a held-out part; splitting and standardising."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from meanfield import random
from meanfield.arrays import Array
from meanfield.errors import require, require_nonnegative


@dataclass(frozen=True)
class FiniteData:
    """Samples (x_s, y_s) with weights that sum to 1.

    Parameters
    ----------
    x : (n, d) array
        Inputs.
    y : (n,) or (n, k) array
        Targets; where ``classes`` are given, the number of each sample's class.
    weights : (n,) array, optional
        Default 1/n each. A quadrature rule is a finite data set too.
    classes : sequence of str
        Names of the classes; empty for numeric targets.
    test : FiniteData, optional
        A held-out part, which no functional looks at.

    Raises
    ------
    InvalidInput
        If shapes do not fit, an entry is not finite, or the weights are not a probability.
    """

    x: Array
    y: Array
    weights: Array
    classes: tuple[str, ...]
    test: FiniteData | None

    def __init__(
        self,
        x: ArrayLike,
        y: ArrayLike,
        weights: ArrayLike | None = None,
        classes: Sequence[str] = (),
        test: FiniteData | None = None,
    ) -> None:
        inputs = np.array(x, dtype=float, order="C")
        require(inputs.ndim == 2, "x", inputs.shape, "an array of shape (n, d)")
        count = len(inputs)
        require(count >= 1, "x", inputs.shape, "at least one sample")
        targets = np.asarray(y, dtype=float)
        targets = targets[:, None] if targets.ndim == 1 else targets
        require(
            targets.ndim == 2 and len(targets) == count,
            "y",
            np.shape(y),
            f"one target for each of the {count} samples",
        )
        for name, values in (("x", inputs), ("y", targets)):
            bad = np.flatnonzero(~np.isfinite(values).all(axis=1))
            require(not len(bad), name, f"not finite in row {bad[:1]}", "finite numbers")
        mass = np.full(count, 1.0 / count) if weights is None else np.asarray(weights, dtype=float)
        require(mass.shape == (count,), "weights", mass.shape, f"the shape ({count},)")
        require(bool(np.all(mass >= 0)), "weights", mass, "weights ≥ 0")
        require(abs(mass.sum() - 1) < 1e-9, "weights", mass, "weights that sum to 1")
        object.__setattr__(self, "x", inputs)
        object.__setattr__(self, "y", targets)
        object.__setattr__(self, "weights", mass)
        object.__setattr__(self, "classes", tuple(map(str, classes)))
        object.__setattr__(self, "test", test)

    def __len__(self) -> int:
        return len(self.x)

    @property
    def dim(self) -> int:
        """Dimension d of the inputs."""
        return self.x.shape[1]

    @property
    def outputs(self) -> int:
        """How many outputs a network needs: two classes need one, K > 2 classes need K."""
        if self.classes:
            return 1 if len(self.classes) == 2 else len(self.classes)
        return self.y.shape[1]

    def take(self, index: ArrayLike) -> FiniteData:
        """The samples of the given numbers, equally weighted."""
        return self._part(index, None)

    def _part(self, index: ArrayLike, weights: Array | None) -> FiniteData:
        rows = np.asarray(index)
        return FiniteData(self.x[rows], self.y[rows], weights, self.classes)

    def draw(self, count: int, rng: np.random.Generator) -> FiniteData:
        """A sample of `count` with replacement, with probabilities proportional to the weights."""
        uniform = bool(np.all(self.weights == self.weights[0]))
        rows = rng.choice(len(self), size=count, p=None if uniform else self.weights)
        return self.take(rows)


def split(data: FiniteData, test: float, seed: int) -> FiniteData:
    """Hold out a fraction of the samples, in every class alike.

    Parameters
    ----------
    data : FiniteData
    test : float
        Fraction held out, in (0, 1); class by class where there are classes.
    seed : int
        The split is a function of it.
    """
    require_nonnegative("test", test)
    require(test < 1, "test", test, "a fraction in [0, 1)")
    if test == 0:
        return data
    rng = random.generator(seed, random.Stream.SPLIT)
    strata = data.y[:, 0] if data.classes else np.zeros(len(data))
    held_out = []
    for value in np.unique(strata):
        rows = rng.permutation(np.flatnonzero(strata == value))
        held_out.append(rows[: round(test * len(rows))])
    mask = np.zeros(len(data), dtype=bool)
    mask[np.concatenate(held_out)] = True
    require(bool(mask.any() and not mask.all()), "test", test, "a fraction that leaves both parts")
    train, held = (
        data._part(np.flatnonzero(rows), data.weights[rows] / data.weights[rows].sum())
        for rows in (~mask, mask)
    )
    return FiniteData(train.x, train.y, train.weights, data.classes, held)


def standardise(data: FiniteData) -> FiniteData:
    """Shift and scale every input column to mean 0 and variance 1 on the training part.

    The held-out part goes through the same map. A constant column becomes zero.
    """
    mean = data.weights @ data.x
    std = np.sqrt(data.weights @ (data.x - mean) ** 2)
    scale = np.where(std > 1e-12 * np.maximum(1.0, np.abs(mean)), std, np.inf)
    test = data.test
    if test is not None:
        test = FiniteData((test.x - mean) / scale, test.y, test.weights, test.classes)
    return FiniteData((data.x - mean) / scale, data.y, data.weights, data.classes, test)
