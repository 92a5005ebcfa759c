"""The command that draws runs."""

from __future__ import annotations

import contextlib
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from meanfield.cli import completion
from meanfield.cli.app import app
from meanfield.cli.options import listed
from meanfield.errors import InvalidInput, UnknownName, require

if TYPE_CHECKING:
    from meanfield.storage import Run
    from meanfield.viewing import Plot


@app.command()
def plot(
    arguments: Annotated[
        list[str],
        typer.Argument(
            metavar="OUT.h5... [NAME]...",
            help="Runs, which are laid over each other; and figures or observed series.",
            autocompletion=completion.runs_and_figures,
        ),
    ],
    picture: Annotated[
        Path | None,
        typer.Option(
            "-o",
            "--out",
            metavar="FILE",
            help="PNG, PDF, SVG, or a film: GIF, MP4 (default: OUT.png, OUT-NAME.png).",
        ),
    ] = None,
    times: Annotated[
        str, typer.Option("--times", metavar="T1,T2…", help="Of the frames to draw.")
    ] = "",
    log: Annotated[
        bool | None, typer.Option("--log/--linear", help="The axis of values.", show_default=False)
    ] = None,
    projection: Annotated[
        str, typer.Option("--projection", metavar="NAME", help="Of particles: plane, pca, …")
    ] = "",
    seed: Annotated[
        int | None, typer.Option("--seed", metavar="N", help="Whose particles (default: first).")
    ] = None,
    size: Annotated[
        str, typer.Option("--size", metavar="WxH", help="In inches, as in 3.4x2.6.")
    ] = "",
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Any further option of the figure."),
    ] = None,
    show: Annotated[
        bool, typer.Option("--list", help="Say which figures suit, and why others do not.")
    ] = False,
) -> None:
    """Draw runs: an overview, figures by their names, or series over time."""
    from meanfield.storage import open_run
    from meanfield.viewing import Plot, figures
    from meanfield.viewing.animation import is_film

    paths, names = _sorted(arguments)
    options = _options(times, log, projection, settings or [])
    inches = _size(size)
    with contextlib.ExitStack() as stack:
        runs = [stack.enter_context(open_run(path)) for path in paths]
        drawn = Plot(*(run if seed is None else run.replica(seed) for run in runs))
        if show:
            print(_table(drawn))
            return
        wanted = _wanted(names, runs)
        of_film = ["seconds"] if picture is not None and is_film(picture) else []
        takes = {name: [*figures[name].options, *of_film] for name in wanted}
        known = dict.fromkeys(key for keys in takes.values() for key in keys)
        for key in sorted(set(options) - set(known)):
            raise InvalidInput(
                f"--{key}", options[key], f"an option of the figure: {', '.join(known)}"
            )
        for name, given in wanted.items():
            taken = {key: value for key, value in options.items() if key in takes[name]}
            target = _target(picture, paths[0], name, alone=len(wanted) == 1)
            drawn.save(target, name, size=inches, **given, **taken)
            print(target)


def _sorted(arguments: list[str]) -> tuple[list[Path], list[str]]:
    """Which are runs and which are names: the first is a run, and what exists or ends like one."""
    from meanfield.storage import exists

    paths, names = [Path(arguments[0])], []
    for text in arguments[1:]:
        if text.endswith(".h5") or exists(text):
            paths.append(Path(text))
        else:
            names.append(text)
    return paths, names


def _wanted(names: list[str], runs: list[Run]) -> dict[str, dict[str, Any]]:
    """The figures that are asked for, with what each is given; series share one."""
    from meanfield.viewing import figures

    if not names:
        return {"overview": {}} if len(runs) == 1 else {"observables": {}}
    known = {*figures, *(name for run in runs for name in run.names)}
    for name in names:
        if name not in known:
            raise UnknownName("figure or series", name, known)
    found: dict[str, dict[str, Any]] = {name: {} for name in names if name in figures}
    series = [name for name in names if name not in figures]
    if series:
        found["observables"] = {"names": series}
    return found


def _options(times: str, log: bool | None, projection: str, settings: list[str]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if times:
        found["times"] = listed("--times", times, float, "times like 0,2.5,10")
    if log is not None:
        found["log"] = log
    if projection:
        found["projection"] = projection
    for text in settings:
        key, equals, value = text.partition("=")
        require(bool(equals) and key.isidentifier(), "--set", text, "KEY=VALUE, as in count=50")
        found[key] = _value(value)
    return found


def _value(text: str) -> Any:
    """A value of TOML; what is none is text."""
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text


def _size(text: str) -> tuple[float, float] | None:
    if not text:
        return None
    expected = "width and height in inches, as in 3.4x2.6"
    try:
        width, height = map(float, text.lower().split("x"))
    except ValueError:
        raise InvalidInput("--size", text, expected) from None
    require(0.5 <= width <= 100 and 0.5 <= height <= 100, "--size", text, expected)
    return width, height


def _target(picture: Path | None, run: Path, name: str, *, alone: bool) -> Path:
    """Where a figure goes; several of them have their names in those of their files."""
    if picture is not None:
        return picture if alone else picture.with_stem(f"{picture.stem}-{name}")
    ending = "" if name == "overview" else f"-{name}"
    return run.with_name(f"{run.stem}{ending}.png")


def _table(drawn: Plot) -> str:
    """Which figures suit and which do not."""
    from meanfield.viewing import figures

    suits = drawn.suits()
    lines = [f"  {name:<14} {figures[name].summary}" for name, said in suits.items() if not said]
    others = [f"  {name:<14} {said}" for name, said in suits.items() if said]
    return "\n".join([*lines, *(["not for this run:", *others] if others else [])])
