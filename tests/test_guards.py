"""What must stay true while an energy descends."""

import logging

import numpy as np
import pytest

import meanfield as mf
from meanfield.config import Experiment
from meanfield.errors import Diverged, InvalidInput
from meanfield.functionals.regularisers import Linear
from meanfield.guards import check_finite, descends, long_step
from tests.conftest import size

EVERY_STEP = {"steps": 1}


class Cliff(Linear):
    """A quartic well: Euler steps from far out overshoot further every time."""

    name = "cliff"

    def density(self, ensemble):
        x = ensemble.position
        return (x**4).sum(axis=1) / 4, x**3


class Waves(Linear):
    """V = -cos x, whose force is bounded: a step that is too long oscillates and stays finite."""

    name = "waves"

    def density(self, ensemble):
        x = ensemble.position
        return -np.cos(x).sum(axis=1), np.sin(x)


def particles(count=6, columns=2, seed=3):
    return mf.Ensemble(np.random.default_rng(seed).standard_normal((count, columns)))


# What is no longer finite


def _before(**fields):
    return mf.Ensemble([[1.0, 0.0], [3.0, 4.0], [0.0, 2.0]], time=1.5, step=15, **fields)


@pytest.mark.parametrize("lost", [np.nan, np.inf, -np.inf])
def test_the_first_lost_particle_is_named_with_step_time_and_remedy(lost):
    after = _before().at(np.array([[1.0, 0.0], [0.0, lost], [lost, lost]]))
    with pytest.raises(Diverged) as caught:
        check_finite(_before(), after, 0.1, lambda: " (or so)")
    assert str(caught.value) == (
        "step 16 (time 1.5): 2 of 3 particles are no longer finite (positions), the first is "
        "number 1 (|θ| was 5); try a smaller step than 0.1 (or so)"
    )


def test_masses_and_velocities_are_looked_at_too():
    still = _before(velocity=np.zeros((3, 2)))
    bad = still.having(mass=np.array([0.5, 0.5, np.nan]))
    with pytest.raises(
        Diverged, match=r"1 of 3 particles are .* \(masses\), the first is number 2"
    ):
        check_finite(still, bad, 0.1)
    worse = bad.having(velocity=np.array([[np.inf, 0.0], [0.0, 0.0], [0.0, 0.0]]))
    with pytest.raises(Diverged, match=r"2 of 3 .* \(masses and velocities\), .* number 0"):
        check_finite(still, worse, 0.1)


def test_infinities_of_both_signs_do_not_cancel():
    after = _before().at(np.array([[np.inf, 0], [-np.inf, 0], [0, 0]]))
    with pytest.raises(Diverged, match="2 of 3 particles"), np.errstate(invalid="ignore"):
        check_finite(_before(), after, 0.1)


def test_large_particles_are_not_lost():
    check_finite(_before(), _before().at(np.zeros((3, 2))), 0.1)
    with np.errstate(over="ignore"):
        check_finite(_before(), _before().at(np.full((3, 2), 1e308)), 0.1)


def _blown_up(kind):
    """A flow, a start, a scheme and the array that is lost first."""
    if kind == "positions":
        return mf.Wasserstein(Cliff()), particles(), mf.Euler(1.0)
    if kind == "masses":
        flow = mf.FisherRao(-10.0 * mf.L2(), balanced=False)
        return flow, mf.Ensemble([[1.0], [6.0], [2.0]]), mf.Euler(0.5)
    return mf.HeavyBall(Cliff(), friction=0.1), particles(), mf.BAOAB(3.0)


@pytest.mark.parametrize("kind", ["positions", "masses", "velocities"])
def test_the_file_ends_with_the_last_state_that_was_finite(tmp_path, kind):
    flow, start, scheme = _blown_up(kind)
    path = tmp_path / "run.h5"
    mf.simulate(flow, start, scheme=scheme, until=200.0, frames=EVERY_STEP, out=path).close()
    with mf.open(path) as run:
        assert run.status == "diverged"
        assert kind in run.stop_reason
        last, end = run.frames[-1], run.final
        assert run.stop_reason.startswith(f"step {end.step + 1} (time {end.time:g}): ")
        assert (last.step, last.time) == (end.step, end.time)
        assert end.step >= 2
        for name in ("position", "mass", "velocity"):
            kept = getattr(end, name)
            assert (kept is None) == (kind != "velocities" and name == "velocity")
            if kept is not None:
                assert np.isfinite(kept).all()
                assert np.array_equal(kept, getattr(last, name))
        # One more step from there is lost.
        with np.errstate(over="ignore", invalid="ignore"):
            here = flow.driving.evaluate(end)
            after, _ = scheme.advance(flow, end, here, scheme.step, 0)
        arrays = {"positions": after.position, "masses": after.mass, "velocities": after.velocity}
        assert not np.isfinite(arrays[kind]).all()


