"""The two-layer network as a feature map: phi(x; theta) = a s(<w, x> + b)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike

from meanfield.activations import Activation, make
from meanfield.arrays import Array, as_floats
from meanfield.ensemble import Ensemble, Layout
from meanfield.errors import require, require_count, require_positive
from meanfield.kernels import layer
from meanfield.memory import require_room


@dataclass(frozen=True)
class TwoLayer:
    """A two-layer network of any width: f(x) = ∫ a s(<w, x> + b) dρ.

    For an ensemble that is f(x) = Σ_i m_i a_i s(<w_i, x> + b_i), with Σ_i m_i = 1.
    The network knows how a neuron's parameters are laid out, and nothing of data or training.

    Parameters
    ----------
    activation : str, dict or Activation
        By name (``"relu"``), by name and parameters (``{"kind": "leaky-relu", "slope_left": .1}``)
        or as an object.
    dim : int
        Dimension d of the inputs.
    outputs : int
        Dimension k of the output. With k = 1, ``a`` is one column and f(x) is a number.
    bias : bool
        Whether neurons have a bias b.
    outer : {"trained", "fixed", "bounded"}
        Outer weights move; stay as they start; or act through ``bound · tanh(a / bound)``.
    bound : float
        The largest |outer weight| when bounded.
    """

    activation: Activation
    dim: int
    outputs: int = 1
    bias: bool = False
    outer: Literal["trained", "fixed", "bounded"] = "trained"
    bound: float = 1.0

    def __init__(
        self,
        activation: str | dict[str, Any] | Activation,
        dim: int,
        outputs: int = 1,
        bias: bool = False,
        outer: Literal["trained", "fixed", "bounded"] = "trained",
        bound: float = 1.0,
    ) -> None:
        require_count("dim", dim)
        require_count("outputs", outputs)
        require_room("dim", dim, dim)
        require_room("outputs", outputs, outputs)
        choices = ("trained", "fixed", "bounded")
        require(outer in choices, "outer", outer, f"one of {', '.join(choices)}")
        require_positive("bound", bound)
        object.__setattr__(self, "activation", make(activation))
        object.__setattr__(self, "dim", dim)
        object.__setattr__(self, "outputs", outputs)
        object.__setattr__(self, "bias", bias)
        object.__setattr__(self, "outer", outer)
        object.__setattr__(self, "bound", float(bound))

    @property
    def layout(self) -> Layout:
        """Blocks ``a`` (k outputs), ``w`` (d) and, with bias, ``b``."""
        blocks: dict[str, tuple[int, ...]] = {
            "a": () if self.outputs == 1 else (self.outputs,),
            "w": (self.dim,),
        }
        if self.bias:
            blocks["b"] = ()
        return Layout(blocks, frozen=("a",) if self.outer == "fixed" else ())

    def ensemble(
        self, w: ArrayLike, a: ArrayLike = 1.0, b: ArrayLike = 0.0, mass: ArrayLike | None = None
    ) -> Ensemble:
        """Neurons with given weights; float32 if all arrays are.

        Parameters
        ----------
        w : (N, d) array
            Inner weights.
        a : (N,) or (N, k) array, or a number
            Outer weights.
        b : (N,) array or a number
            Biases; only for a network with bias.
        mass : (N,) array, optional
            Default 1/N each: pass ones for a plain sum over neurons.
        """
        inner = as_floats(w)
        require(
            inner.ndim == 2 and inner.shape[1] == self.dim, "w", inner.shape, f"(N, {self.dim})"
        )
        count = len(inner)
        outer = as_floats(a) if np.ndim(a) else np.asarray(a, dtype=inner.dtype)
        if outer.ndim == 1:  # never a row that is repeated for all neurons
            outer = outer[:, None] if self.outputs == 1 else outer[:, None, None]
        try:
            outer = np.broadcast_to(outer, (count, self.outputs))
        except ValueError:
            shape = (count,) if self.outputs == 1 else (count, self.outputs)
            require(False, "a", np.shape(a), f"the shape {shape}")
        columns = [outer, inner]
        if self.bias:
            shape = np.shape(b)
            require(shape in ((), (count,)), "b", shape, f"the shape ({count},)")
            biases = as_floats(b) if shape else np.asarray(b, dtype=inner.dtype)
            columns.append(np.broadcast_to(biases, (count,))[:, None])
        else:
            require(not np.any(b), "b", b, "no biases, as the network has bias = false")
        masses = None if mass is None else np.asarray(mass, dtype=float)
        return Ensemble(np.hstack(columns), masses, self.layout)  # type: ignore[arg-type]

    def outer_weights(self, ensemble: Ensemble) -> tuple[Array, Array | None]:
        """The weights that act in the output, (N, k), and their derivative in ``a`` (None: 1).

        Raises
        ------
        InvalidInput
            If the particles are not neurons of this network.
        """
        expected = f"the layout of the network, {self.layout}"
        require(ensemble.layout == self.layout, "layout", ensemble.layout, expected)
        raw = ensemble.position[:, : self.outputs]
        if self.outer != "bounded":
            return np.ascontiguousarray(raw), None
        squashed = np.tanh(raw / self.bound)
        return self.bound * squashed, 1.0 - squashed**2

    def inner_weights(self, ensemble: Ensemble) -> tuple[Array, Array]:
        """``w`` (N, d) and ``b`` (N,), zeros where there is no bias."""
        w = np.ascontiguousarray(ensemble.position[:, self.outputs : self.outputs + self.dim])
        b = ensemble.position[:, -1].copy() if self.bias else np.zeros(len(w), w.dtype)
        return w, b

    def output(self, ensemble: Ensemble, x: ArrayLike) -> Array:
        """f(x) for inputs (n, d), as an array (n, k), in the ensemble's precision."""
        points = np.ascontiguousarray(x, dtype=ensemble.dtype)
        require(
            points.ndim == 2 and points.shape[1] == self.dim, "x", points.shape, f"(n, {self.dim})"
        )
        outer, _ = self.outer_weights(ensemble)
        w, b = self.inner_weights(ensemble)
        return layer.forward(self.activation, points, w, b, ensemble.weigh(outer))

    def __call__(self, ensemble: Ensemble, x: ArrayLike) -> Array:
        """f(x): shape (n,) for one output, else (n, k)."""
        f = self.output(ensemble, x)
        return f[:, 0] if self.outputs == 1 else f

    def function(self, ensemble: Ensemble) -> Callable[[ArrayLike], Array]:
        """The learned function x -> f(x), with the ensemble held fixed."""
        fixed = ensemble.copy()
        return lambda x: self(fixed, x)
