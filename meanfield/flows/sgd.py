"""The diffusion that SGD is close to: its learning rate acts as a temperature."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Literal

import numpy as np

from meanfield import random
from meanfield.arrays import Array
from meanfield.ensemble import Ensemble
from meanfield.errors import Unsupported, require, require_count, require_positive
from meanfield.flows.base import Moves, flows
from meanfield.flows.cooling import Cooling
from meanfield.flows.langevin import Langevin
from meanfield.flows.manifolds import Constraint
from meanfield.functionals import Functional, Risk


@flows.register("sgd-sde")
class SGDDiffusion(Langevin):
    """Gradient flow with the noise of minibatches: SGD with learning rate s and batches of B.

    SGD is θ_i ← θ_i - s M ∇F'_batch(θ_i), the flow `Wasserstein` of a risk on a `Stream`, stepped
    by `Euler` with step s. To first order in s it has the law of

        dθ_i = -M ∇F'(θ_i) dt + √(s/B) M Σ_k √w_k (g_k - Σ_l w_l g_l)(θ_i) dW_k,

    where g_k is the gradient of the risk over sample k alone and w_k its weight. A sample is seen
    by all particles at once: there is one Brownian motion W_k for each sample, none for a
    particle. Or the noise is isotropic, √s M dW_i, one for each particle: with M = 1, these are
    Langevin dynamics at temperature s/2.

    A step is one of drift, then one of noise, whose covariance is that of where the drift leads.
    The noise depends on the state: `EulerMaruyama` has strong order 1/2 and weak order 1.

    Parameters
    ----------
    energy : Functional
        With a multiple of one `Risk` on a finite data set, the whole of it, unless the noise is
        isotropic. An entropy adds the noise of `Langevin`.
    mobility, constraint, cool
        As for `Langevin`.
    rate : float, optional
        The learning rate s; default: the length of each step, as in SGD.
    batch : int
        B samples, drawn with replacement.
    covariance : {"samples", "isotropic"}
        Of the noise.

    Raises
    ------
    Unsupported
        If the noise is that of the samples and there are none.

    References
    ----------
    Q. Li, C. Tai, W. E, ICML 2017, theorem 1; B. Shi, W. Su, M. Jordan, JMLR 2023
    (isotropic).
    """

    usual = ("euler-maruyama", "euler-maruyama")

    def __init__(
        self,
        energy: Functional,
        mobility: Mapping[str, float] | None = None,
        constraint: Constraint | None = None,
        cool: str | Mapping[str, Any] | Cooling = "constant",
        rate: float | None = None,
        batch: int = 1,
        covariance: Literal["samples", "isotropic"] = "samples",
    ) -> None:
        super().__init__(energy, mobility, constraint, cool)
        if rate is not None:
            require_positive("rate", rate)
        require_count("batch", batch)
        known = ("samples", "isotropic")
        require(covariance in known, "covariance", covariance, f"one of {', '.join(known)}")
        self.rate, self.batch, self.covariance = rate, batch, covariance
        if covariance == "samples":
            self._risk()

    @property
    def moves(self) -> frozenset[Moves]:
        return super().moves | {Moves.SAMPLING}

    def stir(self, ensemble: Ensemble, share: float, length: float, seed: int, step: int) -> None:
        rate = length if self.rate is None else self.rate
        scale = share * math.sqrt(rate * length) * self.speeds(ensemble.layout)
        if self.covariance == "isotropic":
            random.add_normal(ensemble.position, scale, seed, random.Stream.SAMPLING, step)
        else:
            ensemble.position += scale * self._sampled(ensemble, seed, step)
        super().stir(ensemble, share, length, seed, step)

    def _sampled(self, ensemble: Ensemble, seed: int, step: int) -> Array:
        """A vector (N, p) with the covariance of the gradient over a minibatch."""
        factor, risk = self._risk()
        assert risk.samples is not None
        weights = risk.samples.weights
        root = np.sqrt(weights)
        shape = (len(weights), 1)
        kicks = root * random.normal(seed, random.Stream.SAMPLING, step, shape)[:, 0]
        # Σ_k √w_k ξ_k (g_k - Σ_l w_l g_l) is itself a sum of the g_k.
        centred = kicks - weights * kicks.sum()
        mixed = risk.mixed_gradient(ensemble, factor / math.sqrt(self.batch) * centred)
        return self.along(ensemble, mixed)

    def _risk(self) -> tuple[float, Risk]:
        """The risk in the energy and its factor."""
        found = [(c, term) for c, term in self.driving.terms() if isinstance(term, Risk)]
        if len(found) != 1 or found[0][1].samples is None:
            raise Unsupported(
                "the flow 'sgd-sde' needs one risk, on a finite data set, for the noise of its "
                'samples: or else covariance = "isotropic"'
            )
        return found[0]
