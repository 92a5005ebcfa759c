"""The command line: what it does, and what it says to a user's mistake."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import meanfield as mf
from meanfield.kernels import compile as compiling
from tests.conftest import EXPERIMENT


def test_run_show_plot(experiment, call):
    code, out, err = call("run", experiment)
    assert code == 0, err
    assert "finished" in out
    assert Path("small.h5").is_file()
    assert not Path("small.h5.part").exists()
    code, out, _ = call("show", "small.h5")
    assert code == 0
    for expected in ("finished", "risk", "numpy", "network     tanh"):
        assert expected in out
    for suffix in ("png", "pdf", "svg"):
        code, out, _ = call("plot", "small.h5", "-o", f"figure.{suffix}")
        assert code == 0
        assert Path(f"figure.{suffix}").stat().st_size > 1000
    code, _, _ = call("plot", "small.h5", "risk", "l2")
    assert code == 0
    assert Path("small-observables.png").is_file()
    code, out, _ = call("plot", "small.h5", "energy", "distribution", "-o", "both.svg")
    assert (code, out.split()) == (0, ["both-energy.svg", "both-distribution.svg"])
    assert all(Path(name).is_file() for name in out.split())


def test_a_finished_run_is_not_run_again(experiment, call):
    call("run", experiment)
    before = Path("small.h5").read_bytes()
    for command in (["run", experiment], ["resume", "small.h5"]):
        code, out, _ = call(*command)
        assert code == 0
        assert out.startswith("small.h5 is there already, run to time 1: nothing is left to do")
        assert Path("small.h5").read_bytes() == before
    code, _, err = call("run", experiment, "--set", "run.until=2.0")
    assert code == 2
    assert "another run.until: go on from it (meanfield resume small.h5 --until T), repl" in err
    code, _, err = call("run", experiment, "--set", "energy.l2=0.2")
    assert code == 2
    assert "another energy.l2: continue it with what it was begun with, replace it" in err
    code, out, _ = call("resume", "small.h5", "--until", "2")
    assert (code, out.startswith("small: time 0 to 2 with Euler")) == (0, True)


VARIANTS = """
[variants.short]
run = { until = 0.5 }
[variants.long]
[reduced]
ensemble = { count = 3 }
[[claims]]
says = "longer is lower"
series = "energy"
of = "long"
minus = { of = "short" }
below = 0.0
"""


def test_variants_run_one_after_the_other(experiment, call):
    experiment.write_text(EXPERIMENT + VARIANTS)
    code, out, err = call("run", experiment)
    assert code == 0, err
    assert "small: short" in out
    with mf.open("small-short.h5") as short, mf.open("small-long.h5") as long:
        assert (short.final.time, long.final.time) == (0.5, 1.0)
    assert call("run", experiment, "--variant", "long", "-o", "mine.h5", "-q")[0] == 0
    assert Path("mine.h5").is_file()
    code, out, err = call("run", experiment, "--force", "--variant", "wide")
    assert (code, out) == (2, "")
    assert "unknown variant 'wide'" in err
    code, out, _ = call("check", experiment)
    assert "# variant short" in out
    code, out, _ = call("check", experiment, "--variant", "short")
    assert "until = 0.5" in out
    assert "until = 1.0" not in out


def test_no_variant_is_run_if_one_cannot_be_written(experiment, call):
    experiment.write_text(EXPERIMENT + VARIANTS)
    Path("small-long.h5").write_text("mine")
    code, _, err = call("run", experiment)
    assert code == 2
    assert "small-long.h5 is not a run of meanfield: it is not replaced" in err
    assert not Path("small-short.h5").exists()


def test_reproduce(experiment, call, tmp_path):
    experiment.write_text(EXPERIMENT + VARIANTS)
    code, out, err = call("reproduce", experiment, "-q", "--json", "numbers.json")
    assert code == 0, err
    assert "yes  longer is lower: energy of long - energy of short = -" in out
    (found,) = json.loads(Path("numbers.json").read_text())["small"]
    assert found["holds"] is True
    assert found["number"] < 0
    assert not list(tmp_path.glob("*.h5"))
    Path("runs").mkdir()
    assert call("reproduce", experiment, "--reduced", "-q", "-o", "runs")[0] == 0
    with mf.open("runs/small-long.h5") as run:
        assert len(run.final) == 3
    experiment.write_text((EXPERIMENT + VARIANTS).replace("below", "above"))
    code, out, _ = call("reproduce", experiment, "-q")
    assert code == 1
    assert "NO   longer is lower" in out


def test_again_and_diff(experiment, call):
    assert call("run", experiment, "-q")[0] == 0
    assert call("run", "small.h5", "--again", "-q")[0] == 0
    code, out, _ = call("diff", "small.h5", "small-again.h5", "--json", "numbers.json")
    assert (code, out.splitlines()[0]) == (0, "small.h5 and small-again.h5: the same bits")
    assert json.loads(Path("numbers.json").read_text())["same_bits"] is True
    assert call("run", experiment, "-q", "-o", "other.h5", "--set", "run.seed=1")[0] == 0
    code, out, _ = call("diff", "small.h5", "other.h5")
    assert code == 1
    assert "run.seed: 0 → 1" in out
    assert "W2 = " in out


def test_again_replaces_nothing(experiment, call):
    assert call("run", experiment, "-q")[0] == 0
    before = Path("small.h5").read_bytes()
    for arguments, said in [
        (("-o", "small.h5"), "small.h5 is the run itself"),
        (("--set", "run.seed=1"), "--again = 'small.h5': expected no --set and no --variant"),
    ]:
        code, _, err = call("run", "small.h5", "--again", "--force", *arguments)
        assert code == 2
        assert said in err
    assert Path("small.h5").read_bytes() == before
    assert "no such file" in call("run", "nothing.h5", "--again")[2]


def test_export(experiment, call):
    assert call("run", experiment, "-q")[0] == 0
    assert call("export", "small.h5") == (0, "small.csv\n", "")
    assert Path("small.csv").read_text().startswith("seed,time,step,energy,")
    written = call("export", "small.h5", "--format", "npz", "--frames", "0,1.0")
    assert written == (0, "small.npz\n", "")
    code, _, err = call("export", "small.h5", "-o", "small.csv")
    assert code == 2
    assert err == "meanfield: small.csv exists already: choose another name, or --force\n"
    assert call("export", "small.h5", "-o", "small.csv", "--force")[0] == 0
    code, _, err = call("export", "small.h5", "-o", "new.nc", "--frames", "soon")
    assert "--frames = 'soon': expected times like 0,2.5,10" in err


def test_cite(experiment, call):
    assert call("run", experiment, "-q")[0] == 0
    code, out, _ = call("cite", "small.h5")
    assert code == 0
    assert out.startswith("@software{meanfield,")
    assert "@article{mei2018," in out


def test_quiet_says_nothing(experiment, call):
    assert call("run", experiment, "-q") == (0, "", "")


def test_no_progress_bar_in_a_log(experiment, call):
    call("run", experiment)  # may compile, and say so
    _, _, err = call("run", experiment, "--force")
    assert err == ""


def test_threads_are_chosen_and_change_nothing(experiment, call):
    before = compiling.threads()
    try:
        assert call("run", experiment, "--threads", 1, "-o", "one.h5")[0] == 0
    finally:
        compiling.set_threads(before)
    assert call("run", experiment, "-o", "all.h5")[0] == 0
    with mf.open("one.h5") as one, mf.open("all.h5") as all_of_them:
        assert one.provenance["threads"] == 1
        assert (one.final.position == all_of_them.final.position).all()


@pytest.mark.parametrize("count", [0, -1, 10_000])
def test_threads_that_do_not_exist(experiment, call, count):
    code, out, err = call("run", experiment, "--threads", count)
    assert (code, out) == (2, "")
    assert err.startswith(f"meanfield: --threads = {count}: expected from 1 to ")


def test_check_prints_an_experiment_that_is_the_same(experiment, call, tmp_path):
    code, first, _ = call("check", experiment)
    assert code == 0
    (tmp_path / "resolved.toml").write_text(first)
    code, second, _ = call("check", tmp_path / "resolved.toml")
    assert code == 0
    assert second.replace("resolved", "small") == first
    assert not list(tmp_path.glob("*.h5"))


def test_the_file_holds_its_own_experiment(experiment, call, tmp_path):
    call("run", experiment)
    with mf.open("small.h5") as run:
        (tmp_path / "again.toml").write_text(run.experiment)
    call("run", tmp_path / "again.toml")
    with mf.open("small.h5") as first, mf.open("again.h5") as second:
        assert (first.final.position == second.final.position).all()


def test_set_overrides(experiment, call):
    code, out, _ = call("check", experiment, "--set", "ensemble.count=7", "--set", "run.title=Mine")
    assert code == 0
    assert "count = 7" in out
    assert 'title = "Mine"' in out


def test_list(call):
    code, out, _ = call("list")
    assert code == 0
    for expected in ("breast-cancer", "relu", "langevin", "rk4", "dissipation", "gaussian"):
        assert expected in out


MISTAKES = {
    "unknown key": (["--set", "scheme.stepp=1"], ["scheme.stepp", "'step'"]),
    "unknown section": (["--set", "esemble.count=1"], ["esemble", "'ensemble'"]),
    "wrong type": (["--set", "scheme.step=fast"], ["scheme.step", "'fast'", "number"]),
    "no particles": (["--set", "ensemble.count=0"], ["ensemble.count", "0", "≥ 1"]),
    "negative step": (["--set", "scheme.step=-0.1"], ["scheme.step", "-0.1", "> 0"]),
    "not a number": (["--set", "run.until=nan"], ["run.until", "nan", "finite"]),
    "negative weight": (["--set", "energy.l2=-1"], ["energy.l2", "-1", "≥ 0"]),
    "unknown activation": (["--set", "network.activation=rleu"], ["rleu", "'relu'"]),
    "unknown flow": (["--set", "flow.kind=langevinn"], ["langevinn", "'langevin'"]),
    "unknown observable": (["--set", "run.observe=['enrgy']"], ["enrgy", "'energy'"]),
    "wrong schedule": (["--set", "run.frames={every=1}"], ["run.frames", "steps"]),
    "wrong dimension": (["--set", "network.dim=3"], ["network.dim", "3", "1"]),
    "unknown block": (["--set", "flow.mobility={z=1.0}"], ["mobility.z", "a, w"]),
    "wrong block": (["--set", "ensemble.scale={q=1.0}"], ["scale.q", "a, w"]),
    "no noise in scheme": (
        ["--set", "energy.temperature=0.1", "--set", "scheme.kind=heun"],
        ["heun", "euler-maruyama"],
    ),
    "no noise in flow": (
        ["--set", "energy.temperature=0.1", "--set", "flow.kind=wasserstein"],
        ["wasserstein", "langevin"],
    ),
    "malformed override": (["--set", "count"], ["--set", "section.key=value"]),
    "shape mismatch": (["--set", "data.y=[1.0, 2.0]"], ["y", "3"]),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_one_sentence(experiment, call, mistake):
    arguments, expected = MISTAKES[mistake]
    code, out, err = call("run", experiment, *arguments)
    assert code == 2
    assert out == ""
    assert len(err.strip().splitlines()) == 1, err
    assert "Traceback" not in err
    for part in expected:
        assert part in err
    assert not Path("small.h5").exists()


def test_all_mistakes_are_told_at_once(experiment, call):
    arguments = ["--set", "scheme.step=-1", "--set", "ensemble.count=0", "--set", "energy.l3=1"]
    code, _, err = call("check", experiment, *arguments)
    assert code == 2
    assert len(err.strip().splitlines()) == 3


def test_no_closed_form_names_both_ways_round(call, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    code, _, err = call("check", "teacher-student", "--set", "energy.loss=logistic")
    assert code == 2
    assert "samples" in err
    assert "batch" in err


def test_missing_files(call, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for arguments in (("run", "none.toml"), ("show", "none.h5"), ("plot", "none.h5")):
        code, _, err = call(*arguments)
        assert code == 2
        assert "none" in err
        assert "no such file" in err
    code, _, err = call("run", "breast-cancr")
    assert code == 2
    assert "'breast-cancer'" in err
    (tmp_path / "broken.toml").write_text("[network\n")
    code, _, err = call("run", "broken.toml")
    assert code == 2
    assert "not valid TOML" in err
    (tmp_path / "text.h5").write_text("hello")
    code, _, err = call("show", "text.h5")
    assert code == 2
    assert "not an HDF5 file" in err


def test_an_existing_file_is_not_replaced(experiment, call):
    Path("small.h5").write_text("precious")
    code, _, err = call("run", experiment)
    assert code == 2
    assert "is not a run of meanfield" in err
    assert Path("small.h5").read_text() == "precious"
    code, _, err = call("run", experiment, "--force")
    assert code == 2
    assert "is not a run" in err
    assert Path("small.h5").read_text() == "precious"
    Path("small.h5").unlink()
    call("run", experiment)
    code, _, _ = call("run", experiment, "--force")
    assert code == 0


def test_divergence_has_its_own_exit_code_and_keeps_the_file(experiment, call):
    wild = ["--set", "scheme.step=1e200", "--set", "run.until=1e203", "--set", "energy.l2=9.0"]
    code, _, err = call("run", experiment, *wild)
    assert code == 1
    assert "no longer finite" in err
    with mf.open("small.h5") as run:
        assert run.status == "diverged"
        assert len(run.frames) >= 1


def test_help_does_not_import_the_heavy_libraries():
    program = (
        "import sys\nfrom meanfield import cli\nsys.argv = ['meanfield', '--help']\n"
        "try:\n    cli.main()\nexcept SystemExit:\n    pass\n"
        "heavy = {'numba', 'numpy', 'scipy', 'h5py', 'pydantic', 'matplotlib', 'xarray', 'ot'}\n"
        "print('HEAVY', sorted(heavy & set(sys.modules)))"
    )
    environment = dict(os.environ, COLUMNS="80")
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, env=environment, check=True
    )
    assert "HEAVY []" in done.stdout
    assert "run" in done.stdout
