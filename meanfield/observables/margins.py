"""Margins of a classifier: how far the worst sample is from being wrong, for a norm of f."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import ArrayLike

from meanfield.arrays import Array
from meanfield.data import FiniteData
from meanfield.ensemble import Ensemble
from meanfield.errors import Unsupported
from meanfield.networks import TwoLayer
from meanfield.observables.base import Observable, View, observables
from meanfield.observables.neurons import strength


@observables.register("margin")
class Margin(Observable):
    """``margin`` = min_i y_i f(x_i) over the samples trained on, y = ±1; and over norms of f.

    * ``f1_margin``, where s is homogeneous of degree 1: over the variation norm ∫|a|·|(w,b)| dρ.
      That is ∫½(|a|² + |(w,b)|²) dρ once each neuron is balanced, |a| = |(w,b)|, which leaves f as
      it is. The most that any network can have is what training of both layers tends to.
    * ``f2_margin``: over the norm of the features at the start of the run, the least
      (∫|c|² dρ₀)^½ with ∫ c s(<w₀,x> + b₀) dρ₀ = f(x) on the samples. It needs as many features
      as samples. Training of the outer weights alone tends to the largest there is, that of the
      kernel machine, where the norm is (∫|a|² dρ)^½ if they start at 0.

    References
    ----------
    L. Chizat, F. Bach, COLT 2020 (F₁ and F₂ as there, the latter on N features).
    """

    _before: tuple[Ensemble, FiniteData, Array] | None = None

    def __call__(self, view: View) -> Mapping[str, ArrayLike]:
        network, (data, y) = view.risk.network, _signed(view)
        f = network.output(view.ensemble, data.x)[:, 0].astype(float)
        margin = float((y * f).min())
        found = {"margin": margin, "f2_margin": _over(margin, self._norm(view, data, f))}
        if network.activation.homogeneity == 1.0 and network.outer != "bounded":
            norm = float(view.ensemble.mean(strength(view.ensemble)))
            found["f1_margin"] = _over(margin, norm)
        return found

    def _norm(self, view: View, data: FiniteData, f: Array) -> float:
        """The norm of f (n,) by the features at the start."""
        known = self._before
        if known is None or known[0] is not view.start or known[1] is not data:
            inverse = np.linalg.pinv(_features(view.risk.network, view.start, data.x))
            known = self._before = view.start, data, inverse
        return float(np.linalg.norm(known[2] @ f))


def _features(network: TwoLayer, ensemble: Ensemble, x: Array) -> Array:
    """√m_i s(<w_i, x> + b_i), (n, N): f = features c has the norm |c| for outer weights c/√m."""
    w, b = network.inner_weights(ensemble)
    return network.activation(x @ w.T + b) * np.sqrt(ensemble.mass)


def _signed(view: View) -> tuple[FiniteData, Array]:
    """The samples trained on and their labels ±1, (n,)."""
    risk = view.risk
    if isinstance(risk.data, FiniteData) and risk.network.outputs == 1:
        y = risk.loss.targets(risk.data, 1)[:, 0]
        if np.isin(y, (-1.0, 1.0)).all():
            return risk.data, y
    raise Unsupported("the observable 'margin' needs a finite data set with two classes, ±1")


def _over(margin: float, norm: float) -> float:
    return margin / norm if norm > 0 else 0.0
