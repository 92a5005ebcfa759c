"""Guards: what must stay true while an energy descends."""

from __future__ import annotations

import numpy as np

from meanfield.arrays import Array
from meanfield.ensemble import Ensemble
from meanfield.errors import Diverged


def check_finite(before: Ensemble, after: Array, length: float) -> None:
    """Raise `Diverged` if a step took a particle out of the finite numbers.

    The message names the step, the time, the first such particle and where it was.
    """
    if np.isfinite(after.sum()):
        return
    lost = np.flatnonzero(~np.isfinite(after).all(axis=1))
    if not len(lost):  # finite entries whose sum overflows
        return
    norm = float(np.linalg.norm(before.position[lost[0]]))
    raise Diverged(
        f"step {before.step + 1} (time {before.time:g}): {len(lost)} of {len(before)} particles "
        f"are no longer finite, the first is number {lost[0]} (|θ| was {norm:.3g}); "
        f"try a smaller step than {length:g}"
    )
