"""The table of contents: which commands there are, in the order in which one meets them."""

from __future__ import annotations

from typing import NamedTuple

from meanfield.cli.app import app

BESIDES = """
`meanfield COMMAND --help` has examples of each. `meanfield --install-completion` lets the tab key
complete commands, files, keys and names. Documentation: README.md, docs/command-line.md.
"""
START = ("new mine", "run mine.toml", "show mine.h5")


class Entry(NamedTuple):
    """One command.

    Attributes
    ----------
    does : str
        In one line of the contents.
    examples : tuple of str
        What to type after ``meanfield``.
    """

    does: str
    examples: tuple[str, ...]


CONTENTS: dict[str, dict[str, Entry]] = {
    "Run an experiment": {
        "new": Entry(
            "Write an experiment file to start from",
            ("new mine", "new mine --data clusters --flow langevin"),
        ),
        "check": Entry(
            "Find all mistakes in it; print it with all defaults",
            ("check mine.toml", "check mine.toml --set ensemble.count=2000 --json -"),
        ),
        "run": Entry(
            "Run it, and keep what happened in one file",
            ("run teacher-student", "run mine.toml --set scheme.step=0.05 -o mine.h5"),
        ),
        "resume": Entry(
            "Go on with a run that was stopped, or has ended",
            ("resume mine.h5", "resume mine.h5 --until 20 --max-wall 3h"),
        ),
    },
    "Look at a run": {
        "watch": Entry(
            "Follow a run while it goes on, from any machine",
            ("watch mine.h5", "watch mine.h5 risk --every 10s", "watch mine.h5 --once --json -"),
        ),
        "show": Entry(
            "What it was, how it went, every series as a curve",
            ("show mine.h5", "show mine.h5 --json -", "show mine.h5 --experiment > again.toml"),
        ),
        "plot": Entry(
            "Draw it: an overview, figures by name, series",
            ("plot mine.h5 -o mine.pdf", "plot mine.h5 energy paths", "plot mine.h5 --list"),
        ),
        "view": Entry("Explore it in a browser", ("view mine.h5",)),
        "export": Entry(
            "Write it for other programs: CSV, Parquet, NumPy …",
            ("export mine.h5 -o mine.csv", "export mine.h5 --format h5md --frames 0,1,2"),
        ),
        "cite": Entry("BibTeX of what it has used", ("cite mine.h5 > mine.bib",)),
    },
    "Hold it against something": {
        "diff": Entry(
            "Compare two runs: settings, series, neurons, bits",
            ("diff mine.h5 mine-again.h5", "diff mine.h5 other.h5 --json -"),
        ),
        "distance": Entry(
            "How far the neurons of two runs are apart",
            ("distance mine.h5@0 mine.h5", "distance mine.h5 other.h5 --method sliced"),
        ),
        "reproduce": Entry(
            "Hold experiments to the numbers that they claim",
            ("reproduce two-gaussians", "reproduce --reduced --json claims.json"),
        ),
        "verify": Entry(
            "Hold simulations against their limit N → ∞",
            ("verify fisher-rao", "verify --full --json verdicts.json"),
        ),
    },
    "Many runs": {
        "sweep": Entry(
            "An experiment over a grid of keys and seeds",
            ("sweep mine.toml --grid ensemble.count=100,200 --seeds 4",),
        ),
        "chaos": Entry(
            "What finite N costs, or a finite step, with rates",
            ("chaos mine.toml --sizes 50,100,200 --plot chaos.png",),
        ),
    },
    "This installation": {
        "list": Entry(
            "What experiments can be made of, and what fits",
            ("list", "list flows oracles", "list --json - | jq .flows"),
        ),
        "schema": Entry(
            "The keys of experiment files, for editors",
            ("schema -o meanfield.schema.json",),
        ),
        "bench": Entry("Is it fast and right on this machine?", ("bench --threads 4",)),
    },
}


def shown(examples: tuple[str, ...]) -> str:
    """Examples as the help shows them."""
    return "\n".join(f"$ meanfield {example}" for example in examples)


def arrange() -> None:
    """Bring the commands into this order, with their panels, lines and examples."""
    app.info.epilog = f"{shown(START)}\n\n{' '.join(BESIDES.split())}"
    commands = {
        info.name or getattr(info.callback, "__name__", ""): info
        for info in app.registered_commands
    }
    known = {name for entries in CONTENTS.values() for name in entries}
    arranged = []
    for panel, entries in CONTENTS.items():
        for name, entry in entries.items():
            if info := commands.get(name):
                info.short_help, info.rich_help_panel = entry.does, panel
                info.epilog = shown(entry.examples)
                arranged.append(info)
    rest = [info for name, info in commands.items() if name not in known]
    app.registered_commands[:] = arranged + rest
