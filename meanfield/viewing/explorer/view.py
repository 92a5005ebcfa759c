"""The page of a run: written to a file, opened in a browser, or shown in a notebook."""

from __future__ import annotations

import html
import os
import sys
import tempfile
import webbrowser
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from meanfield.errors import FileProblem
from meanfield.progress import in_notebook
from meanfield.storage import Run, durable
from meanfield.viewing.explorer.page import GENERATOR, build
from meanfield.viewing.explorer.room import Wanted

MOST = 2_000_000
HEIGHT = 860  # pixels, in a notebook
HEAD = 1000  # bytes of a page that say whose it is


@dataclass(frozen=True, repr=False)
class View:
    """The page of a run; at the end of a notebook's cell it is shown there.

    Attributes
    ----------
    page : str
        The whole HTML file.
    said : list of str
        What it holds of the run, in sentences.
    path : Path, optional
        Where it was written.
    """

    page: str
    said: list[str]
    path: Path | None = None

    def save(self, path: str | os.PathLike[str], force: bool = False) -> View:
        """Write the page, whole or not at all; another page of a run is replaced.

        Raises
        ------
        FileProblem
            If the folder is missing, or there is something else than a page of a run.
        NotWritten
            If the disk refuses.
        """
        target = check_page(path, force)
        durable.write_text(target, self.page)
        return View(self.page, self.said, target)

    def open(self) -> View:
        """Show the page in the browser, from a temporary file if it was not saved."""
        shown = self
        if shown.path is None:
            shown = self.save(Path(tempfile.mkdtemp(prefix="meanfield-")) / "run.html")
        assert shown.path is not None
        webbrowser.open(shown.path.resolve().as_uri())
        return shown

    def _repr_html_(self) -> str:
        return (
            f'<iframe srcdoc="{html.escape(self.page)}" sandbox="allow-scripts" title="The run" '
            f'style="width: 100%; height: {HEIGHT}px; border: 0"></iframe>'
        )

    def __repr__(self) -> str:
        where = self.path or "not saved"
        return "\n".join([f"View ({where}), {len(self.page) / 1e6:.2f} MB", *self.said])


def view(
    run: Run,
    path: str | os.PathLike[str] | None = None,
    *,
    frames: int | None = None,
    particles: int | None = None,
    coordinates: Sequence[str] | None = None,
    most: int = MOST,
    force: bool = False,
    show: bool | None = None,
) -> View:
    """The page of a run; see ``docs/explorer.md``.

    Parameters
    ----------
    run : Run
        Finished or not. Particles are those of the seed that its ``frames`` show.
    path : path, optional
        Write the page there.
    frames, particles : int, optional
        At most so many of each. Default: up to 60 frames, and what fits.
    coordinates : sequence of str, optional
        Only these, as in ``["a", "w[0]", "|w|"]``; a block stands for all of its columns.
    most : int
        Bytes of the page.
    force : bool
        Replace a file that is no such page.
    show : bool, optional
        Open a browser. Default: unless in a notebook, where the value shows itself.

    Raises
    ------
    InvalidInput, UnknownName, FileProblem
        If what is asked for does not fit, is unknown, or cannot be written there.
    """
    target = None if path is None else check_page(path, force)
    if target is not None and run.path is not None and target.resolve() == run.path.resolve():
        raise FileProblem(f"{target} is the run itself: choose another name")
    made = View(*build(run, Wanted(frames, particles, coordinates, most)))
    if target is not None:
        made = made.save(target, force)
    if show or (show is None and not in_notebook() and has_display()):
        return made.open()
    return made


def check_page(path: str | os.PathLike[str], force: bool = False) -> Path:
    """The path, if a page can be written there; raises `FileProblem` if not."""
    target = Path(path)
    if not target.parent.is_dir():
        raise FileProblem(f"{target}: the folder {target.parent} does not exist")
    if target.is_dir():
        raise FileProblem(f"{target} is a folder: give the name of a file")
    if target.is_file() and not force and not _is_page(target):
        raise FileProblem(
            f"{target} exists already, and is no page of a run: choose another name, or --force"
        )
    return target


def has_display() -> bool:
    """Whether there is a screen that a browser could be opened on."""
    if sys.platform in ("darwin", "win32"):
        return True
    return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


def _is_page(path: Path) -> bool:
    with path.open("rb") as stream:
        return GENERATOR.encode() in stream.read(HEAD)
