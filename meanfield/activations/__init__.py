"""Activations: one small class each, with its Gaussian averages where mathematics has them."""

from meanfield.activations.base import Activation, activations, make
from meanfield.activations.dirichlet import Dirichlet
from meanfield.activations.exponential import Bump, Exp
from meanfield.activations.piecewise import Abs, LeakyReLU, Ramp, ReLU, Step
from meanfield.activations.polynomial import Hermite, Linear, Monomial, Quadratic
from meanfield.activations.radial import AveragedRamp, SphereRamp
from meanfield.activations.sigmoidal import Sigmoid, SiLU, Softplus, Tanh
from meanfield.activations.smooth import GELU, Erf, Probit
from meanfield.activations.trigonometric import Cos, Sin

__all__ = [
    "GELU",
    "Abs",
    "Activation",
    "AveragedRamp",
    "Bump",
    "Cos",
    "Dirichlet",
    "Erf",
    "Exp",
    "Hermite",
    "LeakyReLU",
    "Linear",
    "Monomial",
    "Probit",
    "Quadratic",
    "Ramp",
    "ReLU",
    "SiLU",
    "Sigmoid",
    "Sin",
    "Softplus",
    "SphereRamp",
    "Step",
    "Tanh",
    "activations",
    "make",
]
