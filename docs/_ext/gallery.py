"""The gallery: a page for each shipped experiment, by the directive ``experiment``.

Texts, claims and pictures are those of the experiment's file and of its reduced run (`reduced`), so
that nothing is typed twice.
"""

from __future__ import annotations

import re
from itertools import takewhile
from pathlib import Path
from typing import Any

import reduced
from docutils import nodes
from docutils.statemachine import StringList
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

FOLDER = reduced.ROOT / "docs" / "gallery"
INTRODUCTION = """\
# Gallery

Every experiment that comes with meanfield, each one file with the numbers that it claims. The
pictures are of the reduced size, at which the tests hold the claims and this site is built;
`meanfield reproduce NAME` runs the full size.
"""


def comment(name: str) -> list[str]:
    """The lines of the comment that an experiment file begins with."""
    lines = (reduced.EXPERIMENTS / f"{name}.toml").read_text(encoding="utf-8").splitlines()
    return [line[1:].removeprefix(" ") for line in takewhile(lambda x: x.startswith("#"), lines)]


def header(name: str) -> tuple[str, str]:
    """Title and text of that comment as Markdown."""
    plain = [line if line.startswith("    ") else _escaped(line) for line in comment(name)]
    return plain[0], "\n".join(plain[1:]).strip("\n")


def page(name: str) -> str:
    """The page of an experiment."""
    title, text = header(name)
    begins = len(comment(name)) + 2
    return (
        f"# {title}\n\n{text}\n\n"
        f"```{{experiment}} {name}\n```\n\n"
        f"## The file\n\n"
        f"```{{literalinclude}} ../../experiments/{name}.toml\n"
        f":language: toml\n:lines: {begins}-\n```\n"
    )


def shown(name: str) -> str:
    """The command, claims and pictures of an experiment as Markdown."""
    found = reduced.result(name)
    parts = [f"```console\n$ meanfield reproduce {name}\n```", claims(found["claims"])]
    folder = "/" + reduced.place(name).relative_to(reduced.ROOT).as_posix()
    pictures = {
        variant: f"![{name} {variant}: what was observed, and the neurons]({folder}/{file})"
        for variant, file in found["pictures"].items()
    }
    if len(pictures) == 1:
        parts += pictures.values()
    else:
        tabs = [f":::{{tab-item}} {variant}\n{image}\n:::" for variant, image in pictures.items()]
        parts.append("\n".join(["::::{tab-set}", *tabs, "::::"]))
    for figure, variant in found["closer"].items():
        of = f" of the variant `{variant}`" if variant else ""
        image = f"![{name}: {figure}]({folder}/closer-{figure}.png)"
        parts.append(f"The figure `{figure}`{of}:\n\n{image}")
    return "\n\n".join(parts)


def claims(found: list[dict[str, Any]]) -> str:
    """A table of what is claimed, and what the reduced run has found."""
    lines = ["| claim | number | must be | reduced: must be | is |", "|---|---|---|---|---|"]
    for claim in found:
        cells = [_escaped(claim["says"]), _escaped(claim["what"]), _bounds(claim["expected"])]
        if "number" in claim:
            small = claim["reduced"]
            cells += [_bounds(small), f"{claim['number']:.6g}"]
        else:
            cells += ["not claimed", ""]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def write_pages(app: Sphinx) -> None:
    """Write the pages that change."""
    FOLDER.mkdir(exist_ok=True)
    for old in {file.stem for file in FOLDER.glob("*.md")} - {*reduced.names(), "index"}:
        (FOLDER / f"{old}.md").unlink()
    cards, entries = [], []
    for name in reduced.names():
        _write(FOLDER / f"{name}.md", page(name))
        title, _ = header(name)
        folder = "/" + reduced.place(name).relative_to(reduced.ROOT).as_posix()
        found = reduced.result(name)
        closer = [f"closer-{figure}.png" for figure in found["closer"]]
        first = [*closer, *found["pictures"].values()][0]
        cards.append(
            f":::{{grid-item-card}} {name}\n:link: {name}\n:link-type: doc\n"
            f":img-bottom: {folder}/{first}\n\n{title}\n:::"
        )
        entries.append(f"{name} <{name}>")
    tree = "\n".join(["```{toctree}", ":hidden:", "", *entries, "```"])
    grid = "\n".join(["::::{grid} 1 1 2 2", ":gutter: 3", "", *cards, "::::"])
    _write(FOLDER / "index.md", f"{INTRODUCTION}\n{grid}\n\n{tree}\n")


class Experiment(SphinxDirective):
    """``experiment NAME``: the command that reproduces it, its claims, its pictures."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        """The nodes of it."""
        name = self.arguments[0]
        if name not in reduced.names():
            raise self.error(f"no experiment {name!r}")
        self.env.note_dependency(str(reduced.place(name) / "result.json"))
        found = nodes.container()
        lines = shown(name).splitlines()
        if self.env.docname != f"docs/gallery/{name}":
            lines += ["", f"Setting and file: {{doc}}`{name} </docs/gallery/{name}>`."]
        self.state.nested_parse(StringList(lines, name), self.content_offset, found)
        return found.children


class Drawn(SphinxDirective):
    """``drawn FILE``: a picture that the tutorial draws."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        """The picture."""
        file = reduced.place(reduced.TUTORIAL.stem) / self.arguments[0]
        if not file.exists():
            raise self.error(f"the tutorial draws no {file.name}")
        uri = "/" + file.relative_to(reduced.ROOT).as_posix()
        return [nodes.image(uri=uri, alt=f"{file.name}, as the code above draws it")]


def _bounds(text: str) -> str:
    return _escaped(text) if text else "(only told)"


def _escaped(text: str) -> str:
    """Signs of Markdown stand for themselves, outside of code."""
    parts = re.split(r"(`[^`]*`)", text)
    parts[::2] = [re.sub(r"([\\*_$<\[|])", r"\\\1", part) for part in parts[::2]]
    return "".join(parts)


def _write(path: Path, text: str) -> None:
    if not path.exists() or path.read_text(encoding="utf-8") != text:
        path.write_text(text, encoding="utf-8")


def setup(app: Sphinx) -> dict[str, bool]:
    """Known to Sphinx."""
    app.add_directive("experiment", Experiment)
    app.add_directive("drawn", Drawn)
    app.connect("builder-inited", write_pages)
    return {"parallel_read_safe": True}
