"""What was measured, told: a paragraph for each row, tables, the README, a picture.

python -m benchmarks.report RESULTS.json [--readme]
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from benchmarks.contender import OURS

Found = dict[str, Any]

BEGIN = "<!-- speed: begin (written by `make bench`) -->"
END = "<!-- speed: end -->"

# Columns of the table: a peer's variants share one, and the fastest of them speaks.
LIBRARIES = {
    "NumPy": ("NumPy, chunked",),
    "PyTorch": ("PyTorch, eager", "PyTorch, SDPA"),
    "autograd": ("PyTorch, autograd",),
    "torch.compile": ("torch.compile", "torch.compile, fused"),
    "JAX": ("JAX, chunked", "JAX, dense"),
    "KeOps": ("KeOps",),
    "SiSyPHE": ("SiSyPHE",),
}


def is_wrong(found: Found) -> bool:
    """Whether ours is missing from a row because its result is not right, or it failed."""
    reason = found.get("absent", {}).get(OURS, "")
    return reason.startswith(("disagrees", "failed"))


def paragraph(found: Found) -> str:
    """All contenders of a row, the fastest first, and who is absent and why."""
    if "values" in found:
        return "\n".join(_value_line(value) for value in found["values"])
    lines = [f"  matrix product: {found['gemm_gflops']:.0f} GF/s"]
    ranked = sorted(found["contenders"].items(), key=lambda item: item[1]["seconds"])
    for name, entry in ranked:
        ratio = f"{entry['ratio']:7.2f}×" if entry["ratio"] else " " * 8
        memory = f"{entry['memory_mb']:8.1f} MB" if entry["memory_mb"] is not None else " " * 11
        best = "  ← best peer" if name == found["best_peer"] else ""
        lines.append(
            f"  {name:<22}{1e3 * entry['seconds']:11.2f} ms {ratio}"
            f"{entry['nanoseconds_per_pair']:9.3f} ns/pair {entry['share_of_gemm']:5.0%} of product"
            f"{memory}  error {entry['error']:.0e}{best}"
        )
    lines += [f"  {name}: {reason}" for name, reason in found["absent"].items()]
    return "\n".join(lines)


def tables(record: Found) -> str:
    """The comparisons and the rest as Markdown."""
    compared = [found for found in record["rows"].values() if "contenders" in found]
    others = [found for found in record["rows"].values() if "values" in found]
    parts = [_comparisons(compared)] if compared else []
    if others:
        parts.append(_others(others))
    return "\n\n".join(parts)


def update(page: Path, record: Found) -> None:
    """Replace what stands between the two marks of a page by the tables of the front rows.

    Raises
    ------
    SystemExit
        If the page has no marks.
    """
    text = page.read_text(encoding="utf-8")
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise SystemExit(f"{page} lacks the marks {BEGIN} and {END}")
    machine = record["machine"]
    versions = ", ".join(f"{name} {number}" for name, number in record["versions"].items())
    source = (
        f"Measured {record['date']} by `{record['command']}` on {machine['cores']} cores "
        f"({machine['processor']}): {versions}."
    )
    front = {**record, "rows": {k: v for k, v in record["rows"].items() if _is_front(v)}}
    body = f"{BEGIN}\n{tables(front)}\n\n{source}\n{END}"
    page.write_text(before + body + after, encoding="utf-8")


def draw(record: Found, target: Path) -> bool:
    """Time against N on several threads, one panel for each dimension, ours and the peers.

    Returns whether there was anything to draw: some work at three sizes at least.
    """
    from meanfield.viewing import files, style

    panels = _sweeps(record["rows"].values())
    if not panels:
        return False
    with style.styled():
        figure = style.new_figure(2.8, shown=False)
        names = list(dict.fromkeys(name for series in panels.values() for name in series))
        names.sort(key=lambda name: name != OURS)
        all_axes = figure.subplots(1, len(panels), sharey=True, squeeze=False)[0]
        for axes, (title, series) in zip(all_axes, panels.items(), strict=True):
            for name, points in series.items():
                counts, seconds = zip(*sorted(points), strict=True)
                width = 2.0 if name == OURS else 1.0
                look = style.line(names.index(name))
                axes.loglog(counts, seconds, ".", ms=4, lw=width, label=name, **look)
            axes.set(title=title, xlabel="neurons N")
        all_axes[0].set_ylabel("seconds per evaluation")
        handles: dict[str, Any] = {}
        for axes in all_axes:
            handles.update(zip(*reversed(axes.get_legend_handles_labels()), strict=True))
        ordered = [name for name in names if name in handles]
        lines = [handles[name] for name in ordered]
        figure.legend(handles=lines, labels=ordered, loc="outside right center")
        files.save(figure, target)
    return True


def _comparisons(found: Iterable[Found]) -> str:
    head = ["work", "time", "ns per pair", "of product", *LIBRARIES]
    body = [_comparison(row) for row in found]
    return _markdown(head, body)


def _comparison(found: Found) -> list[str]:
    contenders = found["contenders"]
    ours = contenders.get(OURS)
    if ours is None:
        reason = found["absent"].get(OURS, "absent")
        return [found["name"], reason, "", "", *("" for _ in LIBRARIES)]
    fastest = _fastest(contenders)
    best = min((v["seconds"] for name, v in fastest.items() if name != OURS), default=None)
    cells = []
    for library in LIBRARIES:
        entry = fastest.get(library)
        ratio = "–" if entry is None else f"{entry['ratio']:.1f}×"
        cells.append(f"**{ratio}**" if entry and entry["seconds"] == best else ratio)
    return [
        found["name"],
        _time(ours["seconds"]),
        f"{ours['nanoseconds_per_pair']:.2f}",
        f"{ours['share_of_gemm']:.0%}",
        *cells,
    ]


def _fastest(contenders: Found) -> Found:
    """Ours, and of each library the fastest variant."""
    found = {OURS: contenders[OURS]} if OURS in contenders else {}
    for library, variants in LIBRARIES.items():
        present = [contenders[name] for name in variants if name in contenders]
        if present:
            found[library] = min(present, key=lambda entry: entry["seconds"])
    return found


def _others(found: Iterable[Found]) -> str:
    body = []
    for row in found:
        cells = [f"{v['name']}: {v['value']:.3g} {v['unit']}".strip() for v in row["values"]]
        body.append([row["name"], "; ".join(cells)])
    return _markdown(["what", "measured"], body)


def _markdown(head: list[str], body: list[list[str]]) -> str:
    table = [head, ["---"] * len(head), *body]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in table)


def _value_line(value: Found) -> str:
    aim = f"  (aim {value['aim']})" if value["aim"] else ""
    return f"  {value['name']:<22}{value['value']:10.3g} {value['unit']}{aim}"


def _time(seconds: float) -> str:
    return f"{seconds:.2f} s" if seconds >= 1 else f"{1e3 * seconds:.3g} ms"


def _is_front(found: Found) -> bool:
    """Whether a row is for the front page: those that aim at a ratio, and the largest."""
    return "values" in found or found["aims"]["ratio"] is not None or found["pairs"] >= 1e10


def _sweeps(found: Iterable[Found]) -> dict[str, dict[str, list[tuple[int, float]]]]:
    """Seconds by N of ours and every library, for each work measured at three sizes or more."""
    panels: dict[str, dict[str, list[tuple[int, float]]]] = {}
    for row in found:
        work = row.get("work", {})
        if work.get("kind") != "population" or work["others"] or row["threads"] == 1:
            continue
        if work["activation"] != "relu" or work["dtype"] != "float64":
            continue
        panel = panels.setdefault(f"{work['title']}, d={work['d']}, float64", {})
        for name, entry in _fastest(row["contenders"]).items():
            panel.setdefault(name, []).append((work["count"], entry["seconds"]))
    return {
        title: series
        for title, series in panels.items()
        if max(len(points) for points in series.values()) >= 3
    }


def main() -> None:
    """Tell again what a file of results holds."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("results", type=Path)
    parser.add_argument("--readme", action="store_true", help="write the table into README.md")
    chosen = parser.parse_args()
    record = json.loads(chosen.results.read_text(encoding="utf-8"))
    print(tables(record))
    draw(record, chosen.results.with_suffix(".svg"))
    if chosen.readme:
        update(Path(__file__).resolve().parents[1] / "README.md", record)


if __name__ == "__main__":
    main()
