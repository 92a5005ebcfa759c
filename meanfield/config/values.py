"""Values of TOML before anybody knows what they are for: what no key takes."""

from __future__ import annotations

import datetime
import functools
import math
from collections.abc import Iterator, Mapping
from typing import Any

from meanfield.config.problems import Problems
from meanfield.errors import InvalidInput, dotted

DEEPEST = 16  # tables and lists inside each other
LARGEST = 2**63
Place = tuple[Any, ...]  # the keys and numbers that lead to a value


class _Wrong:
    def __repr__(self) -> str:
        return "…"


WRONG: Any = _Wrong()  # in place of what cannot be used; what is wrong with it has been noted


def require_shallow(tables: Mapping[str, Any], problems: Problems) -> None:
    """Raise `Mistakes` if tables and lists lie too deep in each other to be looked at."""
    for place, value in _places(tables):
        if len(place) > DEEPEST and isinstance(value, (Mapping, list)):
            key = _dotted(place[:3])
            said = f"{key}: expected at most {DEEPEST} tables and lists inside each other"
            problems.add(said, key)
    problems.finish()


def possible(tables: Mapping[str, Any], problems: Problems) -> dict[str, Any]:
    """The sections, with `WRONG` for every key that holds a date, NaN, or more than 64 bits."""
    found = {name: {**t} if isinstance(t, Mapping) else t for name, t in tables.items()}
    for place, value in _places(tables):
        said = _why_impossible(place, value)
        if said is None:
            continue
        problems.add(said, _dotted(place), value)
        section, *keys = place
        if keys and isinstance(found[section], dict):
            found[section][keys[0]] = WRONG
        else:
            found[section] = WRONG
    return found


def _why_impossible(place: Place, value: Any) -> str | None:
    if isinstance(value, int) and not -LARGEST <= value < LARGEST:
        return f"{_dotted(place)}: expected a whole number of 64 bits, below 9.2e18 in size"
    if isinstance(value, float) and math.isnan(value):
        return str(InvalidInput(_dotted(place), value, "a finite number"))
    if isinstance(value, (datetime.date, datetime.time)):
        return str(InvalidInput(_dotted(place), str(value), "text or a number, and no date"))
    return None


def _places(tables: Mapping[str, Any]) -> Iterator[tuple[Place, Any]]:
    """Everything inside tables that may be worth a look, and where it is."""
    stack: list[tuple[Place, Any]] = [((), tables)]
    while stack:  # a function that calls itself would end with the deepest file
        place, value = stack.pop()
        yield place, value
        if isinstance(value, (Mapping, list)) and len(place) <= DEEPEST:
            entries = value.items() if isinstance(value, Mapping) else enumerate(value)
            # An experiment may hold arrays: their numbers are not worth a look.
            stack += [((*place, key), v) for key, v in entries if not _is_ordinary(v)]


def _is_ordinary(value: Any) -> bool:
    kind = type(value)
    return kind is str or (kind is float and value == value) or kind is bool


def _dotted(place: Place) -> str:
    return functools.reduce(dotted, place, "")
