"""The loop: what is looked at and kept, and what remains when it is stopped."""

import h5py
import numpy as np
import pytest

from meanfield.data import FiniteData
from meanfield.ensemble import Ensemble, Layout
from meanfield.errors import FileProblem, InvalidInput, MeanfieldError, Unsupported
from meanfield.flows import Langevin, Wasserstein
from meanfield.functionals import L2, TV, Entropy, Risk
from meanfield.functionals.regularisers import Linear
from meanfield.initial import Given, NormalInit
from meanfield.loop import Problem
from meanfield.networks import TwoLayer
from meanfield.observables import Energy, Moments, Observable, Observe, PathNorm
from meanfield.observables import TestRisk as HeldOutRisk
from meanfield.schedules import at, every, log_spaced
from meanfield.schemes import RK4, Euler, EulerMaruyama
from meanfield.simulation import simulate, simulate_replicas
from meanfield.storage import open_run

EVERY_STEP = {"steps": 1}
RNG = np.random.default_rng(1)
NETWORK = TwoLayer("tanh", 2)
RISK = Risk(NETWORK, FiniteData(RNG.standard_normal((5, 2)), RNG.standard_normal(5)))
FLOW = Langevin(RISK + 0.1 * L2() + 0.05 * Entropy())
START = NormalInit(4).draw(NETWORK.layout, 0)


def _run(**changes):
    settings = {
        "scheme": EulerMaruyama(0.1),
        "until": 1.0,
        "observe": [Energy(), Moments()],
        "observe_when": EVERY_STEP,
        "frames": every(steps=2),
    }
    return simulate(FLOW, START, **{**settings, **changes})


def _contents(file):
    """All numbers in a file, by name; without the diagnostics."""
    found = {}

    def visit(name, item):
        if isinstance(item, h5py.Dataset):
            value = np.asarray(item[()])
            found[name] = value.tolist() if item.dtype.kind == "O" else value.tobytes()

    file.visititems(visit)
    return found


def stopping_at(step, error):
    """A progress callback that raises an error after a number of steps."""

    def progress(number, total, view):
        if number == step:
            raise error

    return progress


class Cliff(Linear):
    """A quartic well: Euler steps from far out overshoot further every time."""

    name = "cliff"

    def density(self, ensemble):
        x = ensemble.position
        return (x**4).sum(axis=1) / 4, x**3


class Breaks(Observable):
    """Fails on the third look, the check before the run not counted."""

    kind = "breaks"

    def __init__(self):
        super().__init__()
        self.looks = 0

    def __call__(self, view):
        self.looks += 1
        if self.looks == 4:
            raise ZeroDivisionError("deep inside")
        return {"looks": self.looks}


# Time and schedules


@pytest.mark.parametrize("until", [1.0, 0.95, 0.04, 1.0 + 1e-12])
def test_the_run_ends_exactly_at_its_time(until):
    run = _run(until=until)
    assert run.status == "finished"
    assert run.final.time == run.frames[-1].time == run["energy"]["time"].values[-1] == until
    assert run.final.step == max(1, round(np.ceil(until / 0.1 - 1e-9)))
    assert np.array_equal(run.final.position, run.frames[-1].position)


def test_frames_and_series_are_where_the_schedules_say():
    run = _run(
        until=1.05,
        frames=at([0.25, 0.5]),
        observe_when=every(steps=4),
        observe=[Energy(), PathNorm(when=log_spaced(3)), Moments(when=[0.7])],
    )
    assert run.frames.steps.tolist() == [0, 3, 5, 11]
    assert run.frames.times.tolist() == [0.0, 3 * 0.1, 0.5, 1.05]
    assert run["energy"]["time"].values.tolist() == [0.0, 0.4, 0.8, 1.05]
    assert run["path_norm"]["time"].values.tolist() == [0.0, 0.1, 1.05]
    assert run["mean"]["time"].values.tolist() == [0.0, 0.7000000000000001, 1.05]
    assert run.file["observables/step"][:].tolist() == [0, 4, 8, 11]
    assert run.file["observables/step_path_norm"][:].tolist() == [0, 1, 11]


