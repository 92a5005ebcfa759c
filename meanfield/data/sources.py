"""Sources of finite data that an experiment file can name: the user's file, bundled sets, arrays.

A source is a function of the seed, which decides what is held out. A new one is one class.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaln, roots_legendre

from meanfield import random
from meanfield.arrays import Array
from meanfield.data import finite
from meanfield.data.finite import FiniteData
from meanfield.errors import (
    FileProblem,
    InvalidInput,
    MeanfieldError,
    UnknownName,
    require,
    require_count,
    require_nonnegative,
)
from meanfield.registry import Registry

Column = NDArray[Any]
MOST_NODES = 10_000  # of a quadrature


class Source(ABC):
    """Where a finite data set comes from."""

    kind: ClassVar[str]

    @abstractmethod
    def load(self, seed: int) -> FiniteData:
        """The data set; `seed` decides what is held out."""


sources: Registry[Source] = Registry("source of data")


@dataclass(frozen=True)
class _Prepared(Source):
    """Samples that are split and standardised.

    Parameters
    ----------
    test : float
        Fraction of the samples to hold out, in every class alike.
    standardise : bool
        Shift and scale the inputs to mean 0 and variance 1 on the training part.
    split_seed : int, optional
        Decides the split; default: the seed of the run.
    """

    test: float = field(default=0.0, kw_only=True)
    standardise: bool = field(default=True, kw_only=True)
    split_seed: int | None = field(default=None, kw_only=True)

    def __post_init__(self) -> None:
        require_nonnegative("test", self.test)
        require(self.test < 1, "test", self.test, "a fraction in [0, 1)")
        if self.split_seed is not None:
            random.check_seed(self.split_seed, "split_seed")

    @abstractmethod
    def _read(self) -> FiniteData:
        """All samples, as they are."""

    def load(self, seed: int) -> FiniteData:
        chosen = seed if self.split_seed is None else self.split_seed
        data = finite.split(self._read(), self.test, chosen)
        return finite.standardise(data) if self.standardise else data


@sources.register("file")
@dataclass(frozen=True)
class FileData(_Prepared):
    """Columns of a CSV, NPZ or HDF5 file.

    Parameters
    ----------
    path : str
    target : str or list of str
        The column (or columns) to predict; an array of two dimensions is several columns.
    features : list of str
        The columns to predict from; default: all others.
    task : {"auto", "classification", "regression"}
        What the target is. Text and booleans are classes, numbers are not, unless this says so.
    test, standardise, split_seed
        How much is held out, and by which seed; whether inputs are standardised (default: yes).
    """

    path: str
    target: str | Sequence[str]
    features: Sequence[str] = ()
    task: Literal["auto", "classification", "regression"] = "auto"

    def __post_init__(self) -> None:
        super().__post_init__()
        known = ("auto", "classification", "regression")
        require(self.task in known, "task", self.task, f"one of {', '.join(known)}")
        require(len(self.target) > 0, "target", self.target, "the name of a column")
        names = [*self._targets, *self.features]
        require(len(set(names)) == len(names), "features", names, "different columns, target too")

    @property
    def _targets(self) -> list[str]:
        return [self.target] if isinstance(self.target, str) else list(self.target)

    def _read(self) -> FiniteData:
        # h5py takes a while to import, and not every session reads a file.
        from meanfield.storage.tables import read_table

        path = Path(self.path)
        table = read_table(path)
        features = self.features or [name for name in table if name not in self._targets]
        for name in (*self._targets, *features):
            if name not in table:
                raise UnknownName(f"column of {path.name}", name, table)
        require(len(features) > 0, "features", features, "at least one column besides the target")
        try:
            y, classes = self._labels({name: table[name] for name in self._targets})
            x = np.hstack([_numbers(name, table[name]) for name in features])
        except FileProblem as problem:
            raise FileProblem(f"{path.name}: {problem}") from None
        return FiniteData(x, y, classes=classes)

    def _labels(self, columns: Mapping[str, Column]) -> tuple[Array, tuple[str, ...]]:
        """Targets as numbers, and the names of the classes if that is what they are."""
        (name, first), single = next(iter(columns.items())), len(columns) == 1
        if single and first.ndim == 1 and self.task != "regression":
            if self.task == "auto" and first.dtype.kind == "U":
                _check_text(name, first)
            if self.task == "classification" or first.dtype.kind in "Ub":
                return _classes(name, first)
        require(
            self.task != "classification", "target", self._targets, "one column with a class each"
        )
        return np.hstack([_numbers(name, column) for name, column in columns.items()]), ()


_LOADERS = {
    "breast-cancer": "load_breast_cancer",
    "diabetes": "load_diabetes",
    "digits": "load_digits",
    "iris": "load_iris",
    "wine": "load_wine",
}


@sources.register("bundled")
@dataclass(frozen=True)
class Bundled(_Prepared):
    """A real data set that comes with scikit-learn.

    Parameters
    ----------
    name : {"breast-cancer", "diabetes", "digits", "iris", "wine"}
        Diabetes is a regression (10 inputs, 442 samples). The others are classifications: breast
        cancer (30, 569; malignant is the first class, benign the second), digits (64, 1797),
        iris (4, 150) and wine (13, 178).
    test, standardise, split_seed
        How much is held out, and by which seed; whether inputs are standardised (default: yes).
    """

    name: Literal["breast-cancer", "diabetes", "digits", "iris", "wine"]

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.name not in _LOADERS:
            raise UnknownName("bundled data set", self.name, _LOADERS)

    def _read(self) -> FiniteData:
        try:
            from sklearn import datasets
        except ImportError:
            raise MeanfieldError(
                f"the data set {self.name!r} comes with scikit-learn, which is not installed: "
                'pip install "meanfield[datasets]"'
            ) from None
        bunch = getattr(datasets, _LOADERS[self.name])()
        return FiniteData(bunch.data, bunch.target, classes=bunch.get("target_names", ()))


@sources.register("arrays")
@dataclass(frozen=True)
class Arrays(Source):
    """Samples written out in the experiment file, taken as they are.

    Parameters
    ----------
    x : (n, d) list
    y : (n,) or (n, k) list
        Numbers, or the name of each sample's class.
    weights : (n,) list, optional
        Default 1/n each.
    """

    x: Sequence[Sequence[float]]
    y: Sequence[Any]
    weights: Sequence[float] = ()

    def load(self, seed: int) -> FiniteData:
        x = _as_array("x", self.x, float)
        y, classes = _as_array("y", self.y), tuple[str, ...]()
        if y.ndim == 1 and y.dtype.kind in "Ub":
            y, classes = _classes("y", y)
        weights = _as_array("weights", self.weights, float) if len(self.weights) else None
        return FiniteData(x, _as_array("y", y, float), weights, classes)


@sources.register("two-gaussians")
@dataclass(frozen=True)
class TwoGaussians(Source):
    """Two isotropic Gaussians of one centre, reduced to their radii: weighted data on a line.

    y = ±1 with probability ½, and x ~ N(0, (1 ± delta)² I). For a law of neurons that is
    invariant under rotations, with φ(x; w) = ramp(<w, x>), the risk depends on |x| and |w| alone:
    this source with ``TwoLayer(activation, dim=1, outer="fixed")`` gives it exactly. The
    activation is "averaged-ramp" as dim → ∞, else "sphere-ramp" of the same ``dim``; the weight
    of a neuron is |w|, and for dim → ∞ the input is the standard deviation of <w, x>/|w|.

    Parameters
    ----------
    delta : float
        In [0, 1).
    dim : int
        Dimension d of the inputs; 0 is infinity.
    nodes : int
        Points of the Gauss-Legendre rule for |x|, of each class; only for finite ``dim``. The
        default is exact to 1e-11 from dim = 10 on. In few dimensions the kinks of the activation
        show: 1e-6 in the risk and 5e-4 in its gradient for dim = 2.

    References
    ----------
    S. Mei, A. Montanari, P.-M. Nguyen, PNAS 2018.
    """

    delta: float
    dim: int = 0
    nodes: int = 400

    def __post_init__(self) -> None:
        require_nonnegative("delta", self.delta)
        require(self.delta < 1, "delta", self.delta, "a number in [0, 1)")
        require_count("dim", self.dim, least=0)
        require(self.dim != 1, "dim", self.dim, "0 (infinity), or a dimension ≥ 2")
        require_count("nodes", self.nodes, least=2)
        few = self.nodes <= MOST_NODES
        require(few, "nodes", self.nodes, f"at most {MOST_NODES:,}: they take minutes to find")

    def load(self, seed: int) -> FiniteData:
        radius, weight = np.ones(1), np.ones(1)
        if self.dim:
            radius, weight = _chi_rule(self.dim, self.nodes)
        x = np.concatenate([(1 + self.delta) * radius, (1 - self.delta) * radius])
        y = np.repeat([1.0, -1.0], len(radius))
        return FiniteData(x[:, None], y, 0.5 * np.concatenate([weight, weight]))


def _chi_rule(dim: int, nodes: int) -> tuple[Array, Array]:
    """Points and weights that integrate over the norm of a standard normal vector in R^dim."""
    mode = math.sqrt(dim - 1.0)
    # The density falls off faster than exp(-(r - mode)²/2) on both sides.
    low, high = max(0.0, mode - 9.0), mode + 9.0
    points, weights = roots_legendre(nodes)
    radius = low + 0.5 * (high - low) * (1.0 + points)
    log_density = (dim - 1) * np.log(radius) - 0.5 * radius**2
    log_density -= (0.5 * dim - 1) * math.log(2.0) + float(gammaln(0.5 * dim))
    weight = 0.5 * (high - low) * weights * np.exp(log_density)
    return radius, weight / weight.sum()


def _numbers(name: str, column: Column) -> Array:
    """A column (or several) of finite numbers, (n, k)."""
    table = column.reshape(len(column), -1)
    if table.dtype.kind not in "biuf":
        entry, row = _first_without_number(table)
        raise FileProblem(
            f"column {name!r} is not numeric: {entry!r} in row {row} (the first is 1); "
            "correct such rows or leave them out, or name the columns to use in features"
        )
    values = table.astype(float)
    bad = np.argwhere(~np.isfinite(values))
    if len(bad):
        row, place = bad[0]
        raise FileProblem(
            f"column {name!r} is {values[row, place]} in row {row + 1} (the first is 1); "
            "leave such rows out, or fill them in"
        )
    return values


def _classes(name: str, column: Column) -> tuple[Array, tuple[str, ...]]:
    """The number of each entry's class, (n,), and the names of the classes in their order."""
    if column.dtype.kind in "iuf":
        _numbers(name, column)
    empty = np.flatnonzero(column == "") if column.dtype.kind == "U" else np.empty(0)
    if len(empty):
        raise FileProblem(f"column {name!r} is empty in row {empty[0] + 1} (the first is 1)")
    values, number = np.unique(column, return_inverse=True)
    require(len(values) >= 2, "target", name, f"at least two classes, not only {values[0]}")
    names = [f"{value:g}" if column.dtype.kind == "f" else str(value) for value in values]
    return number.astype(float), tuple(names)


def _check_text(name: str, column: Column) -> None:
    """Refuse to take a column of numbers for classes because of a few entries."""
    entry, row = _first_without_number(column)
    if 2 * sum(map(_is_number, column)) > len(column):
        raise FileProblem(
            f"column {name!r} is numeric except for entries like {entry!r} in row {row} "
            '(the first is 1): correct them, or say task = "classification"'
        )


def _first_without_number(column: Column) -> tuple[str, int]:
    for row, entries in enumerate(column.reshape(len(column), -1), start=1):
        for entry in entries:
            if not _is_number(entry):
                return str(entry), row
    return str(column.flat[0]), 1


def _is_number(entry: Any) -> bool:
    try:
        float(entry)
    except (TypeError, ValueError):
        return False
    return True


def _as_array(key: str, rows: Iterable[Any], dtype: Any = None) -> Column:
    try:
        return np.asarray(rows, dtype=dtype)
    except ValueError:
        raise InvalidInput(key, rows, "numbers, in rows of one length") from None
