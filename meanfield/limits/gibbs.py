"""The state at rest of mean-field Langevin on finite data, as a fixed point among outputs.

At rest ρ ∝ exp(-F′(ρ)/τ), and with a ridge λ and n samples of weights w_k the first variation
depends on ρ only by the outputs f_k = ∫ φ(x_k; θ) dρ:

    ρ_f ∝ exp(-(Σ_k w_k l′(f_k, y_k) φ(x_k; θ) + ½ λ|θ|²)/τ),      f = ∫ φ dρ_f.

This is solved for f ∈ R^n by Newton's method, with integrals over θ by quadrature. The dual
problem is to maximise D(g) = -Σ w_k l*(g_k) - τ log Z(g) over g_k = l′(f_k) (Nitanda, Wu and
Suzuki 2022), so that every f has a duality gap, the Bregman divergence of the loss:

    F(ρ_f) - D(l′(f)) = Σ_k w_k (l(f̂_k) - l(f_k) - l′(f_k)(f̂_k - f_k)),      f̂ = ∫ φ dρ_f.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import logsumexp, roots_hermitenorm

from meanfield.arrays import Array
from meanfield.data import FiniteData
from meanfield.ensemble import Ensemble
from meanfield.errors import Unsupported, require, require_count, require_positive
from meanfield.functionals.losses import losses
from meanfield.limits.base import Limit, Oracle, oracles
from meanfield.limits.fixed_point import Feel, State, solve
from meanfield.limits.quadrature import Rule, box, polar
from meanfield.networks import TwoLayer

NODES = {1: 1600, 2: 200, 3: 64}  # intervals on an axis, by dimension
POLAR_NODES = 160
MOST_COLUMNS = 3
LEAST_NODES = 16  # fewer do not see the measure


@oracles.register("gibbs")
@dataclass(frozen=True)
class Gibbs(Oracle):
    """The Gibbs measure that mean-field Langevin on finite data comes to rest at.

    Series (at time ∞): those of the observables energy, free-energy and moments, and ``output``,
    f at the samples (n,). Trained outer weights are integrated out exactly, as given w and b they
    are normal.

    Parameters
    ----------
    network : TwoLayer
        One output; at most three columns are integrated over numerically: w, b, and bounded a.
    data : FiniteData
    l2, temperature : float
        λ and τ, both > 0.
    loss : str
        "squared", "logistic" or "exponential".
    a : sequence of float
        Of fixed outer weights: their values, each of an equal share of the neurons. The entropy is
        then that of w and b given a.
    nodes : int
        Of the rule on each axis; 0: by dimension. Kinks of step, ReLU, leaky ReLU and abs are
        resolved exactly in up to two columns of (w, b), by polar coordinates; elsewhere they cost
        accuracy, which the stated error tells.
    """

    network: TwoLayer
    data: FiniteData
    l2: float
    temperature: float
    loss: str = "squared"
    a: Sequence[float] = (1.0,)
    nodes: int = 0
    stationary: ClassVar[bool] = True

    def __post_init__(self) -> None:
        require_positive("l2", self.l2)
        require_positive("temperature", self.temperature)
        fine = self.nodes == 0 or self.nodes >= LEAST_NODES
        require(fine, "nodes", self.nodes, f"0, or at least {LEAST_NODES}")
        fine = np.ndim(self.a) == 1 and len(self.a) > 0 and bool(np.isfinite(self.a).all())
        require(fine, "a", self.a, "finite numbers, one or more")
        require(self.network.outputs == 1, "network.outputs", self.network.outputs, "1")
        same = self.network.dim == self.data.dim
        require(same, "network.dim", self.network.dim, f"the data's {self.data.dim}")
        if self.columns > MOST_COLUMNS:
            raise Unsupported(
                f"{self.columns} columns to integrate over are more than {MOST_COLUMNS}: "
                "in higher dimension the state at rest is found by particles only"
            )
        losses[self.loss]().targets(self.data, 1)

    @property
    def columns(self) -> int:
        """How many columns are integrated over numerically."""
        network = self.network
        return network.dim + network.bias + (network.outer == "bounded")

    def at(self, times: ArrayLike = (math.inf,)) -> Limit:
        require(bool(np.all(np.isinf(times))), "times", times, "infinite: this is a state at rest")
        fine, rough = self.solution, solve(self, self._count // 2)
        series = {name: np.asarray(value)[None] for name, value in fine.series.items()}
        errors = {
            name: np.abs(series[name] - np.asarray(rough.series[name])) + fine.step
            for name in series
        }
        errors["free_energy"] = errors["free_energy"] - fine.step + fine.gap
        how = "difference from half the nodes, last Newton step; free_energy: duality gap"
        return Limit(np.array([math.inf]), series, errors, how)

    @cached_property
    def solution(self) -> State:
        """The fixed point, with its duality gap."""
        return solve(self, self._count)

    def measure(self, time: float, count: int) -> Ensemble:
        """Quantiles where one column moves, else a grid of at most `count` weighted particles."""
        require(math.isinf(time), "time", time, "infinite: this is a state at rest")
        require_count("count", count)
        if self.network.outer == "fixed" and self.columns == 1 and len(self.a) == 1:
            return self._quantiles(count)
        return self._grid(count)

    @property
    def _count(self) -> int:
        if self.nodes:
            return self.nodes
        return POLAR_NODES if self._has_rays else NODES[self.columns]

    @property
    def _has_rays(self) -> bool:
        """Whether all kinks are on rays from 0, in dimensions where they can be resolved."""
        rays = self.network.activation.homogeneity in (0.0, 1.0)
        return rays and self.network.outer != "bounded" and self.columns <= 2

    def rule(self, count: int, reach: float) -> Rule:
        """A rule of so many nodes on an axis over the columns up to a distance."""
        if self._has_rays:
            x = self.data.x
            return polar(np.hstack([x, np.ones((len(x), int(self.network.bias)))]), count, reach)
        return box(self.columns, count, reach)

    def _quantiles(self, count: int) -> Ensemble:
        rule = box(1, 20_000, self.solution.reach)
        log = Feel(self, rule, self.a[0]).tilted(self.solution.pull).log_mass
        steps = np.exp(log - log.max())
        share = np.concatenate([[0.0], np.cumsum(0.5 * (steps[1:] + steps[:-1]))])
        levels = (np.arange(count) + 0.5) / count
        w = np.interp(levels, share / share[-1], rule.nodes[:, 0])
        return self._neurons(np.full(count, self.a[0]), w[:, None], np.full(count, 1.0 / count))

    def _grid(self, count: int) -> Ensemble:
        trained = self.network.outer == "trained"
        kinds = len(self.a) if self.network.outer == "fixed" else 1
        axes = self.columns + trained
        most = int((count / kinds) ** (1.0 / axes) + 1e-9)
        require(most >= 2, "count", count, f"at least {kinds * 2**axes}, two on every axis")
        rule = box(self.columns, most - 1, self._width())
        ensembles = []
        for value in self.a if self.network.outer == "fixed" else (0.0,):
            tilted = Feel(self, rule, value).tilted(self.solution.pull)
            mass = np.exp(tilted.log_mass - logsumexp(tilted.log_mass))
            outer, z = tilted.outer, rule.nodes
            if trained:  # a is normal, given the rest
                places, share = roots_hermitenorm(most)
                spread = math.sqrt(self.temperature / self.l2)
                outer = (tilted.outer[:, None] + spread * places).ravel()
                mass = np.outer(mass, share / share.sum()).ravel()
                z = np.repeat(z, most, axis=0)
            elif self.network.outer == "bounded":
                outer, z = z[:, 0], z[:, 1:]
            ensembles.append((outer, z, mass / kinds))
        outer, z, mass = map(np.concatenate, zip(*ensembles, strict=True))
        return self._neurons(outer, z, mass)

    def _width(self) -> float:
        """How far out the measure has mass, but for 1e-7 of its height."""
        solution, found = self.solution, 0.0
        for value in self.a if self.network.outer == "fixed" else (0.0,):
            feel = Feel(self, solution.rule, value)
            log = feel.tilted(solution.pull).log_mass - solution.rule.log_weights
            seen = feel.rule.nodes[log > log.max() - 16.0]
            found = max(found, float(np.abs(seen).max()))
        return found

    def _neurons(self, outer: Array, z: Array, mass: Array) -> Ensemble:
        position = np.column_stack([outer, z])
        return Ensemble(position, mass, self.network.layout, time=math.inf)
