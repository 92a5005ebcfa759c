"""What the experiment says of where neurons should go: the directions of a teacher."""

from __future__ import annotations

import tomllib
from typing import Any

import numpy as np

from meanfield.arrays import Array
from meanfield.errors import MeanfieldError
from meanfield.storage import Run

MOST = 32  # directions that can be told apart


def directions(run: Run) -> Array:
    """Unit vectors (T, d) of what labels the data of a run; (0, 0) where nothing has a direction.

    A teacher's inner weights, those of one that was drawn too, or the direction of a single index.
    No Python file of the experiment is run for this.
    """
    try:
        found = _directions(tomllib.loads(run.experiment), run.seed)
    except (KeyError, TypeError, ValueError, MeanfieldError):
        return np.empty((0, 0))  # of an earlier or later version, or of somebody's own
    norms = np.linalg.norm(found, axis=1)
    return (found[norms > 0] / norms[norms > 0, None])[:MOST]


def _directions(tables: dict[str, Any], seed: int) -> Array:
    from meanfield.config.data import TeacherTable, labels
    from meanfield.data import SingleIndex
    from meanfield.networks import TwoLayer

    network, data = tables["network"], tables["data"]
    target = labels.make("target", data["target"])
    if isinstance(target, SingleIndex):
        return np.atleast_2d(target.vector(network["dim"]))
    if not isinstance(target, TeacherTable):
        return np.empty((0, 0))
    # What is drawn does not depend on the activation.
    student = TwoLayer("relu", network["dim"], network["outputs"], network["bias"])
    neurons = target.build(student, data.get("seed", seed)).ensemble
    return neurons.w.reshape(len(neurons), -1)
