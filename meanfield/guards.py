"""Guards: what must stay true while an energy descends."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Mapping
from typing import Any, Literal, get_args

import numpy as np

from meanfield.arrays import Array
from meanfield.ensemble import Ensemble
from meanfield.errors import Diverged, Unsupported, require
from meanfield.flows import Flow, Moves
from meanfield.flows.kinetic import SecondOrder
from meanfield.observables import View
from meanfield.schemes import JKO, Adaptive, Scheme, TamedEuler
from meanfield.sharpness import Advice, advise, is_gradient_flow, is_symmetric

Guard = Literal["warn", "stop", "off"]

ROUNDING = 1000  # sums over many particles and samples, in units of the last place
NEGLIGIBLE = 1e-6  # share of the energy: less is chatter at kinks, an error of the scheme
FEW = 8  # products with the Jacobian that tell whether a step is too long
SHARE = 0.02  # of the run's evaluations that they may cost
HOT = 100  # times τp: more than noise does to an energy, whose mean it raises at rest by about ½τp
SMALL = 1000  # numbers in a state for which an implicit method is worth a try

_logger = logging.getLogger("meanfield")


def warn(sentence: str) -> None:
    """Say it to who listens to the package's logger: by default, on standard error."""
    _logger.warning(sentence)


def check_guard(guard: str) -> None:
    """Raise `InvalidInput` unless `guard` is one of "warn", "stop", "off"."""
    known = get_args(Guard)
    require(guard in known, "guard", guard, f"one of {', '.join(known)}")


def check_finite(
    before: Ensemble, after: Ensemble, length: float, advice: Callable[[], str] = str
) -> None:
    """Raise `Diverged` if a step took a particle out of the finite numbers.

    The message names the step, the time, how many particles, the first of them and where it was;
    what `advice` returns comes last. The state before the step is the one to keep.
    """
    arrays = {
        "positions": after.position,
        "masses": after.mass[:, None],
        "velocities": after.velocity,
    }
    changed = {name: array for name, array in arrays.items() if array is not None}
    if all(np.isfinite(array.sum()) for array in changed.values()):
        return
    finite = {name: np.isfinite(array).all(axis=1) for name, array in changed.items()}
    lost = np.flatnonzero(~np.logical_and.reduce(list(finite.values())))
    if not len(lost):  # finite entries whose sum overflows
        return
    what = " and ".join(name for name, fine in finite.items() if not fine.all())
    norm = float(np.linalg.norm(before.position[lost[0]]))
    raise Diverged(
        f"step {before.step + 1} (time {before.time:g}): {len(lost)} of {len(before)} particles "
        f"are no longer finite ({what}), the first is number {lost[0]} (|θ| was {norm:.3g}); "
        f"try a smaller step than {length:g}{advice()}"
    )


def remedy(scheme: Scheme, flow: Flow, start: Ensemble) -> str:
    """What to try instead of a step that was too long, to end a sentence with."""
    found = _advise(scheme, flow, start)
    text = "" if found is None else f" (at the start, up to {found.step:.2g} is stable)"
    others = []
    if Adaptive.suits(flow) and start.position.size <= SMALL:
        others.append("'adaptive' with method 'Radau'")
    elif JKO.suits(flow) and not isinstance(scheme, JKO):
        others.append("'jko', which is implicit")
    if TamedEuler.suits(flow) and not isinstance(scheme, TamedEuler):
        others.append("'tamed-euler', which clips displacements")
    return text + (", or the scheme " + ", or ".join(others) if others else "")


def long_step(scheme: Scheme, flow: Flow, start: Ensemble, total: int) -> str:
    """A sentence if the step is longer than what is stable at the start; else "".

    The sharpness is estimated from below, so that the sentence is never wrong, by a few products
    with the Jacobian; no look is taken where it would cost more than a fiftieth of the run, where
    the gradient is that of a batch, or where no bound is known.
    """
    cheap = SHARE * total * scheme.evaluations >= 2 * FEW
    if not (cheap and is_symmetric(flow) and flow.energy.is_steady):
        return ""
    found = _advise(scheme, flow, start, tolerance=0.05, most=FEW)
    if found is None or not float(scheme.step) > found.step:
        return ""
    return (
        f"step = {scheme.step:g}: longer than {found.step:.2g}, the longest that is stable for "
        f"the scheme {scheme.kind!r} at the start (sharpness {found.sharpness:.3g})"
    )


def _advise(scheme: Scheme, flow: Flow, start: Ensemble, **settings: Any) -> Advice | None:
    try:
        found = advise(scheme, flow, start, **settings)
    except Unsupported:
        return None
    return found if found is not None and math.isfinite(found.step) else None


SURE = frozenset({Moves.TRANSPORT, Moves.REACTION, Moves.MOMENTUM})


def descends(flow: Flow) -> bool:
    """Whether it is a theorem that the energy falls along the flow.

    It is for gradient flows, of particles, of masses or of both, on constraints or not; and for
    the sum of energy and kinetic energy where there is friction, Nesterov's included. Noise, births
    and deaths, and batches may raise it.
    """
    return flow.moves <= SURE and is_gradient_flow(flow) and flow.energy.is_steady


