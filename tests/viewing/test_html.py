"""What notebooks show: pieces of HTML, and the displays of runs, ensembles, experiments, ...."""

from __future__ import annotations

import re
import sys
import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest

import meanfield as mf
from meanfield.viewing import html
from tests.sweeps.examples import EXPERIMENT, HERE
from tests.viewing import runs

NAN = np.nan


def parsed(markup: str) -> ElementTree.Element:
    """The markup, which is well formed."""
    return ElementTree.fromstring(f"<body>{markup.replace('<br>', '<br/>')}</body>")


def shown(given: object) -> str:
    return given._repr_html_()  # type: ignore[attr-defined]


def rows(markup: str) -> list[list[str]]:
    """The texts of all cells."""
    return [["".join(cell.itertext()) for cell in row] for row in parsed(markup).iter("tr")]


def points(markup: str) -> list[np.ndarray]:
    """The points of the pieces of a curve."""
    (path,) = parsed(markup).iter("path")
    pieces = re.findall(r"M[^M]*", path.attrib["d"])
    return [np.array(re.findall(r"[-\d.]+", piece), float).reshape(-1, 2) for piece in pieces]


def test_text_is_escaped_once():
    nasty = "<script>alert('1 & 2')</script>"
    cell = html.text(nasty)
    assert "<" not in cell
    assert html.text(cell) == cell
    table = html.table([[nasty, html.element("b", nasty)]], [nasty, nasty])
    assert "<script" not in table
    assert rows(table) == [[nasty, nasty], [nasty, nasty]]
    assert '"' not in html.element("p", style='a"b').split('style="')[1].split('">')[0]


def test_a_curve_goes_through_its_values():
    times = np.array([0.0, 1.0, 3.0])
    (line,) = points(html.curve(times, np.array([5.0, 1.0, 3.0]), size=(104, 44)))
    assert line == pytest.approx(np.array([[2, 2], [2 + 100 / 3, 42], [102, 22]]), abs=0.06)
    (line,) = points(html.curve(times, np.array([1.0, 10.0, 100.0]), log=True, size=(104, 44)))
    assert line[:, 1] == pytest.approx([42, 22, 2])
    powers = 10.0 ** np.arange(11)
    (line,) = points(html.curve(powers, powers, size=(104, 44)))
    assert np.diff(line[:, 0]) == pytest.approx(10)


def test_a_curve_has_gaps_and_survives_all_numbers():
    times = np.arange(6.0)
    first, second = points(html.curve(times, np.array([NAN, 1.0, 2.0, np.inf, 3.0, 4.0])))
    assert (len(first), len(second)) == (2, 2)
    (line,) = points(html.curve(times, 1.7e308 * np.linspace(-1, 1, 6)))
    assert np.isfinite(line).all()
    (line,) = points(html.curve(times, np.full(6, 7.0), size=(100, 24)))
    assert (line[:, 1] == 12).all()
    assert html.curve(times, np.full(6, NAN)) == html.curve(np.empty(0), np.empty(0)) == ""


def test_a_scatter_has_a_marker_for_every_finite_point():
    places = np.array([[0.0, 0.0], [1.0, 2.0], [NAN, 1.0], [-1.0, -2.0]])
    found = parsed(html.scatter(places, np.array([False, True, False, False])))
    marks = list(found.iter("circle"))
    assert [mark.attrib["fill"] == "none" for mark in marks] == [False, True, False]
    assert len(list(found.iter("line"))) == 2
    assert html.scatter(places[2:3], np.array([True])) == ""


def test_a_scatter_has_one_scale_where_it_should():
    square = np.array([[0.0, 0.0], [4.0, 1.0]])
    hidden = np.zeros(2, dtype=bool)
    (one, two) = parsed(html.scatter(square, hidden, equal=True, size=(104, 104))).iter("circle")
    across, up = (float(two.attrib[key]) - float(one.attrib[key]) for key in ("cx", "cy"))
    assert (across, up) == pytest.approx((100, -25))
    alike = np.array([[1.0, 0.0], [1.0 + 1e-15, 1.0]])
    marks = parsed(html.scatter(alike, hidden, size=(104, 104))).iter("circle")
    assert [mark.attrib["cx"] for mark in marks] == ["52.0", "52.0"]


def test_nothing_sets_the_colours_of_the_page():
    for given in (runs.teacher_student(), runs.teacher_student().final):
        assert not re.search(r"background:(?!none)|[^-]color:|<style|<script", shown(given))


def test_a_run_is_a_table_of_its_series():
    run = runs.classifying()
    table = {row[0]: row for row in rows(shown(run))[1:]}
    assert {"energy", "mean[a]"} <= set(table)
    last = run["energy"].isel(time=-1).values
    assert table["energy"][2] == f"{last.mean():.6g} ± {last.std(ddof=1):.2g}"
    assert table["energy"][1] == f"{run['energy'].isel(time=0).values.mean():.4g}"
    assert len(list(parsed(shown(run)).iter("path"))) == len(table)
    assert "seeds 4, 5, 6" in shown(run)


