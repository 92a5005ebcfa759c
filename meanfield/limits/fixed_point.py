"""Newton's method for the outputs of a network at rest, on one quadrature rule."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import logsumexp

from meanfield.arrays import Array
from meanfield.errors import MeanfieldError
from meanfield.functionals.losses import losses
from meanfield.limits.quadrature import Rule

if TYPE_CHECKING:
    from meanfield.limits.gibbs import Gibbs

NEGLIGIBLE = -36.0  # a logarithm
DIFFERENCE = 1e-5  # for l″ from l′
FURTHEST = 200.0  # of what is searched for the measure, in standard deviations of the ridge alone


@dataclass(frozen=True)
class Tilted:
    """A Gibbs measure at the nodes, and the outer weights given a node.

    ``log_mass`` (Q,) is not normalised; ``outer`` and ``outer_square`` (Q,) are the conditional
    mean and second moment of what the output has of a.
    """

    log_mass: Array
    outer: Array
    outer_square: Array


class Feel:
    """What the nodes of a rule do at the samples, for one value of fixed outer weights."""

    def __init__(self, problem: Gibbs, rule: Rule, value: float) -> None:
        network, z = problem.network, rule.nodes
        self.problem, self.rule = problem, rule
        inner = z[:, 1:] if network.outer == "bounded" else z
        bias = inner[:, -1:] if network.bias else 0.0
        self.hidden = network.activation(inner[:, : network.dim] @ problem.data.x.T + bias)
        bound = network.bound
        self.value = bound * np.tanh(z[:, 0] / bound) if network.outer == "bounded" else value
        self.half_square = 0.5 * (z**2).sum(axis=1)

    def tilted(self, pull: Array) -> Tilted:
        """The measure where the samples pull with w_k l′(f_k), (n,)."""
        ridge, tau = self.problem.l2, self.problem.temperature
        drive = self.hidden @ pull
        log = self.rule.log_weights - ridge * self.half_square / tau
        if self.problem.network.outer == "trained":
            log = log + drive**2 / (2.0 * ridge * tau) + 0.5 * math.log(2.0 * math.pi * tau / ridge)
            return Tilted(log, -drive / ridge, tau / ridge + (drive / ridge) ** 2)
        value = np.broadcast_to(self.value, drive.shape)
        return Tilted(log - value * drive / tau, value, value**2)


@dataclass(frozen=True)
class State:
    """A solution: its series, duality gap and last Newton step, the pull and where it reaches."""

    series: dict[str, ArrayLike]
    gap: float
    step: float
    pull: Array
    reach: float
    rule: Rule = field(repr=False)


@dataclass(frozen=True)
class _Averages:
    output: Array  # f̂ (n,)
    covariance: Array  # of φ at the samples, (n, n)
    log_normaliser: float
    edge: float  # largest density at the edge, relative to the largest of all, as a logarithm


def solve(problem: Gibbs, count: int) -> State:
    """Newton's method, on a domain that grows until nothing is left at its edge."""
    width = math.sqrt(problem.temperature / problem.l2)
    reach = 8.5 * width
    output = np.zeros(len(problem.data))
    while reach < FURTHEST * width:
        rule = problem.rule(count, reach)
        values = problem.a if problem.network.outer == "fixed" else (0.0,)
        feels = [Feel(problem, rule, value) for value in values]
        output, averages, step = _newton(problem, feels, output)
        if averages.edge < NEGLIGIBLE:
            return _state(problem, feels, output, averages, step, reach)
        reach *= 1.25
    raise MeanfieldError(
        f"the Gibbs measure does not fit into {FURTHEST * width:g}: is the ridge {problem.l2:g} "
        "strong enough for it to exist?"
    )


