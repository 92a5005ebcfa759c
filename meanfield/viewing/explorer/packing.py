"""Numbers of many particles in few bytes.

A channel is a quantity of all particles in all frames, as whole numbers of 12 to 16 bits between
its smallest and its largest value. Of each particle the first number is kept, and how it changes
from frame to frame, modulo 2^bits, with small changes of either sign as small numbers. The low
bytes of a channel come first and then the high ones, which deflate makes short; the page does the
same backwards.
"""

from __future__ import annotations

import base64
import zlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from meanfield.arrays import Array

Codes = NDArray[np.uint16]


@dataclass(frozen=True)
class Channel:
    """A quantity of particles over frames, made ready for a page.

    Attributes
    ----------
    low, high : float
        What the smallest and the largest whole number stand for.
    bits : int
    codes : (T, N) array
        Whole numbers from 0 to 2^bits - 1.
    """

    low: float
    high: float
    bits: int
    codes: Codes

    @property
    def step(self) -> float:
        """Between one number and the next; a value is at most half of it off."""
        return self.high / (2**self.bits - 1) - self.low / (2**self.bits - 1)

    @property
    def values(self) -> Array:
        """What the page shows, (T, N)."""
        share = self.codes / (2**self.bits - 1)
        return self.low * (1 - share) + self.high * share

    def to_bytes(self) -> bytes:
        """All low bytes, then all high ones, of the differences between frames: 2TN bytes."""
        codes = self.codes.astype(np.int32)
        differences: Array = np.diff(codes, axis=0, prepend=0)
        half = 1 << (self.bits - 1)
        wrapped = (differences + half) % (1 << self.bits) - half
        folded = np.where(wrapped < 0, -2 * wrapped - 1, 2 * wrapped).astype(np.uint16)
        return (folded & 255).astype(np.uint8).tobytes() + (folded >> 8).astype(np.uint8).tobytes()


def quantise(values: Array, bits: int) -> Channel:
    """Whole numbers for finite values (T, N)."""
    low, high = float(values.min()), float(values.max())
    half = 0.5 * high - 0.5 * low or 1.0  # no overflow where they are near the largest float
    share = (0.5 * values - 0.5 * low) / half
    codes = np.rint(share * (2**bits - 1)).astype(np.uint16)
    return Channel(low, high, bits, codes)


def pack(channels: Sequence[Channel]) -> str:
    """The channels one after the other, as text for a page."""
    return base64.b64encode(deflated(channels)).decode("ascii")


def deflated(channels: Sequence[Channel]) -> bytes:
    """The same before it is text."""
    # Made for small numbers that are nearly random: they are not searched for short repetitions.
    made = zlib.compressobj(6, strategy=zlib.Z_FILTERED)
    return b"".join([*(made.compress(channel.to_bytes()) for channel in channels), made.flush()])