def is_heated(flow: Flow) -> bool:
    """Whether the free energy falls, so that the energy rises by no more than entropy pays for."""
    drift = flow.moves - {Moves.NOISE}
    known = flow.temperature > 0 and flow.moves > drift and drift <= SURE
    return known and is_gradient_flow(flow) and flow.energy.is_steady


class Descent:
    """Notices that what falls along a flow has risen; says so once, or stops the run.

    At every look where the energy is known, it is held against its least value so far; with the
    kinetic energy, if there are velocities. Below its bound of stability an explicit scheme lowers
    a quadratic energy at every step, so that no allowance is made for the step. A rise counts if
    it is more than

    * rounding: 1000 units in the last place of the largest energy so far;
    * a millionth of the least energy, or the ``rtol`` of an adaptive scheme: where gradients jump,
      at a kink, particles step to and fro across it;
    * with noise of temperature τ, 100 τp for particles of p columns: the energy rises by at most τ
      times the entropy that is gained, p log of how much wider the particles lie;
    * the swing of a splitting: on an oscillator velocity Verlet keeps ½v² + ½ω²x² (1 - h²ω²/4), and
      position Verlet its mirror image, so that to leading order in h the energy swings by
      h²/8 max ∫<∇F', M∇F'> dρ. Twice that is allowed, as at the looks before this one; at this one
      up to the largest kinetic energy before. Near the bound of stability, from hω = √2 on, the
      energy may swing by more than itself, and that is told.

    Parameters
    ----------
    guard : {"warn", "stop", "off"}
    scheme : Scheme
        With a number for its step.
    rise : str
        What was told before the run was continued.

    Attributes
    ----------
    rise : str
        A sentence, once the energy has risen.
    """

    def __init__(self, guard: Guard, scheme: Scheme, rise: str = "") -> None:
        self.guard, self.rise = guard, rise
        self._step = float(scheme.step)
        self._random, self._swings = scheme.is_random, Moves.MOMENTUM in scheme.needs
        self._share = max(NEGLIGIBLE, float(getattr(scheme, "rtol", 0.0)))
        self._forget()

    def _forget(self) -> None:
        self._least, self._largest, self._swing, self._kinetic = math.inf, 0.0, 0.0, 0.0

    def memory(self) -> dict[str, Array]:
        """What the next looks are compared with."""
        numbers = self._least, self._largest, self._swing, self._kinetic
        return {"numbers": np.array(numbers)}

    def recall(self, memory: Mapping[str, Array]) -> None:
        """Take up what `memory` has returned."""
        self._least, self._largest, self._swing, self._kinetic = map(float, memory["numbers"])

    def watch(self, flow: Flow) -> bool:
        """Begin anew with a replica; False if there is nothing to hold its energies to.

        Raises
        ------
        Diverged
            If the guard had stopped the run, which was killed before it was told.
        """
        self._forget()
        if self.rise and self.guard == "stop":
            raise Diverged(self.rise)
        if self.guard == "off" or self.rise or self._random:
            return False
        return descends(flow) or is_heated(flow)

    def look(self, view: View) -> None:
        """Compare with the looks before.

        Raises
        ------
        Diverged
            If the energy has risen and the guard is "stop".
        """
        flow, ensemble = view.flow, view.ensemble
        energy, kinetic, swing = view.evaluation.value, 0.0, 0.0
        if isinstance(flow, SecondOrder):
            kinetic = flow.kinetic_energy(ensemble)
            if self._swings:
                slope = Flow.dissipation(flow, ensemble, view.evaluation)
                swing = 0.25 * self._step**2 * slope
        total = energy + kinetic
        if self.rise or not math.isfinite(total):
            return
        rounding = ROUNDING * float(np.finfo(ensemble.dtype).eps) * self._largest
        allowed = rounding + self._share * abs(self._least)
        allowed += max(self._swing, min(swing, self._kinetic))
        heated = Moves.NOISE in flow.moves
        allowed += HOT * flow.temperature * ensemble.dim if heated else 0.0
        risen = total - self._least
        size = abs(energy) + sum(map(abs, view.evaluation.parts.values())) + kinetic
        self._largest = max(self._largest, size)
        self._kinetic = max(self._kinetic, kinetic)
        self._swing = max(self._swing, swing)
        if not risen > allowed:
            self._least = min(self._least, total)
            return
        what = "energy and kinetic energy" if isinstance(flow, SecondOrder) else "the energy"
        self.rise = (
            f"step {ensemble.step} (time {ensemble.time:g}): {what} rose by {risen:.3g} above "
            f"{self._least:.6g}, though the flow {flow.kind!r} "
            f"{'raises it by less' if heated else 'lowers it'}: "
            f"try a smaller step than {self._step:g}"
        )
        if self.guard == "stop":
            raise Diverged(self.rise)
        warn(self.rise)
