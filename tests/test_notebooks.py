"""The notebooks run from top to bottom at small sizes, and hold no outputs in git."""

from __future__ import annotations

import re
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_notebook

from meanfield.progress import Display, display_of

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "notebooks"
NOTEBOOKS = sorted(path.stem for path in FOLDER.glob("*.ipynb"))
KERNEL = {"display_name": "Python 3", "language": "python", "name": "python3"}
# What the cell "parameters" of each is in the tests.
SMALL = {
    "01-first-flow": "neurons, until = 60, 40.0",
    "02-reading-runs": "neurons, until, seeds = 50, 20.0, 2",
    "03-your-own": "neurons, until = 60, 20.0",
    "04-noise": "particles, neurons, until = 1000, 300, 20.0",
    "05-finite-to-limit": "sizes, replicas, jobs = [8, 16, 32], 4, 1",
    "06-transport": "neurons, until, seeds = 60, 30.0, [0, 1]",
    "07-lazy-or-rich": "neurons, samples, dim, until = 100, 100, 20, 30.0",
    "08-sgd-to-wasserstein": "many, few, until, replicas, cells = 400, 20, 50.0, 12, 200",
}
COMPILING = "compiling kernels for this machine"

pytestmark = [
    # Of the libraries that talk to the kernel.
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]


@pytest.fixture
def execute(tmp_path, monkeypatch):
    """Run a notebook in a kernel of its own."""
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.delenv("MPLBACKEND", raising=False)

    def execute(notebook: NotebookNode) -> NotebookNode:
        folder = {"metadata": {"path": str(tmp_path)}}
        return NotebookClient(notebook, timeout=300, resources=folder).execute()

    return execute


def read(name: str) -> NotebookNode:
    return nbformat.read(FOLDER / f"{name}.ipynb", as_version=4)


def said(notebook: NotebookNode, stream: str) -> str:
    outputs = [out for cell in notebook.cells for out in cell.get("outputs", [])]
    return "".join(out.text for out in outputs if out.get("name") == stream)


def test_every_notebook_has_a_small_size():
    assert list(SMALL) == NOTEBOOKS


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_a_notebook_is_stripped(name):
    notebook = read(name)
    nbformat.validate(notebook)
    assert notebook.metadata == {"kernelspec": KERNEL, "language_info": {"name": "python"}}
    assert len({cell.id for cell in notebook.cells}) == len(notebook.cells)
    for cell in notebook.cells:
        assert set(cell.metadata) <= {"tags"}
        if cell.cell_type == "code":
            assert cell.outputs == []
            assert cell.execution_count is None


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_a_notebook_runs_from_top_to_bottom(name, execute):
    notebook, cells = read(name), []
    for cell in notebook.cells:
        if "parameters" in cell.metadata.get("tags", []):
            names = [line.split(" = ")[0] for line in (cell.source, SMALL[name])]
            assert names[0] == names[1]
            cell.source = SMALL[name]
        cells.append(cell)
        if cell.cell_type == "markdown":  # the solutions of exercises
            hidden = re.findall(r"^```python\n(.*?)^```", cell.source, re.M | re.S)
            cells += [new_code_cell(code) for code in hidden]
    notebook.cells = cells
    done = execute(notebook)
    wrong = [line for line in said(done, "stderr").splitlines() if COMPILING not in line]
    assert wrong == []
    pictures = [out for cell in done.cells for out in cell.get("outputs", []) if "data" in out]
    assert sum("image/png" in out.data for out in pictures) >= 3


PROGRESS = """
import meanfield as mf
from meanfield import progress

def simulate(**given):
    flow = mf.Wasserstein(mf.L2())
    start, plain = mf.NormalInit(10), mf.Layout.plain(2)
    mf.simulate(flow, start, layout=plain, scheme=mf.Heun(0.01), until=1.0, **given)
"""


def test_elsewhere_nothing_is_shown():
    assert type(display_of(None)) is type(display_of(False)) is Display


def test_progress_is_shown_in_notebooks_of_long_runs_only(execute):
    kept = "kept = []\nclass Kept(progress.Notebook):\n    def _draw(self, content):\n"
    kept += "        kept.append(content)\n        super()._draw(content)\n"
    cells = [
        PROGRESS,
        "simulate()",
        "progress.BRIEF = progress.LIVE = 0.0",  # from now on every run is a long one
        "simulate()",
        "simulate(progress=False)",
        f"{kept}simulate(progress=Kept())\nprint(len(kept), kept[50])",
    ]
    done = execute(new_notebook(cells=[new_code_cell(code) for code in cells]))
    outputs = [cell.outputs for cell in done.cells]
    assert [len(each) for each in outputs] == [0, 0, 0, 1, 0, 2]
    last = outputs[3][0].data["text/html"]
    assert "finished: reached time 1 in 100 steps" in last
    assert "<svg" not in last
    (text,) = [out.text for out in outputs[5] if out.output_type == "stream"]
    assert text.startswith("101 ")
    assert all(part in text for part in ("<progress", "<path", "steps/s", "left", "energy"))
