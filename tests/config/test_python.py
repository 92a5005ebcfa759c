"""Python files of the user's own in an experiment: their classes, their errors, what is kept."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import tomllib

import numpy as np
import pytest

import meanfield as mf
from meanfield.activations import activations
from meanfield.config import Experiment, Mistakes
from meanfield.config.schema import schema_text
from meanfield.kernels.compile import DISABLED

MINE = '''
from dataclasses import dataclass

import numpy as np

from meanfield.activations import Activation, activations
from meanfield.data import FiniteData, Source, sources
from meanfield.flows import Flow, flows
from meanfield.functionals import Linear, functionals
from meanfield.kernels.compile import jit
from meanfield.observables import Observable, observables


@jit
def _evaluate(p, t):
    return t * t * t + p[0] * t, 3.0 * t * t + p[0]


@activations.register("my-cubic")
@dataclass(frozen=True)
class Cubic(Activation):
    """t³ + slope · t."""

    slope: float = 0.0
    evaluate = staticmethod(_evaluate)


@functionals.register("my-quartic")
class Quartic(Linear):
    """height ∫ Σ_c θ_c⁴ dρ."""

    name = "quartic"

    def __init__(self, height: float = 1.0) -> None:
        self.height = height

    def density(self, ensemble):
        theta = ensemble.position
        return self.height * (theta**4).sum(axis=1), 4.0 * self.height * theta**3


@sources.register("my-line")
@dataclass(frozen=True)
class Line(Source):
    """y = 2x at points of [-1, 1]."""

    points: int = 5

    def load(self, seed):
        x = np.linspace(-1, 1, self.points)
        return FiniteData(x[:, None], 2 * x)


@flows.register("my-flow")
class SignDescent(Flow):
    """dθ = -M sign(∇F') dt."""

    def velocity(self, ensemble, evaluation):
        return -self.speeds(ensemble.layout) * np.sign(evaluation.gradient)


@observables.register("my-largest")
class LargestWeight(Observable):
    """``largest``: the largest entry of θ in size."""

    def __call__(self, view):
        return {"largest": np.abs(view.ensemble.position).max()}
'''
FILE = """
python = "mine.py"
[network]
activation = { kind = "my-cubic", slope = 0.5 }
[data]
kind = "my-line"
points = 7
[[energy.terms]]
kind = "my-quartic"
height = 2.0
weight = 0.1
[ensemble]
count = 6
[flow]
kind = "my-flow"
[scheme]
step = 0.01
[run]
until = 0.03
observe = ["energy", "my-largest"]
"""


@pytest.fixture
def file(tmp_path):
    """An experiment with a Python file."""
    (tmp_path / "mine.py").write_text(MINE)
    path = tmp_path / "own.toml"
    path.write_text(FILE)
    return path


def test_every_noun_may_be_ones_own(file):
    experiment = Experiment.load(file)
    flow, start = experiment.problem(0).flow, experiment.problem(0).start
    assert type(flow).__name__ == "SignDescent"
    assert flow.energy.terms()[1][0] == 0.1
    assert mf.gradient_error(flow.energy, start) < 1e-6
    x = np.linspace(-1, 1, 7)
    z = x[:, None] * start.w[:, 0]
    output = (start.a * (z**3 + 0.5 * z)).mean(axis=1)
    risk = 0.5 * np.mean((output - 2 * x) ** 2)
    quartic = 0.1 * 2.0 * (start.position**4).sum(axis=1).mean()
    run = experiment.run()
    assert float(run["risk"][0]) == pytest.approx(risk)
    assert float(run["quartic"][0]) == pytest.approx(quartic)
    assert float(run["largest"][0]) == abs(start.position).max()
    # dθ = -sign(∇F') dt moves every parameter by the time that passes, or turns round
    moved = abs(run.final.position - start.position)
    assert moved.max() == pytest.approx(0.03)


def test_the_run_keeps_the_text_and_the_hash(file):
    out = file.with_suffix(".h5")
    experiment = Experiment.load(file)
    with experiment.run(out) as run:
        (kept,) = tomllib.loads(run.experiment)["python"]
    assert kept["text"] == MINE
    assert kept["sha256"] == hashlib.sha256(MINE.encode()).hexdigest()
    assert kept["path"] == str(file.with_name("mine.py"))
    again = Experiment(tomllib.loads(experiment.to_toml()), title=experiment.title)
    assert again.to_toml() == experiment.to_toml()
    Experiment.load(file).require_same(out)
    file.with_name("mine.py").write_text(MINE + "# another line\n")
    with pytest.raises(mf.FileProblem, match="another python"):
        Experiment.load(file).require_same(out)
    with pytest.raises(Mistakes, match=r"mine\.py has changed: its SHA-256 is"):
        Experiment.of_run(out)
    file.with_name("mine.py").unlink()
    with pytest.raises(Mistakes, match=r"mine\.py: no such file; its text is in the experiment"):
        Experiment.of_run(out)


def test_nothing_of_a_file_that_fails_stays_behind(file):
    file.with_name("mine.py").write_text(MINE + "\n1 / 0\n")
    with pytest.raises(Mistakes, match="line 69: ZeroDivisionError"):
        Experiment.load(file)
    assert "my-cubic" not in activations
    assert not [name for name in sys.modules if name.startswith("experiment_python_")]


def test_a_changed_file_is_another_module(file):
    """Nothing that was compiled, or kept on the disk, is taken for the new function."""
    first = Experiment.load(file).problem(0)
    changed = MINE.replace("t * t * t + p[0] * t, 3.0 * t * t", "t * t + p[0] * t, 2.0 * t")
    file.with_name("mine.py").write_text(changed)
    second = Experiment.load(file).problem(0)
    t = np.array([-1.5, 0.5, 2.0])
    values = [p.flow.energy.terms()[0][1].network.activation(t) for p in (first, second)]
    assert values[0] == pytest.approx(t**3 + 0.5 * t)
    assert values[1] == pytest.approx(t**2 + 0.5 * t)


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("import numpy as np", "import numpi as np", "line 4: ModuleNotFoundError: No module"),
        ("def load(", "def load((", "line 49: "),
        ("def load(", "def lood(", "line 42: register(\"my-line\") = 'Line': expected a class"),
        ('"my-cubic"', '"relu"', "expected another name: the activation 'relu' exists"),
        ("x = np.linspace", "x = np.lynspace", "line 50: AttributeError: module 'numpy' has no"),
        ("np.abs(", "abs(1, ", "line 67: TypeError:"),
        ("self.height * (theta**4)", "self.hight * (theta**4)", "line 39: AttributeError"),
        ("points: int = 5", "batch: int = 5", "has an argument 'batch', which is a key"),
        ("height: float", "height: int", "energy.terms[0].height = 2.0: expected a whole number"),
        ("import numpy as np", "raise SystemExit(3)", "line 4: SystemExit: 3"),
        ('@observables.register("my-largest")', "@observables.register", "expected a name"),
        (
            "return FiniteData(x[:, None], 2 * x)",
            "return x",
            "returned array(",
        ),
        (
            'return {"largest": np.abs(view.ensemble.position).max()}',
            "return 3.0",
            "run.observe = 3",
        ),
        ('"largest":', '"a/b":', "run.observe = {'a/b'"),
        ('{"largest": np.abs(view.ensemble.position).max()}', '{"q": "a"}', "run.observe.q = 'a'"),
        ("4.0 * self.height * theta**3", "theta[:, :1]", "has the shape (6, 1): expected (6, 2)"),
        (
            "self.height * (theta**4).sum(axis=1), 4.0",
            "4.0",
            "mine.py: Quartic, or what it returns",
        ),
        ("    evaluate = staticmethod", "    other = staticmethod", "mine.py: Cubic, or what it"),
    ],
)
def test_errors_in_the_file_are_one_sentence(file, old, new, told):
    path = file.with_name("mine.py")
    path.write_text(MINE.replace(old, new, 1))
    with pytest.raises(Mistakes) as caught:
        Experiment.load(file).check()
    (sentence, *_) = caught.value.sentences
    assert told in sentence
    assert str(path if "line" in told else file) in sentence
    path.write_text(MINE)
    Experiment.load(file)


@pytest.mark.skipif(DISABLED, reason="an error of the compiler")
def test_errors_of_the_compiler_name_the_line(file):
    file.with_name("mine.py").write_text(MINE.replace("t * t * t +", "t @ t +"))
    with pytest.raises(Mistakes, match=r"mine\.py, line \d+: TypingError"):
        Experiment.load(file).check()


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ("other.py", "no such file"),
        (3, "python = 3: expected paths of Python files"),
        ([["mine.py"]], "expected paths of Python files"),
        ([{"path": "mine.py", "sha": "1"}], "expected paths of Python files"),
        ([{"path": "mine.py", "sha256": "0" * 64}], "mine.py has changed"),
        ("a\x00b.py", "cannot be read"),
        (".", "is no file"),
    ],
)
def test_wrong_names_of_files(file, given, told):
    tables = {**tomllib.loads(FILE), "python": given}
    with pytest.raises(Mistakes) as caught:
        Experiment(tables, base=file.parent)
    assert told in str(caught.value)


def test_the_schema_knows_the_kinds_of_the_file(file):
    found = json.loads(schema_text([str(file)]))
    kinds = [each["title"] for each in found["properties"]["flow"]["anyOf"]]
    assert "my-flow" in kinds


def command(*arguments, **settings):
    """A process of its own; what it says, and its exit code."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1", **settings}
    call = [sys.executable, "-m", "meanfield", *map(str, arguments)]
    done = subprocess.run(call, capture_output=True, text=True, env=environment, check=False)
    return done.returncode, done.stdout, done.stderr


def test_in_a_process_of_its_own(file):
    out = file.with_suffix(".h5")
    code, _, err = command("run", file, "-o", out, "-q")
    assert code == 0, err
    with mf.open(out) as theirs, Experiment.load(file).run() as ours:
        assert (theirs.final.position == ours.final.position).all()
    with Experiment.of_run(out, 0.04).run(out, resume=True) as longer:
        assert longer.final.time == 0.04
        assert 'kind = "my-flow"' in longer.experiment


def test_an_error_in_the_middle_of_a_run(file, monkeypatch, call):
    late = "    def velocity(self, ensemble, evaluation):\n"
    file.with_name("mine.py").write_text(MINE.replace(late, late + "        1 / 0\n"))
    for debug, shown in (("", False), ("1", True)):
        monkeypatch.setenv("MEANFIELD_DEBUG", debug)
        code, _, said = call("run", file, "-o", file.with_suffix(".h5"))
        assert code == 2
        assert "mine.py, line 59: ZeroDivisionError: division by zero" in said
        assert ("Traceback" in said) == shown
