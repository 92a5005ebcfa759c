"""Annealing: the temperature as a function of time, τ(t) = τ c(t), with c(0) = 1."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from typing import ClassVar

from meanfield.errors import require_positive
from meanfield.registry import Registry


class Cooling(ABC):
    """A factor of the temperature that depends on time."""

    kind: ClassVar[str]

    @abstractmethod
    def __call__(self, time: float) -> float:
        """c(t) ≥ 0."""


coolings: Registry[Cooling] = Registry("cooling")


@coolings.register("constant")
class Constant(Cooling):
    """c = 1: the temperature stays."""

    def __call__(self, time: float) -> float:
        return 1.0


@coolings.register("exponential")
class Exponential(Cooling):
    """c = e^{-t/T}.

    Parameters
    ----------
    time : float
        T, after which the temperature has fallen by e.
    """

    def __init__(self, time: float) -> None:
        require_positive("time", time)
        self.time = float(time)

    def __call__(self, time: float) -> float:
        return math.exp(-time / self.time)


@coolings.register("linear")
class Linear(Cooling):
    """c = 1 - t/T, and 0 from T on.

    Parameters
    ----------
    time : float
        T, at which the temperature is 0.
    """

    def __init__(self, time: float) -> None:
        require_positive("time", time)
        self.time = float(time)

    def __call__(self, time: float) -> float:
        return max(0.0, 1.0 - time / self.time)


@coolings.register("power")
class Power(Cooling):
    """c = (1 + t/T)^{-q}.

    Parameters
    ----------
    time : float
        T.
    exponent : float
        q > 0.
    """

    def __init__(self, time: float, exponent: float = 1.0) -> None:
        require_positive("time", time)
        require_positive("exponent", exponent)
        self.time, self.exponent = float(time), float(exponent)

    def __call__(self, time: float) -> float:
        return (1.0 + time / self.time) ** -self.exponent


@coolings.register("logarithmic")
class Logarithmic(Cooling):
    """c = 1 / log(e + t/T): slow enough to leave every basin (Geman & Hwang 1986; Chizat 2022).

    Parameters
    ----------
    time : float
        T.
    """

    def __init__(self, time: float = 1.0) -> None:
        require_positive("time", time)
        self.time = float(time)

    def __call__(self, time: float) -> float:
        return 1.0 / math.log(math.e + time / self.time)
