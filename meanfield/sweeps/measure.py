"""What is measured of every replica: its function on test points, and its distance to others."""

from __future__ import annotations

import hashlib
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from meanfield import random, transport
from meanfield.arrays import Array
from meanfield.data import FiniteData, Stream
from meanfield.ensemble import Ensemble
from meanfield.errors import Unsupported
from meanfield.kernels import elementwise
from meanfield.kernels.blas import single_threaded
from meanfield.networks import TwoLayer
from meanfield.storage import Run

BLOCK = 2**21  # numbers held at a time
W2_PARTICLES = 2000  # of a reference: the exact solver takes seconds for so many


@dataclass(frozen=True)
class Probe:
    """A network, and the inputs at which functions are compared.

    Attributes
    ----------
    network : TwoLayer
    x : (n, d) array
    weights : (n,) array
        Of the inputs in E over them; they sum to 1.
    """

    network: TwoLayer
    x: Array
    weights: Array

    @classmethod
    def of(cls, experiment: str, points: int) -> Probe:
        """The inputs of the experiment's data; of a law, or of more data, so many drawn at random.

        Raises
        ------
        Unsupported
            If the energy has no risk, so that there is no function.
        """
        from meanfield.config import Experiment

        found = Experiment(tomllib.loads(experiment))
        for _, term in found.problem(found.seeds[0]).flow.energy.terms():
            if hasattr(term, "network") and hasattr(term, "data"):
                return cls(term.network, *_inputs(term.data, points))
        raise Unsupported("the energy has no risk: without a network there is no function f")

    @property
    def digest(self) -> str:
        """Of all that the outputs depend on besides the particles."""
        content = repr(self.network).encode() + self.x.tobytes() + self.weights.tobytes()
        return hashlib.sha256(content).hexdigest()[:16]

    def output(self, ensemble: Ensemble) -> Array:
        """f at the inputs, (n, k), as float64."""
        with single_threaded():
            return np.asarray(self.network.output(ensemble, self.x), dtype=float)

    def independent(self, ensemble: Ensemble) -> float:
        """∫|φ|²dρ - |f|², averaged over the inputs: N·E|f_N - f|² of independent particles.

        Unbiased if the particles of the ensemble, of equal masses, are independent themselves.
        """
        neurons = ensemble.astype("float64")
        outer, _ = self.network.outer_weights(neurons)
        w, b = self.network.inner_weights(neurons)
        size = neurons.mass * np.einsum("ik,ik->i", outer, outer)
        square = np.zeros(len(self.x))
        rows = max(1, BLOCK // len(self.x))
        with single_threaded():
            for first in range(0, len(neurons), rows):
                some = slice(first, first + rows)
                z = self.x @ w[some].T + b[some]
                s, _ = elementwise.evaluate(self.network.activation, z)
                square += s**2 @ size[some]
        count = len(neurons)
        variance = square - (self.output(neurons) ** 2).sum(axis=1)
        return float(self.weights @ variance) * count / max(count - 1, 1)


def _inputs(data: Any, points: int) -> tuple[Array, Array]:
    source = data.source if isinstance(data, Stream) else data
    rng = random.generator(0, random.Stream.PROBES)
    if not isinstance(source, FiniteData):
        return source.inputs.draw(points, rng)[0], np.full(points, 1.0 / points)
    if len(source) <= points:
        return source.x, source.weights
    chosen = rng.choice(len(source), points, p=source.weights)
    return source.x[chosen], np.full(points, 1.0 / points)


def outputs(run: Run, times: Array, probe: Probe) -> dict[str, Array]:
    """``output`` (T, n, k) and ``independent`` (T,) at the frames nearest to some times."""
    frames = [run.frames.at(time) for time in times]
    return {
        "output": np.array([probe.output(frame) for frame in frames]),
        "independent": np.array([probe.independent(frame) for frame in frames]),
    }


def coupling(run: Run, reference: Run, times: Array) -> Array:
    """Mean |θᵢ - θ̄ᵢ|² over the particles that start in the same place in a larger run, (T,).

    NaN if the start of the smaller is not the first part of that of the larger. With the same
    noise for each particle, which it has in our runs, this is the coupling of Sznitman (1991):
    its rate in N is that of chaos, in every dimension.
    """
    count = len(run.frames[0])
    first, larger = run.frames[0].position, reference.frames[0].position
    nested = len(larger) >= count and np.array_equal(first, larger[:count])
    if not nested:
        return np.full(len(times), np.nan)
    pairs = ((run.frames.at(t).position, reference.frames.at(t).position) for t in times)
    return np.array([float(((x - y[:count]) ** 2).sum(axis=1).mean()) for x, y in pairs])


def distance(ensemble: Ensemble, reference: Ensemble | None) -> float:
    """Exact W₂² to a reference, of which at most 2,000 particles are taken; NaN where too large."""
    if reference is None:
        return np.nan
    try:
        return transport.distance(ensemble, thinned(reference), "exact").value ** 2
    except Unsupported:
        return np.nan


def thinned(ensemble: Ensemble, most: int = W2_PARTICLES) -> Ensemble:
    """At most so many of the particles, evenly spaced in their order."""
    if len(ensemble) <= most:
        return ensemble
    chosen = np.linspace(0, len(ensemble) - 1, most).round().astype(int)
    mass = ensemble.mass[chosen]
    return Ensemble(ensemble.position[chosen], mass / mass.sum(), ensemble.layout, ensemble.time)


def common_times(frames: Mapping[str, Array]) -> Array:
    """The times at which all runs have a frame, but for rounding."""
    several = list(frames.values())
    scale = max(float(times[-1]) for times in several) or 1.0
    near = [
        all(np.abs(other - time).min() <= 1e-9 * scale for other in several) for time in several[0]
    ]
    return several[0][near]
