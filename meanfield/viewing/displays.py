"""What a notebook shows of runs, ensembles, experiments, distances and sweeps.

Each class has a ``_repr_html_`` that asks for its display here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from meanfield.viewing.html import Markup, card, curve, element, folded, scatter, small, table, text

if TYPE_CHECKING:
    from meanfield.config import Experiment
    from meanfield.ensemble import Ensemble
    from meanfield.storage import Run
    from meanfield.sweeps import Chaos, Sweep
    from meanfield.transport import Distance

MOST_POINTS = 1000  # of more particles, so many are drawn
LONGEST = 60  # characters of a value
MOST_COLUMNS = 6  # of a block, that are told one by one


def run(given: Run) -> Markup:
    """Status, series with their curves, seeds, frames, and where the time went."""
    from meanfield.storage import sight_of, summarise
    from meanfield.viewing.summaries import series_of, short

    found, left = series_of(sight_of(given).series, given.layout)
    found = [each for each in found if len(each.times)]
    rows = [
        [
            each.name,
            short(each.first),
            summarise(each.last),
            curve(each.times, each.mean, each.log),
            small("log" if each.log else ""),
        ]
        for each in found
    ]
    times = given.frames.times
    frames = f"{len(times)} frames"
    if len(times):
        frames += f" from time {times[0]:g} to {times[-1]:g}"
    seeds = ", ".join(map(str, given.seeds))
    said = f"{frames}; {'seed' if len(given.seeds) == 1 else 'seeds'} {seeds}"
    return card(
        f"{given.title or 'Run'}: {given.status}",
        small(given.stop_reason),
        table(rows, ["series", "first", "last", "over time", ""]) if rows else "",
        small("; ".join(left)) if left else "",
        f"{said}; {given.path or 'in memory'}",
        small(_spent(given.diagnostics)),
    )


def _spent(diagnostics: Mapping[str, Any]) -> str:
    from meanfield.storage import PARTS

    if "elapsed" not in diagnostics:
        return ""
    parts = {name: diagnostics[name] for name in PARTS if diagnostics.get(name, 0) >= 0.1}
    ordered = sorted(parts.items(), key=lambda part: -part[1])
    words = [f"{name} {seconds:.1f} s" for name, seconds in ordered]
    if diagnostics.get("compiling", 0) >= 0.1:
        words.append(f"compiling {diagnostics['compiling']:.1f} s")
    whole = f"{diagnostics['elapsed']:.1f} s, {diagnostics['steps_per_second']:,.0f} steps/s"
    return ": ".join([whole, *[", ".join(words)] * bool(words)])


def ensemble(given: Ensemble) -> Markup:
    """Blocks with means and standard deviations, masses, and the particles in the plane."""
    shares = given.mass / max(float(given.mass.sum()), np.finfo(float).tiny)
    mean = shares @ given.position.astype(float)
    with np.errstate(over="ignore"):  # of what has left the numbers, infinite
        spread = np.sqrt(np.maximum(0.0, shares @ (given.position.astype(float) - mean) ** 2))
    rows = []
    for name, shape in given.layout.blocks.items():
        columns = range(given.dim)[given.layout.columns(name)]
        frozen = " (frozen)" if name in given.layout.frozen else ""
        for number, column in enumerate(columns[:MOST_COLUMNS]):
            label = f"{name}[{number}]" if shape else name
            rows.append([label + frozen, f"{mean[column]:.4g}", f"{spread[column]:.4g}"])
        if len(columns) > MOST_COLUMNS:
            rows.append([f"{name}: {len(columns) - MOST_COLUMNS} more", "", ""])
    even = np.ptp(given.mass) <= 1e-12 * given.mass.max()
    masses = (
        f"1/{len(given):,} each"
        if even and np.isclose(given.mass.sum(), 1)
        else (f"{given.mass.min():.3g} to {given.mass.max():.3g}, in all {given.mass.sum():.6g}")
    )
    kinetic = "" if given.velocity is None else ", with velocities"
    return card(
        f"Ensemble of {len(given):,} particles{kinetic}",
        small(f"time {given.time:g}, step {given.step}, {given.dtype}; masses {masses}"),
        table(rows, ["column", "mean", "standard deviation"]),
        _cloud(given),
    )


def _cloud(given: Ensemble) -> Markup | str:
    """The particles in the plane that figures would take; nothing where that is a line."""
    from meanfield.viewing.projections import outer, projections

    stride, blocks = -(-len(given) // MOST_POINTS), given.layout.blocks
    if blocks.get("w") == (2,):  # where directions can be seen they say more than norms
        points, labels, equal = given.w, ["w[0]", "w[1]"], True
    else:
        projection = next(iter(projections(given, given).values()))
        points, labels, equal = projection.points(given), [*projection.labels], projection.equal
    if len(labels) < 2:
        return ""
    points = points[::stride]
    second = outer(given)[::stride] < 0 if "a" in blocks else np.zeros(len(points))
    across, up = (label.replace("$", "") for label in labels)
    said = f"{up} over {across}"
    if second.any():
        said += "; hollow: a < 0"
    if stride > 1:
        said += f"; 1 particle in {stride}"
    return Markup(scatter(points, second.astype(bool), equal) + "<br>" + small(said))


def experiment(given: Experiment) -> Markup:
    """Sections and keys; bold is what is not left to its default."""
    parts = []
    for section, changed in given.changed.items():
        keys = given.resolved()[section]
        own = ", ".join(f"{key} = {_short(keys[key])}" for key in keys if key in changed)
        rows = [[element("b", k) if k in changed else k, _short(v)] for k, v in keys.items()]
        parts.append(
            folded(Markup(element("b", f"[{section}] ") + text(own)), table(rows, align="left"))
        )
    return card(given.title or "Experiment", *parts, small("bold: not left to its default"))


def _short(value: Any) -> str:
    """A value as text of some length."""
    said = str(value).lower() if isinstance(value, bool) else str(value)
    return said if len(said) <= LONGEST else f"{said[: LONGEST - 1]}…"


def distance(given: Distance) -> Markup:
    """The value with its error, the method, how it ended, and notes."""
    error = f" ± {given.standard_error:.2g}" if given.standard_error else ""
    rows = [["method", repr(given.method)], ["status", given.status]]
    if given.bias:
        rows.append(["bias", f"{given.bias:.2g}"])
    return card(
        f"Distance {given.value:.6g}{error}", table(rows, align="left"), *map(small, given.notes)
    )


def chaos(given: Chaos) -> Markup:
    """Slopes with their intervals, and N times the errors."""
    scale = "N · error" if given.power == -1 else f"error / step^{given.power:g}"
    rows = [
        [name, str(given.slope(name)), ", ".join(f"{e.value:.4g}" for e in given.constants(name))]
        for name in given.quantities
    ]
    sizes = ", ".join(f"{size:g}" for size in given.sizes)
    return card(
        f"{given.sweep.title}: what {given.key} costs",
        small(f"against {given.against}"),
        table(rows, ["squared error", "slope [95 %]", f"{scale}, {given.key} = {sizes}"]),
    )


def sweep(given: Sweep) -> Markup:
    """The last values at every point of the grid: means and standard deviations over seeds."""
    from meanfield.storage import summarise

    final = given.final
    keys = [dim for dim in final["status"].dims if dim != "seed"]
    names = [name for name in final if final[name].dtype.kind == "f" and "seed" in final[name].dims]
    names = [name for name in names if set(final[name].dims) == {*keys, "seed"}]
    stacked = final.stack(point=keys) if keys else final.expand_dims("point")
    rows = []
    for place in range(stacked.sizes["point"]):
        one = stacked.isel(point=place)
        at = [str(one[key].values) for key in keys]
        rows.append([*at, *(summarise(one[name].values) for name in names)])
    return card(given.title or "Sweep", table(rows, [*keys, *names]))