def test_advice_names_the_longest_stable_step_a_stiff_scheme_and_clipping():
    start = mf.Ensemble([[0.1], [5.0]])
    run = mf.simulate(mf.Wasserstein(Cliff()), start, scheme=mf.Euler(0.2), until=100.0)
    assert run.stop_reason.endswith(  # 2/75
        "try a smaller step than 0.2 (at the start, up to 0.027 is stable), or the scheme "
        "'adaptive' with method 'Radau', or 'tamed-euler', which clips displacements"
    )
    many = mf.Ensemble(np.full((1001, 1), 5.0))
    run = mf.simulate(mf.Wasserstein(Cliff()), many, scheme=mf.Euler(0.2), until=100.0)
    assert ", or the scheme 'jko', which is implicit, or 'tamed-euler'" in run.stop_reason
    warm = mf.Langevin(Cliff() + 1e-9 * mf.Entropy())
    run = mf.simulate(warm, start, scheme=mf.EulerMaruyama(0.2), until=100.0)
    assert run.stop_reason.endswith(
        "up to 0.027 is stable), or the scheme 'tamed-euler', which clips displacements"
    )
    ball = mf.HeavyBall(Cliff())
    run = mf.simulate(ball, start, scheme=mf.Euler(2.0), until=500.0)
    assert run.stop_reason.endswith("than 2, or the scheme 'adaptive' with method 'Radau'")
    radau = mf.simulate(
        *(mf.Wasserstein(Cliff()), start), scheme=mf.Adaptive(0.2, "Radau"), until=1.0
    )
    assert radau.status == "finished"


# What rises


def _too_long(**changes):
    settings = {"scheme": mf.Euler(2.5), "until": 50.0, "observe_when": EVERY_STEP}
    start = mf.Ensemble([[0.1], [0.2]])
    return mf.simulate(mf.Wasserstein(Waves()), start, **{**settings, **changes})


def test_a_rise_is_told_once_with_step_time_and_size(caplog):
    with caplog.at_level(logging.WARNING, "meanfield"):
        run = _too_long()
    energy = run["energy"].values
    step = int(np.flatnonzero(np.diff(energy) > 0)[0]) + 1
    least = energy[:step].min()
    expected = (
        f"step {step} (time {2.5 * step:g}): the energy rose by {energy[step] - least:.3g} "
        f"above {least:.6g}, though the flow 'wasserstein' lowers it: "
        "try a smaller step than 2.5"
    )
    assert run.status == "finished"
    assert run.stop_reason == f"reached time 50 in 20 steps; {expected}"
    assert run.diagnostics["energy_rise"] == expected
    assert [record.getMessage() for record in caplog.records] == [expected]


def test_a_rise_stops_the_run_if_it_is_to():
    run, whole = _too_long(guard="stop"), _too_long(guard="off")
    assert run.status == "diverged"
    assert "the energy rose by" in run.stop_reason
    assert run.stop_reason.startswith(f"step {run.final.step} ")
    energy = whole["energy"].values
    assert np.array_equal(run["energy"], energy[: run.final.step + 1])
    assert energy[run.final.step] > energy[: run.final.step].min()


def test_or_nothing_is_said(caplog):
    with caplog.at_level(logging.WARNING, "meanfield"):
        run = _too_long(guard="off")
    assert run.stop_reason == "reached time 50 in 20 steps"
    assert "energy_rise" not in run.diagnostics
    assert not caplog.records
    with pytest.raises(InvalidInput, match=r"^guard = 'no': expected one of warn, stop, off$"):
        _too_long(guard="no")


def test_a_wrong_gradient_is_told():
    class Uphill(Waves):
        def density(self, ensemble):
            value, slope = super().density(ensemble)
            return value, -slope

    start = mf.Ensemble([[0.1], [0.2]])
    run = mf.simulate(mf.Wasserstein(Uphill()), start, scheme=mf.RK4(0.01), until=1.0, guard="stop")
    assert run.status == "diverged"


NETWORK = mf.TwoLayer("tanh", 2)
RNG = np.random.default_rng(1)
DATA = mf.FiniteData(RNG.standard_normal((5, 2)), RNG.standard_normal(5))
BOWL = mf.L2() + mf.Interaction(mf.RBF(1.0)) + Waves()
NEURONS = mf.NormalInit(6)
THROWN = particles()
THROWN.velocity = np.random.default_rng(4).standard_normal((6, 2))
ROUND = mf.Ensemble([[0.6, 0.8], [0.0, 1.0], [-0.8, 0.6]])

