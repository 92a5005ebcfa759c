"""Distances as observables of a run, and of runs: references, budgets, matching, paths, tables."""

import json
import pathlib

import numpy as np
import pytest

import meanfield as mf
from meanfield.ensemble import Ensemble
from meanfield.errors import InvalidInput, Unsupported
from meanfield.flows import Wasserstein
from meanfield.functionals import L2
from meanfield.observables import W2, DistanceTo, View
from meanfield.schemes import Euler
from meanfield.simulation import simulate
from meanfield.transport import Path, distance, methods, modulo_scaling
from meanfield.transport.measures import measure


def _cloud(rng, count, dim):
    return Ensemble(rng.standard_normal((count, dim)))


def _run(start, **arguments):
    """Under dx = -x dt in Euler steps, x = (1 - h)^step x₀."""
    return simulate(Wasserstein(L2()), start, scheme=Euler(0.1), until=1.0, **arguments)


@pytest.mark.parametrize("reference", ["start", "previous", "ensemble"])
def test_along_a_run(reference):
    """Under dx = -x dt in Euler steps, x = (1 - h)^step x₀: distances are |Δ factor| radius."""
    start = _cloud(np.random.default_rng(0), 6, 2)
    origin = Ensemble([[0.0, 0.0]])
    observable = W2(to=origin if reference == "ensemble" else reference, when={"steps": 2})
    radius = np.sqrt(start.mean((start.position**2).sum(axis=1)))
    factor = 0.9 ** np.arange(0, 11, 2)
    expected = {
        "start": 1 - factor,
        "previous": -np.diff(factor, prepend=1.0),
        "ensemble": factor,
    }[reference]
    for _ in range(2):  # a second run with the same observable starts anew
        run = simulate(Wasserstein(L2()), start, scheme=Euler(0.1), until=1.0, observe=[observable])
        np.testing.assert_allclose(run["w2"], expected * radius, atol=1e-7)


def test_the_previous_look_is_one_of_the_same_run():
    flow, observable = Wasserstein(L2()), W2(to="previous")
    first, second = (_cloud(np.random.default_rng(seed), 5, 2) for seed in (0, 1))
    assert observable(View(first, flow, first)) == {"w2": 0.0}
    moved = first.at(first.position + np.array([3.0, 4.0]))
    moved.step = 1
    assert observable(View(moved, flow, first)) == {"w2": pytest.approx(5.0)}
    assert observable(View(moved, flow, first)) == {"w2": 0.0}
    assert observable(View(second, flow, second)) == {"w2": 0.0}


@pytest.mark.parametrize("to", ["", None, 3])
def test_a_senseless_reference_is_refused(to):
    with pytest.raises(
        InvalidInput, match=r"^to = .*: expected 'start', 'previous', the path of a run"
    ):
        W2(to=to)


def test_methods_and_references_of_every_kind(tmp_path):
    start = _cloud(np.random.default_rng(1), 8, 2)
    earlier = _run(start, out=tmp_path / "a.h5")
    earlier.close()

    class Shrinking:
        """The limit itself: where the particles are at a time."""

        def measure(self, time, count):
            assert count == 8
            return start.at(start.position * np.exp(-time))

    def look(to, method="exact", **more):
        found = _run(start, observe=[DistanceTo(to, method, when={"time": 0.5}, **more)])
        return found[f"distance_{method.replace('-', '_')}"].values

    radius = np.sqrt(start.mean((start.position**2).sum(axis=1)))
    factor = 0.9 ** np.array([0, 5, 10])
    expected = np.abs(factor - factor[2]) * radius
    np.testing.assert_allclose(look(str(tmp_path / "a.h5")), expected, atol=1e-12)
    np.testing.assert_allclose(look(f"{tmp_path}/a.h5@0"), (1 - factor) * radius, atol=1e-12)
    drift = np.abs(factor - np.exp([0, -0.5, -1.0])) * radius
    np.testing.assert_allclose(look(Shrinking()), drift, atol=1e-12)
    for method in methods:
        values = look("start", method)
        assert values[0] < 1e-6 < values[1] < values[2]


