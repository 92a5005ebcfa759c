"""The Wasserstein flow among Gaussians and their mixtures: variational inference."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from meanfield.arrays import Array
from meanfield.ensemble import Ensemble, Layout
from meanfield.errors import Unsupported, require, require_count, require_nonnegative
from meanfield.flows.base import Flow, flows
from meanfield.functionals import Evaluation, Functional
from meanfield.functionals.gaussians import OfGaussians, gaussian_layout, gaussian_particles


@flows.register("bures-wasserstein")
class BuresWasserstein(Flow):
    """Wasserstein gradient flow of F + τ Ent, confined to mixtures of N Gaussians.

    Each particle is a Gaussian N(m, R Rᵀ). With f = F'(ρ) + τ log ρ, ρ the mixture of all,

        dm/dt = -E ∇f(m + R z),      dR/dt = -E ∇f(m + R z) zᵀ,      z ~ N(0, I).

    For a single Gaussian in a potential V the covariance S = R Rᵀ has dm/dt = -E ∇V and
    dS/dt = 2τ I - S E∇²V - E∇²V S: at τ = 1 that minimises KL(N(m, S) | e^{-V}). There is no
    noise, and S stays positive. The energy that is recorded includes τ ∫ρ log ρ of
    the mixture, as the part ``mixture_entropy``; that of several Gaussians falls up to the error
    of the rule, so look at it in a higher degree too.

    Parameters
    ----------
    energy : Functional
        Of measures on R^d: a `Potential`, an `Interaction`, a `Risk` with trained outer weights, …
    mobility : mapping of str to float, optional
        Speed M of each block of a point, as for every flow: of ``x``, or of a neuron's ``a``,
        ``w``, ``b``. It multiplies rows of m and R.
    degree : int
        Of the polynomials that expectations over Gaussians are exact for. 3, for which a quadratic
        V is exact, takes 2d nodes for each Gaussian; more takes (degree//2 + 1)^d.
    width : float
        Standard deviation of the Gaussians that particles become at the start of a run if they
        are points.

    References
    ----------
    M. Lambert, S. Chewi, F. Bach, S. Bonnabel, P. Rigollet, NeurIPS 2022.
    """

    driving: OfGaussians

    def __init__(
        self,
        energy: Functional,
        mobility: Mapping[str, float] | None = None,
        degree: int = 3,
        width: float = 1.0,
    ) -> None:
        super().__init__(energy, mobility)
        require_count("degree", degree, least=2)
        require_nonnegative("width", width)
        self.width = float(width)
        self.driving = OfGaussians(self.driving, self.temperature, degree)
        self.temperature = 0.0  # no noise: what descends has its entropy already

    def prepare(self, ensemble: Ensemble, seed: int) -> Ensemble:
        if set(ensemble.layout.blocks) != {"mean", "root"}:
            ensemble = self._widened(ensemble)
        dim = ensemble["mean"].shape[1]
        fits = ensemble.layout == gaussian_layout(dim)
        require(fits, "layout", ensemble.layout, f"Gaussians, {gaussian_layout(dim)}")
        inner = self.driving.inner(dim)
        require(inner.width == dim, "mean", dim, f"{inner.width} columns, as a neuron has")
        if inner.frozen:
            names = ", ".join(inner.frozen)
            raise Unsupported(
                f"the flow 'bures-wasserstein' moves whole Gaussians, and {names} is to stay: "
                'use the flow "wasserstein", or network.outer = "trained"'
            )
        if self.driving.temperature:
            lowest = float(np.abs(np.linalg.det(ensemble["root"])).min())
            require(lowest > 0, "det root", lowest, "an invertible root (or width > 0)")
        return super().prepare(ensemble, seed)

    def speeds(self, layout: Layout) -> Array:
        (dim,) = layout.blocks["mean"]
        rows = super().speeds(self.driving.inner(dim))
        return np.concatenate([rows, np.repeat(rows, dim)])

    def velocity(self, ensemble: Ensemble, evaluation: Evaluation) -> Array:
        # Its own method: the entropy of a mixture has its gradient up to the error of the rule, and
        # who asks whether a flow is exactly that of a gradient looks whether this one is replaced.
        return self.descent(ensemble, evaluation)

    def _widened(self, ensemble: Ensemble) -> Ensemble:
        """Points become the means of Gaussians."""
        wide = gaussian_particles(ensemble.position, mass=ensemble.mass)
        wide["root"][:] *= self.width
        return wide.having(time=ensemble.time, step=ensemble.step)
