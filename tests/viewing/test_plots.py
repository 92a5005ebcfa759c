"""Figures by name: as methods of a run, as files, as words of the command."""

import inspect
import shlex
import sys
from pathlib import Path

import numpy as np
import pytest
from matplotlib import pyplot as plt

import meanfield as mf
from meanfield import cli
from meanfield.ensemble import Ensemble
from meanfield.errors import FileProblem, InvalidInput, UnknownName, Unsupported
from meanfield.functionals import Potential
from meanfield.viewing import figure, figures
from meanfield.viewing.labels import labels_of
from meanfield.viewing.registry import observed
from tests.viewing import experiments, runs


@pytest.fixture
def call(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)

    def run(*arguments):
        monkeypatch.setattr("sys.argv", ["meanfield", *arguments])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        said = capsys.readouterr()
        return int(ended.value.code or 0), said.out, said.err

    return run


@pytest.fixture
def saved(tmp_path):
    experiments.teacher().save(tmp_path / "a.h5").close()
    experiments.bumps(seeds=2).save(tmp_path / "b.h5").close()
    return tmp_path


def test_every_figure_is_a_method_with_its_documentation():
    plot = experiments.teacher().plot
    assert set(figures) <= set(dir(plot))
    for name in figures:
        method = getattr(plot, name)
        assert method.__doc__ == figures[name].__doc__
        assert "run" not in inspect.signature(method).parameters
        assert figures[name].summary.endswith((".", ":"))
        written = getattr(type(plot), name, None)
        assert written is not None, f"{name} is missing in the class, whose types editors read"


def test_a_method_draws_on_the_axes_that_it_is_given():
    run = experiments.teacher()
    _, ax = plt.subplots()
    assert run.plot.energy(ax=ax, log=True) == [ax]
    assert ax.get_yscale() == "log"
    assert len(run.plot.paths(times=[0.0, 1.0])) == 2


def test_every_figure_that_suits_draws_into_a_file(tmp_path):
    drawn = set()
    births = experiments.bumps("birth-death", count=30)
    for run in (experiments.teacher(), experiments.classes(), births):
        for name, lacking in run.plot.suits().items():
            if lacking or name in drawn:
                continue
            path = run.plot.save(tmp_path / f"{name}.svg", name)
            assert path.read_bytes().startswith(b"<?xml")
            drawn.add(name)
    assert not plt.get_fignums()
    assert drawn == set(figures)


def test_a_figure_has_labels_on_all_axes_and_text_in_vector_files(tmp_path):
    run = experiments.teacher()
    for name in ("energy", "dissipation", "paths", "distances", "matching", "matrix", "radial"):
        for ax in getattr(run.plot, name)():
            assert ax.get_xlabel(), name
            assert ax.get_ylabel() or name == "radial", name
    assert b"<text" in run.plot.save(tmp_path / "e.svg", "energy").read_bytes()


def test_the_size_of_a_file(tmp_path):
    path = experiments.teacher().plot.save(tmp_path / "e.png", "energy", size=(3.0, 2.0))
    assert plt.imread(path).shape[:2] == (400, 600)


def test_what_a_figure_lacks_is_said_in_a_sentence():
    run = runs.shrinking(width=2)
    expected = (
        "no figure 'dissipation': no dissipation observed: add \"dissipation\" to run.observe"
    )
    with pytest.raises(Unsupported, match=expected):
        run.plot.dissipation()
    with pytest.raises(Unsupported, match="block a, only x"):
        run.plot.function()
    with pytest.raises(Unsupported, match="particles die and are copied"):
        experiments.bumps("birth-death").plot.paths()
    with pytest.raises(Unsupported, match="the targets are numbers, no classes"):
        experiments.teacher().plot.decision()
    with pytest.raises(Unsupported, match="'decision': it is of two inputs"):
        experiments.bumps().plot.decision()
    with pytest.raises(AttributeError, match="did you mean 'energy'"):
        _ = run.plot.enrgy
    with pytest.raises(UnknownName, match="unknown figure 'pths'"):
        run.plot.save("x.png", "pths")
    with pytest.raises(InvalidInput, match="arguments of parts, log"):
        run.plot.energy(colour="red")