def test_several_distances_have_names_of_their_own(rng):
    start = Ensemble(rng.standard_normal((5, 2)))
    other = Ensemble(np.zeros((5, 2)))
    flow, looks = Wasserstein(L2()), [W2(), W2(other, name="w2_rest"), DistanceTo(name="own")]
    run = simulate(flow, start, scheme=Euler(0.1), until=0.1, observe=looks)
    assert {"w2", "w2_rest", "own", "own_error"} == set(run.names)
    expected = [distance(run.final, x).value for x in (start, other)]
    assert [float(run[name][-1]) for name in ("w2", "w2_rest")] == pytest.approx(expected)
    with pytest.raises(InvalidInput, match="name = 'to rest'"):
        W2(name="to rest")


def test_a_sampled_distance_has_its_error_and_a_file_of_keys_says_it(tmp_path):
    start = _cloud(np.random.default_rng(2), 5, 3)
    run = _run(start, observe=[DistanceTo(method={"kind": "sliced", "directions": 9})])
    assert run["distance_sliced"][0] == run["distance_sliced_error"][0] == 0.0
    value = distance(start, run.final, "sliced", directions=9)
    assert float(run["distance_sliced"][-1]) == value.value
    assert float(run["distance_sliced_error"][-1]) == value.standard_error


def test_what_would_take_hours_is_refused_before_the_run():
    start = Ensemble(np.zeros((20_000, 2)))
    with pytest.raises(Unsupported, match=r"^observe w2: 11 looks at 20,000 particles take about"):
        _run(start, observe=[W2(when={"steps": 1})])
    with pytest.raises(Unsupported, match=r"budget is 1e-09 s: look less often \(when\)"):
        _run(start, observe=[DistanceTo(budget=1e-9)])


def test_neurons_that_do_not_scale_are_refused_before_the_run():
    data = mf.FiniteData([[1.0], [2.0]], [0.0, 1.0])
    for activation, refused in (("tanh", True), ("relu", False)):
        flow = Wasserstein(mf.Risk(mf.TwoLayer(activation, 1), data))
        observe = [DistanceTo(method="cone", modulo="scaling")]
        arguments = {"scheme": Euler(0.1), "until": 0.5, "observe": observe}
        if refused:
            with pytest.raises(Unsupported, match="'tanh' is not positively homogeneous"):
                simulate(flow, mf.NormalInit(4), **arguments)
        else:
            assert simulate(flow, mf.NormalInit(4), **arguments)["distance_cone"][-1] > 0


def test_ensembles_scale_where_their_network_does(tmp_path):
    """Nobody knows the activation of bare particles, unless they are told: then it is checked."""
    relu, tanh = mf.TwoLayer("relu", 1), mf.TwoLayer("tanh", 1)
    bounded = mf.TwoLayer("relu", 1, outer="bounded")
    one = relu.ensemble(w=[[1.0], [-2.0]], a=[1.0, 0.5])
    other = relu.ensemble(w=[[2.0], [-1.0]], a=[0.5, 1.0])
    options = {"method": "cone", "modulo": "scaling"}
    found = distance(one, other, **options, network=relu)
    assert found.value < 1e-6
    assert found.notes == ()
    unknown = distance(one, other, **options)
    assert unknown.value == found.value
    assert "activation is not known" in unknown.notes[-1]
    with pytest.raises(Unsupported, match="'tanh' is not positively homogeneous"):
        distance(one, other, **options, network=tanh)
    with pytest.raises(Unsupported, match="'tanh' is not positively homogeneous"):
        mf.distance_matrix([one, other], "cone", modulo="scaling", network=tanh)
    with pytest.raises(Unsupported, match="bounded outer weights do not scale"):
        distance(one, other, **options, network=bounded)


