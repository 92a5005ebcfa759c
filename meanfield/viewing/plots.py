"""The figures of a run as methods, ``run.plot.energy()``; and as files."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from meanfield.errors import FileProblem, UnknownName, require
from meanfield.viewing import style
from meanfield.viewing.animation import animate, is_film
from meanfield.viewing.directions import directions
from meanfield.viewing.distribution import distribution, marginals
from meanfield.viewing.energy import dissipation, energy
from meanfield.viewing.files import check_picture, save
from meanfield.viewing.functions import decision, function
from meanfield.viewing.genealogies import genealogy
from meanfield.viewing.overview import overview, whole
from meanfield.viewing.paths import paths
from meanfield.viewing.radial import radial
from meanfield.viewing.registry import figures
from meanfield.viewing.series import observables, series
from meanfield.viewing.transport import distances, matching, matrix

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from meanfield.storage import Run

Size = tuple[float, float]


class Plot:
    """The figures of a run, or of several that are laid over each other.

    Every figure is a method that draws and returns its axes: ``run.plot.energy(log=True)``. Called
    itself it draws the overview: ``run.plot("overview.png")``.

    Parameters
    ----------
    runs : Run or sequence of Run
    """

    decision = decision
    directions = directions
    dissipation = dissipation
    distribution = distribution
    energy = energy
    function = function
    genealogy = genealogy
    marginals = marginals
    distances = distances
    matching = matching
    matrix = matrix
    observables = observables
    overview = whole
    paths = paths
    radial = radial
    series = series

    def __init__(self, *runs: Run) -> None:
        require(len(runs) > 0, "runs", runs, "one run or more")
        self.runs: Sequence[Run] = runs

    def __call__(
        self,
        path: str | os.PathLike[str] | None = None,
        names: str | Sequence[str] | None = None,
    ) -> Figure:
        """Draw the overview; see `meanfield.viewing.overview`."""
        require(len(self.runs) == 1, "runs", len(self.runs), "one run for an overview")
        return overview(self.runs[0], path, names)

    def save(
        self,
        path: str | os.PathLike[str],
        name: str = "overview",
        *,
        size: Size | None = None,
        **options: Any,
    ) -> Path:
        """Draw a figure into a file; an older one is replaced.

        Parameters
        ----------
        path : path
            PNG, PDF or SVG, by its ending; for GIF and MP4 see `animate`.
        name : str
            Of the figure.
        size : (float, float), optional
            Width and height in inches.
        **options
            Of the figure.

        Raises
        ------
        FileProblem
            If the ending is another one, or the folder does not exist.
        Unsupported
            If the figure does not suit the run.
        """
        if is_film(path):
            return self.animate(path, name, size=size, **options)
        target = check_picture(path)
        with style.on(style.Sheet(shown=False, size=size)), style.styled():
            drawn = figures[name](self.runs, **options)
            found: Any = drawn[0].get_figure(root=True)
            save(found, target)
        return target

    def animate(
        self,
        path: str | os.PathLike[str],
        name: str = "",
        *,
        times: Sequence[float] | None = None,
        seconds: float = 8.0,
        size: Size | None = None,
        **options: Any,
    ) -> Path:
        """Write a figure at many times as a film; an older one is replaced.

        Parameters
        ----------
        path : path
            A GIF, or an MP4 where the program ffmpeg is installed.
        name : str
            Of a figure with a panel for each time. Default: "paths", or "distribution" where
            particles have none.
        times : sequence of float, optional
            Default: all frames, at most 120 of them.
        seconds : float
            How long it lasts.
        size : (float, float), optional
            Width and height in inches.
        **options
            Of the figure.

        Raises
        ------
        Unsupported
            For an MP4 without ffmpeg; for a figure that is not of one time, or does not suit.
        """
        require(len(self.runs) == 1, "runs", len(self.runs), "one run for a film")
        run = self.runs[0]
        if name in ("", "overview"):
            name = "distribution" if figures["paths"].lacks(run) else "paths"
        given: dict[str, Any] = {"times": times, "seconds": seconds, "size": size}
        return animate(path, figures[name], run, **given, **options)

    def suits(self) -> dict[str, str]:
        """Every figure by name, with what these runs lack for it; empty if it suits."""
        found = {}
        for name, figure in sorted(figures.items()):
            lacking = (figure.lacks(run) for run in self.runs)
            found[name] = next(filter(None, lacking), "")
            if len(self.runs) > 1 and not figure.several:
                found[name] = "it is of one run"
        return found

    def __getattr__(self, name: str) -> Callable[..., list[Axes]]:
        if name.startswith("_"):
            raise AttributeError(name)
        if name not in figures:
            raise AttributeError(str(UnknownName("figure", name, figures)))
        return figures[name].__get__(self)

    def __dir__(self) -> list[str]:
        return sorted({*super().__dir__(), *figures})

    def __repr__(self) -> str:
        return "\n".join(f"{name:<14} {said or 'ok'}" for name, said in self.suits().items())


def overlay(*runs: Run) -> Plot:
    """The figures of several runs, laid over each other with the seeds of each as a band.

    ``mf.overlay(a, b).energy()``; runs are told by the keys of their experiments that differ, their
    titles, or their files.

    Raises
    ------
    FileProblem
        If something given is not a run.
    """
    from meanfield.storage import Run

    for each in runs:
        if not isinstance(each, Run):
            raise FileProblem(f"{each!r} is not a run: open its file by mf.open")
    return Plot(*runs)
