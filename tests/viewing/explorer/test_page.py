"""What is in a page is what is in the run: numbers, names, parameters; and nothing else gets in."""

import functools
import html
import os
import re
import shlex
import shutil
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from typer.testing import CliRunner

from meanfield.cli import app
from meanfield.config import Experiment
from meanfield.config.problems import Problems
from meanfield.ensemble import Ensemble, Layout
from meanfield.errors import FileProblem, InvalidInput, UnknownName
from meanfield.flows import Langevin
from meanfield.functionals import L2, Entropy
from meanfield.observables import Energy
from meanfield.schedules import evenly
from meanfield.schemes import EulerMaruyama
from meanfield.simulation import simulate
from meanfield.viewing.explorer import view
from meanfield.viewing.explorer.marks import directions
from meanfield.viewing.explorer.packing import quantise
from tests.storage.runs import simulate as simulate_some
from tests.storage.runs import stopping
from tests.viewing import runs
from tests.viewing.explorer.pages import Page

NASTY = "</script><script>alert(1)</script> & <b>\"5'\u2028{{about}}"


def page_of(run, **options):
    return Page(view(run, show=False, **options).page)


@functools.cache
def diffusing(count, width):
    """Particles that move at random for 60 frames: as hard to compress as it gets."""
    blocks = {"a": (), "w": (width - 1,)}
    start = np.random.default_rng(0).standard_normal((count, width))
    return simulate(
        Langevin(L2() + 0.2 * Entropy()),
        Ensemble(start, layout=Layout(blocks)),
        scheme=EulerMaruyama(0.05),
        until=2.95,
        observe=[Energy()],
        frames=evenly(60),
    )


RUNS = {
    "neurons": runs.teacher_student,
    "outputs": lambda: runs.teacher_student("tanh", 5, outputs=2),
    "plain": lambda: runs.shrinking(3),
    "line": runs.shrinking,
    "one particle": lambda: runs.shrinking(2, 1),
    "one frame": runs.one_frame,
    "seed": lambda: runs.classifying().replica(5),
    "float32": lambda: runs.still(Ensemble(np.array([[1, 2], [3, 4]], dtype=np.float32))),
}


@pytest.mark.parametrize("name", RUNS)
def test_stored_numbers_are_those_of_the_run(name):
    run = RUNS[name]()
    page = page_of(run)
    assert page.about["times"] == run.frames.times.tolist()
    for label, column in zip(run.layout.labels, range(run.layout.width), strict=True):
        exact = np.array([frame.position[:, column] for frame in run.frames])
        off = np.abs(page.values(label) - exact).max()
        assert off <= page.half_step(label) * (1 + 1e-6) + 1e-12
    masses = np.array([frame.mass for frame in run.frames])
    np.testing.assert_allclose(page.values("mass"), masses, rtol=1e-4)