def test_rescaled_neurons_are_the_same_function(rng):
    network = mf.TwoLayer("relu", 3, bias=True)
    a, w, b = rng.standard_normal(6), rng.standard_normal((6, 3)), rng.standard_normal(6)
    c = rng.uniform(0.1, 10.0, 6)
    one = network.ensemble(w, a, b)
    other = network.ensemble(c[:, None] * w, a / c, c * b)
    assert distance(one, other).value > 0.1
    assert distance(one, other, "cone", modulo="scaling").value < 1e-6
    assert distance(one, other, "auto", modulo="scaling").method.kind == "cone"
    third = network.ensemble(w, 2 * a, b)
    # Only masses change: by the factor 2, at the same places.
    sphere = modulo_scaling(measure(one))
    expected = (np.sqrt(2) - 1) * np.sqrt(np.abs(sphere.mass).sum())
    found = distance(one, third, "cone", modulo="scaling", length=0.01)
    assert found.value == pytest.approx(0.01 * expected, rel=1e-6)
    x = rng.standard_normal((5, 3))
    inputs = np.hstack([x, np.ones((5, 1))])
    f = np.maximum(inputs @ sphere.points.T, 0) @ sphere.mass
    np.testing.assert_allclose(f, network(one, x), atol=1e-7)
    # Opposite neurons cancel.
    pair = network.ensemble(np.vstack([w, w]), np.append(a, -a), np.append(b, b))
    assert np.abs(modulo_scaling(measure(pair)).mass).max() < 1e-12
    with pytest.raises(Unsupported, match="needs neurons with blocks a"):
        distance(rng.standard_normal((3, 2)), rng.standard_normal((3, 2)), modulo="scaling")


def test_a_shuffled_ensemble_is_matched_to_itself(rng):
    x = rng.standard_normal((30, 4))
    order = rng.permutation(30)
    found = mf.matching(x, x[order] + 1e-3)
    np.testing.assert_array_equal(order[found.partner], np.arange(30))
    np.testing.assert_allclose(found.target, x + 1e-3, atol=1e-12)
    assert found.distance.value == pytest.approx(2e-3, rel=1e-9)


def test_interpolation_is_a_geodesic(rng):
    one, other = (
        _cloud(rng, 12, 3),
        Ensemble(rng.standard_normal((9, 3)), rng.dirichlet(np.ones(9))),
    )
    whole = distance(one, other).value
    for t in (0.0, 0.3, 1.0):
        there = mf.interpolate(one, other, t)
        assert distance(one, there).value == pytest.approx(t * whole, abs=1e-7)
        assert distance(there, other).value == pytest.approx((1 - t) * whole, abs=1e-7)


def test_barycentre_of_translates_and_on_the_line(rng):
    x = rng.standard_normal((15, 3))
    shifts = rng.standard_normal((3, 1, 3))
    weights = np.array([0.5, 0.3, 0.2])
    mean = mf.barycentre([x + s for s in shifts], weights)
    expected = x + np.tensordot(weights, shifts, 1)
    assert distance(mean, expected).value < 1e-9
    lines = [np.sort(rng.standard_normal((20, 1)), axis=0) for _ in range(4)]
    mean = mf.barycentre(lines)
    np.testing.assert_allclose(np.sort(mean.position, axis=0), np.mean(lines, axis=0), atol=1e-12)
    with pytest.raises(InvalidInput, match=r"^weights = "):
        mf.barycentre(lines, [1.0])


def test_the_metric_speed_of_a_wasserstein_flow_is_its_dissipation():
    """|ρ̇|² = ∫|∇F'|²dρ: the length by distances is the one by velocities, to second order."""
    start = _cloud(np.random.default_rng(3), 10, 2)
    radius = np.sqrt(start.mean((start.position**2).sum(axis=1)))
    errors = []
    for step in (0.1, 0.05):
        run = simulate(
            *(Wasserstein(L2()), start),
            **{"scheme": mf.RK4(step), "until": 1.0, "frames": {"steps": 1}},
            observe=[mf.Dissipation()],
        )
        path = mf.metric_speed(run)
        assert path.length == pytest.approx((1 - np.exp(-1)) * radius, rel=1e-5)
        errors.append(abs(path.length / path.drift.sum() - 1))
        assert mf.path_length(run) == path.length
    assert errors[0] / errors[1] == pytest.approx(4.0, rel=0.1)
    assert isinstance(path, Path)
    np.testing.assert_allclose(path.speeds, path.drift / 0.05, rtol=1e-3)
    with pytest.raises(Unsupported, match="20 distances by exact take about"):
        mf.metric_speed(run, most_seconds=1e-9)


