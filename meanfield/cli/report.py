"""What is said of a run: a page for people, a record for programs."""

from __future__ import annotations

import textwrap
import tomllib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from meanfield.cli.output import COLOURS, Line, columns
from meanfield.storage import PARTS, Sight, sight_of, summarise
from meanfield.viewing.summaries import series_of, table

if TYPE_CHECKING:
    from meanfield.storage import Run

VERSIONS = ("meanfield", "numpy", "numba", "scipy", "pot", "h5py")
LABEL = 11  # characters


def describe(run: Run) -> list[Line]:
    """How a run went: status, series, where the time went."""
    sight = sight_of(run)
    return [*_head(run, sight), *_series(run, sight), *_spent(run)]


def page(run: Run) -> list[Line]:
    """What a run was, how it went, and where it comes from."""
    sight = sight_of(run)
    went = [*_series(run, sight), *_spent(run)]
    return [*_head(run, sight), *_what(run), *went, *_origin(run)]


def _line(label: str, text: str) -> Line:
    """A label and what it names, broken into lines where a terminal would break words."""
    margin = " " * (LABEL + 1)
    wrapper = textwrap.TextWrapper(
        columns(), subsequent_indent=margin, break_long_words=False, break_on_hyphens=False
    )
    return wrapper.fill(f"{label:<{LABEL}} {text}"), ""


def _head(run: Run, sight: Sight) -> list[Line]:
    title = run.title or "run"
    head = [(f"{title}: {run.status} ({run.stop_reason})", COLOURS.get(run.status, ""))]
    head.append(_line("file", str(run.path or "in memory")))
    if not _has_begun(run):
        return [*head, _line("reached", "nothing yet: nothing was sealed so far")]
    until = "" if sight.plan is None else f" of {sight.plan.grid.until:g}"
    steps = f"{sight.steps:,} of {sight.total:,} steps"
    head.append(_line("reached", f"time {sight.time:g}{until}, {steps}"))
    final = run.final  # all of it is read: what is damaged is told
    blocks = ", ".join(_block(name, shape) for name, shape in run.layout.blocks.items())
    return [*head, _line("particles", f"{len(final):,} of {blocks}")]


def _has_begun(run: Run) -> bool:
    return "time" in run.file["state"]


def _block(name: str, shape: tuple[int, ...]) -> str:
    return f"{name}[{', '.join(map(str, shape))}]" if shape else name


def _series(run: Run, sight: Sight) -> list[Line]:
    found, left = series_of(sight.series, run.layout)
    found = [each for each in found if len(each.times)]
    if not found:
        return []
    lines: list[Line] = [("", "")]
    for number, text in enumerate(table(found, columns())):
        lines.append((text, "bold" if number == 0 else ""))
    lines += [(text, "dim") for text in left]
    if len(run.seeds) > 1:
        begun = run.seeds[: sight.replica + 1]
        text = f"{len(begun)} of {len(run.seeds)} seeds ({', '.join(map(str, begun))})"
        text += ": curves are means, last is mean ± standard deviation" * (len(begun) > 1)
        lines.append((text, "dim"))
    return [*lines, *_baseline(run), ("", "")]


def _baseline(run: Run) -> list[Line]:
    known = run.provenance
    if not known.get("baseline_name"):
        return []
    scores = [
        f"{key} {summarise(known[f'baseline_{key}'])}"
        for key in ("train_accuracy", "test_accuracy", "test_risk")
        if f"baseline_{key}" in known
    ]
    name = f"{known['baseline_name']} on the same data"
    return [("", ""), _line("baseline", ", ".join([name, *scores]))]


def _spent(run: Run) -> list[Line]:
    spent = run.diagnostics
    if not spent:
        return []
    elapsed = float(spent["elapsed"])
    parts = {name: float(spent[name]) for name in PARTS if spent.get(name)}
    parts = dict(sorted(parts.items(), key=lambda part: -part[1]))
    parts["other"] = max(0.0, elapsed - sum(parts.values()))
    percent = {name: round(100 * part / max(elapsed, 1e-9)) for name, part in parts.items()}
    shares = [f"{name} {share} %" for name, share in percent.items() if share]
    compiling = f", compiling {spent['compiling']:.1f} s of them" if spent["compiling"] > 0 else ""
    speed = f"{spent['steps_per_second']:,.0f} steps/s, {elapsed:.1f} s in all{compiling}"
    lines = [_line("speed", speed), _line("time went", ", ".join(shares))]
    times = run.frames.times
    if len(times):
        kept = f"{len(times)}, from time {times[0]:g} to {times[-1]:g}"
        lines.append(_line("frames", kept))
    return lines


