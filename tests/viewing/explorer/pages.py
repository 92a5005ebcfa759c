"""Reading a page as the browser does, written down a second time and slowly."""

from __future__ import annotations

import base64
import json
import zlib
from html.parser import HTMLParser

import numpy as np


class Page(HTMLParser):
    """The elements of a page, and the text of its scripts by their id."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict]] = []
        self.texts: dict[str, str] = {}
        self._open = ""
        self.feed(page)
        self.about = json.loads(self.texts["about"])

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        self._open = dict(attrs).get("id", tag)

    def handle_endtag(self, tag):
        self._open = ""

    def handle_data(self, data):
        self.texts[self._open] = self.texts.get(self._open, "") + data

    @property
    def stored(self) -> dict[str, dict]:
        return {q["name"]: q for q in self.about["quantities"] if "place" in q}

    def values(self, name: str) -> np.ndarray:
        """A stored quantity, (T, N)."""
        about = self.stored[name]
        shape = len(self.about["times"]), self.about["count"]
        size = shape[0] * shape[1]
        data = zlib.decompress(base64.b64decode(self.texts["numbers"]))
        low, high = (data[(2 * about["place"] + part) * size :][:size] for part in (0, 1))
        codes = np.zeros(shape, int)
        for n, (small, large) in enumerate(zip(low, high, strict=True)):
            t, i = divmod(n, shape[1])
            folded = small + 256 * large
            change = -(folded + 1) // 2 if folded % 2 else folded // 2
            before = codes[t - 1, i] if t else 0
            codes[t, i] = (before + change) % 2 ** about["bits"]
        return about["low"] + codes * ((about["high"] - about["low"]) / (2 ** about["bits"] - 1))

    def half_step(self, name: str) -> float:
        about = self.stored[name]
        return 0.5 * (about["high"] - about["low"]) / (2 ** about["bits"] - 1)
