"""Fast sums over pairs, as a user meets them: in `Risk`, in a run, in an experiment file."""

import numpy as np
import pytest

import meanfield as mf
from meanfield.errors import InvalidInput, UnknownName, Unsupported
from tests.conftest import size
from tests.functionals import naive

SHEARED = [[1.3, 0.4], [0.4, 0.5]]
LAWS = {
    "standard": mf.Gaussian(2),
    "general": mf.Gaussian(2, [0.4, -0.7], SHEARED),
    "mixture": mf.GaussianMixture(2, [[0.5, 0.0], [-0.6, 0.2]], [0.4, SHEARED], [0.3, 0.7]),
    "circle": mf.Sphere(2, radius=1.7),
}
COUNT = size(200, 24)


def problem(rng, law="standard", kind="relu", count=COUNT, **options):
    """Network, law of the data and neurons."""
    network = mf.TwoLayer(kind, 2, **options)
    teacher = mf.Teacher(network, naive.neurons(network, 3, rng))
    ensemble = naive.neurons(network, count, rng)
    return network, LAWS[law].labelled_by(teacher), ensemble


CASES = [
    ("standard", "relu", {}),
    ("circle", "relu", {"outputs": 2}),
    ("standard", "erf", {"outer": "bounded"}),
    ("general", "erf", {"bias": True}),
    ("mixture", "erf", {"bias": True, "outputs": 2}),
    ("mixture", "sin", {}),
]


@pytest.mark.parametrize(("law", "kind", "options"), CASES)
def test_finite_rank_is_within_its_error(law, kind, options, rng):
    degree = size(8, 3)
    network, data, ensemble = problem(rng, law, kind, **options)
    exact = mf.Risk(network, data)
    fast = mf.Risk(network, data, pairs=mf.FiniteRank(degree=degree))
    error = fast.pairs_error(ensemble)
    mine, theirs = fast._expectation(ensemble), exact._expectation(ensemble)
    worst = np.linalg.norm(mine.outer - theirs.outer, axis=1).max()
    assert 0 < worst <= error.potential * (1 + 1e-9)
    # Of the gradient, the largest on a sample: close to the largest of all.
    off = np.hstack([mine.inner - theirs.inner, (mine.bias - theirs.bias)[:, None]])
    assert 0.2 < error.gradient / np.linalg.norm(off, axis=1).max() < 10
    assert exact.pairs_error(ensemble) == (0.0, 0.0)


