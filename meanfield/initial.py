"""Initial laws: where the neurons start, as a function of (seed, particle)."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from scipy.special import ndtri

from meanfield import random
from meanfield.arrays import Array, Precision, as_floats, require_precision
from meanfield.ensemble import Ensemble, Layout
from meanfield.errors import InvalidInput, require, require_count, require_nonnegative
from meanfield.memory import require_room
from meanfield.registry import Registry
from meanfield.storage import open_run, read_table

Stream = random.Stream
COPIES = 4  # of the particles that a step holds: where it begins and ends, gradient, noise


class Initial(ABC):
    """A law of particles."""

    kind: ClassVar[str]

    @abstractmethod
    def draw(self, layout: Layout, seed: int) -> Ensemble:
        """An ensemble of particles with the given layout."""


initials: Registry[Initial] = Registry("initial law")


@dataclass(frozen=True)
class _Independent(Initial):
    """Equal masses, and one number for each block that says how wide its law is.

    Parameters
    ----------
    count : int
        Number N of particles.
    scale : mapping of str to float
        Width of each block's law, default 1.
    mean : mapping of str to float
        Centre of each block's law, default 0.
    signs : sequence of str
        Blocks that are ±scale with probability ½ each instead (outer weights, often).
    antisymmetric : bool
        Whether the second half of the particles is the first with ``a`` reversed in sign: the
        network starts as f = 0, whatever the scales are (Chizat, Oyallon and Bach 2019). `count`
        is even then.
    dtype : {"float64", "float32"}
        Precision of the particles, and of the run that starts with them.
    """

    count: int
    scale: Mapping[str, float] = field(default_factory=dict)
    mean: Mapping[str, float] = field(default_factory=dict)
    signs: Sequence[str] = ()
    antisymmetric: bool = False
    dtype: Precision = "float64"

    def __post_init__(self) -> None:
        require_count("count", self.count)
        if self.antisymmetric:
            even = self.count % 2 == 0
            require(even, "count", self.count, "an even number, for an antisymmetric start")
        require_precision(self.dtype)
        for block, value in self.scale.items():
            require_nonnegative(f"scale.{block}", value)
        for block, value in self.mean.items():
            require(bool(np.isfinite(value)), f"mean.{block}", value, "a finite number")

    @abstractmethod
    def _standard(self, seed: int, layout: Layout) -> Array:
        """Particles (N, p) from the law of scale 1 and mean 0."""

    def draw(self, layout: Layout, seed: int) -> Ensemble:
        require_room("count", self.count, COPIES * float(self.count) * layout.width)
        known = ", ".join(layout.blocks)
        for key in ("scale", "mean"):
            for block, value in getattr(self, key).items():
                require(block in layout.blocks, f"{key}.{block}", value, f"a block of {known}")
        for block in self.signs:
            require(block in layout.blocks, "signs", block, f"a block of {known}")
        position = self._standard(seed, layout)
        for block in self.signs:
            columns = layout.columns(block)
            position[:, columns] = np.sign(position[:, columns])
        position *= layout.spread(self.scale, default=1.0)
        position += layout.spread(self.mean, default=0.0)
        if self.antisymmetric:
            has = "a" in layout.blocks
            require(has, "antisymmetric", True, "false, as there are no outer weights a to reverse")
            half = self.count // 2
            position[half:] = position[:half]
            position[half:, layout.columns("a")] *= -1.0
        return Ensemble(position.astype(self.dtype, copy=False), layout=layout)


@initials.register("normal")
@dataclass(frozen=True)
class NormalInit(_Independent):
    """Independent normal entries, with a standard deviation (``scale``) and mean for each block."""

    def _standard(self, seed: int, layout: Layout) -> Array:
        return random.normal(seed, Stream.INITIAL, 0, (self.count, layout.width))


@initials.register("uniform")
@dataclass(frozen=True)
class UniformInit(_Independent):
    """Independent uniform entries in [mean - scale, mean + scale] of each block."""

    def _standard(self, seed: int, layout: Layout) -> Array:
        return 2.0 * random.uniform(seed, Stream.INITIAL, 0, (self.count, layout.width)) - 1.0


@initials.register("sphere")
@dataclass(frozen=True)
class SphereInit(_Independent):
    """Vector blocks uniform on the sphere of radius ``scale``; single columns are ±scale."""

    def _standard(self, seed: int, layout: Layout) -> Array:
        position = random.normal(seed, Stream.INITIAL, 0, (self.count, layout.width))
        for block in layout.blocks:
            columns = layout.columns(block)
            norm = np.linalg.norm(position[:, columns], axis=1, keepdims=True)
            position[:, columns] /= norm
        return position


@initials.register("quantiles")
@dataclass(frozen=True)
class QuantileInit(Initial):
    """One moving coordinate, at the quantiles (i + ½)/N of a law: a start without randomness.

    Parameters
    ----------
    count : int
        Number N of particles.
    law : {"normal", "uniform", "radial-normal"} or callable
        N(mean, scale²); uniform on mean ± scale; the norm of N(0, scale²/dim I_dim); or the
        user's own quantile function (N,) -> (N,).
    scale, mean : float
    dim : int
        Dimension of the radial law.
    others : mapping of str to float
        Value of every other block; default 1.
    dtype : {"float64", "float32"}
        Precision of the particles, and of the run that starts with them.
    """

    count: int
    law: str | Callable[[Array], Array] = "normal"
    scale: float = 1.0
    mean: float = 0.0
    dim: int = 1
    others: Mapping[str, float] = field(default_factory=dict)
    dtype: Precision = "float64"

    def __post_init__(self) -> None:
        require_count("count", self.count)
        require_count("dim", self.dim)
        require_precision(self.dtype)
        require_nonnegative("scale", self.scale)
        known = ("normal", "uniform", "radial-normal")
        require(callable(self.law) or self.law in known, "law", self.law, f"one of {known}")
        centred = self.law == "radial-normal" or callable(self.law)
        require(not (centred and self.mean), "mean", self.mean, f"0 for the law {self.law}")

    def _quantiles(self) -> Array:
        level = (np.arange(self.count) + 0.5) / self.count
        if callable(self.law):
            return np.asarray(self.law(level), dtype=float)
        if self.law == "normal":
            return self.mean + self.scale * ndtri(level)
        if self.law == "uniform":
            return self.mean + self.scale * (2.0 * level - 1.0)
        from scipy.special import gammaincinv

        return self.scale * np.sqrt(2.0 * gammaincinv(0.5 * self.dim, level) / self.dim)

    def draw(self, layout: Layout, seed: int) -> Ensemble:
        moving = [name for name in layout.blocks if name not in (*layout.frozen, *self.others)]
        width = sum(layout.columns(name).stop - layout.columns(name).start for name in moving)
        require(width == 1, "kind", "quantiles", f"one moving column, not {width} ({moving})")
        require_room("count", self.count, COPIES * float(self.count) * layout.width)
        row = layout.spread(self.others, default=1.0)
        position = np.repeat(row[None, :], self.count, axis=0)
        position[:, layout.columns(moving[0]).start] = self._quantiles()
        return Ensemble(position.astype(self.dtype, copy=False), layout=layout)


@dataclass(frozen=True)
class Given(Initial):
    """The given particles: arrays, an ensemble, or the end of an earlier run.

    Parameters
    ----------
    position : (N, p) array or Ensemble
    mass : (N,) array, optional
    dtype : {"float64", "float32"}, optional
        Precision of the particles; default: float32 positions stay so, others become float64.
    """

    position: Any
    mass: Any = None
    dtype: Precision | None = None

    def __post_init__(self) -> None:
        if self.dtype is not None:
            require_precision(self.dtype)

    def draw(self, layout: Layout, seed: int) -> Ensemble:
        if isinstance(self.position, Ensemble):
            blocks = dict(self.position.layout.blocks)
            if blocks != dict(layout.blocks):
                raise InvalidInput("blocks", blocks, f"the blocks {dict(layout.blocks)}")
            given = self.position
            position = given.position.astype(self.dtype or given.dtype)
            return Ensemble(position, given.mass.copy(), layout, step=given.step)
        position = as_floats(self.position)
        return Ensemble(position.astype(self.dtype or position.dtype), self.mass, layout)


@initials.register("run")
@dataclass(frozen=True)
class FromRun(Initial):
    """Where an earlier run ended, or was at a time.

    Parameters
    ----------
    path : str
        An HDF5 file of meanfield.
    time : float, optional
        The frame nearest to it, with the particles that frames have; default: the final state.
    seed : int, optional
        Which replica, in a run of several seeds; default: the first.
    dtype : {"float64", "float32"}, optional
        Precision of the particles; default: that of the earlier run.
    """

    path: str
    time: float | None = None
    seed: int | None = None
    dtype: Precision | None = None

    def __post_init__(self) -> None:
        if self.dtype is not None:
            require_precision(self.dtype)

    def draw(self, layout: Layout, seed: int) -> Ensemble:
        with open_run(self.path) as run:
            chosen = run if self.seed is None else run.replica(self.seed)
            final = chosen.final
            found = final if self.time is None else chosen.frames.at(self.time)
        precision: Any = final.dtype.name  # frames may be kept in a lower one
        return Given(found, dtype=self.dtype or precision).draw(layout, seed)


@initials.register("file")
@dataclass(frozen=True)
class FromFile(Initial):
    """Particles from arrays named like the blocks (``a``, ``w``, ``b``) and, optionally, ``mass``.

    Parameters
    ----------
    path : str
        An NPZ, HDF5 or CSV file.
    dtype : {"float64", "float32"}, optional
        Precision of the particles; default: float32 if all arrays of the file are.
    """

    path: str
    dtype: Precision | None = None

    def __post_init__(self) -> None:
        if self.dtype is not None:
            require_precision(self.dtype)

    def draw(self, layout: Layout, seed: int) -> Ensemble:
        table = read_table(Path(self.path))
        for name in table:
            known = [*layout.blocks, "mass"]
            require(name in known, "path", f"{name} in {self.path}", f"arrays {', '.join(known)}")
        columns = []
        for name, shape in layout.blocks.items():
            require(name in table, "path", self.path, f"an array {name!r}")
            array = as_floats(table[name])
            width = layout.columns(name).stop - layout.columns(name).start
            fits = array.reshape(len(array), -1).shape[1] == width
            require(fits, name, array.shape, f"the shape (N, {width})" if shape else "(N,)")
            columns.append(array.reshape(len(array), -1))
        found = Given(np.hstack(columns), table.get("mass"), self.dtype).draw(layout, seed)
        total = float(found.mass.sum())
        require(abs(total - 1) < 1e-9, "mass", total, "masses that sum to 1")
        return found