def test_what_is_observed_belongs_to_the_frame_of_its_time():
    run = _run(frames=EVERY_STEP)
    for i, frame in enumerate(run.frames):
        assert run["energy"].values[i] == FLOW.driving.value(frame)
        assert np.array_equal(run["mean"].values[i], frame.mean(frame.position))


def test_looking_changes_nothing():
    looked, blind = _run(frames=EVERY_STEP), _run(observe=(), frames=[0.0])
    assert np.array_equal(looked.final.position, blind.final.position)
    assert blind.names == []


def test_the_start_is_not_moved():
    before = START.position.copy()
    _run()
    assert np.array_equal(START.position, before)
    assert (START.time, START.step) == (0.0, 0)


def test_a_run_from_the_end_of_another_goes_on_with_its_noise():
    whole = _run(until=1.2)
    earlier = _run().final
    assert (earlier.time, earlier.step) == (1.0, 10)
    again = simulate(FLOW, earlier, scheme=EulerMaruyama(0.1), until=0.2)
    assert (again.frames[0].time, again.final.time) == (0.0, 0.2)
    assert (again.frames[0].step, again.final.step) == (10, 12)
    # New noise, not that of the first steps again: as if it had never stopped.
    assert np.allclose(again.final.position, whole.final.position, rtol=0, atol=1e-13)


def test_an_initial_law_asks_the_network_for_the_layout():
    run = simulate(FLOW, NormalInit(4), scheme=EulerMaruyama(0.1), until=1.0, seed=0)
    assert np.array_equal(run.frames[0].position, START.position)
    given = simulate(FLOW, Given(START), scheme=EulerMaruyama(0.1), until=1.0, seed=0)
    assert np.array_equal(run.final.position, given.final.position)
    plain = simulate(
        Wasserstein(L2()), NormalInit(3), scheme=Euler(0.1), until=1.0, layout=Layout.plain(2)
    )
    assert plain.final.position.shape == (3, 2)
    with pytest.raises(InvalidInput, match=r"^layout = None: expected a layout, as the energy has"):
        simulate(Wasserstein(L2()), NormalInit(3), scheme=Euler(0.1), until=1.0)


# Same seed, same bits


def test_the_same_seed_gives_the_same_bits(tmp_path):
    first, again = _run(seed=3), _run(seed=3)
    on_disk = _run(seed=3, out=tmp_path / "run.h5")
    saved = first.save(tmp_path / "saved.h5")
    expected = _contents(first.file)
    assert _contents(again.file) == expected
    assert _contents(on_disk.file) == expected
    assert _contents(saved.file) == expected
    other = _run(seed=4)
    assert not np.any(other.final.position == first.final.position)


def test_a_longer_run_begins_like_a_shorter_one():
    short, long = _run(frames=EVERY_STEP), _run(frames=EVERY_STEP, until=2.0)
    for before, after in zip(short.frames, long.frames[:11], strict=True):
        assert np.array_equal(before.position, after.position)


def test_a_value_that_is_not_always_there_keeps_its_time():
    class Sometimes(Observable):
        kind = "sometimes"

        def __call__(self, view):
            step = view.ensemble.step
            late = {"late": step} if step > 4 else {}
            return {"always": step, **({"even": step} if step % 2 == 0 else {}), **late}

    run = _run(observe=[Sometimes()])
    step, even = np.arange(11.0), np.arange(11) % 2 == 0
    assert np.array_equal(run["always"], step)
    assert np.array_equal(run["even"], np.where(even, step, np.nan), equal_nan=True)
    assert np.array_equal(run["late"], np.where(step > 4, step, np.nan), equal_nan=True)


# Runs that are stopped


@pytest.mark.parametrize("out", [None, "run.h5"])
def test_an_interrupted_run_keeps_what_was_computed(tmp_path, out):
    path = out and tmp_path / out
    whole = _run(frames=EVERY_STEP)
    run = _run(frames=EVERY_STEP, out=path, progress=stopping_at(7, KeyboardInterrupt()))
    assert (run.status, run.stop_reason) == ("interrupted", "stopped by the user")
    # It was stopped before it had looked at what step 7 led to.
    assert run.final.step == 6
    assert np.array_equal(run.final.position, whole.frames[6].position)
    assert len(run.frames) == 7
    assert np.array_equal(run["energy"], whole["energy"][:7])
    assert np.array_equal(run["mean"], whole["mean"][:7])
    assert np.array_equal(run["energy"]["time"], whole["energy"]["time"][:7])
    assert run.final.time == whole.frames[6].time
    if path is not None:
        run.close()
        with open_run(path) as reopened:
            assert reopened.status == "interrupted"
            assert len(reopened.frames) == 7


