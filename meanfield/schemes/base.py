"""What a scheme is: one step of time, with the order that the tests hold it to.

The step multiplies ∇F'(ρ)(θ_i), which carries no 1/N: with step h an Euler step is
``θ_i ← θ_i - h ∇F'(ρ)(θ_i)``, and time advances by h.
"""

# Annotations are objects here, not text: dataclasses in other modules inherit that of the step.
import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal, NamedTuple

from meanfield.ensemble import Ensemble
from meanfield.errors import Unsupported, require_positive
from meanfield.flows import Flow, Moves
from meanfield.functionals import Evaluation
from meanfield.registry import Registry

if TYPE_CHECKING:
    Length = Any  # given as a word, but a number when a step is taken
else:
    Length = float | Literal["auto"]


class Step(NamedTuple):
    """Where a step leads.

    Attributes
    ----------
    ensemble : Ensemble
    evaluation : Evaluation, optional
        The driving energy there, where the scheme has it: as the next step begins, with its batch.
    """

    ensemble: Ensemble
    evaluation: Evaluation | None = None


@dataclass(frozen=True)
class Scheme(ABC):
    """A rule for one step of a flow.

    Parameters
    ----------
    step : float or "auto"
        Length h of a step in time; "auto": half of the longest that is stable at the start of a
        run, see `meanfield.sharpness`.

    Attributes
    ----------
    order : int
        Global order of the error without noise.
    strong, weak : float or None
        Orders with (additive) noise; None: not claimed, or no noise at all.
    evaluations : int
        Of the energy in one step: what it costs.
    serves, needs : frozenset of Moves
        What a flow may change, and what it must.
    steady, smooth : bool
        Whether the energy must be the same at every step, and have a gradient without jumps.
    looks_first : bool
        Whether a step uses the energy where it begins; else it is not evaluated there.
    restriction : str
        What else it asks of a flow: "flows that …", as `suits` decides.
    is_random : bool
        Whether it adds noise of its own to any flow.
    stability : float or None
        The scheme is stable without noise on y' = -λy up to hλ = ``stability``; if it is for
        velocities, on y'' = -λy - γy' up to h√λ = ``stability``, whatever the friction. None: for
        every step, or nothing is claimed.
    """

    step: Length
    kind: ClassVar[str] = ""
    order: ClassVar[int]
    strong: ClassVar[float | None] = None
    weak: ClassVar[float | None] = None
    evaluations: ClassVar[int]
    serves: ClassVar[frozenset[Moves]]
    needs: ClassVar[frozenset[Moves]] = frozenset()
    steady: ClassVar[bool] = False
    smooth: ClassVar[bool] = False
    looks_first: ClassVar[bool] = True
    stability: ClassVar[float | None] = None
    restriction: ClassVar[str] = ""
    is_random: ClassVar[bool] = False

    def __post_init__(self) -> None:
        if isinstance(self.step, str) and self.step == "auto":
            return
        require_positive("step", self.step)
        # A number of NumPy would turn the state to float64 where it is float32.
        object.__setattr__(self, "step", float(self.step))

    @classmethod
    def suits(cls, flow: Flow) -> bool:
        """Whether the scheme can step this flow."""
        return cls.needs <= flow.moves <= cls.serves and not cls._misfits(flow)

    @classmethod
    def _misfits(cls, flow: Flow) -> str:
        """What is asked of the energy and does not hold, or ""."""
        terms = [term for _, term in flow.energy.terms()]
        changing = [term.name for term in terms if cls.steady and not term.is_steady]
        kinked = [term.name for term in terms if cls.smooth and not term.is_smooth]
        if changing:
            return f"energies that stay the same, and {_listed(changing)} has a batch for each step"
        return f"smooth energies, and {_listed(kinked)} has a kink at 0" if kinked else ""

    def check(self, flow: Flow) -> None:
        """Raise `Unsupported` if the scheme cannot step this flow; names those that can."""
        if self.suits(flow):
            return
        extra, lacking = flow.moves - self.serves, self.needs - flow.moves
        reason = self._misfits(flow) or self.restriction
        if extra or lacking:
            reason = (
                f"flows with {_names(lacking)}" if lacking else f"flows without {_names(extra)}"
            )
        able = ", ".join(repr(name) for name in schemes if schemes[name].suits(flow))
        raise Unsupported(
            f"the scheme {self.kind!r} is for {reason}: use {able} for the flow {flow.kind!r}"
        )

    def is_bounded(self, flow: Flow) -> bool:
        """Whether `stability` speaks of flows like this one."""
        velocities = Moves.MOMENTUM in flow.moves
        return self.stability is not None and velocities == self._squares

    def stable_step(self, flow: Flow, ensemble: Ensemble, sharpness: float) -> float:
        """The longest stable step where `meanfield.sharpness` is λ, if `is_bounded`."""
        assert self.stability is not None
        if sharpness <= 0:
            return math.inf
        return self.stability / (math.sqrt(sharpness) if self._squares else sharpness)

    def stable_sharpness(self, flow: Flow, ensemble: Ensemble) -> float:
        """The largest λ at which the scheme's own step is stable, if `is_bounded`."""
        assert self.stability is not None
        return (self.stability / float(self.step)) ** (2 if self._squares else 1)

    @property
    def _squares(self) -> bool:
        return Moves.MOMENTUM in self.needs

    @abstractmethod
    def advance(self, flow: Flow, ensemble: Ensemble, here: Any, length: float, seed: int) -> Step:
        """One step.

        Parameters
        ----------
        flow : Flow
        ensemble : Ensemble
            The state at the beginning of the step; it is not changed.
        here : Evaluation
            The driving energy at that state; None if the scheme does not look first.
        length : float
            Of this step: ``step``, or less for the last one.
        seed : int
            With the ensemble's step, decides the noise.
        """


schemes: Registry[Scheme] = Registry("scheme")


def _listed(names: list[str]) -> str:
    return " and ".join(repr(name) for name in dict.fromkeys(names))


def _names(moves: frozenset[Moves]) -> str:
    return " or ".join(sorted(move.value for move in moves))
