"""What was learnt: the function f at chosen times, over one or two of its inputs."""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from meanfield.arrays import Array
from meanfield.ensemble import Ensemble
from meanfield.errors import Unsupported, require
from meanfield.viewing import style
from meanfield.viewing.distribution import at_times
from meanfield.viewing.marks import moment
from meanfield.viewing.planes import check_setting
from meanfield.viewing.registry import figure, has_blocks, has_frames
from meanfield.viewing.sections import Section, section_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from meanfield.config import Setting
    from meanfield.data import FiniteData
    from meanfield.storage import Run

MOST_SAMPLES = 400


@figure("function", has_frames, has_blocks("a", "w"))
def function(
    run: Run,
    times: Sequence[float] | None = None,
    axes: Axes | Sequence[Axes] | None = None,
    *,
    inputs: Sequence[int] | None = None,
    output: int = 0,
    setting: Setting | None = None,
) -> list[Axes]:
    """The learned function: curves over one input, or contours over two.

    Over one input all times share a panel, with the samples and the target. Over two there is a
    panel for each time, and one for the target where it is known; dashes are negative values, and
    the thick line is zero.

    Parameters
    ----------
    run : Run
    times : sequence of float, optional
        The nearest frames. Default: the first, the middle and the last.
    axes : Axes or sequence of Axes, optional
        One, or one for each time and for the target.
    inputs : one or two of int, optional
        Which coordinates vary; the others are at the data's mean. Default: all, up to two.
    output : int
        Which of several outputs.
    setting : Setting, optional
        Network and data. Default: those of the run's experiment.
    """
    known = _setting(run, setting)
    expected = f"a number from 0 to {known.network.outputs - 1}, of an output"
    require(output in range(known.network.outputs), "output", output, expected)
    section, shown = section_of(known, inputs), at_times(run, times)
    x = section.points
    values = [known.network.output(frame, x)[:, output].astype(float) for frame in shown]
    target = _target(known, section, output)
    if len(section.sides) == 1:
        return _curves(known, section, shown, values, target, output, axes)
    one_each = axes is not None and np.size(np.asarray(axes)) == len(shown)
    if target is not None and not one_each:
        values.append(target)
    drawn = style.targets(axes, len(values), "time", columns=4, height=2.3)
    largest = max(float(np.abs(v).max()) for v in values) or 1.0
    levels = _levels(largest)
    titles = [*map(moment, shown), "target"]
    filled = []
    for ax, some, title in zip(drawn, values, titles, strict=False):
        picture = section.over(some)
        # Its lightness goes one way, so that signs are told in grey too.
        shades = ax.contourf(*section.sides, picture, levels, cmap="cividis")
        filled.append(shades)
        widths = np.where(np.abs(levels) < 1e-9 * largest, 1.2, 0.4)
        dashes = ["--" if level < 0 else "-" for level in levels]
        look: dict[str, Any] = {"colors": "black", "linewidths": widths, "linestyles": dashes}
        ax.contour(*section.sides, picture, levels, **look)
        _label(ax, section, title)
    label = "$f$" if known.network.outputs == 1 else f"$f_{{{output}}}$"
    style.colour_bar(filled, drawn, label)
    return drawn


def may_classify(run: Run) -> str:
    """Neurons have two inputs, and the experiment does not say that targets are numbers."""
    if run.layout.columns("w").stop - run.layout.columns("w").start < 2:
        return "it is of two inputs, and the network has one"
    data = tomllib.loads(run.experiment).get("data", {}) if run.experiment else {}
    numbers = data.get("target", {}).get("kind") in ("teacher", "single-index")
    return "the targets are numbers, no classes" if numbers else ""


@figure("decision", has_frames, has_blocks("a", "w"), may_classify)
def decision(
    run: Run,
    times: Sequence[float] | None = None,
    axes: Axes | Sequence[Axes] | None = None,
    *,
    inputs: Sequence[int] | None = None,
    setting: Setting | None = None,
) -> list[Axes]:
    """The regions that are put in each class, over two inputs, with the samples.

    With one output the sign of f decides, with several the largest. Classes have colours
    and markers; the line is where two are equal.

    Parameters
    ----------
    run, times, axes, setting
        As in `function`.
    inputs : two of int, optional
        Which coordinates vary; the others are at the data's mean. Default: the first two.

    Raises
    ------
    Unsupported
        If the targets are not classes: named, ±1, or unit vectors.
    """
    known = _setting(run, setting)
    samples = known.samples
    classes = known.network.outputs if known.network.outputs > 1 else 2
    if not _has_classes(known):
        raise Unsupported("no figure 'decision': the targets are numbers, no classes")
    section = section_of(known, (0, 1) if inputs is None else inputs)
    require(len(section.sides) == 2, "inputs", inputs, "two inputs")
    shown = at_times(run, times)
    drawn = style.targets(axes, len(shown), "time", columns=3, height=2.6)
    x = section.points
    for ax, frame in zip(drawn, shown, strict=True):
        _regions(ax, section, known.network.output(frame, x).astype(float))
        if samples is not None:
            _classified(ax, section, samples, classes)
        _label(ax, section, moment(frame))
    if samples is not None:
        style.legend_below(drawn, drawn[0].get_legend_handles_labels()[0], own=axes is None)
    return drawn


