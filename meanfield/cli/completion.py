"""What the shell offers when the tab key is pressed; nothing heavy is imported for it.

Names that only the package itself knows are asked for once, and kept in the cache folder until the
package changes.
"""

from __future__ import annotations

import contextlib
import importlib.resources
import json
import os
from collections.abc import Iterable, MutableMapping
from pathlib import Path
from typing import Any

CACHE = "words.json"
SPLIT = "_MEANFIELD_KEY"  # of which the shell asks for the value alone
NO_SERIES = ("time", "step", "seed", "particle", "coordinate", "position", "mass", "velocity")


def experiments(incomplete: str) -> list[str]:
    """Shipped experiments, and TOML files."""
    folder = importlib.resources.files("meanfield.experiments")
    names = sorted(item.name for item in folder.iterdir())
    shipped = [name.removesuffix(".toml") for name in names if name.endswith(".toml")]
    return [*_starting(shipped, incomplete), *_files(incomplete, (".toml",))]


def runs(incomplete: str) -> list[str]:
    """Runs, finished or not."""
    return _files(incomplete, (".h5",))


def runs_or_experiments(incomplete: str) -> list[str]:
    """What `run` takes; with ``--again`` a run."""
    return [*experiments(incomplete), *runs(incomplete)]


def systems(incomplete: str) -> list[str]:
    """Systems to verify."""
    return _starting(_known("systems"), incomplete)


def sections(incomplete: str) -> list[str]:
    """Sections of the list."""
    return _starting(_known("sections"), incomplete)


def settings(incomplete: str) -> list[str]:
    """Keys of experiment files; where one is left, with the values that it may have."""
    known = _known("keys")
    if key := os.environ.get(SPLIT):
        return _starting(known.get(key, []), incomplete)
    key, equals, value = incomplete.partition("=")
    keys = [key] if equals else _starting(known, incomplete)
    if len(keys) != 1:
        return [f"{each}=" for each in keys]
    found = [f"{keys[0]}={each}" for each in _starting(known.get(keys[0], []), value)]
    return found if found or equals else [f"{keys[0]}="]


def series_names(incomplete: str) -> list[str]:
    """Series that have a name in words; opening the run, to know its own, would take too long."""
    return _starting(_known("series"), incomplete)


def runs_and_figures(incomplete: str) -> list[str]:
    """What `plot` takes: runs, figures and series."""
    figures = _starting(_known("figures"), incomplete)
    return [*runs(incomplete), *figures, *series_names(incomplete)]


def join_words(environment: MutableMapping[str, str]) -> None:
    """Put together what bash takes apart, for which ``KEY=VALUE`` are three words.

    Of the one that is being typed, only the value is asked for: its key is noted.
    """
    if environment.get("_MEANFIELD_COMPLETE") != "complete_bash":
        return
    at = int(environment["COMP_CWORD"])
    words = environment["COMP_WORDS"].split("\n")[: at + 1]
    joined: list[str] = []
    split = False
    for before, word in zip(["", *words], words, strict=False):
        split = "=" in (before, word) and bool(joined)
        if split:
            joined[-1] += word
        else:
            joined.append(word)
    if split:
        environment[SPLIT], _, joined[-1] = joined[-1].partition("=")
    environment["COMP_WORDS"] = "\n".join(joined)
    environment["COMP_CWORD"] = str(len(joined) - 1)


def _starting(names: Iterable[str], incomplete: str) -> list[str]:
    return [name for name in names if name.startswith(incomplete)]


def _files(incomplete: str, endings: tuple[str, ...]) -> list[str]:
    """Files of these endings, unfinished runs by the name that they will have, and folders."""
    base, slash, start = incomplete.rpartition("/")
    base += slash
    found = set()
    with contextlib.suppress(OSError), os.scandir(base or ".") as entries:
        for entry in entries:
            folder = entry.is_dir() and not entry.name.endswith(".parts")
            name = entry.name.removesuffix(".parts") if entry.is_dir() else entry.name
            if not name.startswith(start) or (name.startswith(".") and not start):
                continue
            if name.endswith(endings):
                found.add(base + name)
            elif folder:
                found.add(f"{base}{name}/")
    return sorted(found)


def _known(what: str) -> Any:
    """From the cache, or asked for and put there."""
    state = _state()
    path = _cache()
    with contextlib.suppress(OSError, ValueError):
        found = json.loads(path.read_text(encoding="utf-8"))
        if found["state"] == state:
            return found[what]
    words = {
        "state": state,
        "systems": _systems(),
        "keys": _keys(),
        "series": _series(),
        "figures": _figures(),
        "sections": _sections(),
    }
    with contextlib.suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_suffix(f".{os.getpid()}")
        part.write_text(json.dumps(words), encoding="utf-8")
        part.replace(path)
    return words[what]


def _cache() -> Path:
    general = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    return Path(os.environ.get("MEANFIELD_CACHE_DIR") or Path(general) / "meanfield") / CACHE


def _state() -> list[str]:
    """What changes whenever the package does: its newest source, and where it is."""
    package = Path(__file__).parent.parent
    newest = 0
    for folder in [package, *filter(Path.is_dir, package.iterdir())]:
        for entry in os.scandir(folder):
            if entry.name.endswith(".py"):
                newest = max(newest, entry.stat().st_mtime_ns)
    return [str(package), str(newest)]


def _systems() -> list[str]:
    from meanfield import verification

    return sorted(verification.systems)


def _figures() -> list[str]:
    from meanfield.viewing import figures

    return list(figures)


def _sections() -> list[str]:
    from meanfield import listing

    return list(listing.sections())


def _series() -> list[str]:
    from meanfield.storage.names import LONG_NAMES

    return [name for name in LONG_NAMES if name not in NO_SERIES]


def _keys() -> dict[str, list[str]]:
    """Dotted keys of all kinds, with the values of those that have few."""
    from meanfield.config.schema import experiment_schema

    schema = experiment_schema()
    found: dict[str, list[str]] = {}

    def walk(node: dict[str, Any], key: str, depth: int) -> None:
        values = found.setdefault(key, []) if "." in key else []
        values += [each for each in _choices(node) if each not in values]
        if "$ref" in node and depth < 4:
            name = node["$ref"].rpartition("/")[2].replace("%20", " ")
            walk(schema["$defs"][name], key, depth + 1)
        for each in node.get("anyOf", ()):
            walk(each, key, depth)
        for name, each in node.get("properties", {}).items():
            if depth < 4:
                walk(each, f"{key}.{name}", depth + 1)

    for section, node in schema["$defs"]["changes"]["properties"].items():
        walk(node, section, 0)
    return dict(sorted(found.items()))


def _choices(node: dict[str, Any]) -> list[str]:
    values = [node["const"]] if "const" in node else node.get("enum", [])
    values = ["true", "false"] if node.get("type") == "boolean" else values
    return [str(value) for value in values if isinstance(value, str) and value]