@pytest.mark.parametrize("out", [None, "run.h5"])
def test_a_diverged_run_keeps_what_was_computed(tmp_path, out):
    run = simulate(
        *(Wasserstein(Cliff()), Ensemble([[0.1], [5.0]])),
        scheme=Euler(0.2),
        until=100.0,
        observe_when=EVERY_STEP,
        frames=EVERY_STEP,
        out=out and tmp_path / out,
    )
    assert run.status == "diverged"
    reason = run.stop_reason
    assert reason.startswith(f"step {run.final.step + 1} (time {run.final.time:g}): 1 of 2 ")
    assert "the first is number 1 " in reason
    assert "try a smaller step than 0.2 (at the start, up to 0.027 is stable)" in reason
    assert np.isfinite(run.final.position).all()
    assert len(run.frames) == run.final.step + 1 < 20
    assert np.array_equal(run.frames[-1].position, run.final.position)
    assert run["energy"].shape == (run.final.step + 1,)
    assert run["energy"].values[0] == (0.1**4 + 5.0**4) / 8


def test_an_observable_that_raises_leaves_a_readable_file(tmp_path):
    path = tmp_path / "run.h5"
    with pytest.raises(ZeroDivisionError, match="deep inside"):
        _run(out=path, observe=[Energy(), Breaks()], frames=[0.0])
    whole = _run()
    with open_run(path) as run:
        assert run.status == "failed"
        assert run.stop_reason
        assert np.array_equal(run["energy"], whole["energy"][:2])
        assert run["looks"].values.tolist() == [2.0, 3.0]
        assert np.array_equal(run.final.position, _run(until=0.1).final.position)
        assert "failed" in repr(run)
    assert [file.name for file in tmp_path.iterdir()] == ["run.h5.parts"]


def test_a_crash_in_the_progress_callback_leaves_a_readable_file(tmp_path):
    path = tmp_path / "run.h5"
    with pytest.raises(RuntimeError, match="outside"):
        _run(out=path, progress=stopping_at(5, RuntimeError("outside")))
    with open_run(path) as run:
        assert run.status == "failed"
        assert run.final.step == 4
        assert len(run.frames) == 3


def test_while_it_runs_it_is_a_folder(tmp_path):
    path, seen = tmp_path / "run.h5", []

    def progress(step, total, view):
        seen.append((step, total, sorted(file.name for file in tmp_path.iterdir())))

    _run(out=path, progress=progress)
    assert seen == [(step, 10, ["run.h5.parts"]) for step in range(1, 11)]
    assert [file.name for file in tmp_path.iterdir()] == ["run.h5"]


# Errors before the first step


def _refuse(tmp_path, error, message, **changes):
    def progress(step, total, view):
        raise AssertionError("a step was taken")

    path = tmp_path / "run.h5"
    with pytest.raises(error, match=message):
        _run(out=path, progress=progress, **changes)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"until": 0.0}, InvalidInput, "^until = 0.0: expected a finite number > 0$"),
        ({"until": np.nan}, InvalidInput, "^until = nan: expected a finite number > 0$"),
        ({"seed": -1}, InvalidInput, r"^seed = -1: expected a whole number in \[0, 2\^63\)$"),
        ({"frames": at([2.0])}, InvalidInput, r"^at = 2.0: expected a time in \[0, 1\]$"),
        ({"frames": {"step": 2}}, InvalidInput, "^schedule = {'step': 2}: expected a table"),
        ({"observe_when": at([-1])}, InvalidInput, r"^at = -1.0: expected a time in \[0, 1\]$"),
        ({"scheme": RK4(0.1)}, Unsupported, "^the scheme 'rk4' is for flows without noise"),
        ({"observe": [HeldOutRisk()]}, Unsupported, "^the observable 'test-risk' needs held-out"),
        (
            {"observe": [Energy(), Energy()]},
            InvalidInput,
            r"^observe = \['energy', .*\]: expected observables whose series have different names$",
        ),
        (
            {"observe": [PathNorm(when=[0.5]), PathNorm(when=[0.7])]},
            InvalidInput,
            "^observe = 'time_path_norm': expected one observable of a kind with its own when$",
        ),
    ],
)
def test_bad_input_is_refused_before_the_first_step(tmp_path, changes, error, message):
    _refuse(tmp_path, error, message, **changes)