def test_tables_of_distances_and_their_picture(rng, tmp_path):
    base = rng.standard_normal((12, 5))
    places = rng.standard_normal((4, 2))
    shifts = np.hstack([places, np.zeros((4, 3))])
    found = mf.distance_matrix([base + s for s in shifts])
    picture = mf.embedding(found)
    assert picture.explained == pytest.approx(1.0)
    assert picture.error < 1e-7
    expected = np.linalg.norm(places[:, None] - places, axis=2)
    np.testing.assert_allclose(found.values, expected, atol=1e-7)
    runs = [_run(Ensemble(base[i : i + 5]), out=tmp_path / f"{i}.h5") for i in (0, 1)]
    across = mf.distance_matrix(runs, times=[0.0, 1.0])
    assert across.names == ["0@0", "0@1", "1@0", "1@1"] or len(across.names) == 4
    assert across.values[0, 1] == pytest.approx(
        distance(runs[0].frames[0], runs[0].final).value, rel=1e-12
    )
    with pytest.raises(Unsupported, match="6 distances by exact take about"):
        mf.distance_matrix([base] * 4, most_seconds=1e-9)


def test_a_run_of_several_seeds_says_which_one_it_is_compared_by():
    file = pathlib.Path(__file__).parents[1] / "storage" / "golden" / "two.h5"
    said = "of a run with 2 seeds; run.replica(SEED) is another"
    with mf.open(file) as run:
        assert distance(run.frames[0], run).notes == (f"seed 3 {said}",)
        assert distance(run, run).notes == (f"seed 3 {said}",)
        other = run.replica(8)
        assert distance(run, other).notes == (f"seed 3 {said}", f"seed 8 {said}")
        assert distance(run.final, other.final).notes == ()


def test_the_command(tmp_path, monkeypatch, call):
    monkeypatch.chdir(tmp_path)
    start = _cloud(np.random.default_rng(4), 6, 2)
    _run(start, out="a.h5").close()
    code, out, _ = call("distance", "a.h5@0", "a.h5", "--json", "d.json")
    assert (code, out.startswith("Distance(")) == (0, True)
    many = Ensemble(np.zeros((6_000, 2)))
    simulate(Wasserstein(L2()), many, scheme=Euler(0.1), until=0.1, out="b.h5").close()
    radius = np.sqrt(start.mean((start.position**2).sum(axis=1)))
    value = json.loads((tmp_path / "d.json").read_text())["value"]
    assert value == pytest.approx((1 - 0.9**10) * radius, rel=1e-12)
    assert call("distance", "a.h5", "a.h5@0.5", "--method", "sliced")[0] == 0
    for arguments, said in (
        (("a.h5", "a.h5@soon"), "@ = 'soon': expected a time, as in a.h5@2.5"),
        (("a.h5", "a.h5@1.5"), "time = 1.5: expected a time of the frames, 0 to 1"),
        (("a.h5@nan", "a.h5"), "time = nan: expected a time of the frames, 0 to 1"),
        (("a.h5", "c.h5"), "c.h5: no such file"),
        (("a.h5", "a.h5", "--method", "best"), "method.kind = 'best'"),
        (("a.h5", "a.h5", "--modulo", "scaling"), "needs neurons with blocks a"),
        (("a.h5", "a.h5", "--modulo", "signs"), "modulo = 'signs': expected 'scaling'"),
        (("b.h5@0", "b.h5@0", "--most", "1s"), "raise most_seconds (--most), or take bures ("),
    ):
        code, _, err = call("distance", *arguments)
        assert code == 2
        assert said in err
