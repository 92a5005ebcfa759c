"""`meanfield verify`: every system that is simulated and that an oracle knows."""

from meanfield.verification import aggregation, spectra, transitions  # noqa: F401  (registered)
from meanfield.verification.base import (
    Comparison,
    System,
    Verdict,
    mean_and_error,
    systems,
    verify,
)

__all__ = ["Comparison", "System", "Verdict", "mean_and_error", "systems", "verify"]
