"""`meanfield verify`: every system that is simulated and that an oracle knows."""

from meanfield.verification import fixed_points, gaussians, matrices, two_gaussians
from meanfield.verification.base import (
    Comparison,
    System,
    Verdict,
    mean_and_error,
    systems,
    verify,
)

__all__ = [
    "Comparison",
    "System",
    "Verdict",
    "fixed_points",
    "gaussians",
    "matrices",
    "mean_and_error",
    "systems",
    "two_gaussians",
    "verify",
]
