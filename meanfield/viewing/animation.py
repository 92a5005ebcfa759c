"""Films: a figure at many times, each picture on the axes, scales and colours of all."""

from __future__ import annotations

import contextlib
import importlib
import os
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from meanfield.arrays import Array
from meanfield.errors import FileProblem, Unsupported, cannot_write, require, require_positive
from meanfield.viewing import style
from meanfield.viewing.registry import Figure

if TYPE_CHECKING:
    from meanfield.storage import Run

ENDINGS = (".gif", ".mp4")
MOST_PICTURES = 120
DPI = 120


def is_film(path: str | os.PathLike[str]) -> bool:
    """Whether a file of this name is a film."""
    return Path(path).suffix.lower() in ENDINGS


def animate(
    path: str | os.PathLike[str],
    figure: Figure[Any],
    run: Run,
    *,
    times: Sequence[float] | None = None,
    seconds: float = 8.0,
    size: tuple[float, float] | None = None,
    **options: Any,
) -> Path:
    """Write a figure at many times as a film.

    Parameters
    ----------
    path : path
        A GIF, or an MP4 (H.264) where the program ffmpeg is installed.
    figure : Figure
        One that takes ``times`` and has a panel for each.
    run : Run
    times : sequence of float, optional
        Default: all frames, at most 120 of them.
    seconds : float
        How long it lasts.
    size : (float, float), optional
        Width and height in inches; default 4.8 by 4.
    **options
        Of the figure.

    Raises
    ------
    FileProblem
        If the folder does not exist, or it cannot be written.
    Unsupported
        For an MP4 without ffmpeg, and a figure that is not of one time.
    """
    from meanfield.storage import durable

    target = Path(path)
    durable.check_place(target)
    film = target.suffix.lower()
    require(film in ENDINGS, "path", str(target), "a name that ends in .gif or .mp4")
    if "times" not in figure.options or "axes" not in figure.parameters:
        raise Unsupported(f"no film of the figure {figure.name!r}: it is not of one time")
    if film == ".mp4" and _ffmpeg() is None:
        raise Unsupported(
            f"{target}: an MP4 needs the program ffmpeg, which is not here: take .gif, or "
            "pip install imageio-ffmpeg"
        )
    require_positive("seconds", seconds)
    if said := figure.lacks(run):
        raise Unsupported(f"no figure {figure.name!r}: {said}")
    pictures = list(_pictures(figure, run, times, size, options))
    write = _write_gif if film == ".gif" else _write_mp4
    try:
        with durable.publishing(target, alone=False) as part:
            write(part, pictures, seconds)
            durable.sync_file(part)
    except OSError as error:
        raise cannot_write(target, error) from None
    return target


def _pictures(
    figure: Figure[Any],
    run: Run,
    times: Sequence[float] | None,
    size: tuple[float, float] | None,
    options: dict[str, Any],
) -> Iterator[Array]:
    """The pictures as (height, width, 3) bytes: one call draws all, on axes of as many figures."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    moments = run.frames.times
    if times is None:
        places = np.linspace(0, len(moments) - 1, MOST_PICTURES).round().astype(int)
        times = [float(moments[place]) for place in np.unique(places)]
    with style.styled():
        figures = [style.new_figure(*(size or (4.8, 4.0))[::-1], shown=False) for _ in times]
        axes: Any = [each.subplots() for each in figures]
        drawn = figure(run, times=times, axes=axes, **options)
        if len(drawn) != len(times) or {*map(id, drawn)} != {*map(id, axes)}:
            raise Unsupported(f"no film of the figure {figure.name!r}: it draws all times at once")
        for each in figures:
            each.set_dpi(DPI)
            canvas = FigureCanvasAgg(each)
            canvas.draw()
            picture = np.asarray(canvas.buffer_rgba())[:, :, :3]
            # The encoder wants even numbers of pixels.
            yield picture[: picture.shape[0] // 2 * 2, : picture.shape[1] // 2 * 2].copy()


def _write_gif(path: Path, pictures: Sequence[Array], seconds: float) -> None:
    from PIL import Image

    first, *rest = (Image.fromarray(picture).quantize(64) for picture in pictures)
    # A frame lasts whole hundredths of a second, and the last one is looked at longer.
    each = max(20, round(1000 * seconds / len(pictures) / 10) * 10)
    lasts = [each] * len(rest) + [max(each, 1000)]
    options: dict[str, Any] = {"save_all": True, "append_images": rest, "loop": 0}
    first.save(path, format="GIF", duration=lasts, disposal=1, **options)


def _write_mp4(path: Path, pictures: Sequence[Array], seconds: float) -> None:
    height, width, _ = pictures[0].shape
    rate = max(1.0, len(pictures) / seconds)
    command = [
        *(str(_ffmpeg()), "-y", "-loglevel", "error", "-f", "rawvideo", "-pix_fmt", "rgb24"),
        *("-s", f"{width}x{height}", "-r", f"{rate:g}", "-i", "-"),
        *("-vcodec", "libx264", "-pix_fmt", "yuv420p", "-f", "mp4", str(path)),
    ]
    frames = b"".join(picture.tobytes() for picture in pictures)
    done = subprocess.run(command, input=frames, capture_output=True)
    if done.returncode:
        said = done.stderr.decode(errors="replace").strip().splitlines() or ["no reason given"]
        raise FileProblem(f"{path}: ffmpeg has failed: {said[-1]}")


def _ffmpeg() -> str | None:
    """The program, where matplotlib is told that it is, or on the path; or that of a package."""
    import matplotlib

    if found := shutil.which(matplotlib.rcParams["animation.ffmpeg_path"]):
        return found
    with contextlib.suppress(ImportError, RuntimeError):
        return str(importlib.import_module("imageio_ffmpeg").get_ffmpeg_exe())
    return None
