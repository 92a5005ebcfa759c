"""What can be compared: ensembles, runs at a time, files, and arrays, as points with masses."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from meanfield.arrays import Array
from meanfield.ensemble import Ensemble, Layout
from meanfield.errors import InvalidInput, Unsupported, require

if TYPE_CHECKING:
    from meanfield.networks import TwoLayer
    from meanfield.storage import Run

Modulo = Literal["scaling"]
MERGED = 9  # decimals in which directions on the unit sphere are the same


@dataclass(frozen=True)
class Measure:
    """Points with masses.

    Attributes
    ----------
    points : (N, p) array
    mass : (N,) array
        Not negative, except of neurons modulo scaling.
    layout : Layout, optional
        What the columns mean, if that is known.
    network : mapping
        What is known of the network that the particles are neurons of, as in ``[network]``.
    seeds : tuple of int
        Of the run that the points are from, the one that is meant first.
    """

    points: Array
    mass: Array
    layout: Layout | None = None
    network: Mapping[str, Any] = field(default_factory=dict)
    seeds: tuple[int, ...] = ()

    def __len__(self) -> int:
        return len(self.points)

    @property
    def dim(self) -> int:
        """Number of columns p."""
        return self.points.shape[1]

    @property
    def total(self) -> float:
        """The total mass."""
        return float(self.mass.sum())

    @property
    def is_signed(self) -> bool:
        """Whether a mass is negative."""
        return bool((self.mass < 0).any())

    @property
    def is_even(self) -> bool:
        """Whether all masses are the same, to the last bit."""
        return bool((self.mass == self.mass[0]).all())

    @property
    def shares(self) -> Array:
        """Masses that sum to 1, (N,)."""
        require(self.total > 0, "mass", self.total, "a total mass > 0")
        return self.mass / self.total

    @property
    def mean(self) -> Array:
        """∫ θ dρ of the shares, (p,)."""
        return self.shares @ self.points


def measure(given: Any) -> Measure:
    """Points and masses of what is given.

    Parameters
    ----------
    given : Ensemble, Run, path, array, pair of arrays, or Measure
        A run counts where it ended. A path is that of a run, with ``@t`` for the frame nearest to
        the time t, which is between the first and the last: ``"run.h5@2.5"``. Points are an array
        (N, p), or (N,) on the line, with equal masses 1/N, or with masses (N,) as the second of a
        pair.

    Raises
    ------
    InvalidInput
        If it is none of these, or not finite.
    FileProblem
        If there is no run at the path.
    """
    from meanfield.storage import Run

    if isinstance(given, Measure):
        return given
    if isinstance(given, Ensemble):
        return _of_ensemble(given)
    if isinstance(given, Run):
        return of_run(given)
    if isinstance(given, (str, os.PathLike)):
        return _of_file(os.fspath(given))
    masses = None
    if isinstance(given, tuple) and len(given) == 2 and np.ndim(given[1]) == 1 < np.ndim(given[0]):
        given, masses = given
    require(not np.iscomplexobj(given), "measure", given, "real numbers")
    try:
        points = np.asarray(given, dtype=float)
    except (TypeError, ValueError):
        raise InvalidInput(
            "measure", given, "an ensemble, a run, the path of one, or points, (N, p)"
        ) from None
    columns = points[:, None] if points.ndim == 1 else points
    return _of_ensemble(Ensemble(columns, masses))  # type: ignore[arg-type]


def of_run(run: Run, time: float | None = None) -> Measure:
    """A run where it ended, or its frame nearest to a time.

    Raises
    ------
    InvalidInput
        If the time is not between those of its first and last frame.
    """
    found = _of_ensemble(run.final if time is None else run.frames.at(time))
    table = tomllib.loads(run.experiment).get("network", {}) if run.experiment else {}
    others = (seed for seed in run.seeds if seed != run.seed)
    return replace(found, network=table, seeds=(run.seed, *others))


def pair(
    first: Any, second: Any, modulo: Modulo | None = None, network: TwoLayer | None = None
) -> tuple[Measure, Measure]:
    """Two measures on the same space.

    Parameters
    ----------
    first, second
        As in `measure`.
    modulo : "scaling", optional
        See `modulo_scaling`.
    network : TwoLayer, optional
        Of particles that do not know theirs.
    """
    one, other = (of_network(measure(each), network) for each in (first, second))
    if one.layout is not None and other.layout is not None:
        blocks = [dict(m.layout.blocks) for m in (one, other) if m.layout is not None]
        plain = any(set(b) == {"x"} for b in blocks)
        require(plain or blocks[0] == blocks[1], "second", blocks[1], f"the blocks {blocks[0]}")
    require(one.dim == other.dim, "second", other.dim, f"particles of {one.dim} columns")
    if modulo is None:
        return one, other
    require(modulo == "scaling", "modulo", modulo, "'scaling', or None")
    return modulo_scaling(one), modulo_scaling(other)


def of_network(particles: Measure, network: TwoLayer | None) -> Measure:
    """The same as neurons of a network, unless theirs is known."""
    if network is None or particles.network:
        return particles
    known = {"activation": network.activation, "outer": network.outer}
    return replace(particles, network=known)


def modulo_scaling(neurons: Measure) -> Measure:
    """Neurons as a signed measure on the unit sphere: Σ m a |(w, b)| δ at (w, b) / |(w, b)|.

    (a, w, b) and (a/c, c w, c b) with c > 0 are the same function x ↦ a s(<w, x> + b) where s is
    positively homogeneous, as ReLU: they have the same image, and so have all ensembles that
    differ by such scalings only. Neurons of one direction add up, and cancel if their signs differ.

    Runs with an experiment know their network. Ensembles do not: unless their network is given,
    they are taken at the caller's word.

    Raises
    ------
    Unsupported
        For particles without blocks ``a`` (one column) and ``w``; for an activation that is known
        not to be homogeneous of degree 1, and for bounded outer weights.
    """
    layout = neurons.layout
    blocks = {} if layout is None else dict(layout.blocks)
    fits = blocks.get("a") == () and "w" in blocks and not set(blocks) - {"a", "w", "b"}
    if layout is None or not fits:
        raise Unsupported(
            "modulo = 'scaling' needs neurons with blocks a (one column), w and perhaps b, "
            f"not {', '.join(blocks) or 'points without names'}"
        )
    _require_homogeneous(neurons.network)
    inner = neurons.points[:, layout.columns("w")]
    if "b" in blocks:
        inner = np.hstack([inner, neurons.points[:, layout.columns("b")]])
    norm = np.linalg.norm(inner, axis=1)
    weight = neurons.mass * neurons.points[:, layout.columns("a").start] * norm
    there = norm > 0
    directions = np.round(inner[there] / norm[there, None], MERGED) + 0.0
    points, index = np.unique(directions, axis=0, return_inverse=True)
    mass = np.bincount(index.ravel(), weight[there], minlength=len(points))
    directions = points / np.linalg.norm(points, axis=1, keepdims=True)
    return Measure(directions, mass, network=neurons.network, seeds=neurons.seeds)


def _require_homogeneous(network: Mapping[str, Any]) -> None:
    from meanfield.activations import make

    if "activation" in network:
        activation = make(network["activation"])
        if activation.homogeneity != 1:
            raise Unsupported(
                f"modulo = 'scaling': {activation.kind!r} is not positively homogeneous of "
                "degree 1, so that rescaled neurons are other functions"
            )
    if network.get("outer") == "bounded":
        raise Unsupported("modulo = 'scaling': bounded outer weights do not scale")


def _of_ensemble(ensemble: Ensemble) -> Measure:
    return Measure(ensemble.position.astype(float), ensemble.mass, ensemble.layout)


def run_at(text: str) -> tuple[str, float | None]:
    """Path and time of "run.h5@2.5"; without a time, None.

    Raises
    ------
    InvalidInput
        If what follows the @ is no time.
    """
    from meanfield.storage import exists

    if "@" not in text or exists(text):
        return text, None
    path, _, moment = text.rpartition("@")
    try:
        return path, float(moment)
    except ValueError:
        raise InvalidInput("@", moment, f"a time, as in {Path(path).name}@2.5") from None


def _of_file(text: str) -> Measure:
    from meanfield.storage import open_run

    path, time = run_at(text)
    with open_run(path) as run:
        return of_run(run, time)
