"""`meanfield verify`: every system that is simulated and that an oracle knows."""

from meanfield.verification import (  # noqa: F401  (registered)
    aggregation,
    fixed_points,
    gaussians,
    matrices,
    spectra,
    transitions,
    two_gaussians,
)
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
