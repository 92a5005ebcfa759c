"""The benchmarks compute what they say, on every contender that is installed, at tiny sizes."""

from __future__ import annotations

import dataclasses
import json
import sys
from pathlib import Path

import numpy as np
import pytest

from benchmarks import contender, measure, report, row, rows, run
from benchmarks.work import Attention, Empirical, Gaussian, Morse, Population
from meanfield import benchmark, cli
from meanfield.kernels.compile import DISABLED, set_threads, threads
from tests.conftest import size

# What peers say about themselves is no error of ours.
pytestmark = pytest.mark.filterwarnings("default")

N = size(120, 30)
WORKS = [
    Population(N, 2, activation="relu"),
    Population(N, 3, activation="relu", others=True),
    Population(N, 3, "float32", activation="relu"),
    Population(N, 2, "float32", activation="erf"),
    Population(N, 3, activation="erf"),
    Population(N, 2, activation="erf", others=True),
    *(
        work
        for dtype in ("float64", "float32")
        for work in (
            Empirical(N, 5, dtype, samples=70),
            Empirical(N, 5, dtype, samples=70, outputs=3),
            Empirical(N, 5, dtype, "tanh", samples=70, bias=True),
            Gaussian(N, 2, dtype),
            Morse(N, 2, dtype),
            Attention(N, 3, dtype),
            Attention(N, 20, dtype),
        )
    ),
]


@pytest.fixture(autouse=True)
def _same_threads():
    before = threads()
    yield
    set_threads(before)


def compare(work, peers=""):
    return row.compare(rows.Row(work, threads=1), peers, rounds=1, sample=0.0)


@pytest.mark.parametrize("work", WORKS, ids=lambda work: f"{work}-{work.d}-{work.dtype}")
def test_all_who_are_present_agree(work):
    found = compare(work)
    assert {"ours", "NumPy, chunked"} <= set(found["contenders"])
    assert all(entry["error"] <= work.tolerance for entry in found["contenders"].values())
    assert all("not installed" in reason for reason in found["absent"].values()), found["absent"]
    assert found["best_peer"] in found["contenders"]
    assert not report.is_wrong(found)


class Liar:
    name = "liar"
    matrices = 0

    def morse(self, work):
        return lambda: (2 * work.inputs,)

    def gaussian(self, work):
        return lambda: (work.inputs.a * np.nan, work.inputs.w)

    def attention(self, work):
        raise RuntimeError("no compiler\nand a long story")


class Hoarder(Liar):
    name = "hoarder"
    matrices = 10**12


@pytest.mark.parametrize(
    ("work", "says"),
    [
        (Morse(N, 2), "disagrees"),
        (Gaussian(N, 2), "disagrees"),
        (Attention(N, 3), "failed: RuntimeError: no compiler"),
    ],
)
def test_who_is_wrong_is_named_and_not_timed(monkeypatch, work, says):
    others = lambda *_: [("liar", Liar()), ("hoarder", Hoarder())]  # noqa: E731
    monkeypatch.setattr(row, "contenders", others)
    found = compare(work)
    assert set(found["contenders"]) == {"ours"}
    assert found["absent"]["liar"].startswith(says)
    assert "\n" not in found["absent"]["liar"]
    assert "would need" in found["absent"]["hoarder"]
    assert found["best_peer"] is None


def test_what_is_not_installed_is_named(monkeypatch):
    libraries = {"torch", "jax", "pykeops", "sisyphe"}
    for module in libraries | set(sys.modules):
        if module.partition(".")[0] in libraries:
            monkeypatch.setitem(sys.modules, module, None)
    for path in contender.PEERS[1:]:
        monkeypatch.delitem(sys.modules, f"benchmarks.peers.{path.split('.')[0]}", raising=False)
    absent = {n: str(c) for n, c in contender.contenders(1) if isinstance(c, contender.Absent)}
    assert len(absent) == len(contender.PEERS) - 1
    assert absent["KeOps"].startswith("pykeops")
    assert absent["TorchEager"] == "torch is not installed"


def test_median_sets_disturbed_samples_apart():
    quiet = [measure.Sample(seconds, 0.0) for seconds in (1.0, 3.0, 2.0)]
    noisy = [measure.Sample(9.0, 0.9)] * 4
    assert measure.median(quiet + noisy) == 2.0
    assert measure.median(quiet[1:2] + noisy) == 3.0


def test_samples_are_interleaved_and_slow_runs_get_fewer():
    calls: list[str] = []
    runs = {name: lambda name=name: calls.append(name) for name in ("a", "b")}
    found = measure.interleaved(runs, threads=1, rounds=3, sample=0.0)
    assert calls == ["a", "b"] * 3
    assert {name: len(samples) for name, samples in found.items()} == {"a": 3, "b": 3}
    found = measure.interleaved(runs, threads=1, rounds=3, sample=0.0, patience=0.0)
    assert {name: len(samples) for name, samples in found.items()} == {"a": 1, "b": 1}


@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="Linux only")
def test_peak_memory_sees_what_comes_and_goes():
    found = measure.peak_memory(lambda: np.ones((5_000_000, 2)).sum())
    assert found is not None
    assert 70 < found < 120  # 80 MB


