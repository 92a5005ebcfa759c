"""tanh, sigmoid and their relatives: no closed forms, so trapezoid rules."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

from meanfield.activations.base import Activation, activations
from meanfield.kernels.compile import jit
from meanfield.kernels.quadrature import gaussian_mean, gaussian_pair


@jit
def tanh_evaluate(p, t):
    value = math.tanh(t)
    return value, 1.0 - value * value


@jit
def sigmoid_evaluate(p, t):
    e = math.exp(-abs(t))
    value = 1.0 / (1.0 + e)
    return (value if t >= 0.0 else e * value), e * value * value


@jit
def softplus_evaluate(p, t):
    e = math.exp(-abs(t))
    slope = 1.0 / (1.0 + e)
    return max(t, 0.0) + math.log1p(e), (slope if t >= 0.0 else e * slope)


@jit
def silu_evaluate(p, t):
    value, slope = sigmoid_evaluate(p, t)
    return t * value, value + t * slope


@activations.register("tanh")
@dataclass(frozen=True)
class Tanh(Activation):
    """tanh t."""

    quadrature: ClassVar[bool] = True
    evaluate = staticmethod(tanh_evaluate)
    pair = staticmethod(gaussian_pair(tanh_evaluate))
    mean = staticmethod(gaussian_mean(tanh_evaluate))


@activations.register("sigmoid")
@dataclass(frozen=True)
class Sigmoid(Activation):
    """1 / (1 + exp(-t))."""

    quadrature: ClassVar[bool] = True
    evaluate = staticmethod(sigmoid_evaluate)
    pair = staticmethod(gaussian_pair(sigmoid_evaluate))
    mean = staticmethod(gaussian_mean(sigmoid_evaluate))


@activations.register("softplus")
@dataclass(frozen=True)
class Softplus(Activation):
    """log(1 + exp t)."""

    quadrature: ClassVar[bool] = True
    evaluate = staticmethod(softplus_evaluate)
    pair = staticmethod(gaussian_pair(softplus_evaluate))
    mean = staticmethod(gaussian_mean(softplus_evaluate))


@activations.register("silu")
@dataclass(frozen=True)
class SiLU(Activation):
    """t / (1 + exp(-t)), also called swish."""

    quadrature: ClassVar[bool] = True
    evaluate = staticmethod(silu_evaluate)
    pair = staticmethod(gaussian_pair(silu_evaluate))
    mean = staticmethod(gaussian_mean(silu_evaluate))
