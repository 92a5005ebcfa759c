"""The risk of a two-layer network: expected loss over a law of data, in three modes.

* A finite data set: the *empirical* risk, Σ_s weight_s l(f(x_s), y_s).
* A labelled law: the *population* risk, by closed forms and without samples.
* A stream: the *online* or *minibatch* risk, that of the batch of the current step.
"""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
from scipy.special import logsumexp

from meanfield.arrays import Array, dots
from meanfield.data.finite import FiniteData
from meanfield.data.laws import LabelledLaw, Stream
from meanfield.ensemble import Ensemble
from meanfield.errors import Unsupported, require
from meanfield.functionals import interactions
from meanfield.functionals.base import Evaluation, Functional
from meanfield.functionals.interactions import Exact, RandomBatches, Summation
from meanfield.functionals.losses import Loss, losses
from meanfield.functionals.population import GaussianRisk, population
from meanfield.functionals.pull import Pull
from meanfield.kernels import layer, reductions
from meanfield.networks import TwoLayer


class Expectation(Protocol):
    """Integrates a loss over a law of data."""

    def __call__(self, ensemble: Ensemble) -> Pull:
        """Value of the risk, and what it does to each neuron."""


class Risk(Functional):
    """R(ρ) = E l(f_ρ(x), y), with l = ½|f - y|² for the squared loss.

    Parameters
    ----------
    network : TwoLayer
    data : FiniteData, LabelledLaw or Stream
        Decides the mode; see the module's documentation.
    loss : {"squared", "logistic", "softmax", "exponential"}
    pairs : {"exact"}, `RandomBatches`, `FiniteRank` or dict
        How the population risk over Gaussian inputs sums over pairs of neurons.
    log : bool
        The functional log R instead: its Wasserstein flow has the paths of that of R, at the
        speed 1/R, so that training does not slow down once all samples are right (normalised
        descent). -log R is the smooth margin of the exponential loss; it is summed up by the
        logarithms of the costs, and stays right where R would be 0. Only for the exponential and
        the logistic loss of a finite data set.

    Raises
    ------
    InvalidInput
        If dimensions do not fit, or the targets are not what the loss wants.
    Unsupported
        If the law has no closed form with this activation, target and loss; the message names
        the two ways round (samples drawn once, or streamed). If `log` is for other losses or data.
    """

    name = "risk"

    def __init__(
        self,
        network: TwoLayer,
        data: FiniteData | LabelledLaw | Stream,
        loss: str = "squared",
        pairs: str | dict[str, Any] | Summation = "exact",
        log: bool = False,
    ) -> None:
        require(data.dim == network.dim, "network.dim", network.dim, f"the data's {data.dim}")
        self.network, self.data = network, data
        self.loss: Loss = losses[loss]()
        self.pairs = interactions.make(pairs)
        self.log = log
        self._expectation: Expectation
        if isinstance(data, FiniteData):
            self._expectation = Empirical(network, data, self.loss)
        elif isinstance(data, Stream):
            self._expectation = Online(network, data, self.loss)
        else:
            corners = population(network, data, loss, self.pairs)
            if isinstance(corners, FiniteData):
                self._expectation = Empirical(network, corners, self.loss)
            else:
                self._expectation = corners
        if log:
            self.name = "log_risk"
            if not isinstance(self._expectation, Empirical):
                raise Unsupported(
                    "the logarithm of the risk is for a finite data set: "
                    "draw the data once (samples = …), or leave log = true out"
                )
            self._expectation = Logarithmic(network, self._expectation.data, self.loss)
        summed = isinstance(self._expectation, GaussianRisk) or isinstance(self.pairs, Exact)
        reason = "'exact', as only the closed form over Gaussian inputs sums over pairs of neurons"
        require(summed, "pairs", self.pairs.kind, reason)

    def evaluate(self, ensemble: Ensemble) -> Evaluation:
        pull = self._expectation(ensemble)
        outer, _ = self.network.outer_weights(ensemble)
        variation = dots(outer, pull.outer)
        gradient = self._gradient(ensemble, pull)
        return Evaluation(pull.value, variation, gradient, {self.name: pull.value})

    @property
    def is_steady(self) -> bool:
        return not (isinstance(self.data, Stream) or isinstance(self.pairs, RandomBatches))

    @property
    def samples(self) -> FiniteData | None:
        """The finite data set that the risk is a weighted sum over; None if there is none."""
        found = self._expectation
        return found.data if isinstance(found, Empirical) else None

    def mixed_gradient(self, ensemble: Ensemble, coefficients: Array) -> Array:
        """Σ_s c_s g_s, (N, p): the gradients of the single samples, mixed with coefficients.

        g_s is the gradient of the risk over sample s alone, so that the weights of the samples
        give the gradient of the risk.

        Parameters
        ----------
        ensemble : Ensemble
        coefficients : (n,) array
            One for each sample, of any sign.

        Raises
        ------
        Unsupported
            If the data are not a finite set.
        """
        if not isinstance(self._expectation, Empirical):
            raise Unsupported(f"single samples are those of a finite data set, not {self.data!r}")
        return self._gradient(ensemble, self._expectation(ensemble, coefficients))

    def _gradient(self, ensemble: Ensemble, pull: Pull) -> Array:
        """What a pull does to the parameters of each neuron, (N, p)."""
        _, slope = self.network.outer_weights(ensemble)
        gradient = np.zeros_like(ensemble.position)
        k, d = self.network.outputs, self.network.dim
        if self.network.outer != "fixed":
            gradient[:, :k] = pull.outer if slope is None else pull.outer * slope
        gradient[:, k : k + d] = pull.inner
        if self.network.bias:
            gradient[:, -1] = pull.bias
        return gradient

    def pairs_error(self, ensemble: Ensemble) -> interactions.Error:
        """How far the sum over pairs of neurons is from the exact one; see `pairs`."""
        if isinstance(self._expectation, GaussianRisk):
            return self._expectation.pairs_error(ensemble)
        return interactions.Error(0.0, 0.0)

    def held_out(self) -> FiniteData | None:
        """The part of the data that is not trained on, if there is one."""
        return None if isinstance(self.data, LabelledLaw) else self.data.test

    def cost_on(self, data: FiniteData, ensemble: Ensemble) -> float:
        """Risk of the network on another finite data set."""
        y = self.loss.targets(data, self.network.outputs)
        costs, _ = self.loss.evaluate(self.network.output(ensemble, data.x), y)
        return float(reductions.mean(costs, data.weights))

    def on(self, data: FiniteData, ensemble: Ensemble) -> tuple[float, float]:
        """Risk and accuracy of the network on another finite data set, of classes."""
        f = self.network.output(ensemble, data.x)
        y = self.loss.targets(data, self.network.outputs)
        costs, _ = self.loss.evaluate(f, y)
        right = self.loss.correct(f, y)
        cost, accuracy = reductions.mean(np.stack([costs, right], axis=1), data.weights)
        return float(cost), float(accuracy)

    def __repr__(self) -> str:
        data = f"{len(self.data)} samples" if isinstance(self.data, FiniteData) else repr(self.data)
        pairs = "" if isinstance(self.pairs, Exact) else f", pairs={self.pairs!r}"
        log = ", log=True" if self.log else ""
        return f"Risk({self.network!r}, {data}, loss={self.loss.kind!r}{pairs}{log})"