def _newton(problem: Gibbs, feels: list[Feel], output: Array) -> tuple[Array, _Averages, float]:
    """Outputs (n,) at the fixed point on one rule, the averages there, and the last step."""
    chance, tau = problem.data.weights, problem.temperature
    averages = _average(feels, _pull(problem, output))
    dual = _dual(problem, output, averages)
    for _ in range(100):
        residual = averages.output - output
        jacobian = np.eye(len(output)) + averages.covariance * (
            chance * _curvature(problem, output) / tau
        )
        step = np.linalg.solve(jacobian, residual)
        size = float(np.abs(step).max())
        if size <= 1e-14 * (1.0 + np.abs(output).max()):
            return output, averages, size
        share = 1.0
        while True:  # the dual is concave: a step that is short enough does not lower it
            tried = output + share * step
            found = _average(feels, _pull(problem, tried))
            higher = _dual(problem, tried, found)
            if higher >= dual - 1e-13 * (1.0 + abs(dual)) or share < 1e-8:
                break
            share *= 0.5
        stalled = share == 1.0 and float(np.abs(found.output - tried).max()) >= 0.5 * float(
            np.abs(residual).max()
        )
        output, averages, dual = tried, found, higher
        if stalled and size < 1e-9:  # at the level of rounding
            return output, averages, size
    raise MeanfieldError(f"no fixed point was found: the last Newton step is {size:g}")


def _average(feels: list[Feel], pull: Array) -> _Averages:
    count, share = len(pull), 1.0 / len(feels)
    output, square = np.zeros(count), np.zeros((count, count))
    log_z, edge = 0.0, -math.inf
    for feel in feels:
        tilted = feel.tilted(pull)
        normaliser = float(logsumexp(tilted.log_mass))
        mass = np.exp(tilted.log_mass - normaliser)
        mean = (mass * tilted.outer) @ feel.hidden
        second = (feel.hidden.T * (mass * tilted.outer_square)) @ feel.hidden
        output = output + share * mean
        square = square + share * (second - np.outer(mean, mean))
        log_z += share * normaliser
        density = tilted.log_mass - feel.rule.log_weights
        edge = max(edge, float(density[feel.rule.edge].max() - density.max()))
    return _Averages(output, square, log_z, edge)


def _loss(problem: Gibbs, output: Array) -> tuple[Array, Array]:
    """l and l′ (n,) at outputs (n,)."""
    loss = losses[problem.loss]()
    cost, slope = loss.evaluate(output[:, None], loss.targets(problem.data, 1))
    return cost, slope[:, 0]


def _pull(problem: Gibbs, output: Array) -> Array:
    return problem.data.weights * _loss(problem, output)[1]


def _curvature(problem: Gibbs, output: Array) -> Array:
    above, below = (_loss(problem, output + h)[1] for h in (DIFFERENCE, -DIFFERENCE))
    return (above - below) / (2.0 * DIFFERENCE)


def _dual(problem: Gibbs, output: Array, averages: _Averages) -> float:
    cost, slope = _loss(problem, output)
    conjugate = slope * output - cost
    return -float(problem.data.weights @ conjugate) - problem.temperature * averages.log_normaliser


def _state(
    problem: Gibbs,
    feels: list[Feel],
    output: Array,
    averages: _Averages,
    step: float,
    reach: float,
) -> State:
    """All series of the Gibbs measure of some outputs."""
    chance, pull = problem.data.weights, _pull(problem, output)
    cost, slope = _loss(problem, output)
    reached, _ = _loss(problem, averages.output)
    gap = float(chance @ (reached - cost - slope * (averages.output - output)))
    width, share = len(problem.network.layout.moving), 1.0 / len(feels)
    mean, square = np.zeros(width), np.zeros(width)
    for feel in feels:
        tilted = feel.tilted(pull)
        mass = share * np.exp(tilted.log_mass - logsumexp(tilted.log_mass))
        columns, squares = feel.rule.nodes, feel.rule.nodes**2
        if problem.network.outer != "bounded":  # there a is one of the columns
            columns = np.column_stack([tilted.outer, columns])
            squares = np.column_stack([tilted.outer_square, squares])
        mean, square = mean + mass @ columns, square + mass @ squares
    moving = problem.network.layout.moving
    ridge = 0.5 * problem.l2 * float(square[moving].sum())
    risk = float(chance @ reached)
    tau = problem.temperature
    entropy = -(pull @ averages.output + ridge) / tau - averages.log_normaliser
    series: dict[str, ArrayLike] = {
        "risk": risk,
        "l2": ridge,
        "energy": risk + ridge,
        "entropy": entropy,
        "free_energy": risk + ridge + tau * entropy,
        "mean": mean,
        "second_moment": square,
        "output": averages.output,
    }
    return State(series, max(gap, 0.0), step, pull, reach, feels[0].rule)
