"""Guards: what must stay true while an energy descends."""

from __future__ import annotations

import numpy as np

from meanfield.ensemble import Ensemble
from meanfield.errors import Diverged


def check_finite(before: Ensemble, after: Ensemble, length: float) -> None:
    """Raise `Diverged` if a step took a particle out of the finite numbers.

    The message names the step, the time, the first such particle and where it was.
    """
    arrays = (after.position, after.mass[:, None], after.velocity)
    changed = [array for array in arrays if array is not None]
    if all(np.isfinite(array.sum()) for array in changed):
        return
    finite = [np.isfinite(array).all(axis=1) for array in changed]
    lost = np.flatnonzero(~np.logical_and.reduce(finite))
    if not len(lost):  # finite entries whose sum overflows
        return
    norm = float(np.linalg.norm(before.position[lost[0]]))
    raise Diverged(
        f"step {before.step + 1} (time {before.time:g}): {len(lost)} of {len(before)} particles "
        f"are no longer finite, the first is number {lost[0]} (|θ| was {norm:.3g}); "
        f"try a smaller step than {length:g}"
    )
