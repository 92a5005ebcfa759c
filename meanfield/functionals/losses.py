"""Losses: what one sample costs, and its derivative in the output.

A new loss is one class with `targets`, `evaluate` and `correct`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar

import numpy as np
from scipy.special import expit, log_softmax

from meanfield.arrays import Array
from meanfield.data.finite import FiniteData
from meanfield.errors import InvalidInput, Unsupported, require
from meanfield.registry import Registry


class Loss(ABC):
    """The cost l(f, y) of one sample."""

    kind: ClassVar[str]

    @abstractmethod
    def targets(self, data: FiniteData, outputs: int) -> Array:
        """The targets (n, k) in the form that `evaluate` wants; raises `InvalidInput`."""

    @abstractmethod
    def evaluate(self, f: Array, y: Array) -> tuple[Array, Array]:
        """l(f, y), (n,), and its derivative in f, (n, k)."""

    def logarithm(self, f: Array, y: Array) -> tuple[Array, Array]:
        """log l(f, y), (n,), and its derivative in f, (n, k): for costs that vanish far out.

        Raises
        ------
        Unsupported
            If the loss has none.
        """
        raise Unsupported(
            f"the logarithm of the risk is for the losses 'exponential' and 'logistic', "
            f"not for {self.kind!r}"
        )

    def correct(self, f: Array, y: Array) -> Array:
        """Whether each sample is classified rightly, (n,): by sign, or by the largest output.

        Raises
        ------
        Unsupported
            If the targets are not classes: ±1, or unit vectors.
        """
        if not are_classes(y):
            raise Unsupported("accuracy needs classes: these targets are neither ±1 nor classes")
        if f.shape[1] == 1:
            return np.sign(f[:, 0]) == np.sign(y[:, 0])
        return f.argmax(axis=1) == y.argmax(axis=1)


def are_classes(y: Array) -> bool:
    """Whether targets (n, k) are classes: ±1, or unit vectors."""
    if y.shape[1] == 1:
        return bool(np.isin(y, (-1.0, 1.0)).all())
    return bool(np.isin(y, (0.0, 1.0)).all() and np.all(y.sum(axis=1) == 1.0))


losses: Registry[Loss] = Registry("loss")


@losses.register("squared")
class Squared(Loss):
    """½|f - y|². Two classes are ±1, K classes the unit vectors."""

    def targets(self, data: FiniteData, outputs: int) -> Array:
        if data.classes:
            return _signs(data) if outputs == 1 else _unit_vectors(data, outputs)
        shape = data.y.shape
        require(shape[1] == outputs, "y", shape, f"{outputs} column(s), one for each output")
        return data.y

    def evaluate(self, f: Array, y: Array) -> tuple[Array, Array]:
        residual = f - y
        return 0.5 * np.einsum("nk,nk->n", residual, residual), residual


@losses.register("logistic")
class Logistic(Loss):
    """log(1 + exp(-y f)) with y = ±1: the first class is -1, the second +1."""

    def targets(self, data: FiniteData, outputs: int) -> Array:
        require(outputs == 1, "outputs", outputs, "1 for the logistic loss")
        return _signs(data)

    def evaluate(self, f: Array, y: Array) -> tuple[Array, Array]:
        margin = y * f
        return np.logaddexp(0.0, -margin)[:, 0], -y * expit(-margin)

    def logarithm(self, f: Array, y: Array) -> tuple[Array, Array]:
        margin = y * f
        # Beyond 40, log(1 + e) is e = exp(-margin) to the last digit, and would be 0 beyond 745.
        cost = np.logaddexp(0.0, -np.minimum(margin, 40.0))
        excess = np.maximum(margin - 40.0, 0.0)
        slope = -y * expit(-np.minimum(margin, 40.0)) / cost
        return (np.log(cost) - excess)[:, 0], slope


@losses.register("exponential")
class Exponential(Loss):
    """exp(-y f) with y = ±1; beyond the numbers, infinite, where y f < -709."""

    def targets(self, data: FiniteData, outputs: int) -> Array:
        require(outputs == 1, "outputs", outputs, "1 for the exponential loss")
        return _signs(data)

    def evaluate(self, f: Array, y: Array) -> tuple[Array, Array]:
        with np.errstate(over="ignore"):
            cost = np.exp(-y * f)
        return cost[:, 0], -y * cost

    def logarithm(self, f: Array, y: Array) -> tuple[Array, Array]:
        return (-y * f)[:, 0], -y


@losses.register("softmax")
class Softmax(Loss):
    """Cross-entropy of softmax(f) with the class."""

    def targets(self, data: FiniteData, outputs: int) -> Array:
        require(
            outputs >= 2,
            "outputs",
            outputs,
            'at least 2 for the softmax loss: named classes (data.task = "classification")',
        )
        return _unit_vectors(data, outputs)

    def evaluate(self, f: Array, y: Array) -> tuple[Array, Array]:
        log_probability = log_softmax(f, axis=1)
        return -np.einsum("nk,nk->n", y, log_probability), np.exp(log_probability) - y


def _signs(data: FiniteData) -> Array:
    if data.classes:
        require(len(data.classes) == 2, "classes", data.classes, "two classes for one output")
        return 2.0 * data.y - 1.0
    if data.y.shape[1] != 1 or not np.isin(data.y, (-1.0, 1.0)).all():
        raise InvalidInput(
            "y",
            data.y.ravel()[:4],
            'labels -1 or +1, or two classes (data.task = "classification")',
        )
    return data.y


def _unit_vectors(data: FiniteData, outputs: int) -> Array:
    if not data.classes and data.y.shape[1] == outputs:
        rows = bool(np.all(data.y >= 0)) and np.allclose(data.y.sum(axis=1), 1.0)
        require(rows, "y", data.y[0], "probabilities of the classes, or class numbers")
        return data.y
    known = len(data.classes) or outputs
    require(known == outputs, "outputs", outputs, f"{known}, one for each class")
    number = data.y[:, 0]
    inside = data.y.shape[1] == 1 and np.isin(number, np.arange(outputs)).all()
    require(bool(inside), "y", data.y.ravel()[:4], f"class numbers 0 … {outputs - 1}")
    return np.eye(outputs)[number.astype(int)]
