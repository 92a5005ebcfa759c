"""What the shell offers when the tab key is pressed; nothing heavy is imported for it.

Names that only the package itself knows are asked for once, and kept in the cache folder until the
package changes.
"""

from __future__ import annotations

import contextlib
import importlib.resources
import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import typer

CACHE = "words.json"


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


def settings(incomplete: str) -> list[str]:
    """Keys of experiment files, with ``=``; after it, the values that there are to choose from."""
    known = _known("keys")
    key, equals, value = incomplete.partition("=")
    if not equals:
        return [f"{each}=" for each in _starting(known, incomplete)]
    return [f"{key}={each}" for each in _starting(known.get(key, []), value)]


def series_names(context: typer.Context, incomplete: str) -> list[str]:
    """Series of the run that stands before."""
    with contextlib.suppress(Exception):
        from meanfield.storage import open_run

        with open_run(context.params["out"]) as run:
            return _starting(run.names, incomplete)
    return []


def _starting(names: Iterable[str], incomplete: str) -> list[str]:
    return [name for name in names if name.startswith(incomplete)]


def _files(incomplete: str, endings: tuple[str, ...]) -> list[str]:
    """Files of these endings, unfinished runs by the name that they will have, and folders."""
    folder, _, start = incomplete.rpartition("/")
    base = f"{folder}/" if "/" in incomplete else ""
    found = set()
    with contextlib.suppress(OSError), os.scandir(base or ".") as entries:
        for entry in entries:
            name = entry.name.removesuffix(".parts") if entry.is_dir() else entry.name
            if not name.startswith(start) or (name.startswith(".") and not start):
                continue
            if name.endswith(endings):
                found.add(base + name)
            elif entry.is_dir():
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
    words = {"state": state, "systems": _systems(), "keys": _keys()}
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