@given(
    arrays(float, st.tuples(st.integers(1, 5), st.integers(1, 4)), elements=st.floats(-1e9, 1e9)),
    st.sampled_from([12, 13, 16]),
)
def test_whole_numbers_are_off_by_half_a_step(values, bits):
    channel = quantise(values, bits)
    room = 1e-9 * max(1.0, np.abs(values).max())
    assert np.abs(channel.values - values).max() <= 0.5 * channel.step + room
    data = np.frombuffer(channel.to_bytes(), np.uint8)
    low, high = data.reshape(2, *values.shape).astype(int)
    folded = low + 256 * high
    change = np.where(folded % 2, -(folded + 1) // 2, folded // 2)
    np.testing.assert_array_equal(np.cumsum(change, axis=0) % 2**bits, channel.codes)


@pytest.mark.parametrize(("count", "width"), [(5000, 3), (5000, 11), (20000, 3)])
def test_a_page_is_as_small_as_it_says(count, width):
    run = diffusing(count, width)
    made = view(run, show=False)
    page = Page(made.page)
    assert 1_600_000 < len(made.page.encode()) <= 2_000_000
    assert len(page.about["times"]) == 60
    assert page.about["count"] >= 5000
    offered = {quantity["name"] for quantity in page.about["quantities"]}
    assert {"a", "|w|", "mass", "m|a||w|"} <= offered
    left_out = set(run.layout.labels) - offered
    assert all(name in " ".join(made.said) for name in sorted(left_out)[:6])


def test_less_room_takes_particles_and_then_frames():
    run = diffusing(5000, 3)
    shown = [page_of(run, most=most).about for most in (2_000_000, 800_000, 300_000, 120_000)]
    counts = [(len(about["times"]), about["count"]) for about in shown]
    assert counts[0] == (60, 5000)
    assert counts[1][0] == 60
    assert 2000 <= counts[1][1] < 5000
    assert counts[-1][0] == 20
    assert all(a[0] * a[1] > b[0] * b[1] for a, b in pairwise(counts))


def test_fewer_particles_are_a_fair_sample_of_the_measure():
    run = diffusing(5000, 3)
    page = page_of(run, particles=500, frames=7)
    numbers = page.about["numbers"]
    assert numbers == list(range(0, 5000, 10))
    assert len(page.about["times"]) == 7
    last = run.frames[-1].position[numbers, 1]
    np.testing.assert_allclose(page.values("w[0]")[-1], last, atol=page.half_step("w[0]") * 1.001)
    np.testing.assert_allclose(page.values("mass").sum(axis=1), 1.0)


def test_coordinates_are_those_that_are_asked_for():
    run = runs.teacher_student("relu", 3)
    assert set(page_of(run, coordinates=["a", "w[1]"]).stored) == {"a", "w[1]", "mass"}
    assert set(page_of(run, coordinates=["w"]).stored) == {"w[0]", "w[1]", "w[2]", "mass"}
    page = page_of(run, coordinates=["|w|"])
    exact = np.linalg.norm(run.frames[-1].w, axis=1)
    np.testing.assert_allclose(page.values("|w|")[-1], exact, atol=1.001 * page.half_step("|w|"))


def test_what_cannot_be_is_refused_in_a_sentence():
    run = runs.teacher_student()
    with pytest.raises(UnknownName, match=r"coordinate 'w\[7\]'"):
        view(run, coordinates=["w[7]"], show=False)
    with pytest.raises(InvalidInput, match="frames = 0"):
        view(run, frames=0, show=False)
    with pytest.raises(InvalidInput, match=r"most = '0.5MB': expected at least about 1\.\dMB"):
        view(diffusing(5000, 3), most=500_000, particles=5000, frames=60, show=False)


@pytest.mark.parametrize(
    ("name", "axes"),
    [
        ("neurons", ("w[0]", "w[1]")),
        ("outputs", ("w on axis 1", "w on axis 2")),
        ("plain", ("x on axis 1", "x on axis 2")),
        ("line", ("x[0]", "")),
    ],
)
def test_the_axes_suit_the_particles(name, axes):
    show = page_of(RUNS[name]()).about["show"]
    assert (show["x"], show["y"]) == axes


def test_curves_are_the_series_of_the_seed_with_the_range_over_all():
    run = runs.classifying().replica(6)
    panels = page_of(run).about["panels"]
    curves = {curve["label"]: curve for panel in panels for curve in panel["curves"]}
    for name in ("energy", "risk"):
        data, curve = run[name].values, curves[name]
        np.testing.assert_allclose(curve["values"], data[2], rtol=1e-5)
        np.testing.assert_allclose(curve["low"], data.min(axis=0), rtol=1e-5)
        np.testing.assert_allclose(curve["high"], data.max(axis=0), rtol=1e-5)
        np.testing.assert_allclose(curve["time"], run[name].time.values, rtol=1e-5)


def test_nothing_infinite_gets_into_a_page():
    about = page_of(runs.diverged()).about
    values = [v for panel in about["panels"] for c in panel["curves"] for v in c["values"]]
    assert None in values or all(np.isfinite(values))
    assert all(np.isfinite([q["low"], q["high"]]).all() for q in about["quantities"] if "low" in q)
    none = view(runs.second_seed_diverged().replica(3), show=False)
    assert "no frames" in none.said[0]
    assert Page(none.page).about["times"] == []


def nasty():
    start = Ensemble(np.ones((2, 1)), layout=Layout({"<i>x": ()}))
    return simulate(
        Langevin(L2()),
        start,
        scheme=EulerMaruyama(0.5),
        until=1.0,
        observe=[Energy()],
        frames=evenly(3),
        title=NASTY,
    )


def test_text_of_a_run_is_never_html():
    made = view(nasty(), show=False)
    page = Page(made.page)
    assert [tag for tag, _ in page.elements].count("script") == 3
    assert not {"b", "i"} & {tag for tag, attrs in page.elements if not attrs}
    assert page.texts["title"] == NASTY
    assert page.about["title"] == NASTY
    assert page.stored.keys() == {"<i>x", "mass"}
    assert set(page.texts["about"]) <= set(map(chr, range(32, 127))) - set("<>&")


def test_a_page_names_nothing_to_load():
    page = page_of(runs.teacher_student())
    links = [v for _, attrs in page.elements for k, v in attrs.items() if k in ("src", "href")]
    assert links == ["data:,"]
    policy = next(v for _, attrs in page.elements for v in attrs.values() if "default-src" in v)
    assert "default-src 'none'" in policy
    assert "http" not in policy


EXPERIMENT = {
    "network": {"activation": "relu"},
    "data": {"kind": "gaussian", "dim": 3, "target": {"kind": "teacher", "neurons": 2}},
    "energy": {"loss": "squared"},
    "ensemble": {"kind": "normal", "count": 4},
    "flow": {"kind": "wasserstein"},
    "scheme": {"kind": "euler", "step": 0.5},
    "run": {"until": 1.0, "seed": 5, "seeds": 2, "frames": {"evenly": 3}},
}


def test_the_directions_are_those_of_the_teacher_of_each_seed():
    experiment = Experiment(EXPERIMENT)
    run = experiment.run()
    for seed in run.seeds:
        _, data = experiment._network_and_data(seed, Problems("experiment", ""))
        exact = data.target.ensemble.w
        found = directions(run.replica(seed))
        np.testing.assert_allclose(found, exact / np.linalg.norm(exact, axis=1)[:, None])
    page = page_of(run)
    known = {quantity["name"]: quantity for quantity in page.about["quantities"]}
    np.testing.assert_allclose(known["w[1]"]["teacher"], directions(run)[:, 1])
    axis = np.array(known["w on axis 1"]["made"]["by"])
    np.testing.assert_allclose(known["w on axis 1"]["teacher"], directions(run) @ axis)
    assert page.about["experiment"] == run.experiment
    versions = dict(page.about["provenance"])
    assert versions["version_numpy"] == np.__version__


@pytest.fixture
def saved(tmp_path):
    runs.classifying().save(tmp_path / "mine.h5")
    return tmp_path / "mine.h5"


def call(*arguments):
    return CliRunner().invoke(app, ["view", *map(str, arguments), "--no-open"])


def test_the_command_writes_the_page_beside_the_run(saved):
    said = call(saved, "--seed", 5, "--coordinates", "a,|w|", "--frames", 4)
    target = saved.with_suffix(".html")
    assert said.exit_code == 0
    assert said.output.startswith(str(target))
    assert "4 particles in 4 of 9 frames, seed 5." in said.output
    page = Page(target.read_text(encoding="utf-8"))
    assert page.about["seed"] == 5
    assert set(page.stored) == {"a", "|w|", "mass"}
    assert sorted(os.listdir(saved.parent)) == ["mine.h5", "mine.html"]


def test_only_a_page_is_replaced_unasked(saved):
    target = saved.with_suffix(".html")
    target.write_text("my notes")
    refused = call(saved)
    assert isinstance(refused.exception, FileProblem)
    assert "no page of a run" in str(refused.exception)
    assert target.read_text() == "my notes"
    assert call(saved, "--force").exit_code == 0
    assert call(saved, "--seed", 6).exit_code == 0
    assert Page(target.read_text(encoding="utf-8")).about["seed"] == 6


def test_the_run_itself_is_never_replaced(saved):
    before = saved.read_bytes()
    assert "is the run itself" in str(call(saved, "-o", saved, "--force").exception)
    assert saved.read_bytes() == before


def test_an_unfinished_run_has_a_page_of_what_is_there(tmp_path):
    path = tmp_path / "run.h5"
    run = simulate_some(path, seeds=(3, 8), progress=stopping(1, 6))
    assert not path.exists()
    assert call(path, "--seed", 8).exit_code == 0
    page = Page(path.with_suffix(".html").read_text(encoding="utf-8"))
    frames = run.replica(8).frames
    assert page.about["times"] == frames.times.tolist()
    assert 0 < len(frames) < len(run.frames)
    exact = np.array([frame.a for frame in frames])
    np.testing.assert_allclose(page.values("a"), exact, atol=1.001 * page.half_step("a"))
    assert page.about["status"] == "interrupted"


def test_commands_of_the_documents(saved, monkeypatch):
    monkeypatch.chdir(saved.parent)
    saved.rename("my.h5")
    text = (Path(__file__).parents[3] / "docs/explorer.md").read_text(encoding="utf-8")
    lines = re.findall(r"^\$ meanfield view (.*?) *(?:#.*)?$", text, re.M)
    assert len(lines) == 2
    for line in lines:
        assert call(*shlex.split(line)).exit_code == 0
    assert Path("my.html").exists()
    assert Path("page.html").exists()


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--most", "many"], "--most = 'many': expected a size like 500KB or 20MB"),
        (["--most", "1..2MB"], "--most"),
        (["--seed", "1"], "unknown seed"),
        (["-o", "missing/page.html"], "does not exist"),
    ],
)
def test_the_command_says_what_is_wrong(saved, arguments, sentence):
    assert sentence in str(call(saved, *arguments).exception)


def test_a_browser_is_opened_where_there_is_a_screen(monkeypatch):
    opened = []
    monkeypatch.setattr("webbrowser.open", opened.append)
    for name in ("DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("sys.platform", "linux")
    run = runs.shrinking()
    run.view()
    assert opened == []
    monkeypatch.setenv("DISPLAY", ":0")
    made = run.view()
    assert opened == [made.path.resolve().as_uri()]
    assert made.path.read_text(encoding="utf-8") == made.page
    shutil.rmtree(made.path.parent)


def test_a_notebook_gets_the_whole_page():
    made = view(runs.teacher_student(), show=False)
    inside = re.search(r'srcdoc="([^"]*)"', made._repr_html_())[1]
    assert html.unescape(inside) == made.page
    assert "MB" in repr(made)
    assert runs.teacher_student().view(show=False).page == made.page
