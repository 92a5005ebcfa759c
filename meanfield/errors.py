"""What can go wrong, said in one sentence that names the thing, its value and the remedy."""

from __future__ import annotations

import difflib
import errno
from collections.abc import Iterable
from typing import Any


class MeanfieldError(Exception):
    """Base of every error that meanfield raises on purpose."""


class InvalidInput(MeanfieldError, ValueError):
    """An argument or key holds a value that cannot be used.

    Parameters
    ----------
    key : str
        Dotted name of the argument or of the key in the experiment file.
    value : object
        What was given.
    expected : str
        What would be right, as a noun phrase.
    """

    def __init__(self, key: str, value: object, expected: str) -> None:
        self.key, self.value, self.expected = key, value, expected
        super().__init__(f"{key} = {short(value)}: expected {expected}")

    def within(self, section: str) -> InvalidInput:
        """The same error, seen from the section of the file that the key belongs to."""
        key = f"{section}.{self.key}" if section else self.key
        return InvalidInput(key, self.value, self.expected)


class UnknownName(MeanfieldError, LookupError):
    """A name that is not in the registry asked; the message offers the nearest one."""

    def __init__(self, noun: str, name: str, known: Iterable[str]) -> None:
        names = sorted(known)
        near = difflib.get_close_matches(name[:60], names, n=1, cutoff=0.5)
        hint = f"did you mean {near[0]!r}?" if near else "known: " + ", ".join(names)
        super().__init__(f"unknown {noun} {short(name)}; {hint}")


class Unsupported(MeanfieldError):
    """A combination with no implementation, often no closed form; names a way round."""


class NotConverged(MeanfieldError):
    """An iteration that stopped before it had its answer; says how far it was, and what to try."""


class FileProblem(MeanfieldError):
    """A file that is missing, exists already, or does not hold what it should."""


class NotWritten(FileProblem):
    """The disk refuses what a run has to write: it is full, for instance."""


# What a disk says that has no room, or no more of it for this user, or that fails.
REFUSED = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EIO)


def cannot_write(path: object, error: OSError) -> FileProblem:
    """The error to raise instead of the system's: whether it is the path or the disk."""
    kind = NotWritten if error.errno in REFUSED else FileProblem
    return kind(f"{path} cannot be written: {error.strerror or error}")


class Diverged(MeanfieldError):
    """The particles left the finite numbers; says at which step and time, and what to try."""


def dotted(section: str, key: object) -> str:
    """The name of a key in a section, or of an entry of a list; in quotes if no plain word."""
    if isinstance(key, int):
        return f"{section}[{key}]"
    plain = isinstance(key, str) and key.replace("-", "_").isidentifier()
    name = str(key) if plain else short(key)
    return f"{section}.{name}" if section else name


def require(condition: bool, key: str, value: object, expected: str) -> None:
    """Raise `InvalidInput` unless `condition` holds."""
    if not condition:
        raise InvalidInput(key, value, expected)


def require_positive(key: str, value: float) -> None:
    """Raise `InvalidInput` unless `value` is a finite number above zero."""
    require(_is_finite(value) and value > 0, key, value, "a finite number > 0")


def require_nonnegative(key: str, value: float) -> None:
    """Raise `InvalidInput` unless `value` is a finite number, zero or more."""
    require(_is_finite(value) and value >= 0, key, value, "a finite number ≥ 0")


def require_count(key: str, value: Any, least: int = 1) -> None:
    """Raise `InvalidInput` unless `value` is a whole number of at least `least`."""
    whole = hasattr(value, "__index__") and not isinstance(value, bool)
    require(whole and value >= least, key, value, f"a whole number ≥ {least}")


def _is_finite(value: object) -> bool:
    return (isinstance(value, (int, float)) or hasattr(value, "__float__")) and abs(
        float(value)
    ) < float("inf")


def short(value: object, limit: int = 60) -> str:
    """A value in one line."""
    text = " ".join(repr(value).split())  # an array would take several lines
    return text if len(text) <= limit else text[: limit - 1] + "…"