QUIET = {
    "euler": (mf.Wasserstein(BOWL), particles(), mf.Euler(0.4)),
    "neurons": (mf.Wasserstein(mf.Risk(NETWORK, DATA)), NEURONS, mf.RK4(0.3)),
    "float32": (mf.Wasserstein(BOWL), particles().astype("float32"), mf.Heun(0.3)),
    "kink": (mf.Wasserstein(mf.Risk(NETWORK, DATA) + 1e-4 * mf.L1()), NEURONS, mf.Euler(0.1)),
    "sphere": (mf.Wasserstein(BOWL, constraint={"x": "sphere"}), ROUND, mf.Euler(0.2)),
    "masses": (mf.WassersteinFisherRao(BOWL), particles(), mf.Strang(0.2)),
    "unbalanced": (mf.WassersteinFisherRao(BOWL, balanced=False), particles(), mf.Euler(0.2)),
    "replicator": (mf.FisherRao(BOWL), particles(), mf.Lie(0.2)),
    "adaptive": (mf.Wasserstein(BOWL), particles(), mf.Adaptive(0.5, "RK45", 1e-3, 1e-3)),
    "langevin without noise": (mf.Langevin(BOWL), particles(), mf.EulerMaruyama(0.2)),
    "nesterov": (mf.Nesterov(BOWL), particles(), mf.RK4(0.2)),
    **{
        f"{scheme.kind} with friction {friction:g} and step {step:g}": (
            mf.HeavyBall(BOWL, friction=friction),
            THROWN,
            scheme(step),
        )
        for scheme in (mf.BAOAB, mf.OBABO, mf.UBU)
        for friction in (0.0, 0.3)
        for step in (0.1, 0.7)
    },
}


@pytest.mark.parametrize("case", QUIET)
def test_nothing_is_told_of_a_step_that_is_short_enough(case):
    flow, start, scheme = QUIET[case]
    assert descends(flow)
    until = size(300, 60) * scheme.step
    run = mf.simulate(
        *(flow, start), scheme=scheme, until=until, observe_when=EVERY_STEP, guard="stop"
    )
    assert run.status == "finished", run.stop_reason


@pytest.mark.parametrize("scheme", [mf.BAOAB, mf.OBABO, mf.UBU])
@pytest.mark.parametrize("share", [0.3, 0.7, 1.0, 1.2, 1.9])
def test_verlet_swings_and_that_is_no_rise(scheme, share):
    """An oscillator thrown from the bottom: the energy swings by a part of itself, for ever."""
    start = mf.Ensemble([[0.0], [1e-3]], velocity=np.array([[1.0], [2.0]]))
    flow = mf.HeavyBall(mf.L2(), friction=0.0)
    run = mf.simulate(
        *(flow, start),
        scheme=scheme(share),
        until=size(200, 50) * share,
        observe=[mf.KineticEnergy()],
        observe_when=EVERY_STEP,
        guard="stop",
    )
    if share == 1.9:  # close to the bound: by far more than itself
        assert run.status == "diverged"
        return
    assert run.status == "finished", run.stop_reason
    total = run["total_energy"].values
    assert np.ptp(total) > 0.15 * share**2 * total[0]


def test_second_order_flows_are_held_to_the_total_energy():
    flow = mf.HeavyBall(Waves(), friction=0.0)
    start = mf.Ensemble([[0.1], [0.2]])
    run = mf.simulate(flow, start, scheme=mf.Euler(0.3), until=50.0, guard="stop")
    assert run.status == "diverged"
    assert "energy and kinetic energy rose by" in run.stop_reason
    # The energy alone rises all the time, and nothing is said of it.
    fine = mf.simulate(flow, start, scheme=mf.RK4(0.1), until=50.0, guard="stop")
    assert fine.status == "finished"
    assert np.any(np.diff(fine["energy"].values) > 1e-3)


def test_where_it_is_no_theorem():
    streamed = mf.Risk(NETWORK, mf.Stream(DATA, 2))
    law = mf.Gaussian(3).labelled_by(mf.SingleIndex(degree=1))
    pairs = mf.Risk(mf.TwoLayer("relu", 3), law, pairs=mf.RandomBatches(2))
    assert descends(mf.Wasserstein(mf.Risk(NETWORK, DATA) + mf.L2()))
    assert not descends(mf.Wasserstein(streamed + mf.L2()))
    assert not descends(mf.Wasserstein(0.5 * pairs))
    assert not descends(mf.Langevin(BOWL + 0.1 * mf.Entropy()))
    assert not descends(mf.Kinetic(BOWL + 0.1 * mf.Entropy()))
    assert not descends(mf.BirthDeath(BOWL))

    class Turning(mf.Wasserstein):
        """A motion of its own."""

        def velocity(self, ensemble, evaluation):
            return self.descent(ensemble, evaluation)[:, ::-1]

    assert not descends(Turning(BOWL))


