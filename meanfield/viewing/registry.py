"""What there is to draw: every figure is a function of a run, known by its name.

A figure of your own is one function, and then ``run.plot.largest()`` and `meanfield plot` know it::

    @figure("largest", observed("path_norm"))
    def largest(run: Run, ax: Axes | None = None) -> list[Axes]:
        ...
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any, Concatenate, Generic, ParamSpec, TypeVar

from meanfield.errors import FileProblem, InvalidInput, UnknownName, Unsupported, require
from meanfield.viewing import style

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from meanfield.storage import Run

P = ParamSpec("P")
Need = Callable[["Run"], str]  # what is missing, as a sentence; empty if nothing is
Several = Sequence["Run"]
AXES = ("ax", "axes")
F = TypeVar("F")


class Figure(Generic[P]):
    """A picture with a name: a function of a run that draws, and returns the axes it drew on.

    Called with a run (or several, if it overlays) and its options. As an attribute of a class whose
    instances have ``runs`` it is a method of these.

    Parameters
    ----------
    name : str
    draw : callable
        ``draw(run, **options) -> list of Axes``. If it takes ``ax`` or ``axes``, and gets none, it
        draws into a new figure in the style of meanfield.
    needs : callables
        Each says what a run lacks.
    several : bool
        Whether `draw` takes a list of runs, which it overlays.
    """

    def __init__(
        self,
        name: str,
        draw: Callable[Concatenate[Any, P], list[Axes]],
        needs: Sequence[Need] = (),
        several: bool = False,
    ) -> None:
        functools.update_wrapper(self, draw)
        self.name, self.needs, self.several = name, tuple(needs), several
        self._draw = draw

    @property
    def summary(self) -> str:
        """The first line of its documentation."""
        return (self.__doc__ or "").strip().split("\n")[0]

    @property
    def parameters(self) -> list[str]:
        """What it takes besides a run."""
        return list(inspect.signature(self._draw).parameters)[1:]

    @property
    def options(self) -> list[str]:
        """What it takes besides a run, and axes to draw on."""
        return [name for name in self.parameters if name not in AXES]

    def lacks(self, run: Run) -> str:
        """What a run would need for this figure, in a sentence; empty if it suits."""
        try:
            return next((said for need in self.needs if (said := need(run))), "")
        except FileProblem as problem:  # of a seed that has no frames, for instance
            return str(problem)

    def __call__(self, run: Run | Several, *args: P.args, **options: P.kwargs) -> list[Axes]:
        runs = [*run] if isinstance(run, Sequence) else [run]
        require(len(runs) > 0, "runs", runs, "one run or more")
        if not self.several and len(runs) > 1:
            raise Unsupported(f"the figure {self.name!r} is of one run, and {len(runs)} are given")
        for each in runs:
            if said := self.lacks(each):
                raise Unsupported(f"no figure {self.name!r}: {said}")
        given: Any = runs if self.several else runs[0]
        try:
            bound = inspect.signature(self._draw).bind(given, *args, **options)
        except TypeError as error:
            known = ", ".join(self.options)
            raise InvalidInput(self.name, {**options}, f"arguments of {known} ({error})") from None
        own = all(bound.arguments.get(key) is None for key in AXES)
        with style.styled() if own else nullcontext():
            return self._draw(given, *args, **options)

    def __get__(self, plot: Any, owner: type | None = None) -> Callable[P, list[Axes]]:
        """The figure of an object's ``runs``."""

        @functools.wraps(self._draw)
        def drawn(*args: P.args, **options: P.kwargs) -> list[Axes]:
            return self(plot.runs, *args, **options)

        signature = inspect.signature(self._draw)
        _, *rest = signature.parameters.values()
        drawn.__signature__ = signature.replace(parameters=rest)  # type: ignore[attr-defined]
        return drawn if plot is not None else self  # type: ignore[return-value]

    def __repr__(self) -> str:
        return f"Figure({self.name!r})"


class Figures(dict[str, Figure[Any]]):
    """The figures by name."""

    def summary(self) -> dict[str, str]:
        """Each name with the first line of its documentation."""
        return {name: self[name].summary for name in sorted(self)}

    def __missing__(self, name: str) -> Figure[Any]:
        raise UnknownName("figure", name, self)


figures = Figures()


def figure(
    name: str, *needs: Need, several: bool = False
) -> Callable[[Callable[Concatenate[Any, P], list[Axes]]], Figure[P]]:
    """Decorator: enter a function that draws under a name; see `Figure`."""
    require(name.isidentifier(), "figure", name, "a name made of letters, digits and _")

    def enter(draw: Callable[Concatenate[Any, P], list[Axes]]) -> Figure[P]:
        figures[name] = found = Figure(name, draw, needs, several)
        return found

    return enter


def observed(*names: str) -> Need:
    """The run has observed these series."""

    def lacks(run: Run) -> str:
        missing = [name for name in names if name not in run.names]
        if not missing:
            return ""
        return f'no {missing[0]} observed: add "{OBSERVABLES[missing[0]]}" to run.observe'

    return lacks


# The observable that a series comes from.
OBSERVABLES = {"energy": "energy", "dissipation": "dissipation"}


def anything_observed(run: Run) -> str:
    """The run has series."""
    return "" if run.names else 'nothing was observed: add "energy" to run.observe'


def has_frames(run: Run) -> str:
    """The seed that the run shows has frames."""
    return "" if len(run.frames) else f"seed {run.seed} has no frames: {run.stop_reason}"


def several_frames(run: Run) -> str:
    """There are at least two frames."""
    return has_frames(run) or ("" if len(run.frames) > 1 else "the run has one frame only")


def has_blocks(*names: str) -> Need:
    """The particles are neurons with these blocks."""

    def lacks(run: Run) -> str:
        known = ", ".join(run.layout.blocks)
        missing = [name for name in names if name not in run.layout.blocks]
        return f"particles have no block {missing[0]}, only {known}" if missing else ""

    return lacks
