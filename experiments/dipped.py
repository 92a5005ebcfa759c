"""The activation of two-gaussians-failure: a ramp that falls before it rises."""

from meanfield.activations import activations
from meanfield.verification.two_gaussians import Dipped

activations.register(Dipped.kind)(Dipped)