def test_an_observable_that_fails_does_so_before_the_first_step(tmp_path):
    def fail(ensemble):
        raise ZeroDivisionError("at once")

    _refuse(tmp_path, ZeroDivisionError, "at once", observe=[Observe("fails", fail)])


@pytest.mark.parametrize("name", ["time", "step", "seed", "coordinate", "time_scale", "step_size"])
def test_a_series_may_have_any_name_or_is_refused(tmp_path, name):
    """Names of axes and names that begin like them are no trap."""
    observe = [Energy(), Observe(name, lambda ensemble: 7.0)]
    try:
        run = _run(observe=observe)
    except MeanfieldError:
        return
    assert name in run.names
    assert run[name].values.tolist() == [7.0] * 11
    assert run["energy"]["time"].values[-1] == 1.0


@pytest.mark.parametrize("value", [np.zeros(7), np.zeros((2, 3)), np.zeros(0)])
def test_a_value_of_the_wrong_shape_is_refused_before_the_first_step(tmp_path, value):
    message = r"^observe.odd = \(.*\): expected one number, or \(3,\)$"
    _refuse(tmp_path, InvalidInput, message, observe=[Observe("odd", lambda ensemble: value)])


def test_a_flow_and_a_start_that_do_not_fit_are_refused():
    flow = Langevin(RISK, mobility={"b": 1.0})
    with pytest.raises(InvalidInput, match=r"^mobility.b = 1.0: expected a block of a, w$"):
        simulate(flow, START, scheme=Euler(0.1), until=1.0)
    with pytest.raises(InvalidInput, match=r"^tv on blocks = "):
        simulate(Wasserstein(TV()), Ensemble([[1.0]]), scheme=Euler(0.1), until=1.0)


def test_an_existing_file_is_not_replaced_unless_forced(tmp_path):
    path = tmp_path / "run.h5"
    path.write_text("precious")
    with pytest.raises(FileProblem, match="exists already: choose another name, or --force"):
        _run(out=path)
    assert path.read_text() == "precious"
    assert [file.name for file in tmp_path.iterdir()] == ["run.h5"]
    with pytest.raises(FileProblem, match="is not a run of meanfield: it is not replaced"):
        _run(out=path, force=True)
    path.unlink()
    _run(out=path, until=0.5)
    assert _run(out=path, force=True).status == "finished"
    assert open_run(path).final.step == 10


def test_a_folder_that_is_not_there_is_named(tmp_path):
    with pytest.raises(FileProblem, match=r"the folder .*nowhere does not exist$"):
        _run(out=tmp_path / "nowhere" / "run.h5")
    with pytest.raises(FileProblem, match=r"is a folder: give the name of a file$"):
        _run(out=tmp_path)


# Several seeds


def _problem(seed):
    return lambda: Problem(FLOW, NormalInit(4).draw(NETWORK.layout, seed), seed)


def _replicas(seeds=(3, 8, 5), **changes):
    settings = {
        "seeds": list(seeds),
        "scheme": EulerMaruyama(0.1),
        "until": 1.0,
        "observe": [Energy(), Moments(when=[0.5])],
        "observe_when": EVERY_STEP,
        "frames": every(steps=5),
    }
    return simulate_replicas([_problem(seed) for seed in seeds], **{**settings, **changes})