@pytest.fixture(scope="module")
def record():
    """Results of three sizes, and of a measure of the whole."""
    found = [compare(Population(N + i, 2), "NumPy") for i in range(3)]
    for one in found:
        one["threads"] = 2  # as the rows of the picture have
    values = [{"name": "import", "value": 0.123, "unit": "s", "aim": "< 1"}]
    found.append({"name": "Start", "threads": 2, "values": values})
    found[0]["aims"]["ratio"] = 1.0
    return {
        "date": "2024-01-31",
        "command": "make bench",
        "machine": {"processor": "abacus", "cores": 2},
        "versions": {"numpy": "2.0"},
        "rows": {one["name"]: one for one in found},
    }


def test_tables_mark_the_best_peer(record):
    text = report.tables(json.loads(json.dumps(record)))
    lines = [line for line in text.splitlines() if "population" in line]
    assert len(lines) == 3
    assert all(line.count("**") == 2 for line in lines)
    assert "import: 0.123 s" in text
    for found in record["rows"].values():
        assert report.paragraph(found)


def test_front_page_is_replaced_between_its_marks(record, tmp_path):
    page = tmp_path / "README.md"
    page.write_text(f"before\n{report.BEGIN}\nold\n{report.END}\nafter\n")
    report.update(page, record)
    once = page.read_text()
    assert once.startswith("before\n")
    assert once.endswith("after\n")
    assert "old" not in once
    assert once.count("ReLU population") == 1  # the row with an aim
    assert all(word in once for word in ("2024-01-31", "make bench", "abacus", "numpy 2.0"))
    report.update(page, record)
    assert page.read_text() == once
    page.write_text("no marks")
    with pytest.raises(SystemExit, match="lacks the marks"):
        report.update(page, record)


def test_readme_has_the_marks():
    text = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")
    assert text.index(report.BEGIN) < text.index(report.END)


def test_picture_of_time_against_size(record, tmp_path):
    target = tmp_path / "speed.svg"
    assert report.draw(record, target)
    assert all(name in target.read_text() for name in ("NumPy", "ours", "neurons N"))
    fewer = dict(list(record["rows"].items())[:2])
    assert not report.draw({**record, "rows": fewer}, tmp_path / "empty.svg")


def test_rows_have_names_of_their_own(monkeypatch, capsys):
    names = [one.name for one in rows.rows()]
    assert len(set(names)) == len(names)
    monkeypatch.setattr("sys.argv", ["run", "--list"])
    run.main()
    assert set(names) < set(capsys.readouterr().out.splitlines())


@pytest.mark.skipif(DISABLED, reason="a full-sized row")
def test_run_writes_tables_numbers_and_resumes(monkeypatch, tmp_path, capsys):
    arguments = ["run", "--only=tanh.*1 thread", "--peers=NumPy", "--rounds=1"]
    for resumed in ([], ["--update"]):
        monkeypatch.setattr("sys.argv", [*arguments, f"--out={tmp_path}", *resumed])
        with pytest.raises(SystemExit) as ended:
            run.main()
        assert ended.value.code == 0, capsys.readouterr().out
        assert "| tanh on n=398 samples with bias" in capsys.readouterr().out
        written = json.loads((tmp_path / "speed.json").read_text())
        assert len(written["rows"]) == 1
        arguments[1] = "--only=nothing at all"
    assert written["machine"]["cores"] >= 1
    assert written["versions"]["numpy"] == np.__version__


def test_self_check_finds_every_kernel_right(monkeypatch):
    monkeypatch.setattr(benchmark, "SAMPLE", 0.0)
    found = list(benchmark.check(scale=0.01))
    assert all(finding.right for finding in found), found
    kernels = {finding.kernel.split(",")[0].split()[-1] for finding in found}
    assert kernels >= {"population", "layer", "attention"}
    assert {finding.dtype for finding in found} == {"float64", "float32"}
    assert all(finding.milliseconds > 0 and finding.why for finding in found)


def test_bench_prints_writes_and_fails_on_a_wrong_kernel(monkeypatch, tmp_path, capsys):
    case = next(benchmark.cases(0.01))
    monkeypatch.setattr(benchmark, "SAMPLE", 0.0)
    target = tmp_path / "numbers.json"
    command = ["meanfield", "bench", "--threads=1", "--json"]
    for define, code in ((case.define, 0), (lambda: tuple(2 * x for x in case.define()), 1)):
        wrong = dataclasses.replace(case, define=define)
        monkeypatch.setattr(benchmark, "cases", lambda _scale, wrong=wrong: [wrong])
        monkeypatch.setattr("sys.argv", [*command, str(target)])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        assert (ended.value.code or 0) == code
        printed = capsys.readouterr().out
        assert case.title in printed
        assert ("WRONG" in printed) == bool(code)
        (finding,) = json.loads(target.read_text())["findings"]
        assert finding["path"] == case.choice.path
    monkeypatch.setattr("sys.argv", [*command, str(tmp_path / "nowhere" / "numbers.json")])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert ended.value.code == cli.WRONG_INPUT
    assert "does not exist" in capsys.readouterr().err


def test_a_row_that_fails_is_told(monkeypatch):
    assert "exit status" in run.child("benchmarks.row", 1, "no number")
