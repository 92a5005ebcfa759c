"""One HTML file that holds all it needs: a template, styles, scripts and the numbers of a run.

All that comes from the run is JSON in which no character can end a script, or is escaped; the page
puts it into the document as text. A policy in its head forbids it to load anything.
"""

from __future__ import annotations

import html
import json
import re
import tomllib
from collections.abc import Mapping
from importlib import resources
from typing import Any

import numpy as np

from meanfield.arrays import Array
from meanfield.storage import Run
from meanfield.viewing.explorer.curves import panels_of
from meanfield.viewing.explorer.marks import directions
from meanfield.viewing.explorer.movie import Movie, film
from meanfield.viewing.explorer.quantities import Quantity, size_of
from meanfield.viewing.explorer.room import Wanted

GENERATOR = '<meta name="generator" content="meanfield view">'
EARLY = 0.2  # where half of the frames are before this share of the run, they crowd at its start
SLACK = 20_000  # bytes for the names of quantities, the times, sentences
SCRIPTS = ("data", "format", "colours", "pixels", "scatter", "curves", "panel", "main")


def build(run: Run, wanted: Wanted) -> tuple[str, list[str]]:
    """The page of a run, and in sentences what it holds of it.

    Raises
    ------
    InvalidInput, UnknownName
        See `meanfield.viewing.explorer.movie.film`.
    """
    about: dict[str, Any] = {
        "title": run.title,
        "status": run.status,
        "stopReason": run.stop_reason,
        "seed": run.seed,
        "seeds": len(run.seeds),
        "panels": panels_of(run),
        "experiment": run.experiment,
        "provenance": [[key, _text(value)] for key, value in run.provenance.items()],
        "diagnostics": [[key, _text(value)] for key, value in run.diagnostics.items()],
    }
    movie = film(run, wanted, len(_fill(about, "")) + SLACK)
    said = sentences(movie, run)
    about |= _about_particles(movie, run) | {"said": said}
    return _fill(about, movie.to_text()), said


def sentences(movie: Movie, run: Run) -> list[str]:
    """What the page holds of the run, and how exactly."""
    if not movie.channels:
        return [f"Seed {run.seed} has no frames: {run.stop_reason}."]
    particles = _of(len(movie.numbers), movie.of_particles, "particle")
    found = [f"{particles} in {_of(len(movie.times), movie.of_frames, 'frame')}, seed {run.seed}."]
    if len(movie.numbers) < movie.of_particles:
        found.append("They are evenly spaced among all, and their masses scaled to the total.")
    bits = next(iter(movie.channels.values())).bits
    found.append(
        f"Stored numbers have {bits} bits: they are off by at most 1/{2 ** (bits + 1) - 2:,} of "
        "their range over the run."
    )
    if movie.left_out:
        names = ", ".join(movie.left_out[:8])
        more = f" and {len(movie.left_out) - 8} more" if len(movie.left_out) > 8 else ""
        found.append(f"No room for {names}{more}.")
    if movie.cut:
        found.append("What is far outside of where the particles started is drawn at an edge.")
    return found


def _of(count: int, whole: int, noun: str) -> str:
    share = f"{count:,}" if count == whole else f"{count:,} of {whole:,}"
    return f"{share} {noun}" if whole == 1 else f"{share} {noun}s"


def _about_particles(movie: Movie, run: Run) -> dict[str, Any]:
    if not movie.channels:
        return {"quantities": [], "times": [], "count": 0, "numbers": []}
    teacher = directions(run)
    return {
        "times": movie.times.tolist(),
        "steps": movie.steps.tolist(),
        "logarithmic": bool(np.median(movie.times) < EARLY * movie.times[-1]),
        "count": len(movie.numbers),
        "numbers": movie.numbers.tolist() if (np.diff(movie.numbers) != 1).any() else [],
        "jumps": tomllib.loads(run.experiment).get("flow", {}).get("kind") == "birth-death",
        "quantities": [_entry(quantity, movie, run, teacher) for quantity in movie.quantities],
        "show": choices(movie, run),
    }


def _entry(quantity: Quantity, movie: Movie, run: Run, teacher: Array) -> dict[str, Any]:
    found: dict[str, Any] = {"name": quantity.name, "unit": quantity.unit, "note": quantity.note}
    stored = movie.channels.get(quantity.name)
    if stored is None:
        found["made"] = dict(quantity.made)
    else:
        place = list(movie.channels).index(quantity.name)
        found |= {"low": stored.low, "high": stored.high, "bits": stored.bits, "place": place}
    layout = run.layout
    w = layout.columns("w") if "w" in layout.blocks else slice(0, 0)
    if len(teacher) and teacher.shape[1] == w.stop - w.start:
        if quantity.unit == "w" and quantity.row is not None:
            found["teacher"] = (teacher @ quantity.row[w]).tolist()
        elif quantity.name == "angle of w":
            found["teacher"] = (np.arctan2(teacher[:, 1], teacher[:, 0]) / np.pi).tolist()
    return found


def choices(movie: Movie, run: Run) -> dict[str, str]:
    """What the page shows first: the axes, what is a colour, and what an area."""
    layout = run.layout
    names = [quantity.name for quantity in movie.quantities]
    lively = [name for name in names if _varies(name, movie) and name != "mass"]
    wide = max(layout.blocks, key=lambda b: (b == "w", len(range(layout.width)[layout.columns(b)])))
    columns = layout.labels[layout.columns(wide)]
    pairs = [
        columns if len(columns) == 2 else [f"{wide} on axis {i}" for i in (1, 2)],
        [size_of(layout, block) for block in (wide, "b", "a") if block in layout.blocks],
        [name for name in names if name in layout.labels],
    ]
    pairs = [[name for name in pair if name in lively] for pair in pairs]
    axes = next((pair[:2] for pair in pairs if len(pair) > 1), [*[*lively, *names][:1], ""])
    outer = size_of(layout, "a") if "a" in layout.blocks else ""
    plain = outer in lively and outer not in axes
    return {
        "x": axes[0],
        "y": axes[1],  # none: the share of mass below x
        "colour": outer if plain else axes[0],
        "when": "now" if plain else "start",
        "size": "mass" if _varies("mass", movie) else "",
    }


def _varies(name: str, movie: Movie) -> bool:
    """Whether a quantity differs between particles or frames, as far as one can see."""
    known = {quantity.name: quantity for quantity in movie.quantities}
    channel = movie.channels.get(name)
    if channel is not None:
        relative = channel.high - channel.low > 1e-9 * max(abs(channel.low), abs(channel.high))
        return bool(relative and channel.codes.any())
    return any(_varies(of, movie) for of in known[name].made["of"])


def _fill(about: Mapping[str, Any], numbers: str) -> str:
    parts = {
        "generator": GENERATOR,
        "title": html.escape(str(about["title"]) or "meanfield"),
        "style": _read("style.css"),
        "about": _json(about),
        "numbers": numbers,
        "script": "\n".join(_read(f"{name}.js") for name in SCRIPTS),
    }
    # One pass over the template: what is put in is not looked at again.
    return re.sub(r"\{\{(\w+)\}\}", lambda found: parts[found[1]], _read("page.html"))


def _json(value: Any) -> str:
    """JSON, in ASCII, without < > &: no text in it can end the script that holds it."""
    text = json.dumps(value, allow_nan=False, separators=(",", ":"))
    return text.replace("<", r"\u003c").replace(">", r"\u003e").replace("&", r"\u0026")


def _read(name: str) -> str:
    return resources.files(__package__).joinpath(name).read_text(encoding="utf-8")


def _text(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(map(str, value))
    return str(value)
