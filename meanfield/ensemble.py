"""The ensemble: a probability measure as weighted particles, and the layout of a particle."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from meanfield.arrays import Array, Precision, as_floats
from meanfield.errors import UnknownName, require, require_count


@dataclass(frozen=True)
class Layout:
    """Which columns of a particle mean what.

    Parameters
    ----------
    blocks : mapping of str to tuple of int
        Name and shape of each block, in the order of the columns; ``()`` is a single column.
    frozen : tuple of str
        Blocks that are labels of the particle, not coordinates: no flow moves them.
    """

    blocks: Mapping[str, tuple[int, ...]]
    frozen: tuple[str, ...] = ()

    @property
    def width(self) -> int:
        """Number of columns p."""
        return sum(math.prod(shape) for shape in self.blocks.values())

    def columns(self, name: str) -> slice:
        """The columns of a block."""
        start = 0
        for block, shape in self.blocks.items():
            if block == name:
                return slice(start, start + math.prod(shape))
            start += math.prod(shape)
        raise UnknownName("block", name, self.blocks)

    @property
    def labels(self) -> list[str]:
        """One name per column: ``a``, ``w[0]``, ``w[1]``, …"""
        names = []
        for block, shape in self.blocks.items():
            names += [block] if shape == () else [f"{block}[{i}]" for i in range(math.prod(shape))]
        return names

    @property
    def moving(self) -> NDArray[np.bool_]:
        """Which columns (p,) are not frozen."""
        return self.spread(dict.fromkeys(self.frozen, 0.0), default=1.0) > 0

    def spread(self, values: Mapping[str, float], default: float) -> Array:
        """A vector (p,) that holds a block's value in each of its columns."""
        row = np.full(self.width, default)
        for name, value in values.items():
            row[self.columns(name)] = value
        return row

    @staticmethod
    def plain(width: int) -> Layout:
        """Particles without structure: one block ``x`` of `width` columns."""
        require_count("width", width)
        return Layout({"x": (width,)})


@dataclass(frozen=True)
class Motion:
    """How an ensemble changes per unit of time: a tangent vector at it.

    Parameters
    ----------
    position : (N, p) array, optional
        None: particles stay.
    log_mass : (N,) array, optional
        Rate of growth of each mass; None: masses stay.
    velocity : (N, p) array, optional
        Acceleration; None for an ensemble without velocities.
    """

    position: Array | None = None
    log_mass: Array | None = None
    velocity: Array | None = None

    def __add__(self, other: Motion) -> Motion:
        return Motion(
            _sum(self.position, other.position),
            _sum(self.log_mass, other.log_mass),
            _sum(self.velocity, other.velocity),
        )

    def __rmul__(self, factor: float) -> Motion:
        parts = self.position, self.log_mass, self.velocity
        return Motion(*(None if part is None else factor * part for part in parts))


def _sum(first: Array | None, second: Array | None) -> Array | None:
    if first is None or second is None:
        return second if first is None else first
    return first + second