def _origin(run: Run) -> list[Line]:
    known = run.provenance
    versions = ", ".join(f"{name} {known[f'version_{name}']}" for name in VERSIONS)
    lines = [_line("started", f"{known['started']}, ended {known.get('ended', '?')}")]
    if len(sessions := known.get("session_started", [])) > 1:
        lines.append(_line("sessions", f"{len(sessions)}, the last from {sessions[-1]}"))
    lines.append(_line("on", f"{known['platform']}, {known['threads']} threads"))
    return [*lines, _line("with", f"Python {known['python']}, {versions}")]


def _what(run: Run) -> list[Line]:
    """The experiment in a few words; of a run that was started from Python, flow and scheme."""
    if not run.experiment:
        known = run.provenance
        return [_line(key, str(known[key])) for key in ("flow", "scheme") if key in known]
    tables = tomllib.loads(run.experiment)
    count = len(run.seeds)
    seeds = f", {count} seeds" if count > 1 else f", seed {run.seed}"
    network, scheme = tables["network"], tables["scheme"]
    outer = "" if network["outer"] == "trained" else f", outer weights {network['outer']}"
    bias = ", bias" if network["bias"] else ""
    neurons = f"{_kind(network['activation'])}, {network['dim']} → {network['outputs']}"
    start = tables["ensemble"]
    return [
        _line("network", f"{neurons}{bias}{outer}"),
        _line("data", _data(tables["data"])),
        _line("energy", _energy(tables["energy"])),
        _line("start", f"{start['kind']}{seeds}"),
        _line("flow", f"{tables['flow']['kind']}, {scheme['kind']} with step {scheme['step']:g}"),
    ]


def _kind(entry: Any) -> str:
    """The name of an entry of a registry, given as a name or as a table."""
    return str(entry["kind"] if isinstance(entry, Mapping) else entry)


def _data(data: Mapping[str, Any]) -> str:
    words = [str(data["kind"])]
    words += [str(data[key]) for key in ("name", "path") if data.get(key)]
    words += [f"{key} {data[key]:g}" for key in ("samples", "batch", "test") if data.get(key)]
    if target := data.get("target"):
        words.append(f"target {_kind(target)}")
    return ", ".join(words)


def _energy(energy: Mapping[str, Any]) -> str:
    words = [f"{energy.get('loss', 'squared')} risk"]
    if energy.get("log"):
        words = [f"logarithm of {words[0]}"]
    for key in ("l2", "l1", "tv"):
        if energy.get(key):
            words.append(f"{energy[key]:g} {key}")
    for key in ("interaction", "terms"):
        entries = energy.get(key) or []
        words += [_kind(each) for each in (entries if isinstance(entries, list) else [entries])]
    if energy.get("temperature"):
        words.append(f"{energy['temperature']:g} entropy")
    return " + ".join(words)


def record(run: Run) -> dict[str, Any]:
    """A run for programs: what `--json` writes of it."""
    sight = sight_of(run)
    return {
        "file": None if run.path is None else str(run.path),
        "title": run.title,
        "status": run.status,
        "stop_reason": run.stop_reason,
        "stop_code": run.stop_code,
        **progress(sight),
        "particles": len(run.final) if _has_begun(run) else None,
        "seeds": run.seeds,
        "frames": run.frames.times,
        "series": {each.name: each.record() for each in series_of(sight.series, run.layout)[0]},
        "diagnostics": run.diagnostics,
        "provenance": run.provenance,
        "experiment": tomllib.loads(run.experiment) if run.experiment else None,
    }


def progress(sight: Sight) -> dict[str, Any]:
    """How far a run is, for programs."""
    return {
        "time": sight.time,
        "until": None if sight.plan is None else sight.plan.grid.until,
        "steps": sight.steps,
        "total_steps": sight.total,
        "steps_per_second": sight.rate,
    }
