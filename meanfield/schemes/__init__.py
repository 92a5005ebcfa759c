"""Schemes: how time is cut, each with the order it is held to by the tests."""

from meanfield.schemes.adaptive import Adaptive
from meanfield.schemes.base import Scheme, Step, schemes
from meanfield.schemes.jko import JKO
from meanfield.schemes.kinetic import BAOAB, OBABO, UBU
from meanfield.schemes.noise_injection import NoiseInjection
from meanfield.schemes.proximal import ProximalRecursion
from meanfield.schemes.runge_kutta import RK4, Euler, Heun, RungeKutta
from meanfield.schemes.splitting import Lie, Strang
from meanfield.schemes.stochastic import (
    EulerMaruyama,
    Exponential,
    LeimkuhlerMatthews,
    StochasticHeun,
    TamedEuler,
)

__all__ = [
    "BAOAB",
    "JKO",
    "OBABO",
    "RK4",
    "UBU",
    "Adaptive",
    "Euler",
    "EulerMaruyama",
    "Exponential",
    "Heun",
    "LeimkuhlerMatthews",
    "Lie",
    "NoiseInjection",
    "ProximalRecursion",
    "RungeKutta",
    "Scheme",
    "Step",
    "StochasticHeun",
    "Strang",
    "TamedEuler",
    "schemes",
]