@dataclass
class Ensemble:
    """Weighted particles, with the time and step they have reached.

    Blocks are views on the columns of ``position``: ``ensemble.w`` is writable and shares memory.

    Parameters
    ----------
    position : (N, p) array
        One particle per row. Given as float32 it stays so, and all that is computed for each
        particle is float32 too; anything else becomes float64.
    mass : (N,) array, optional
        Non-negative; a probability measure sums to 1. Default 1/N each.
    layout : Layout, optional
        Names of the columns. Default: one block ``x``.
    time, step : float, int
        How far the ensemble has flowed.
    velocity : (N, p) array, optional
        Of the particles of a kinetic flow, in the precision of the positions.

    Raises
    ------
    InvalidInput
        If the shapes do not fit, or an entry is not finite, or a mass is negative.
    """

    position: Array
    mass: Array = None  # type: ignore[assignment]
    layout: Layout = None  # type: ignore[assignment]
    time: float = 0.0
    step: int = 0
    velocity: Array | None = None

    def __post_init__(self) -> None:
        self.position = np.ascontiguousarray(as_floats(self.position))
        shape = self.position.shape
        require(len(shape) == 2, "position", shape, "an array of shape (N, p)")
        require(shape[0] >= 1, "position", shape, "at least one particle")
        if self.mass is None:
            self.mass = np.full(shape[0], 1.0 / shape[0])
        self.mass = np.ascontiguousarray(self.mass, dtype=float)
        require(self.mass.shape == shape[:1], "mass", self.mass.shape, f"the shape ({shape[0]},)")
        require(bool(np.all(self.mass >= 0)), "mass", self.mass, "masses ≥ 0")
        require(bool(np.isfinite(self.mass).all()), "mass", self.mass, "finite masses")
        if self.layout is None:
            self.layout = Layout.plain(shape[1])
        require(
            shape[1] == self.layout.width,
            "position",
            shape,
            f"{self.layout.width} columns ({', '.join(self.layout.blocks)})",
        )
        require(bool(np.isfinite(self.position).all()), "position", self.position, "finite numbers")
        if self.velocity is not None:
            self.velocity = np.ascontiguousarray(self.velocity, dtype=self.dtype)
            fits = self.velocity.shape == shape
            require(fits, "velocity", self.velocity.shape, f"the shape {shape}")

    def __len__(self) -> int:
        return self.position.shape[0]

    @property
    def dim(self) -> int:
        """Number of columns p."""
        return self.position.shape[1]

    def __getitem__(self, name: str) -> Array:
        shape = self.layout.blocks.get(name)
        return self.position[:, self.layout.columns(name)].reshape(len(self), *(shape or ()))

    def __getattr__(self, name: str) -> Array:
        layout = self.__dict__.get("layout")
        if layout is not None and name in layout.blocks:
            return self[name]
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

    @property
    def dtype(self) -> np.dtype[np.floating[Any]]:
        """Precision of the positions, and of all that belongs to one particle but its mass."""
        return self.position.dtype

    def at(self, position: Array) -> Ensemble:
        """The same masses, time and step at other positions, in the same precision.

        Nothing is checked, and what has the precision already is not copied.
        """
        return self.having(position=position.astype(self.dtype, copy=False))

    def sha256(self) -> str:
        """The SHA-256 of the particles, for telling whether two ensembles are the same."""
        found = hashlib.sha256()
        for array in (self.position, self.mass, self.velocity):
            if array is not None:
                found.update(np.ascontiguousarray(array).tobytes())
        return found.hexdigest()

    def astype(self, dtype: Precision) -> Ensemble:
        """The same particles in a precision; what has it already is not copied."""
        arrays = {"position": self.position, "velocity": self.velocity}
        kept = {k: v.astype(dtype, copy=False) for k, v in arrays.items() if v is not None}
        return self.having(**kept)

    def moved(self, motion: Motion, length: float) -> Ensemble:
        """Where a motion leads in a time: θ + h θ', m e^{h (log m)'}, v + h v', and the time later.

        What changes is a new array, in the precision that it has here.
        """
        changed: dict[str, Any] = {}
        if motion.position is not None:
            position = self.position + length * motion.position
            changed["position"] = position.astype(self.dtype, copy=False)
        if motion.log_mass is not None:
            changed["mass"] = self.mass * np.exp(length * motion.log_mass)
        if motion.velocity is not None and self.velocity is not None:
            velocity = self.velocity + length * motion.velocity
            changed["velocity"] = velocity.astype(self.dtype, copy=False)
        return self.having(time=self.time + length, **changed)

    def having(self, **fields: Any) -> Ensemble:
        """The same ensemble but for some fields; nothing is checked, nothing is copied."""
        other = object.__new__(Ensemble)
        other.__dict__.update(self.__dict__, **fields)
        return other

    def copy(self) -> Ensemble:
        """An independent copy."""
        velocity = None if self.velocity is None else self.velocity.copy()
        return replace(
            self, position=self.position.copy(), mass=self.mass.copy(), velocity=velocity
        )

    def weigh(self, values: Array) -> Array:
        """Each particle's mass times its values (N, k), in the precision of the values."""
        return (self.mass[:, None] * values).astype(values.dtype, copy=False)

    def mean(self, values: ArrayLike) -> Array:
        """Integral of per-particle values (N, …) against the measure: ``sum_i m_i values_i``.

        The sum is float64, and has the same bits on any number of threads.
        """
        from meanfield.kernels import reductions  # importing what draws needs no compiler

        return reductions.mean(values, self.mass)

    def _repr_html_(self) -> str:
        from meanfield.viewing import displays

        return displays.ensemble(self)

    def __repr__(self) -> str:
        shapes = self.layout.blocks.items()
        blocks = ", ".join(f"{name}{list(shape) or ''}" for name, shape in shapes)
        return f"Ensemble({len(self)} particles: {blocks}; time={self.time:g}, step={self.step})"