@pytest.mark.parametrize(
    "pairs", [mf.FiniteRank(degree=2), mf.RandomBatches(3, seed=1), mf.RandomBatches(50)], ids=repr
)
@pytest.mark.parametrize(("law", "kind", "options"), CASES)
def test_the_gradient_is_that_of_the_value(pairs, law, kind, options, rng):
    """An approximate energy is an energy: given the partition, forces derive from it."""
    network, data, ensemble = problem(rng, law, kind, count=size(12, 6), **options)
    risk = mf.Risk(network, data, pairs=pairs)
    assert mf.gradient_error(risk, ensemble) < 1e-7
    expected = naive.mass_slopes(risk, ensemble)
    np.testing.assert_allclose(risk.first_variation(ensemble), expected, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize(("law", "kind", "options"), CASES[:4])
def test_random_batches_are_right_on_average(law, kind, options, rng):
    network, data, ensemble = problem(rng, law, kind, count=size(40, 8), **options)
    exact = mf.Risk(network, data).evaluate(ensemble)
    draws = []
    for seed in range(size(300, 30)):
        found = mf.Risk(network, data, pairs=mf.RandomBatches(4, seed)).evaluate(ensemble)
        draws.append(np.concatenate([[found.value], found.gradient.ravel()]))
    mean, spread = np.mean(draws, axis=0), np.std(draws, axis=0, ddof=1)
    truth = np.concatenate([[exact.value], exact.gradient.ravel()])
    z = (mean - truth)[spread > 0] / spread[spread > 0] * np.sqrt(len(draws))
    assert np.abs(z).max() < 5
    assert np.mean(z**2) == pytest.approx(1.0, abs=size(0.4, 0.95))


def test_stages_share_a_partition_and_steps_do_not(rng):
    network, data, ensemble = problem(rng)
    risk = mf.Risk(network, data, pairs=mf.RandomBatches(4))
    first = risk.value(ensemble)
    assert risk.value(ensemble.at(ensemble.position.copy())) == first
    later = ensemble.copy()
    later.step += 1
    assert risk.value(later) != first


def test_a_tolerance_is_kept(rng):
    network, data, ensemble = problem(rng, count=size(400, 60))
    for tolerance in (1e-1, 1e-2, 1e-3):
        risk = mf.Risk(network, data, pairs=mf.FiniteRank(tolerance=tolerance))
        # Relative to the bound on the potential itself: for the ReLU, √K = |w|/√2.
        strength = np.linalg.norm(ensemble.w, axis=1) / np.sqrt(2)
        scale = strength.max() * (ensemble.mass * np.abs(ensemble.a)) @ strength
        error = risk.pairs_error(ensemble).potential
        assert error <= tolerance * scale * (1 + 1e-9)
        # And not by far more than needed: one degree less was too little.
        assert error > 0.1 * tolerance * scale


def test_runs_agree(rng):
    network, data, ensemble = problem(rng, count=size(300, 40))
    ends = []
    for pairs in ("exact", mf.FiniteRank(tolerance=size(1e-4, 1e-2))):
        flow = mf.Wasserstein(mf.Risk(network, data, pairs=pairs))
        run = mf.simulate(flow, ensemble, scheme=mf.Heun(0.25), until=size(5.0, 0.5))
        ends.append(run.final.position)
    moved = np.abs(ends[0] - ensemble.position).max()
    assert 0 < np.abs(ends[0] - ends[1]).max() < size(3e-4, 1e-2) * moved


def test_random_batches_converge_with_the_step(rng):
    """Noise of batches averages over steps: the mean square error is of the order of the step."""
    network, data, ensemble = problem(rng, count=size(200, 16))
    until = size(2.0, 0.5)

    def end(pairs, step):
        flow = mf.Wasserstein(mf.Risk(network, data, pairs=pairs))
        run = mf.simulate(flow, ensemble, scheme=mf.Euler(step), until=until)
        return run.final.position

    steps = until / np.array(size([4, 16, 64], [2, 8]))
    errors = [
        np.mean([
            np.mean((end(mf.RandomBatches(8, seed), h) - end("exact", h)) ** 2)
            for seed in range(size(8, 4))
        ])
        for h in steps
    ]  # fmt: skip
    order = np.polyfit(np.log(steps), np.log(errors), 1)[0]
    assert order == pytest.approx(1.0, abs=size(0.25, 0.7))


def test_single_precision(rng):
    network, data, ensemble = problem(rng)
    single = mf.Ensemble(ensemble.position.astype(np.float32), ensemble.mass, ensemble.layout)
    for pairs in (mf.FiniteRank(degree=6), mf.RandomBatches(8)):
        risk = mf.Risk(network, data, pairs=pairs)
        found = risk.gradient(single)
        assert found.dtype == np.float32
        np.testing.assert_allclose(found, risk.gradient(ensemble), atol=1e-4)


# Refusals.


def test_only_where_pairs_are_summed(rng):
    network, data, ensemble = problem(rng)
    expected = r"^pairs = 'random-batches': expected 'exact', as only the closed form over Gaussian"
    for other in (data.sample(10), data.stream(10), mf.Hypercube(2).labelled_by(mf.Parity(2))):
        with pytest.raises(InvalidInput, match=expected):
            mf.Risk(network, other, pairs=mf.RandomBatches())
        assert mf.Risk(network, other).pairs_error(ensemble) == (0.0, 0.0)
    cube = mf.Hypercube(20).labelled_by(mf.Parity(2))
    with pytest.raises(InvalidInput, match=r"^pairs = 'finite-rank': expected 'exact', as only"):
        mf.Risk(mf.TwoLayer("sin", 20), cube, pairs=mf.FiniteRank(degree=2))


def test_a_rank_above_the_number_of_neurons_is_refused(rng):
    network, data, ensemble = problem(rng, kind="erf", bias=True, count=20)
    risk = mf.Risk(network, data, pairs=mf.FiniteRank(degree=6))
    with pytest.raises(Unsupported, match=r"degree 6 in dimension 2 has rank 28 for 20 neurons"):
        risk.value(ensemble)
    risk = mf.Risk(network, data, pairs=mf.FiniteRank(tolerance=1e-9))
    with pytest.raises(Unsupported, match=r"within 1e-09 would need more than degree 4, where 20"):
        risk.value(ensemble)


@pytest.mark.parametrize(
    ("pairs", "error", "message"),
    [
        ("exat", UnknownName, r"^unknown sum over pairs 'exat'; did you mean 'exact'\?"),
        ({"kind": "random-batches", "size": 1}, InvalidInput, r"^size = 1: expected a whole numb"),
        ({"kind": "random-batches", "seed": -1}, InvalidInput, r"^seed = -1: expected a whole num"),
        ("finite-rank", InvalidInput, r"^degree, tolerance = .*: expected exactly one of the two"),
        ({"kind": "finite-rank", "degree": -1}, InvalidInput, r"^degree = -1: expected a whole n"),
        ({"kind": "finite-rank", "tolerance": 2.0}, InvalidInput, r"^tolerance = 2.0: expected a "),
    ],
)
def test_mistakes(pairs, error, message, rng):
    network, data, _ = problem(rng)
    with pytest.raises(error, match=message):
        mf.Risk(network, data, pairs=pairs)


# Experiment files.

TABLES = {
    "network": {"activation": "relu"},
    "data": {"kind": "gaussian", "dim": 2, "target": {"kind": "teacher", "neurons": 2}},
    "ensemble": {"count": size(60, 30)},
    "scheme": {"step": 0.5},
    "run": {"until": 1.0, "seed": 4, "observe": ["energy", "pairs-error"]},
}


def experiment(pairs, **run):
    return mf.Experiment({
        **TABLES, "energy": {"pairs": pairs}, "run": {**TABLES["run"], **run}
    })  # fmt: skip


@pytest.mark.parametrize(
    "pairs",
    [
        "exact",
        {"kind": "random-batches", "size": 8},
        {"kind": "finite-rank", "degree": 5},
        {"kind": "finite-rank", "tolerance": 0.01},
    ],
    ids=str,
)
def test_experiment(pairs):
    written = experiment(pairs).resolved()
    assert mf.Experiment(written).resolved() == written
    assert written["energy"]["pairs"] == pairs
    run = experiment(pairs).run()
    errors = run["pairs_error_potential"].values, run["pairs_error_gradient"].values
    for error in errors:
        assert np.all(error == 0.0) if pairs == "exact" else np.all(error > 0.0)


def test_the_seed_of_batches_is_that_of_the_run():
    table = {"kind": "random-batches", "size": 4}
    values = {
        (seed, own): experiment(table if own is None else {**table, "seed": own}, seed=seed)
        .problem(seed)
        .flow.driving.value(experiment("exact").problem(4).start)
        for seed, own in ((4, None), (5, 4), (5, None))
    }
    (risk,) = (term for _, term in experiment(table).problem(4).flow.energy.terms())
    assert risk.pairs == mf.RandomBatches(4, seed=4)
    (risk,) = (term for _, term in experiment({**table, "seed": 9}).problem(4).flow.energy.terms())
    assert risk.pairs == mf.RandomBatches(4, seed=9)
    assert len(set(values.values())) == 3


def test_mistakes_in_a_file():
    for pairs, message in [
        (3, "energy.pairs = 3: expected a name or a table with kind"),
        ({"kind": "random-batches", "sise": 4}, "unknown key energy.pairs.sise = 4; did you mean"),
        ({"kind": "random-batches", "size": 1}, "energy.pairs.size = 1: expected a whole number"),
        ({"kind": "finite-rank", "degree": 500}, "degree 500 in dimension 2 has rank"),
    ]:
        with pytest.raises(mf.MeanfieldError, match=message):
            experiment(pairs).check()