@pytest.mark.parametrize("out", [None, "run.h5"])
def test_each_seed_runs_as_if_it_were_alone(tmp_path, out):
    run = _replicas(out=out and tmp_path / out)
    assert run.seeds == [3, 8, 5]
    assert run["energy"].dims == ("seed", "time")
    assert run["mean"].dims == ("seed", "time", "coordinate")
    assert run["energy"]["seed"].values.tolist() == [3, 8, 5]
    assert run["mean"]["time"].values.tolist() == [0.0, 0.5, 1.0]
    for seed in (3, 8, 5):
        alone = simulate(
            FLOW,
            NormalInit(4),
            scheme=EulerMaruyama(0.1),
            until=1.0,
            seed=seed,
            observe_when=EVERY_STEP,
            frames=every(steps=5),
        )
        replica = run.replica(seed)
        assert np.array_equal(replica.final.position, alone.final.position)
        assert np.array_equal(run["energy"].sel(seed=seed), alone["energy"])
        for one, other in zip(replica.frames, alone.frames, strict=True):
            assert np.array_equal(one.position, other.position)
            assert (one.time, one.step) == (other.time, other.step)
    with pytest.raises(MeanfieldError, match=r"^unknown seed '4'"):
        run.replica(4)


def test_what_happens_after_each_seed():
    seen = []
    _replicas(after=lambda replica, recorder: seen.append((replica, recorder.plan.seeds[replica])))
    assert seen == [(0, 3), (1, 8), (2, 5)]


def test_seeds_that_were_finished_are_kept_when_a_later_one_is_interrupted():
    calls = []

    def progress(step, total, view):
        calls.append(step)
        if len(calls) == 17:
            raise KeyboardInterrupt

    whole, run = _replicas(), _replicas(progress=progress)
    assert run.status == "interrupted"
    assert np.array_equal(run["energy"].sel(seed=3), whole["energy"].sel(seed=3))
    assert np.array_equal(run["energy"].sel(seed=8)[:7], whole["energy"].sel(seed=8)[:7])
    assert np.isnan(run["energy"].sel(seed=8)[7:]).all()
    assert np.isnan(run["energy"].sel(seed=5)).all()
    assert np.array_equal(run.final.position, whole.final.position)
    assert run.replica(8).final.step == 6
    assert "interrupted" in repr(run)
    assert "energy = " in repr(run)


def test_a_seed_that_was_not_finished_has_what_it_reached():
    calls = []

    def progress(step, total, view):
        calls.append(step)
        if len(calls) == 17:
            raise KeyboardInterrupt

    run = _replicas(progress=progress)
    assert [frame.step for frame in run.replica(8).frames] == [0, 5]
    assert len(run.replica(5).frames) == 0
    with pytest.raises(MeanfieldError):
        _ = run.replica(5).final
    assert "interrupted" in repr(run.replica(8))
    assert "interrupted" in repr(run.replica(5))


# What a run says of itself


def test_repr_tells_the_status_and_the_last_values():
    run = _run(title="try")
    text = repr(run)
    assert text.startswith("Run 'try' (in memory): finished, reached time 1 in 10 steps")
    assert f"energy = {run['energy'].values[-1]:.6g}" in text
    assert f"risk = {run['risk'].values[-1]:.6g}" in text
    assert "6 frames, 1 seed(s), Ensemble(4 particles: a, w[2]; time=1, step=10)" in text


def test_repr_of_several_seeds_tells_mean_and_spread():
    run = _replicas()
    last = run["energy"].values[:, -1]
    assert f"energy = {last.mean():.6g} ± {last.std(ddof=1):.2g}" in repr(run)


def test_diagnostics_and_provenance():
    run = _run(seed=3)
    assert {"elapsed", "compiling", "steps_per_second", "stepping"} <= set(run.diagnostics)
    assert run.diagnostics["elapsed"] > 0
    assert run.provenance["seeds"] == [3]
    assert run.provenance["version_numpy"] == np.__version__
    assert "V = -E[y phi]" in run.provenance["conventions"]
    assert run.provenance["started"] <= run.provenance["ended"]
    assert run.experiment == ""


def test_progress_sees_every_step_and_the_new_state():
    seen = []

    def progress(step, total, view):
        assert view.ensemble.step == step
        seen.append((step, total, view.ensemble.position.copy(), view.evaluation.value))

    run = _run(progress=progress, frames=EVERY_STEP)
    assert [(step, total) for step, total, _, _ in seen] == [(i, 10) for i in range(1, 11)]
    for step, _, position, energy in seen:
        assert np.array_equal(position, run.frames[step].position)
        assert energy == run["energy"].values[step]