@pytest.mark.parametrize("flow", [mf.Langevin, mf.Kinetic])
def test_noise_hides_no_step_that_is_too_long(flow):
    """In a bowl ½θ² of temperature 0.1 the energy is 0.05 for each column at rest."""
    start = mf.Ensemble(np.zeros((100, 2)))
    heated = flow(BOWL + 0.1 * mf.Entropy())
    scheme = mf.EulerMaruyama if flow is mf.Langevin else mf.BAOAB
    long = mf.simulate(heated, start, scheme=scheme(2.5), until=100.0, guard="stop")
    assert long.status == "diverged"
    assert "though the flow" in long.stop_reason
    assert "raises it by less: try a smaller step than 2.5" in long.stop_reason
    fine = mf.simulate(heated, start, scheme=scheme(0.1), until=100.0, guard="stop")
    assert fine.status == "finished"


def test_each_replica_has_its_own_least_energy():
    tables = {
        "network": {"activation": "relu"},
        "data": {"kind": "gaussian", "dim": 3, "target": {"kind": "teacher", "neurons": 2}},
        "ensemble": {"count": 6},
        "scheme": {"step": 0.1},
        "run": {"until": 0.5, "seeds": 4, "guard": "stop"},
    }
    run = Experiment(tables).run()
    assert run.status == "finished"
    first, last = run["energy"].values[:, 0], run["energy"].values[:, -1]
    assert first[1:].max() > last[:-1].min()
    assert 'guard = "stop"' in run.experiment


# A step that is too long from the start


def test_a_step_that_is_unstable_at_the_start_is_told(caplog):
    flow, start = mf.Wasserstein(Waves()), mf.Ensemble([[0.0], [0.0]])
    sentence = (
        "step = 2.5: longer than 2, the longest that is stable for the scheme 'euler' at the start "
        "(sharpness 1)"
    )
    with caplog.at_level(logging.WARNING, "meanfield"):
        run = mf.simulate(flow, start, scheme=mf.Euler(2.5), until=2500.0, observe=())
    assert run.diagnostics["long_step"] == sentence
    assert sentence in [record.getMessage() for record in caplog.records]
    caplog.clear()
    with caplog.at_level(logging.WARNING, "meanfield"):
        for quiet in (
            mf.simulate(flow, start, scheme=mf.Euler(1.99), until=1990.0, observe=()),
            mf.simulate(flow, start, scheme=mf.Euler(2.5), until=25.0, observe=()),
            mf.simulate(flow, start, scheme=mf.Euler(2.5), until=2500.0, observe=(), guard="off"),
        ):
            assert "long_step" not in quiet.diagnostics
    assert not caplog.records


def test_the_check_costs_at_most_a_fiftieth_of_the_run():
    counted = []

    class Counted(Waves):
        def density(self, ensemble):
            counted.append(1)
            return super().density(ensemble)

    flow, start = mf.Wasserstein(Counted()), particles(30, 2)
    for total in (1, 100, 799):
        assert long_step(mf.Euler(2.5), flow, start, total) == ""
    assert not counted
    long_step(mf.Euler(2.5), flow, start, 800)
    assert 0 < len(counted) <= 16
    # Four evaluations in a step: a quarter of the steps will do.
    counted.clear()
    assert long_step(mf.RK4(3.5), flow, start, 200)
    assert len(counted) <= 16


def test_the_check_is_not_made_where_nothing_is_known():
    start = particles()
    for flow, scheme in (
        (mf.HeavyBall(BOWL), mf.RK4(90.0)),
        (mf.WassersteinFisherRao(BOWL), mf.Euler(90.0)),
        (mf.Wasserstein(BOWL), mf.Adaptive(90.0)),
    ):
        assert long_step(scheme, flow, start, 10**6) == ""
    assert long_step(mf.BAOAB(90.0), mf.HeavyBall(BOWL), start, 10**6)
    at_the_wall = mf.Wasserstein(BOWL, constraint={"x": {"kind": "box", "lower": -1.0}})
    assert long_step(mf.Euler(90.0), at_the_wall, mf.Ensemble([[-1.0, 0.0]]), 10**6) == ""
