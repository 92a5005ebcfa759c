"""Whether every link between the pages of the built site leads somewhere.

    python docs/check_links.py build/docs/html

Files and anchors of all links and pictures within the site; other sites are not asked. Sphinx
checks what it resolves itself; this sees the pages as they came out.
"""

from __future__ import annotations

import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

LINKS = {"a": "href", "link": "href", "img": "src", "script": "src", "source": "src"}


class Page(HTMLParser):
    """The anchors and the links of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.anchors = {"", "top"}
        self.links: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Gather."""
        found = dict(attrs)
        self.anchors |= {value for key in ("id", "name") if (value := found.get(key))}
        link = found.get(LINKS.get(tag, ""))
        if link:
            self.links.append(link)


def broken(folder: Path) -> list[str]:
    """Every link that leads nowhere, with the page it is on."""
    pages = {
        path.resolve(): Page(path.read_text(encoding="utf-8")) for path in folder.rglob("*.html")
    }
    found = []
    for path, page in pages.items():
        for link in page.links:
            parts = urlsplit(link)
            if parts.scheme or parts.netloc:
                continue
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            if target in pages:
                leads = unquote(parts.fragment) in pages[target].anchors
            else:
                leads = target.exists()
            if not leads:
                found.append(f"{path.relative_to(folder.resolve())}: {link}")
    return sorted(set(found))


if __name__ == "__main__":
    wrong = broken(Path(sys.argv[1]))
    if wrong:
        raise SystemExit("broken links:\n  " + "\n  ".join(wrong))