@pytest.mark.parametrize("run", [runs.diverged, runs.second_seed_diverged, runs.one_frame])
def test_a_run_that_went_wrong_is_shown_too(run):
    assert run().status in shown(run())
    parsed(shown(run()))


def test_what_a_file_says_is_escaped(tmp_path):
    title = "<script>alert(1)</script>"
    with runs.shrinking(title=title).save(tmp_path / "a<b>.h5") as run:
        markup = shown(run)
    assert "<script" not in markup
    assert "<b>.h5" not in markup
    assert title in "".join(parsed(markup).itertext())


def test_an_ensemble_whose_squares_are_no_floats_is_shown():
    far = mf.Ensemble(np.array([[1e200, 0.0], [-1e200, 1.0]]))
    assert [row[2] for row in rows(shown(far))[1:]] == ["inf", "0.5"]


def test_an_ensemble_is_told_by_means_and_deviations(rng):
    network = mf.TwoLayer("relu", dim=2, outer="fixed")
    mass = rng.random(5)
    some = network.ensemble(rng.standard_normal((5, 2)), rng.standard_normal(5), mass=mass)
    table = {row[0]: [float(cell) for cell in row[1:]] for row in rows(shown(some))[1:]}
    mean = np.average(some.w, axis=0, weights=mass)
    spread = np.sqrt(np.average((some.w - mean) ** 2, axis=0, weights=mass))
    assert [table[f"w[{i}]"][0] for i in (0, 1)] == pytest.approx(mean, rel=1e-3)
    assert [table[f"w[{i}]"][1] for i in (0, 1)] == pytest.approx(spread, rel=1e-3)
    assert "a (frozen)" in table
    assert f"in all {mass.sum():.6g}" in shown(some)


def test_many_particles_and_columns_are_told_in_part(rng):
    wide = mf.Ensemble(rng.standard_normal((4000, 40)))
    markup = shown(wide)
    assert len(rows(markup)) < 10
    assert "34 more" in markup
    assert "1/4,000 each" in markup
    assert len(list(parsed(markup).iter("circle"))) == 1000
    assert "<svg" not in shown(mf.Ensemble(rng.standard_normal((9, 1))))


def test_an_experiment_tells_what_is_not_a_default():
    tables = {
        "network": {"activation": "tanh", "outer": "trained", "bias": True},
        "data": {"kind": "gaussian", "dim": 2, "target": {"kind": "teacher", "neurons": 2}},
        "energy": {"l2": 0.1},
        "ensemble": {"count": 5},
        "scheme": {"step": 0.1},
        "run": {"until": 1.0},
    }
    experiment = mf.Experiment(tables, title="<i>")
    bold = {cell.text for cell in parsed(shown(experiment)).findall(".//td/b")}
    assert {"activation", "bias", "dim", "l2", "count", "step", "until"} <= bold
    assert not {"outer", "outputs", "loss", "covariance", "seed", "antisymmetric"} & bold
    assert "<i>" not in shown(experiment)


def test_a_distance_is_told_with_its_error(rng):
    some, other = rng.standard_normal((2, 20, 2))
    sliced = mf.distance(some, other, "sliced")
    assert f"{sliced.value:.6g} ± {sliced.standard_error:.2g}" in shown(sliced)
    assert "Sliced(" in shown(sliced)
    assert "±" not in shown(mf.distance(some, other))


def test_sweeps_and_chaos_are_tables_of_their_results(tmp_path, monkeypatch):
    for function in (mf.sweep, mf.chaos):
        monkeypatch.setattr(sys.modules[function.__module__], "local", lambda *_: HERE)
    (tmp_path / "a.toml").write_text(EXPERIMENT)
    sweep = mf.sweep(tmp_path / "a.toml", tmp_path / "b", {"ensemble.count": [4, 8]}, seeds=2)
    table = rows(shown(sweep))
    column = table[0].index("energy")
    energy = sweep.final["energy"].sel({"ensemble.count": 8}).values
    assert table[2][0] == "8"
    assert table[2][column] == f"{energy.mean():.6g} ± {energy.std(ddof=1):.2g}"
    chaos = mf.chaos(tmp_path / "a.toml", tmp_path / "c", sizes=[4, 8, 16], replicas=2)
    table = {row[0]: row for row in rows(shown(chaos))}
    assert table["variance"][1] == str(chaos.slope("variance"))
    first = chaos.constants("variance")[0].value
    assert table["variance"][2].startswith(f"{first:.4g}, ")
