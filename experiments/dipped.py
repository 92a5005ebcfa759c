"""The activation of two-gaussians-failure: a ramp that falls before it rises."""

from meanfield.activations import activations
from meanfield.verification import two_gaussians


@activations.register("averaged-dipped-ramp")
class Dipped(two_gaussians.Dipped):
    """The average over directions of an activation that falls before it rises, at three knots."""
