"""How far and how fast a run moves as a curve of measures."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from meanfield.arrays import Array
from meanfield.errors import Unsupported
from meanfield.transport.base import MOST_SECONDS, distance, make, require_time_for_all

if TYPE_CHECKING:
    from meanfield.storage import Run


@dataclass(frozen=True)
class Path:
    """A run as a curve t ↦ ρ_t, by the distances of its frames.

    Attributes
    ----------
    times : (T,) array
        Of the frames.
    steps : (T - 1,) array
        Distances between neighbouring frames.
    drift : (T - 1,) array or None
        Lengths that the velocity of the flow gives for the same intervals, ∫ (∫|v|²dρ)^½ dt, where
        the run has observed ``speed``; or ``dissipation``, whose root is the speed of a Wasserstein
        flow with mobility 1: |ρ̇|² = ∫|∇F'|²dρ. Integrated by trapezoids between the looks.
    """

    times: Array
    steps: Array
    drift: Array | None = None

    @property
    def speeds(self) -> Array:
        """Metric speeds |ρ̇| in the mean over each interval, (T - 1,)."""
        return self.steps / np.diff(self.times)

    @property
    def length(self) -> float:
        """Σ of the steps: a lower bound of the length of the curve, which it tends to."""
        return float(self.steps.sum())

    def __repr__(self) -> str:
        said = f"Path({len(self.times)} frames, length {self.length:.6g}"
        if self.drift is not None:
            said += f", by its velocity {float(self.drift.sum()):.6g}"
        return said + ")"


def metric_speed(
    run: Run, method: Any = "exact", *, most_seconds: float = MOST_SECONDS, **parameters: Any
) -> Path:
    """The metric speed of a run, from the distances between neighbouring frames.

    Noise makes it grow as frames come closer, as (2τp/Δt)^½ in W₂: then it says nothing of the
    flow of measures, whose speed is finite.

    Parameters
    ----------
    run : Run
    method, parameters
        As in `meanfield.transport.distance`; of the methods, those for W₂ give the speed that
        `Path` compares with.
    most_seconds : float
        That all distances may take together; asked before the first.

    Raises
    ------
    Unsupported
        If they would take more, or if there are fewer than two frames.
    """
    frames, chosen = run.frames, make(method, **parameters)
    if len(frames) < 2:
        raise Unsupported(f"a path needs two frames or more, and the run has {len(frames)}")
    count = len(frames[0])
    each = chosen.cost(count, count, run.layout.width).seconds
    require_time_for_all(chosen, [each] * (len(frames) - 1), most_seconds)
    steps: list[float] = []
    before, near = frames[0], None
    for frame in itertools.islice(frames, 1, None):
        near = distance(before, frame, chosen, near=near, most_seconds=most_seconds)
        steps.append(near.value)
        before = frame
    return Path(frames.times, np.array(steps), _drift(run))


def path_length(run: Run, method: Any = "exact", **parameters: Any) -> float:
    """The length of a run as a curve of measures; see `metric_speed`."""
    return metric_speed(run, method, **parameters).length


def _drift(run: Run) -> Array | None:
    """Lengths by the velocity, from one frame to the next."""
    name = next((name for name in ("speed", "dissipation") if name in run.names), None)
    if name is None:
        return None
    data = run[name]
    values = (data.sel(seed=run.seed) if "seed" in data.dims else data).values
    speeds = values if name == "speed" else np.sqrt(np.maximum(values, 0.0))
    looks = data["time"].values
    whole = np.concatenate([[0.0], np.cumsum(0.5 * np.diff(looks) * (speeds[1:] + speeds[:-1]))])
    return np.diff(np.interp(run.frames.times, looks, whole))