class _OverSamples:
    """What the expectations over a finite data set share."""

    def __init__(self, network: TwoLayer, data: FiniteData, loss: Loss) -> None:
        self._network, self.data, self._loss = network, data, loss
        self._targets: Array = loss.targets(data, network.outputs)
        self._inputs: dict[np.dtype[Any], Array] = {}  # by precision

    def _x(self, ensemble: Ensemble) -> Array:
        """The inputs in the precision of an ensemble."""
        if ensemble.dtype not in self._inputs:
            self._inputs[ensemble.dtype] = self.data.x.astype(ensemble.dtype, copy=False)
        return self._inputs[ensemble.dtype]


class Empirical(_OverSamples):
    """The expectation over a finite data set; or another linear combination of its samples."""

    def __call__(self, ensemble: Ensemble, weights: Array | None = None) -> Pull:
        network, x = self._network, self._x(ensemble)
        weights = self.data.weights if weights is None else weights
        outer, _ = network.outer_weights(ensemble)
        w, b = network.inner_weights(ensemble)
        costs = np.empty(len(x))

        def residual(rows: slice, f: Array) -> Array:
            costs[rows], derivative = self._loss.evaluate(f, self._targets[rows])
            return (weights[rows, None] * derivative).astype(ensemble.dtype, copy=False)

        c = ensemble.weigh(outer)
        pulls = layer.pull(network.activation, x, w, b, c, outer, residual)
        return Pull(float(reductions.mean(costs, weights)), *pulls)


class Logarithmic(_OverSamples):
    """log R, R the expectation over a finite data set.

    A sample pulls with its share of R, a softmax of the logarithms of the costs, which no range of
    numbers bounds. All outputs are needed before the first share is: so they are computed twice.
    """

    def __call__(self, ensemble: Ensemble) -> Pull:
        network, x, weights = self._network, self._x(ensemble), self.data.weights
        costs, slopes = self._loss.logarithm(network.output(ensemble, x), self._targets)
        costs = np.where(weights > 0, costs, -np.inf)
        value = float(logsumexp(costs, b=weights))
        shares = weights * np.exp(costs - value)
        residual = (shares[:, None] * slopes).astype(ensemble.dtype, copy=False)
        outer, _ = network.outer_weights(ensemble)
        w, b = network.inner_weights(ensemble)
        return Pull(value, *layer.backward(network.activation, x, w, b, outer, residual))


class Online:
    """The expectation over the batch of the ensemble's current step."""

    def __init__(self, network: TwoLayer, stream: Stream, loss: Loss) -> None:
        self._network, self._stream, self._loss = network, stream, loss
        loss.targets(stream.at(0), network.outputs)

    def __call__(self, ensemble: Ensemble) -> Pull:
        batch = self._stream.at(ensemble.step)
        return Empirical(self._network, batch, self._loss)(ensemble)