def _has_classes(known: Setting) -> bool:
    """Whether what is learnt are classes: named, or ±1, or unit vectors."""
    from meanfield.data import Labels, Parity
    from meanfield.functionals.losses import are_classes

    if known.samples is not None:
        return bool(known.samples.classes) or are_classes(known.samples.y)
    if isinstance(known.target, Labels):
        return are_classes(known.target.table)
    return known.target is None or isinstance(known.target, Parity)


def _setting(run: Run, given: Setting | None) -> Setting:
    from meanfield.config import setting

    found = setting(run) if given is None else check_setting(given)
    fits = found.network.layout.blocks == run.layout.blocks
    require(fits, "setting.network", found.network, "the network of the run's neurons")
    return found


def _target(known: Setting, section: Section, output: int) -> Array | None:
    """The function that is learnt at the section's points; None if it is not one of x."""
    from meanfield.data import Labels

    if known.target is None or isinstance(known.target, Labels):
        return None
    x = section.points
    found = np.asarray(known.target(x, np.zeros(len(x))), dtype=float)
    return found.reshape(len(x), -1)[:, output]


def _levels(largest: float) -> Array:
    """About a dozen round numbers around 0."""
    from matplotlib.ticker import MaxNLocator

    return np.asarray(MaxNLocator(12, symmetric=True).tick_values(-largest, largest))


def _curves(
    known: Setting,
    section: Section,
    shown: list[Ensemble],
    values: list[Array],
    target: Array | None,
    output: int,
    axes: Any,
) -> list[Axes]:
    one_each = axes is not None and np.size(np.asarray(axes)) == len(shown)
    count = len(shown) if one_each else 1
    drawn = style.targets(axes, count, "panel", height=2.8)
    x = section.sides[0]
    samples = known.samples
    # Where other coordinates vary too, samples do not lie on the curve of their mean.
    whole = known.network.dim == 1 or section.circle
    for ax in drawn:
        if samples is not None and whole and not samples.classes:
            _sampled(ax, section, samples, output)
        if target is not None:
            ax.plot(x, target, color=style.FAINT, linewidth=4, label="target", zorder=1)
        ax.set_xlabel(section.labels[0])
        ax.set_ylabel("$f(x)$" if known.network.outputs == 1 else f"$f_{{{output}}}(x)$")
    for index, (frame, f) in enumerate(zip(shown, values, strict=True)):
        # The end is a plain black line, as in the figure of densities.
        look = style.line(0 if count > 1 else len(shown) - 1 - index)
        drawn[min(index, count - 1)].plot(x, f, label=moment(frame), **look)
    edges = np.array([ax.get_ylim() for ax in drawn])
    for ax in drawn:
        ax.set_ylim(edges.min(), edges.max())
        ax.legend()
    return drawn


def _sampled(ax: Axes, section: Section, samples: FiniteData, output: int) -> None:
    stride = -(-len(samples) // MOST_SAMPLES)
    y = samples.y[::stride, output]
    few = len(y) < 30
    look: dict[str, Any] = {"color": style.GREY, "linewidths": 0, "alpha": 1.0 if few else 0.5}
    where = section.along(samples.x[::stride])
    ax.scatter(where, y, 16 if few else 6, label="samples", zorder=2.5, **look)


def _regions(ax: Axes, section: Section, f: Array) -> None:
    if f.shape[1] == 1:
        level = section.over(f[:, 0])
        shades = ["#FBE7D8", "#B9D6EC"]
        ax.contourf(*section.sides, level, [-np.inf, 0.0, np.inf], colors=shades)
        if level.min() < 0 < level.max():
            ax.contour(*section.sides, level, [0.0], colors="black", linewidths=1.0)
        return
    largest = section.over(f.argmax(axis=1))
    from matplotlib.colors import to_rgb

    for number in np.unique(largest):
        here = np.where(largest == number, 1.0, 0.0)
        colour = to_rgb(style.COLOURS[int(number) % len(style.COLOURS)])
        pale = tuple(0.75 + 0.25 * part for part in colour)
        ax.contourf(*section.sides, here, [0.5, 1.5], colors=[pale])
        ax.contour(*section.sides, here, [0.5], colors="black", linewidths=0.7)


def _classified(ax: Axes, section: Section, samples: FiniteData, classes: int) -> None:
    """The samples with a marker for each class."""
    markers = "os^Dv<>pP*"
    y = samples.y[:, 0]
    names = [*map(style.plain, samples.classes)]
    if not names:
        y = samples.y.argmax(axis=1) if classes > 2 else y > 0
        names = [f"{k}" for k in range(classes)] if classes > 2 else ["$y$ < 0", "$y$ > 0"]
    stride = -(-len(samples) // MOST_SAMPLES)
    colours = [style.NEGATIVE, style.POSITIVE] if classes == 2 else style.COLOURS
    for number in range(classes):
        here = np.flatnonzero(y == number)[::stride]
        colour = colours[number % len(colours)]
        style.dots(
            ax,
            samples.x[here][:, section.inputs],
            12,
            marker=markers[number % len(markers)],
            facecolors="none" if number == 0 else colour,
            edgecolors=colour,
            linewidths=0.7,
            label=names[number],
        )


def _label(ax: Axes, section: Section, title: str) -> None:
    ax.set_xlabel(section.labels[0])
    ax.set_ylabel(section.labels[1])
    ax.set_xlim(*section.sides[0][[0, -1]])
    ax.set_ylim(*section.sides[1][[0, -1]])
    ax.set_title(title)
