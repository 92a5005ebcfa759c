"""Distances between many measures, and a picture of them in few dimensions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from meanfield.arrays import Array
from meanfield.errors import require, require_count
from meanfield.transport.base import MOST_SECONDS, Method, distance, make, require_time_for_all
from meanfield.transport.measures import Measure, Modulo, measure, of_run


@dataclass(frozen=True)
class Distances:
    """The distances between all pairs of some measures.

    Attributes
    ----------
    values, standard_errors : (K, K) arrays
        Symmetric, 0 on the diagonal.
    names : list of str
    method : Method
    """

    values: Array
    standard_errors: Array
    names: list[str]
    method: Method

    def __repr__(self) -> str:
        wide = max(map(len, self.names))
        rows = [
            f"  {name:<{wide}} " + " ".join(f"{value:9.4g}" for value in row)
            for name, row in zip(self.names, self.values, strict=True)
        ]
        return "\n".join([f"Distances of {len(self.names)} measures by {self.method!r}", *rows])


@dataclass(frozen=True)
class Embedding:
    """Points whose distances are those of a table as far as possible.

    Attributes
    ----------
    points : (K, k) array
        Around their mean; the first axis is the widest. Signs of axes are a convention: the entry
        that is largest in size is positive.
    explained : float
        Share of the axes in the sum of the sizes of all eigenvalues: 1 if nothing is lost.
    error : float
        Largest difference between a distance of points and the one in the table.
    """

    points: Array
    explained: float
    error: float


def distance_matrix(
    measures: Sequence[Any],
    method: str | dict[str, Any] | Method = "exact",
    *,
    times: Sequence[float] | None = None,
    modulo: Modulo | None = None,
    most_seconds: float = MOST_SECONDS,
    **parameters: Any,
) -> Distances:
    """The distances between all pairs.

    Parameters
    ----------
    measures : sequence
        Each as in `distance`; with `times`, runs or paths of them.
    method
        As in `distance` but for "auto", as are ``modulo``, ``network`` and ``most_gigabytes``.
    times : sequence of float, optional
        Take every run at each of these times (the frames nearest to them).
    most_seconds : float
        That all of them may take together; asked before the first.

    Raises
    ------
    Unsupported
        If they would take more.
    """
    given = (
        list(_at_times(measures, times))
        if times is not None
        else [(_name(each, k), measure(each)) for k, each in enumerate(measures)]
    )
    require(len(given) > 0, "measures", measures, "one measure or more")
    others = ("network", "most_gigabytes")
    more = {key: parameters.pop(key) for key in others if key in parameters}
    chosen, count = make(method, **parameters), len(given)
    pairs = [(i, j) for i in range(count) for j in range(i)]
    sizes = [len(each) for _, each in given]
    seconds = [chosen.cost(sizes[i], sizes[j], given[i][1].dim).seconds for i, j in pairs]
    require_time_for_all(chosen, seconds, most_seconds)
    values, errors = np.zeros((count, count)), np.zeros((count, count))
    for i, j in pairs:
        found = distance(
            given[i][1], given[j][1], chosen, modulo=modulo, most_seconds=most_seconds, **more
        )
        values[i, j] = values[j, i] = found.value
        errors[i, j] = errors[j, i] = found.standard_error
    return Distances(values, errors, [name for name, _ in given], chosen)


def embedding(distances: Distances | Array, dim: int = 2) -> Embedding:
    """Classical multidimensional scaling: the best points for the centred squared distances.

    Parameters
    ----------
    distances : Distances or (K, K) array
    dim : int
        k ≤ K.

    References
    ----------
    W. Torgerson, Psychometrika 1952; J. Gower, Biometrika 1966.
    """
    values = np.asarray(distances.values if isinstance(distances, Distances) else distances, float)
    square = values.ndim == 2 and values.shape[0] == values.shape[1]
    fits = square and np.allclose(values, values.T) and bool((values >= 0).all())
    fits = fits and not np.diag(values).any()
    require(fits, "distances", values, "a symmetric matrix of numbers ≥ 0, with 0 on its diagonal")
    require_count("dim", dim)
    require(dim <= len(values), "dim", dim, f"at most {len(values)}, the number of measures")
    squares = values**2
    rows = squares.mean(axis=0)
    weights, vectors = np.linalg.eigh(-0.5 * (squares - rows - rows[:, None] + rows.mean()))
    order = np.argsort(-weights)[:dim]
    kept = np.maximum(weights[order], 0.0)
    points = vectors[:, order] * np.sqrt(kept)
    largest = points[np.abs(points).argmax(axis=0), np.arange(dim)]
    points = points * np.where(largest < 0, -1.0, 1.0)
    there = np.linalg.norm(points[:, None] - points, axis=2)
    whole = float(np.abs(weights).sum())
    explained = float(kept.sum()) / whole if whole > 0 else 1.0
    return Embedding(points, explained, float(np.abs(there - values).max()))


def _at_times(runs: Sequence[Any], times: Sequence[float]) -> list[tuple[str, Measure]]:
    from meanfield.storage import Run, open_run

    found = []
    for k, given in enumerate(runs):
        run = given if isinstance(given, Run) else open_run(given)
        found += [(f"{_name(given, k)}@{time:g}", of_run(run, time)) for time in times]
        if run is not given:
            run.close()
    return found


def _name(given: Any, number: int) -> str:
    from meanfield.storage import Run

    if isinstance(given, Run):
        return given.title or str(given.path or number)
    return str(given) if isinstance(given, str) or hasattr(given, "__fspath__") else str(number)
