"""Sharpness: the top curvature that a flow meets, and the longest step that it leaves stable.

Near a state a flow is u' = -A u + …, with A minus the Jacobian of its motion. The sharpness is the
largest real part λ of the eigenvalues of A. For a gradient flow

    (A u)_i = M ∇²F'(θ_i) u_i + M Σ_j m_j ∇∇'F''(θ_i, θ_j) u_j,

which is symmetric in Σ_i m_i <u_i, M⁻¹ v_i>, so that its eigenvalues are real and Krylov's estimate
is a lower bound of λ. No 1/N appears: λ has a limit as N grows. An explicit scheme that is stable
on y' = -λy up to hλ = z (`Scheme.stability`) bears steps up to z/λ. For flows with velocities A is
that of the force, λ is the square of the highest frequency, and the longest step z/√λ.

Products with A are central differences of the motion: two evaluations of the energy each.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from meanfield import random
from meanfield.arrays import Array
from meanfield.ensemble import Ensemble
from meanfield.errors import InvalidInput, Unsupported, require_count, require_positive
from meanfield.flows import Flow, Moves
from meanfield.flows.fisher_rao import Reacting
from meanfield.flows.kinetic import SecondOrder
from meanfield.kernels.blas import single_threaded
from meanfield.schemes import Scheme

SAFETY = 0.5  # share of the longest stable step that "auto" takes
LEAST = 5  # products before an estimate counts: the first few have not yet seen the top
FAINT = 1e-12  # particles of less than this share of the largest mass are weighed as if of it


class Advice(NamedTuple):
    """What a scheme may do at a state.

    Attributes
    ----------
    sharpness : float
        λ.
    step : float
        The longest stable step; infinite if nothing limits it.
    """

    sharpness: float
    step: float


def top_curvature(flow: Flow, ensemble: Ensemble, tolerance: float = 1e-3, most: int = 60) -> float:
    """The sharpness λ of a flow at a state; see the module.

    The search starts from a fixed vector and is deterministic. In float32, λ has four digits at
    best. A streamed risk is that of the batch of the ensemble's step, whose sharpness is on
    average no less than that of the whole: the maximum of λ is convex.

    Parameters
    ----------
    flow : Flow
    ensemble : Ensemble
        With velocities, if the flow has them: they do not matter.
    tolerance : float
        Residual of the eigenvector, relative to the largest eigenvalue that was met. Where A is
        symmetric the error of λ is of the order of its square.
    most : int
        Products with A, at two evaluations of the energy each. Where masses react A is not
        symmetric, and as many vectors of the size of the state are kept; else three.

    Returns
    -------
    float
        Negative if the flow leads away from the state in every direction; NaN if the motion is
        not finite.

    Raises
    ------
    Unsupported
        If particles are at the wall of a box: there the motion is not differentiable.

    References
    ----------
    J. Cohen, S. Kaur, Y. Li, J. Z. Kolter, A. Talwalkar, ICLR 2021 (sharpness); C. Lanczos, 1950;
    W. Arnoldi, 1951.
    """
    require_positive("tolerance", tolerance)
    require_count("most", most)
    # One thread: the same bits, however many cores there are.
    with np.errstate(over="ignore", invalid="ignore"), single_threaded():
        jacobian = Jacobian(flow, ensemble)
        return _top(jacobian, jacobian.first_vector(), is_symmetric(flow), tolerance, most)


def advise(
    scheme: Scheme, flow: Flow, ensemble: Ensemble, tolerance: float = 1e-3, most: int = 60
) -> Advice | None:
    """Sharpness and the longest stable step of a scheme at a state, whatever the scheme's own.

    None if the scheme has no bound for such a flow; other arguments and errors are those of
    `top_curvature`.
    """
    if not scheme.is_bounded(flow):
        return None
    found = top_curvature(flow, ensemble, tolerance, most)
    return Advice(found, scheme.stable_step(flow, ensemble, found))


def with_step(scheme: Scheme, flow: Flow, start: Ensemble, until: float) -> Scheme:
    """The scheme with a number for the step "auto", else itself.

    The number is half of the longest stable step at the start, rounded down to two digits, and no
    more than ``until``. It is about stability, not accuracy; and curvature that grows along the
    run may use up the factor of two.

    Raises
    ------
    InvalidInput, Unsupported
        If nothing is known to limit the step.
    """
    if not isinstance(scheme.step, str):
        return scheme
    scheme.check(flow)
    found = advise(scheme, flow, start)
    if found is None:
        raise Unsupported(
            f"step = 'auto': no bound is known for the scheme {scheme.kind!r} on the flow "
            f"{flow.kind!r}: give the step as a number"
        )
    if not math.isfinite(found.step):
        raise InvalidInput(
            *("step", "auto"),
            f"a number, as the curvature at the start ({found.sharpness:.3g}) bounds no step",
        )
    return replace(scheme, step=min(_rounded_down(SAFETY * found.step), until))


def is_gradient_flow(flow: Flow) -> bool:
    """Whether the motion is that of a gradient: the energy (and the kinetic energy) falls."""
    return type(flow).velocity in (Flow.velocity, Reacting.velocity, SecondOrder.velocity)


def is_symmetric(flow: Flow) -> bool:
    """Whether minus the Jacobian is symmetric in the metric of the flow.

    Where masses react it is at rest only: the metric depends on them.
    """
    return is_gradient_flow(flow) and Moves.REACTION not in flow.moves


class Jacobian:
    """Minus the Jacobian of a flow at a state, times vectors (N, p), or (N, p + 1) with masses.

    Coordinates are √(m_i/M) u_i, and √m_i times the change of log m_i: in them the inner product
    of the flow is the plain one. Columns that do not move are zero.
    """

    def __init__(self, flow: Flow, ensemble: Ensemble) -> None:
        self.flow, self.ensemble = flow, ensemble
        self._reacts = Moves.REACTION in flow.moves
        moves = Moves.TRANSPORT in flow.moves or Moves.MOMENTUM in flow.moves
        mass = ensemble.mass[:, None]
        weight = np.sqrt(np.maximum(mass, FAINT * mass.max()))
        self._scale = np.sqrt(moves * flow.speeds(ensemble.layout)) / weight
        if self._reacts:
            self._scale = np.hstack([self._scale, 1.0 / weight])
        size = max(1.0, float(np.sqrt(np.mean(ensemble.position.astype(float) ** 2))))
        # Truncation and rounding of a central difference are balanced.
        self._reach = float(np.cbrt(np.finfo(ensemble.dtype).eps)) * size

    def first_vector(self) -> Array:
        """Where a search starts: normal numbers, the same for every flow, along the constraints."""
        drawn = random.normal(0, random.Stream.CURVATURE, 0, self._scale.shape)
        vector = self._tangent(self._scale * drawn)
        back = self._tangent(-self._scale * drawn)
        if np.any(vector + back):
            raise Unsupported("particles at the wall of a box have no curvature")
        return self._coordinates(vector)

    def __call__(self, vector: Array) -> Array:
        shift = self._scale * vector
        reach = self._reach / np.abs(shift).max()
        change = self._rate(-reach * shift) - self._rate(reach * shift)
        return self._coordinates(self._tangent(change)) / (2.0 * reach)

    def _rate(self, shift: Array) -> Array:
        """The motion (N, p), or (N, p + 1), at a distance from the state."""
        here, flow = self.ensemble, self.flow
        columns = here.dim
        state = here.at(here.position + shift[:, :columns])
        if self._reacts:
            state = state.having(mass=here.mass * np.exp(shift[:, columns]))
        state = flow.settle(state)
        evaluation = flow.driving.evaluate(state)
        if Moves.MOMENTUM in flow.moves:
            return flow.descent(state, evaluation).astype(float)
        motion = flow.motion(state, evaluation)
        rate = np.zeros(shift.shape)
        if motion.position is not None:
            rate[:, :columns] = motion.position
        if self._reacts:
            rate[:, columns] = motion.log_mass
        return rate

    def _tangent(self, vector: Array) -> Array:
        columns = self.ensemble.dim
        along = self.flow.along(self.ensemble, vector[:, :columns].copy())
        return np.hstack([along, vector[:, columns:]])

    def _coordinates(self, vector: Array) -> Array:
        return np.divide(vector, self._scale, out=np.zeros_like(vector), where=self._scale > 0)


def _top(operator: Jacobian, start: Array, symmetric: bool, tolerance: float, most: int) -> float:
    """Largest real part of the eigenvalues, by Lanczos (symmetric) or Arnoldi.

    Lanczos keeps two vectors: that they lose their orthogonality to earlier ones repeats
    eigenvalues and moves none (C. Paige, 1971).
    """
    norm = float(np.linalg.norm(start))
    if norm == 0.0:  # nothing moves
        return 0.0
    vectors = {0: start / norm}
    matrix = np.zeros((most + 1, most))
    found = math.nan
    for k in range(most):
        image = operator(vectors[k])
        if symmetric:
            vectors.pop(k - 2, None)
        for j, vector in vectors.items():
            matrix[j, k] = np.vdot(vector, image)
            image = image - matrix[j, k] * vector
        matrix[k + 1, k] = left = float(np.linalg.norm(image))
        if not math.isfinite(left):
            return math.nan
        block = matrix[: k + 1, : k + 1]
        values, ritz = (
            np.linalg.eigh(0.5 * (block + block.T)) if symmetric else np.linalg.eig(block)
        )
        top = int(values.real.argmax())
        found, size = float(values[top].real), float(np.abs(values).max())
        residual = left * abs(ritz[k, top])
        if residual <= (tolerance if k + 1 >= LEAST else 1e-6) * size or left == 0.0:
            break
        vectors[k + 1] = image / left
    return found


def _rounded_down(value: float) -> float:
    """Down to two digits: a number to write, that does not depend on the last bits."""
    unit = 10.0 ** (math.floor(math.log10(value)) - 1)
    return float(f"{math.floor(value / unit * (1 + 1e-12)) * unit:.1e}")
