"""What fits into the memory of this machine, asked before anything large is made."""

from __future__ import annotations

import os

from meanfield.errors import require

UNKNOWN = 2**36  # bytes that a machine has which does not say


def installed() -> int:
    """Bytes of memory of this machine; 0 where it does not tell."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, OSError, ValueError):
        return 0


def machine() -> int:
    """Bytes of memory to reckon with."""
    return installed() or UNKNOWN


def require_room(key: str, value: object, numbers: float) -> None:
    """Raise `InvalidInput` if so many numbers of 8 bytes are more than this machine holds.

    Parameters
    ----------
    key : str
        Of the argument that decides how many they are.
    value : object
        What was given.
    numbers : float
        An estimate from below.
    """
    needed, there = 8.0 * numbers, machine()
    expected = f"less: it takes {_size(needed)} of memory, and this machine has {_size(there)}"
    require(needed <= there, key, value, expected)


def _size(size: float) -> str:
    for unit in ("B", "kB", "MB", "GB"):
        if size < 1000:
            return f"{size:.3g} {unit}"
        size /= 1000
    return f"{size:,.0f} TB" if size < 1e9 else f"{size:.3g} TB"