def test_a_figure_of_the_user(tmp_path):
    try:

        @figure("largest", observed("energy"))
        def largest(run, ax=None, *, factor: float = 1.0):
            """The largest coordinate."""
            ax = ax or plt.figure().subplots()
            values = [factor * frame.position.max() for frame in run.frames]
            return [*(line.axes for line in ax.plot(run.frames.times, values))]

        run = runs.shrinking()
        (ax,) = run.plot.largest(factor=2.0)
        assert ax.lines[0].get_ydata()[0] == 2 * run.frames[0].position.max()
        assert "largest" in dir(run.plot)
        assert run.plot.save(tmp_path / "x.png", "largest").is_file()
    finally:
        del figures["largest"]


def test_several_runs_are_laid_over_each_other():
    one, other = experiments.bumps(seeds=2), experiments.bumps("birth-death", seeds=2)
    plain = experiments.bumps(seeds=1, count=5)
    plot = mf.overlay(one, other)
    (ax,) = plot.energy()
    for line, band, run in zip(ax.lines, ax.collections, (one, other), strict=True):
        values = run["energy"].values
        np.testing.assert_allclose(line.get_ydata(), values.mean(axis=0), rtol=1e-14)
        edges = band.get_paths()[0].vertices
        assert edges[:, 1].min() == pytest.approx(values.min(), rel=1e-12)
        assert edges[:, 1].max() == pytest.approx(values.max(), rel=1e-12)
    texts = [text.get_text() for text in ax.get_legend().get_texts()]
    # Flows differ, and so do the schemes that step them.
    assert texts[-1] == "min to max of 2 seeds (lines: mean)"
    assert "wasserstein" in texts[0]
    assert "birth-death" in texts[1]
    assert labels_of([plain, experiments.bumps()]) == ["count = 5", "count = 6"]
    assert labels_of([plain, plain]) == ["run 1", "run 2"]
    drawn = plot.observables(["risk", "dissipation"])
    assert [ax.get_ylabel() for ax in drawn] == ["risk", "dissipation"]
    assert [len(ax.lines) for ax in drawn] == [2, 2]
    with pytest.raises(Unsupported, match="'paths' is of one run, and 2 are given"):
        plot.paths()
    with pytest.raises(FileProblem, match="is not a run"):
        mf.overlay("a.h5")


def test_runs_are_not_told_by_what_was_looked_at():
    start = {"count": 5}
    data = {"kind": "arrays", "x": [[1.0], [2.0]], "y": [1.0, -1.0]}
    given = [experiments.run({"activation": "tanh"}, data, start, seen=n) for n in (3, 9)]
    assert labels_of(given) == ["run 1", "run 2"]


def test_commands(saved, call):
    code, out, err = call("plot", "a.h5", "energy", "paths", "--times", "0,1", "-o", "x.pdf")
    assert (code, out.split(), err) == (0, ["x-energy.pdf", "x-paths.pdf"], "")
    assert all(Path(name).read_bytes().startswith(b"%PDF") for name in out.split())
    code, out, _ = call("plot", "a.h5", "b.h5", "energy", "--log", "--size", "3.4x2.6")
    assert (code, out) == (0, "a-energy.png\n")
    assert plt.imread("a-energy.png").shape[:2] == (520, 680)
    code, out, _ = call("plot", "a.h5", "paths", "-o", "film.gif", "--set", "count=3")
    assert (code, Path("film.gif").read_bytes()[:6]) == (0, b"GIF89a")
    code, out, _ = call("plot", "b.h5", "--seed", "1", "distribution")
    assert (code, out) == (0, "b-distribution.png\n")
    code, out, _ = call("plot", "a.h5", "risk")
    assert (code, out) == (0, "a-observables.png\n")
    code, out, _ = call("plot", "a.h5", "b.h5")
    assert (code, out) == (0, "a-observables.png\n")


