"""The one figure of a run, and its files."""

import subprocess
import sys

import matplotlib
import numpy as np
import pytest
from matplotlib import pyplot as plt

from meanfield.errors import FileProblem, UnknownName
from meanfield.viewing import overview
from tests.viewing import runs

HEADERS = {"png": b"\x89PNG\r\n\x1a\n", "pdf": b"%PDF-1.", "svg": b"<?xml version"}


def texts(figure):
    caption = figure._supxlabel.get_text()
    title = figure._suptitle.get_text() if figure._suptitle else ""
    return title, caption


def test_series_above_and_three_moments_below():
    run = runs.teacher_student()
    figure = overview(run)
    figure.canvas.draw()
    assert [ax.get_ylabel() for ax in figure.axes] == [
        *["energy", "path norm"],
        *["$a$"] * 3,
        *["w[1]"] * 3,
    ]
    assert [ax.get_title() for ax in figure.axes[2:5]] == ["$t$ = 0", "$t$ = 0.5", "$t$ = 1"]
    for row in (figure.axes[2:5], figure.axes[5:]):
        assert len({(ax.get_xlim(), ax.get_ylim()) for ax in row}) == 1
    np.testing.assert_array_equal(figure.axes[0].lines[0].get_ydata(), run["energy"])
    assert texts(figure) == ("A title of 5$ and 6$", "7 particles")


def test_every_axis_has_a_name():
    for run in (runs.teacher_student("erf", 3), runs.classifying(), runs.shrinking()):
        for ax in overview(run).axes:
            assert ax.get_xlabel()
            assert ax.get_ylabel()


def test_only_the_series_asked_for():
    figure = overview(runs.teacher_student(), names=["mean", "risk"])
    assert [ax.get_ylabel() for ax in figure.axes[:2]] == ["risk", "mean"]
    assert [len(ax.lines) for ax in figure.axes[:2]] == [1, 3]
    assert len(figure.axes) == 8
    assert len(overview(runs.teacher_student(), names=[]).axes) == 6


def test_one_density_for_one_coordinate():
    figure = overview(runs.shrinking())
    assert len(figure.axes) == 2
    assert len(figure.axes[1].patches) == 3


def test_accuracies_and_the_baseline_share_a_panel():
    figure = overview(runs.classifying())
    labels = [line.get_label() for line in figure.axes[1].lines]
    assert labels == ["test accuracy", "train accuracy", "logistic"]
    caption = texts(figure)[1]
    assert "3 seeds: line mean, band min to max" in caption
    assert "particles of seed 4" in caption
    assert "particles of seed 6" in texts(overview(runs.classifying().replica(6)))[1]


def test_ten_panels_fit():
    from meanfield.observables import Observe

    many = [Observe(f"series_{i}", lambda ensemble: ensemble.mass[0]) for i in range(10)]
    figure = overview(runs.shrinking(observe=tuple(many)))
    figure.canvas.draw()
    assert len(figure.axes) == 11
    left = [ax.get_position().x0 for ax in figure.axes[1:10]]
    np.testing.assert_allclose(left[:3], left[3:6])


@pytest.mark.parametrize(
    "run",
    [
        pytest.param(runs.diverged, id="diverged"),
        pytest.param(runs.one_frame, id="one-frame"),
        pytest.param(runs.second_seed_diverged, id="one-seed-diverged"),
        pytest.param(lambda: runs.second_seed_diverged().replica(3), id="seed-never-ran"),
        pytest.param(lambda: runs.teacher_student("tanh", 1, bias=True), id="one-input"),
        pytest.param(lambda: runs.teacher_student("relu", 2, outputs=2), id="two-outputs"),
        pytest.param(runs.over_decades, id="logarithmic"),
    ],
)
def test_every_kind_of_run_has_a_picture(run, tmp_path):
    overview(run(), tmp_path / "picture.png")
    assert (tmp_path / "picture.png").stat().st_size > 10_000


def test_a_run_that_stopped_says_so():
    assert "diverged: step" in texts(overview(runs.diverged()))[1]
    assert "no frames of seed 3" in texts(overview(runs.second_seed_diverged().replica(3)))[1]
    assert texts(overview(runs.shrinking(count=1)))[1] == "1 particle"


@pytest.mark.parametrize("ending", HEADERS)
def test_a_file_is_what_its_ending_says(ending, tmp_path):
    path = tmp_path / f"picture.{ending.upper()}"
    path.write_text("an older picture")
    figure = overview(runs.shrinking(), path)
    assert path.read_bytes().startswith(HEADERS[ending])
    assert list(tmp_path.iterdir()) == [path]
    assert figure not in map(plt.figure, plt.get_fignums())
    first = path.read_bytes()
    overview(runs.shrinking(), str(path))
    assert path.read_bytes() == first


def test_a_run_plots_itself(tmp_path):
    runs.shrinking().plot(tmp_path / "run.png")
    assert (tmp_path / "run.png").is_file()
    assert plt.fignum_exists(runs.shrinking().plot().number)


def test_what_cannot_be_written_is_refused_before_anything_is_drawn(tmp_path):
    run = runs.shrinking()
    with pytest.raises(FileProblem, match=r"the ending '\.jpg'; expected \.png, \.pdf or \.svg"):
        overview(run, tmp_path / "picture.jpg")
    with pytest.raises(FileProblem, match=r"a name without ending; expected \.png"):
        overview(run, tmp_path / "picture")
    with pytest.raises(FileProblem, match="nowhere does not exist"):
        overview(run, tmp_path / "nowhere" / "picture.png")
    (tmp_path / "folder.png").mkdir()
    with pytest.raises(FileProblem, match="is a folder"):
        overview(run, tmp_path / "folder.png")
    with pytest.raises(UnknownName, match="did you mean 'energy'"):
        overview(run, tmp_path / "picture.png", names=["enrgy"])
    assert [path.name for path in tmp_path.iterdir()] == ["folder.png"]


def test_a_failed_write_leaves_the_older_picture(tmp_path, monkeypatch):
    def full(*_, **__):
        raise OSError(28, "No space left on device")

    path = tmp_path / "picture.png"
    path.write_text("an older picture")
    monkeypatch.setattr("os.replace", full)
    with pytest.raises(FileProblem, match=r"picture\.png cannot be written: No space left"):
        overview(runs.shrinking(), path)
    assert [p.name for p in tmp_path.iterdir()] == ["picture.png"]
    assert path.read_text() == "an older picture"


def test_of_a_symbolic_link_what_it_points_to_is_written(tmp_path):
    link, path = tmp_path / "link.png", tmp_path / "picture.png"
    link.symlink_to(path)
    overview(runs.shrinking(), link)
    assert link.is_symlink()
    assert path.read_bytes().startswith(HEADERS["png"])
    assert sorted(tmp_path.iterdir()) == [link, path]


def test_the_style_ends_with_the_figure():
    before = dict(matplotlib.rcParams)
    overview(runs.shrinking())
    assert dict(matplotlib.rcParams) == before


def test_importing_does_not_import_matplotlib():
    code = "import sys, meanfield.viewing; print({'matplotlib', 'numba'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"
