"""SciPy's integrators: steps of their own choice inside each of ours."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np

from meanfield.arrays import Array
from meanfield.ensemble import Ensemble
from meanfield.errors import Diverged, require_positive
from meanfield.flows import Flow, Moves
from meanfield.functionals import Evaluation
from meanfield.schemes.base import Scheme, Step, schemes

Method = Literal["RK23", "RK45", "DOP853", "Radau", "BDF", "LSODA"]


@schemes.register("adaptive")
@dataclass(frozen=True)
class Adaptive(Scheme):
    """SciPy's adaptive integrators, explicit and stiff: as many steps as the tolerances ask for.

    Implicit methods build a dense Jacobian by differences, which takes as many evaluations of the
    energy as there are numbers in the state: they are for a few hundred. Kinks of an empirical
    ReLU risk let every one of them take tiny steps; at those of ℓ1 and path norms, where particles
    stay, they would not end. Batches are refused, as the step is only for looking.

    Parameters
    ----------
    step : float
        How often there is a state to look at; the integrator starts anew from each.
    method : str
        Explicit "RK23", "RK45", "DOP853"; stiff "Radau", "BDF"; "LSODA" switches.
    rtol, atol : float
        Relative and absolute error of each number in one step of the integrator.
    """

    method: Method = "RK45"
    rtol: float = 1e-6
    atol: float = 1e-9

    order: ClassVar[int] = 0  # the tolerances decide, not the step
    evaluations: ClassVar[int] = 0
    serves = frozenset({Moves.TRANSPORT, Moves.REACTION, Moves.MOMENTUM})
    steady = smooth = True
    looks_first = False

    def __post_init__(self) -> None:
        super().__post_init__()
        require_positive("rtol", self.rtol)
        require_positive("atol", self.atol)

    def advance(
        self, flow: Flow, ensemble: Ensemble, here: Evaluation | None, length: float, seed: int
    ) -> Step:
        from scipy.integrate import solve_ivp

        def rate(time: float, flat: Array) -> Array:
            state = flow.settle(_apart(ensemble, flat, time, reacts))
            motion = flow.motion(state, flow.driving.evaluate(state))
            still = np.zeros_like(state.position) if motion.position is None else motion.position
            return _joined(still, motion.log_mass if reacts else None, motion.velocity)

        reacts = Moves.REACTION in flow.moves
        span = ensemble.time, ensemble.time + length
        settings: dict[str, Any] = {"method": self.method, "rtol": self.rtol, "atol": self.atol}
        start = _joined(
            ensemble.position, np.log(ensemble.mass) if reacts else None, ensemble.velocity
        )
        found = solve_ivp(rate, span, start, t_eval=span[1:], **settings)
        if not found.success:
            raise Diverged(
                f"step {ensemble.step + 1} (time {ensemble.time:g}): {self.method} gave up: "
                f"{found.message} Try a larger rtol, or a stiff method (Radau, BDF, LSODA)"
            )
        return Step(flow.settle(_apart(ensemble, found.y[:, -1], span[1], reacts)))


def _joined(*parts: Array | None) -> Array:
    """Positions, logarithms of masses and velocities, one after the other."""
    return np.concatenate([part.ravel() for part in parts if part is not None]).astype(float)


def _apart(ensemble: Ensemble, flat: Array, time: float, reacts: bool) -> Ensemble:
    """The ensemble whose numbers `_joined` put together."""
    shape, size = ensemble.position.shape, ensemble.position.size
    changed: dict[str, Any] = {"position": flat[:size].reshape(shape).astype(ensemble.dtype)}
    if reacts:
        changed["mass"] = np.exp(flat[size : size + len(ensemble)])
    if ensemble.velocity is not None:
        changed["velocity"] = flat[-size:].reshape(shape).astype(ensemble.dtype)
    return ensemble.having(time=time, **changed)
