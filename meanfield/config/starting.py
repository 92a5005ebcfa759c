"""A file to start from: every section, its keys with their defaults, and what they are.

It is made from the constructors and their documentation. What is chosen here are only values that
have no default, so that the file runs as it stands.
"""

from __future__ import annotations

import os
import re
import textwrap
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import tomli_w

from meanfield.config.arguments import Argument, arguments, members, words
from meanfield.config.data import OfLaw, OfSource, inputs, labels
from meanfield.config.energy import EnergySection
from meanfield.config.files import merged
from meanfield.config.run import RunSection
from meanfield.config.tables import Table, plain
from meanfield.data import laws
from meanfield.errors import FileProblem, require
from meanfield.flows import flows
from meanfield.initial import initials
from meanfield.networks import TwoLayer
from meanfield.registry import Registry
from meanfield.schemes import schemes
from meanfield.storage.durable import write_text

WIDTH = 100

CHOSEN: Table = {
    "network": {"activation": "tanh"},
    "energy": {},
    "ensemble": {"kind": "normal", "count": 200},
    "scheme": {"step": 0.1},
    "run": {"until": 10.0},
}
_DRAWN = {"samples": 200, "test": 1000, "target": {"kind": "teacher", "neurons": 3}}
_CLASSES = {"samples": 200, "test": 1000, "target": {"kind": "labels", "values": [1.0, -1.0]}}
_CENTRES = [[1.0, 1.0], [-1.0, -1.0]]
# For each kind of data, what it needs.
DATA: dict[str, Table] = {
    "gaussian": {"data": {"dim": 5, **_DRAWN}},
    "sphere": {"data": {"dim": 5, **_DRAWN}},
    "hypercube": {"data": {"dim": 10, **_DRAWN, "target": {"kind": "parity", "size": 2}}},
    "gaussian-mixture": {"data": {"dim": 2, "means": _CENTRES, **_CLASSES}},
    "clusters": {"data": {"dim": 5, "centres": _CENTRES, "radius": 0.5, **_CLASSES}},
    "file": {"data": {"path": "data.csv", "target": "y", "test": 0.3}},
    "bundled": {"data": {"name": "breast-cancer", "test": 0.3}, "energy": {"loss": "logistic"}},
    "arrays": {"data": {"x": [[-1.0], [0.0], [1.0]], "y": [1.0, 0.0, 1.0]}},
    "two-gaussians": {
        "data": {"delta": 0.5},
        "network": {"activation": "averaged-ramp", "outer": "fixed"},
        "ensemble": {"mean": {"a": 1.0}, "scale": {"a": 0.0}},
    },
    "spikes": {
        "data": {"angles": [1.0, 3.0], "heights": [1.0, -1.0]},
        "network": {"activation": {"kind": "dirichlet", "degree": 5}},
        "ensemble": {"kind": "sphere", "count": 100},
        # Off the circle the kernel is a polynomial, and neurons run away.
        "flow": {"constraint": {"w": "sphere"}},
        "scheme": {"step": 0.001},
        "run": {"until": 1.0},
    },
}
_WARM = {"energy": {"temperature": 0.001}}
# For each flow, what it needs.
FLOWS: dict[str, Table] = {
    "langevin": _WARM,
    "kinetic": _WARM,
    "stein": _WARM,
    "blob": _WARM,
    "bures-wasserstein": _WARM,
    "conic": {"energy": {"l1": 0.001}, "ensemble": {"signs": ["a"]}},
}


def write(name: str, data: str, flow: str) -> Path:
    """Write `starting_file` to NAME.toml.

    Raises
    ------
    UnknownName
        If there is no such kind.
    FileProblem
        If the file exists, or cannot be written.
    """
    require(Path(name).name not in ("", ".toml"), "NAME", name, "a name")
    path = Path(name if name.endswith(".toml") else f"{name}.toml")
    text = starting_file(path.stem, data, flow)
    if os.path.lexists(path):
        raise FileProblem(f"{path} exists already: choose another name")
    write_text(path, text)
    return path


