"""Values of TOML before anybody knows what they are for: what no key takes."""

from __future__ import annotations

import datetime
import math
from collections.abc import Iterator, Mapping
from typing import Any

from meanfield.config.problems import Problems
from meanfield.errors import InvalidInput, dotted

DEEPEST = 16  # tables and lists inside each other
LARGEST = 2**63


def require_possible(tables: Mapping[str, Any], problems: Problems) -> None:
    """Raise `Mistakes` if anything stands there that no key takes."""
    for key, said in _impossible(tables):
        problems.add(said, key)
    problems.finish()


def _impossible(tables: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Dates, NaN, numbers beyond 64 bits, depths: the key, and a sentence."""
    stack: list[tuple[tuple[Any, ...], Any]] = [((), tables)]
    while stack:  # a function that calls itself would end with the deepest file
        place, value = stack.pop()
        if isinstance(value, (Mapping, list)):
            if len(place) > DEEPEST:
                key = _dotted(place[:3])
                yield key, f"{key}: expected at most {DEEPEST} tables and lists inside each other"
                continue
            entries = value.items() if isinstance(value, Mapping) else enumerate(value)
            # An experiment may hold arrays: their numbers are not worth a look.
            stack += [((*place, key), v) for key, v in entries if not _is_ordinary(v)]
        elif isinstance(value, int) and not -LARGEST <= value < LARGEST:
            key = _dotted(place)
            yield key, f"{key}: expected a whole number of 64 bits, below 9.2e18 in size"
        elif isinstance(value, float) and math.isnan(value):
            yield _dotted(place), str(InvalidInput(_dotted(place), value, "a finite number"))
        elif isinstance(value, (datetime.date, datetime.time)):
            said = InvalidInput(_dotted(place), str(value), "text or a number, and no date")
            yield _dotted(place), str(said)


def _is_ordinary(value: Any) -> bool:
    kind = type(value)
    return kind is str or (kind is float and value == value) or kind is bool


def _dotted(place: tuple[Any, ...]) -> str:
    text = ""
    for part in place:
        text = f"{text}[{part}]" if isinstance(part, int) else dotted(text, part)
    return text
