"""The kernels for those who want them bare: arrays in, arrays out, float64 or float32.

`interact`, `layer_output`, `layer_pull`, `pair_sums` and `attend` are the sums that everything else
is made of, beside the reductions `mean`, `second_moment`, `pairing` and `dissipation`. `explain`
says which algorithm serves them, and why. What each of them computes is written down in NumPy in
`meanfield.kernels.definitions`. All arrays of a call have one precision, that of the first; sums
are the same to the bit on any number of threads, and NaN is never dropped.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from meanfield import activations
from meanfield.arrays import Array
from meanfield.errors import UnknownName, require
from meanfield.kernels import attention as tokens
from meanfield.kernels import choices, layer, pairwise
from meanfield.kernels import population as pairs_of_neurons
from meanfield.kernels.attention import attention as attend
from meanfield.kernels.blas import single_threaded
from meanfield.kernels.choices import Choice
from meanfield.kernels.pairwise import pairwise as pair_sums
from meanfield.kernels.projected import Projected
from meanfield.kernels.reductions import dissipation, mean, pairing, second_moment

__all__ = [
    "Choice",
    "Neurons",
    "Pull",
    "attend",
    "dissipation",
    "explain",
    "interact",
    "layer_output",
    "layer_pull",
    "mean",
    "pair_sums",
    "pairing",
    "second_moment",
]


class Pull(NamedTuple):
    """What the sources, or the samples, do to every neuron.

    Attributes
    ----------
    outer : (N, k) array
        Derivative in the outer weights a.
    inner : (N, d) array
        Gradient in the inner weights w.
    bias : (N,) array
        Derivative in the biases b.
    """

    outer: Array
    inner: Array
    bias: Array


class Neurons(NamedTuple):
    """Neurons a s(<w, x> + b) with masses m.

    Attributes
    ----------
    a : (N,) or (N, k) array
    w : (N, d) array
    b : (N,) array, optional
        Default: there are none.
    mass : (N,) array, optional
        Default: 1/N each.
    """

    a: ArrayLike
    w: ArrayLike
    b: ArrayLike | None = None
    mass: ArrayLike | None = None


def interact(
    activation: Any,
    neurons: Neurons,
    sources: Neurons | None = None,
    *,
    mean: ArrayLike | None = None,
    root: ArrayLike | None = None,
    path: str | None = None,
) -> Pull:
    """The interaction of neurons under Gaussian inputs, without a sample.

    With K(θ, θ') = E[s(<w, x> + b) s(<w', x> + b')] for x ~ N(mean, root root^T), the potential of
    a neuron is Σ_j m_j a_j K(θ_i, θ_j) and its gradient in (w, b) is that of
    Σ_j m_j <a_i, a_j> K(θ_i, θ_j) in the first argument. No factor 1/N but that of the masses.

    Parameters
    ----------
    activation : str, dict or Activation
        With a closed form.
    neurons : Neurons
        Targets, and sources if there are no others: then each pair is evaluated once.
    sources : Neurons, optional
        A teacher, a reference measure, another run. Masses may be negative.
    mean, root : (d,) and (d, d) arrays, optional
        Of the law of inputs; default N(0, I).
    path : {"moments", "fused", "tiles", "general"}, optional
        The algorithm; default: what `explain` says.

    Raises
    ------
    InvalidInput
        If shapes do not fit, or the activation has no closed form.

    References
    ----------
    Y. Cho, L. Saul, NeurIPS 2009 (ReLU); C. K. I. Williams, NeurIPS 1996 (erf).
    """
    s = activations.make(activation)
    require(s.has_closed_form, "activation", s.kind, "one with a closed form of E[s(u)s(v)]")
    dtype = _precision(neurons.w)
    law = (
        None if mean is None else _array("mean", mean, dtype, 1),
        None if root is None else _array("root", root, dtype, 2),
    )
    a, c, seen = _project("neurons", neurons, *law, dtype)
    others = seen
    if sources is not None:
        theirs, c, others = _project("sources", sources, *law, dtype)
        shapes = (theirs.shape[1], others.a.shape[1])
        expected = (a.shape[1], seen.a.shape[1])
        require(shapes == expected, "sources", shapes, f"the neurons' k and d, {expected}")
    with single_threaded():
        outer, bias, inner = pairs_of_neurons.interact(s, seen, a, others, c, path)
        if law[1] is not None:
            inner = inner @ law[1].T
    if law[0] is not None:
        inner = inner + bias[:, None] * law[0]
    return Pull(outer, inner, bias)


def layer_output(activation: Any, neurons: Neurons, x: ArrayLike) -> Array:
    """Outputs f(x) = Σ_i m_i a_i s(<w_i, x> + b_i) for inputs (n, d), as an array (n, k)."""
    s, _, c, w, b = _layer(activation, neurons)
    return layer.forward(s, _inputs(x, w), w, b, c)


def layer_pull(
    activation: Any,
    neurons: Neurons,
    x: ArrayLike,
    residual: Callable[[slice, Array], Array],
) -> Pull:
    """What a loss on data does to every neuron: forward, residual and backward in one pass.

    Parameters
    ----------
    activation : str, dict or Activation
    neurons : Neurons
    x : (n, d) array
        Inputs; a slice of a larger array is not copied.
    residual : callable
        ``residual(rows, f)`` returns, for a slice of the samples and their outputs f (m, k), the
        derivative of the loss in f times the weight of the sample: ``(f - y[rows]) / n``.

    Returns
    -------
    Pull
        Gradients of the first variation: N times those in the parameters when masses are 1/N.
    """
    s, a, c, w, b = _layer(activation, neurons)
    return Pull(*layer.pull(s, _inputs(x, w), w, b, c, a, residual))


def explain(kernel: str, activation: Any = "relu", **sizes: Any) -> Choice:
    """Which algorithm serves a kernel at given sizes, and why.

    Parameters
    ----------
    kernel : {"population", "layer", "pairs", "attention"}
    activation : str, dict or Activation
        For neurons.
    **sizes
        Those of `choices.population` (dim, outputs, dtype, centred, largest), `layer.choose`
        (samples, dim, neurons, outputs, dtype), `pairwise.choose` or `attention.choose`
        (dim, dtype, spread).

    Returns
    -------
    Choice
        With ``path`` and ``why``.

    Examples
    --------
    >>> explain("population", "relu", dim=2).path
    'fused'
    """
    makers: dict[str, Callable[..., Any]] = {
        "population": lambda **n: choices.population(activations.make(activation), **n),
        "layer": lambda **n: layer.choose(activations.make(activation), **n),
        "pairs": pairwise.choose,
        "attention": tokens.choose,
    }
    if kernel not in makers:
        raise UnknownName("kernel", kernel, makers)
    found = makers[kernel](**sizes)
    return Choice(found.path, found.why)


def _precision(w: ArrayLike) -> Any:
    return np.float32 if np.asarray(w).dtype == np.float32 else np.float64


def _array(key: str, values: ArrayLike, dtype: Any, ndim: int) -> Array:
    array = np.ascontiguousarray(values, dtype=dtype)
    require(array.ndim == ndim, key, array.shape, f"an array of {ndim} dimensions")
    return array


def _unpack(key: str, neurons: Neurons, dtype: Any) -> tuple[Array, Array, Array, Array | None]:
    """a, c = m a, w and b, checked."""
    w = _array(f"{key}.w", neurons.w, dtype, 2)
    count = len(w)
    a = np.ascontiguousarray(neurons.a, dtype=dtype)
    a = a[:, None] if a.ndim == 1 else a
    require(a.ndim == 2 and len(a) == count, f"{key}.a", a.shape, f"the shape ({count}, k)")
    b = None if neurons.b is None else _array(f"{key}.b", neurons.b, dtype, 1)
    if b is not None:
        require(len(b) == count, f"{key}.b", b.shape, f"the shape ({count},)")
    if neurons.mass is None:
        return a, a / dtype(max(count, 1)), w, b
    mass = _array(f"{key}.mass", neurons.mass, dtype, 1)
    require(len(mass) == count, f"{key}.mass", mass.shape, f"the shape ({count},)")
    return a, mass[:, None] * a, w, b


def _project(
    key: str, neurons: Neurons, mean: Array | None, root: Array | None, dtype: Any
) -> tuple[Array, Array, Projected]:
    a, c, w, b = _unpack(key, neurons, dtype)
    dim = w.shape[1]
    if mean is not None:
        require(len(mean) == dim, "mean", mean.shape, f"the shape ({dim},)")
    if root is not None:
        require(root.shape == (dim, dim), "root", root.shape, f"the shape ({dim}, {dim})")
    return a, c, Projected(w, b, mean, root)


def _layer(activation: Any, neurons: Neurons) -> tuple[Any, Array, Array, Array, Array]:
    a, c, w, b = _unpack("neurons", neurons, _precision(neurons.w))
    return activations.make(activation), a, c, w, np.zeros(len(w), w.dtype) if b is None else b


def _inputs(x: ArrayLike, w: Array) -> Array:
    points = np.asarray(x, dtype=w.dtype)
    fits = points.ndim == 2 and points.shape[1] == w.shape[1]
    require(fits, "x", points.shape, f"the shape (n, {w.shape[1]})")
    return points
