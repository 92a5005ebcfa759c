"""Tables that others make: ``measured``, what was timed last; ``listed``, what schemes declare."""

from __future__ import annotations

import json
from typing import Any

from docutils import nodes
from docutils.statemachine import StringList
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from benchmarks import report

RESULTS = report.Path(report.__file__).parent / "results"


def source(record: dict[str, Any]) -> str:
    """When, by which command, on what."""
    machine = record["machine"]
    installed = {k: v for k, v in record["versions"].items() if v != "not installed"}
    versions = ", ".join(f"{name} {number}" for name, number in installed.items())
    return (
        f"Measured {record['date']} by `{record['command']}` on {machine['cores']} cores "
        f"({machine['processor']}): {versions}."
    )


def approximations(record: dict[str, Any]) -> str:
    """A table of each panel: time and errors of every way to sum over pairs."""
    threads = f"{record['threads']} thread{'s' if record['threads'] > 1 else ''}"
    parts = []
    for title, entries in record["panels"].items():
        lines = [f"**{title}**, N = {record['neurons']:,}, {threads}", ""]
        lines += ["| sum | time | error of potential | of gradient |", "|---|---|---|---|"]
        for entry in entries:
            errors = [f"{entry[f'{of}_error']:.1e}" for of in ("potential", "gradient")]
            cells = [entry["name"], f"{1e3 * entry['seconds']:.3g} ms", *errors]
            lines.append("| " + " | ".join(cells) + " |")
        parts.append("\n".join(lines))
    return "\n\n".join(parts)


def orders() -> str:
    """Order, strong and weak order, evaluations and bound of stability of every scheme."""
    from meanfield.schemes import schemes

    lines = [
        "| scheme | order | strong | weak | evaluations | stable to |",
        "|---|---|---|---|---|---|",
    ]
    for name in schemes:
        cls = schemes[name]
        numbers = (cls.order, cls.strong, cls.weak, cls.evaluations, cls.stability)
        cells = [f"{number:.3g}" if number else "–" for number in numbers]
        role = f"{{py:class}}`{name} <meanfield.{cls.__name__}>`"
        lines.append("| " + " | ".join([role, *cells]) + " |")
    return "\n".join(lines)


class Table(SphinxDirective):
    """A directive with one argument, whose `text` is Markdown."""

    required_arguments = 1

    def text(self, name: str) -> str:
        """What it says."""
        raise NotImplementedError

    def run(self) -> list[nodes.Node]:
        """The nodes of it."""
        found = nodes.container(classes=[self.name])
        lines = StringList(self.text(self.arguments[0]).splitlines(), self.name)
        self.state.nested_parse(lines, self.content_offset, found)
        return [found]


class Measured(Table):
    """``measured FILE``: the tables of a JSON file in benchmarks/results, and when it was made."""

    def text(self, name: str) -> str:
        file = RESULTS / f"{name}.json"
        self.env.note_dependency(str(file))
        record = json.loads(file.read_text(encoding="utf-8"))
        made = {"speed": report.tables, "approximations": approximations}[name](record)
        return f"{made}\n\n{source(record)}"


class Listed(Table):
    """``listed orders``: as `meanfield list` prints it."""

    def text(self, name: str) -> str:
        return {"orders": orders}[name]()


def setup(app: Sphinx) -> dict[str, bool]:
    """Known to Sphinx."""
    app.add_directive("measured", Measured)
    app.add_directive("listed", Listed)
    return {"parallel_read_safe": True}