def starting_file(name: str, data: str = "gaussian", flow: str = "wasserstein") -> str:
    """The text of an experiment file that runs as it stands.

    Parameters
    ----------
    name : str
        Of the experiment.
    data, flow : str
        Their kinds. Data of kind "file" are in ``data.csv`` beside it.

    Raises
    ------
    UnknownName
        If there is no such kind.
    """
    source, motion = inputs[data], flows[flow]
    chosen = merged(merged(CHOSEN, DATA.get(data, {})), FLOWS.get(flow, {}))
    chosen["flow"] = {
        key: value for key, value in chosen.get("flow", {}).items() if key in arguments(motion)
    }
    warm = chosen["energy"].get("temperature", 0.0) > 0
    scheme, use = motion.usual[warm], OfLaw if data in laws else OfSource
    start = initials[chosen["ensemble"]["kind"]]
    sections: dict[str, tuple[str, Registry[Any] | None, Mapping[str, Argument], Table]] = {
        "network": ("The network", None, arguments(TwoLayer), {}),
        "data": ("Where samples come from", inputs, arguments(source), {"kind": data}),
        "energy": ("What descends", None, EnergySection.all_keys(), {}),
        "ensemble": ("How the neurons start", initials, arguments(start), {}),
        "flow": ("How the energy descends", flows, _without_energy(motion), {"kind": flow}),
        "scheme": ("How time is cut", schemes, arguments(schemes[scheme]), {"kind": scheme}),
        "run": ("How long, and what is kept", None, arguments(RunSection), {}),
    }
    lines = [
        f"# {' '.join(name.split())}",
        "#",
        "# What it is, and what to expect. Lines that begin with # are off; what they say is the",
        "# default. `meanfield list` prints what each kind may be.",
    ]
    for section, (title, registry, keys, kind) in sections.items():
        if section == "data":
            keys = {**keys, **arguments(use)}
        table = {**kind, **chosen.get(section, {})}
        lines += ["", f"[{section}]  # {title}", *_section(table, registry, keys)]
        target = table.get("target")
        if isinstance(target, Mapping):
            said = _section(target, labels, arguments(labels[target["kind"]]))
            lines += ["", "[data.target]  # What labels them", *said]
    return "\n".join(lines) + "\n"


def _without_energy(flow: Any) -> Mapping[str, Argument]:
    return {name: each for name, each in arguments(flow).items() if name != "energy"}


def _section(
    table: Mapping[str, Any], registry: Registry[Any] | None, keys: Mapping[str, Argument]
) -> list[str]:
    """A line for each key."""
    lines = []
    if registry is not None:
        kind = table["kind"]
        lines.append(_line(f"kind = {inline(kind)}", registry.summary()[kind]))
    for key, argument in keys.items():
        default = plain(argument.default) if not argument.is_required else None
        if key in table:
            if not (key == "target" and isinstance(table[key], Mapping)):
                lines.append(_line(f"{key} = {inline(table[key])}", argument.about))
        elif argument.default is None or argument.is_required:
            if members(argument.hint):
                lines.append(_line(f"# {key}: {words(argument.hint)}", argument.about))
        else:
            lines.append(_line(f"# {key} = {inline(default)}", argument.about))
    return lines


def _line(code: str, about: str) -> str:
    """A line with a comment, as far as there is room."""
    first = re.split(r"(?<!e\.g)\. |; ", about.replace("``", "").replace("`", ""))[0].rstrip(".")
    room = WIDTH - max(30, len(code)) - 4
    said = textwrap.shorten(first, room, placeholder=" …") if room > 20 else ""
    return f"{code:<30}  # {said}" if said else code


def inline(value: Any) -> str:
    """A value of TOML in one line."""
    if isinstance(value, Mapping):
        entries = ", ".join(f"{key} = {inline(item)}" for key, item in value.items())
        return f"{{ {entries} }}" if entries else "{}"
    if isinstance(value, list):
        return f"[{', '.join(map(inline, value))}]"
    return tomli_w.dumps({"value": value}).removeprefix("value = ").strip()