def test_the_command_says_which_figures_suit(saved, call):
    code, out, _ = call("plot", "b.h5", "--list")
    suits, _, others = out.partition("not for this run:")
    assert code == 0
    assert "energy" in suits
    assert "directions" not in others
    code, out, _ = call("plot", "a.h5", "b.h5", "--list")
    assert "it is of one run" in out.partition("not for this run:")[2]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("a.h5 enrgy", "unknown figure or series 'enrgy'; did you mean 'energy'?"),
        ("a.h5 c.h5", "c.h5: no such file"),
        ("a.h5 energy --times 0,1", "--times = [0.0, 1.0]: expected an option of the figure"),
        ("a.h5 paths --times soon", "--times = 'soon': expected times"),
        ("a.h5 paths --set count", "--set = 'count': expected KEY=VALUE"),
        ("a.h5 paths --set count=few", "count = 'few': expected a whole number"),
        ("a.h5 paths --set axes=1", "--axes = 1: expected an option of the figure"),
        ("a.h5 paths --set setting=3", "setting = 3: expected mf.Setting(network, data)"),
        ("a.h5 function --set setting=3", "setting = 3: expected mf.Setting(network, data)"),
        ("a.h5 directions --set setting=a", "setting = 'a': expected mf.Setting(network, data)"),
        ("a.h5 radial --set limit=4", "limit = 4: expected an object with measure(time, count)"),
        ("a.h5 paths --times 0,9", "time = 9.0: expected a time of the frames, 0 to"),
        ("a.h5 paths --size big", "--size = 'big': expected width and height"),
        ("a.h5 paths -o film.mp4", "an MP4 needs the program ffmpeg"),
        ("a.h5 paths -o x.gif --set seconds=0", "seconds = 0: expected a finite number > 0"),
        ("a.h5 paths --set seconds=2", "--seconds = 2: expected an option of the figure"),
        ("a.h5 energy -o film.gif", "no film of the figure 'energy'"),
        ("a.h5 paths -o x.jpg", "no figure has the ending '.jpg'"),
        ("a.h5 b.h5 paths", "is of one run, and 2 are given"),
        ("a.h5 distribution --projection sideways", "unknown projection 'sideways'"),
        ("a.h5 --seed 9", "unknown seed"),
    ],
)
def test_wrong_words_are_refused(line, expected, saved, call, monkeypatch):
    monkeypatch.setattr("meanfield.viewing.animation.shutil.which", lambda _: None)
    monkeypatch.setitem(sys.modules, "imageio_ffmpeg", None)
    before = sorted(saved.iterdir())
    code, _, err = call("plot", *shlex.split(line))
    assert code == 2
    assert expected in err
    assert sorted(saved.iterdir()) == before


def test_neurons_whose_products_are_no_floats_are_drawn(tmp_path):
    network = mf.TwoLayer("relu", 2)
    w = np.array([[1e200, -2e200], [3e180, 1e190], [1.0, 2.0]])

    def no_force(x, out):
        out[:] = 0.0

    rest = Potential(lambda x: 0.0, no_force)
    given = network.ensemble(w, [1e200, -1e160, 1.0])
    run = mf.simulate(mf.Wasserstein(rest), given, scheme=mf.Euler(1.0), until=1.0)
    for name in ("paths", "directions", "distribution", "marginals", "radial"):
        run.plot.save(tmp_path / f"{name}.png", name)
    (ax,) = run.plot.paths()
    assert np.isfinite([ax.get_xlim(), ax.get_ylim()]).all()


def test_rates_of_an_energy_that_only_rises_are_drawn(tmp_path):
    run = experiments.exploded()
    run.plot.save(tmp_path / "rates.png", "dissipation")
    left, right = run.plot.dissipation()
    assert left.get_yscale() == "log"
    assert len(right.lines[0].get_xdata()) == 0


def test_a_measure_without_mass_is_drawn(tmp_path):
    empty = Ensemble(np.arange(9.0).reshape(3, 3), np.zeros(3))
    runs.still(empty).plot.save(tmp_path / "nothing.png", "distribution", projection="pca")


@pytest.mark.parametrize("name", ["paths", "distribution", "function", "matching", "matrix"])
def test_times_outside_of_the_run_are_refused(name):
    draw = getattr(experiments.teacher().plot, name)
    for outside in (-0.5, 2.5, np.nan):
        with pytest.raises(InvalidInput, match=r"time = .*a time of the frames, 0 to 2"):
            draw(times=[0.0, outside])


def test_the_command_says_how_long_a_film_lasts(saved, call):
    from PIL import Image

    code, out, _ = call("plot", "a.h5", "paths", "-o", "a.gif", "--set", "seconds=1")
    assert (code, out) == (0, "a.gif\n")
    with Image.open("a.gif") as film:
        assert film.info["duration"] == 1000 // film.n_frames
