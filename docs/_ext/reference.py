"""Pages of the reference, from docstrings: one for each module that `meanfield/__init__.pyi` takes
names from, and for a few more.

Our docstrings are numpydoc, but plain text as far as signs go: |θ|² is no substitution and a*b no
emphasis. So these signs are escaped before reStructuredText sees them. What a docstring mentions in
backticks is linked where it is documented, and else is left as it is.
"""

from __future__ import annotations

import ast
import importlib
import inspect
import re
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx import addnodes
from sphinx.application import Sphinx

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "docs" / "reference"
INTRODUCTION = (
    "What ``import meanfield as mf`` offers, by the module that it comes from, and what these "
    "modules offer besides. Anything else is internal and may change."
)
FURTHER = ("limits", "diagnostics", "kernels", "verification", "viewing")
TITLES = {
    "activations": "Activations",
    "comparison": "Comparing two runs",
    "config": "Experiments as files",
    "data": "Data",
    "diagnostics": "Diagnostics of a measure",
    "ensemble": "Ensembles",
    "errors": "Errors",
    "flows": "Flows",
    "functionals": "Functionals",
    "initial": "Initial laws",
    "interactions": "Interactions",
    "kernels": "Kernels",
    "limits": "Limits",
    "networks": "Networks",
    "observables": "Observables",
    "schedules": "Schedules",
    "schemes": "Schemes",
    "sharpness": "Sharpness",
    "simulation": "Simulation",
    "storage": "Runs on disk",
    "sweeps": "Many runs",
    "tangent": "Tangent kernel",
    "transport": "Transport",
    "verification": "Verification",
    "viewing": "Pictures",
}


def groups() -> dict[str, list[str]]:
    """The public names, by the module that they come from."""
    stub = ast.parse((ROOT / "meanfield" / "__init__.pyi").read_text(encoding="utf-8"))
    found: dict[str, list[str]] = {}
    for statement in stub.body:
        if isinstance(statement, ast.ImportFrom) and statement.module:
            names = [alias.name for alias in statement.names]
            found.setdefault(statement.module, []).extend(names)
    found["storage"].append("open")
    return found | {module: [] for module in FURTHER if module not in found}


def write_pages(app: Sphinx) -> None:
    """Write the pages, those that change; the index lists them."""
    pages = groups()
    FOLDER.mkdir(exist_ok=True)
    for old in {file.stem for file in FOLDER.glob("*.rst")} - {*pages, "index"}:
        (FOLDER / f"{old}.rst").unlink()
    lines = ["API reference", "=============", "", INTRODUCTION, ""]
    lines += [".. toctree::", "   :hidden:", ""]
    lines += [f"   {module}" for module in pages] + [""]
    for module, names in pages.items():
        text, public = page(module, names)
        _write(FOLDER / f"{module}.rst", text)
        listed = ", ".join(f":py:obj:`~{name}`" for name in public)
        lines += [f":doc:`{_title(module)} <{module}>`", f"    {listed}", ""]
    _write(FOLDER / "index.rst", "\n".join(lines))


def page(module: str, names: list[str]) -> tuple[str, list[str]]:
    """The page of a module, and the full names of what it documents."""
    room = importlib.import_module(f"meanfield.{module}")
    top = importlib.import_module("meanfield")
    own = getattr(room, "__all__", _defined(room) if module in FURTHER else [])
    further = [
        name
        for name in own
        if getattr(top, name, None) is not getattr(room, name) and _is_documented(room, name)
    ]
    title = _title(module)
    lines = [title, "=" * len(title), "", *_said(room), ""]
    public = []
    for where, members in ((top, names), (room, further)):
        if not members:
            continue
        if names and where is room:
            lines += [f"Further, in ``{room.__name__}``", "-" * (len(room.__name__) + 16), ""]
        ordered = _by_module(where, members)
        lines += [
            f".. currentmodule:: {where.__name__}",
            "",
            ".. autosummary::",
            "   :nosignatures:",
            "",
        ]
        lines += [f"   {name}" for several in ordered.values() for name in several] + [""]
        for source, several in ordered.items():
            public += [f"{where.__name__}.{name}" for name in several]
            if source != room.__name__ and len(_said(importlib.import_module(source))) > 1:
                first, *rest = _said(importlib.import_module(source))
                lines += [f".. rubric:: {first}", "", "..", *rest, ""]
            for name in several:
                kind = "class" if isinstance(getattr(where, name), type) else "function"
                lines += [f".. auto{kind}:: {name}"]
                lines += ["   :members:", ""] if kind == "class" else [""]
    return "\n".join(lines) + "\n", public


def _by_module(where: Any, names: list[str]) -> dict[str, list[str]]:
    """Names by the module that defines them, whose text belongs to them."""
    found: dict[str, list[str]] = {}
    for name in names:
        found.setdefault(getattr(where, name).__module__, []).append(name)
    return found


def _said(module: Any) -> list[str]:
    """The lines of what a module says about itself; headings there are none of the page's."""
    text = re.sub(r"^(\w+)\n-{3,}$", r"\1\n", inspect.getdoc(module), flags=re.M)
    return escape_lines(text.splitlines())


def _title(module: str) -> str:
    return TITLES.get(module, module)


def _defined(room: Any) -> list[str]:
    """The public names that a module defines itself."""
    return [
        name
        for name, value in vars(room).items()
        if not name.startswith("_") and getattr(value, "__module__", "") == room.__name__
    ]


def _is_documented(room: Any, name: str) -> bool:
    found = getattr(room, name)
    return (inspect.isclass(found) or inspect.isfunction(found)) and bool(inspect.getdoc(found))


def _write(path: Path, text: str) -> None:
    if not path.exists() or path.read_text(encoding="utf-8") != text:
        path.write_text(text, encoding="utf-8")


LITERAL = re.compile(r"(``.+?``|`[^`]+`_?|:\w+:`[^`]+`)")
SIGN = re.compile(r"[|*]|(?<=\w)_(?!\w)")


def escape(app: Sphinx, what: str, name: str, thing: Any, options: Any, lines: list[str]) -> None:
    """Before napoleon reads a docstring."""
    lines[:] = escape_lines(lines)


def escape_lines(lines: list[str]) -> list[str]:
    """Lines whose signs stand for themselves, outside of literals and but for a list's ``*``."""
    found = []
    literal = -1  # the indent of the line that ended in ::
    for line in lines:
        indent = len(line) - len(line.lstrip())
        if literal >= 0 and line.strip() and indent <= literal:
            literal = -1
        if literal >= 0:
            found.append(line)
            continue
        bullet = re.match(r"\s*(\* )?", line).end()
        parts = LITERAL.split(line[bullet:])
        parts[::2] = [SIGN.sub(r"\\\g<0>", part) for part in parts[::2]]
        found.append(line[:bullet] + "".join(parts))
        if line.rstrip().endswith("::"):
            literal = indent
    return found


SHORTER = {
    r"TypeAliasForwardRef\('(\w+)'\)": r"\1",  # how Sphinx keeps an alias beside None
    r"~?numpy\.ndarray\[tuple\[~?\S*Any, \.\.\.\], ~?numpy\.dtype\[~?(?:\w+\.)?(\w+)\]\]": (
        r"NDArray[\1]"
    ),
}


def short_types(
    app: Sphinx, what: str, name: str, thing: Any, options: Any, signature: str, result: str
) -> tuple[str | None, ...]:
    """Types of arrays as they are written in the source."""
    found: list[str | None] = []
    for text in (signature, result):
        for long, short in SHORTER.items():
            text = text and re.sub(long, short, text)
        found.append(text)
    return tuple(found)


def plain_types(app: Sphinx, tree: nodes.document) -> None:
    """Words in the type of a parameter, as in "path, optional", are no names of ours."""
    for node in list(tree.findall(addnodes.pending_xref)):
        if node.get("reftype") == "class" and node["reftarget"].islower():
            node.replace_self(nodes.Text(node["reftarget"]))


def leave(app: Sphinx, env: Any, node: Any, content: nodes.TextElement) -> nodes.Node | None:
    """What docstrings and annotations name, and no page documents, stays text."""
    if node.get("refdoc", "").startswith("docs/reference/") and node["refdomain"] == "py":
        return content
    return None


def setup(app: Sphinx) -> dict[str, bool]:
    """Known to Sphinx."""
    app.connect("builder-inited", write_pages)
    app.connect("autodoc-process-docstring", escape, priority=400)
    app.connect("autodoc-process-signature", short_types)
    app.connect("doctree-read", plain_types)
    app.connect("missing-reference", leave)
    return {"parallel_read_safe": True}
