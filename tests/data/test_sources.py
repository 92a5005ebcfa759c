"""Sources of finite data: files, bundled sets, arrays, and the reduced problem of two Gaussians."""

import sys

import h5py
import mpmath as mp
import numpy as np
import pytest

import meanfield as mf
from meanfield.data import Arrays, Bundled, FileData, TwoGaussians, sources
from meanfield.errors import FileProblem, InvalidInput, MeanfieldError, UnknownName
from tests.conftest import size

CSV = """age,weight,sex,ill
31,70.5,f,no
45,82,m,yes
27,60,f,no
60,91,m,yes
"""


@pytest.fixture
def table(tmp_path):
    """Writes text as a CSV file; returns the path."""

    def write(text: str = CSV, name: str = "table.csv") -> str:
        path = tmp_path / name
        path.write_text(text)
        return str(path)

    return write


def test_the_registry_knows_them():
    assert list(sources) == ["arrays", "bundled", "file", "spikes", "two-gaussians"]
    assert sources["file"] is FileData


# Files.


def test_text_is_a_class(table):
    data = FileData(table(), "ill", ["age", "weight"], standardise=False).load(0)
    assert data.x.tolist() == [[31, 70.5], [45, 82], [27, 60], [60, 91]]
    assert data.y[:, 0].tolist() == [0, 1, 0, 1]
    assert data.classes == ("no", "yes")
    assert data.test is None


def test_numbers_are_not_unless_the_task_says_so(table):
    path = table("x,y\n1,2\n2,2\n3,7\n")
    auto = FileData(path, "y", standardise=False).load(0)
    assert (auto.classes, auto.y[:, 0].tolist()) == ((), [2, 2, 7])
    assert auto.x[:, 0].tolist() == [1, 2, 3]  # all other columns
    named = FileData(path, "y", task="classification").load(0)
    assert (named.classes, named.y[:, 0].tolist()) == (("2", "7"), [0, 0, 1])


def test_several_targets(table):
    data = FileData(table("a,b,c\n1,2,3\n4,5,6\n"), ["c", "a"], standardise=False).load(0)
    assert data.y.tolist() == [[3, 1], [6, 4]]
    assert data.x.tolist() == [[2], [5]]


@pytest.mark.parametrize("ending", ["npz", "h5", "hdf5"])
def test_arrays_of_two_dimensions_are_several_columns(ending, tmp_path, rng):
    path = tmp_path / f"set.{ending}"
    arrays = {
        "inputs": rng.normal(size=(7, 3)),
        "extra": np.arange(7),
        "label": np.array(list("aabbcca")),
        "sick": np.arange(7) % 2 == 0,
        "both": rng.normal(size=(7, 2)),
    }
    if ending == "npz":
        np.savez(path, **arrays)
    else:
        with h5py.File(path, "w") as file:
            for name, array in arrays.items():
                file[name] = array.astype("S") if array.dtype.kind == "U" else array
    plain = {"path": str(path), "standardise": False}
    data = FileData(target="label", features=["extra", "inputs"], **plain).load(0)
    assert (data.x == np.column_stack([arrays["extra"], arrays["inputs"]])).all()
    assert data.classes == ("a", "b", "c")
    assert data.y[:, 0].tolist() == [0, 0, 1, 1, 2, 2, 0]
    data = FileData(target="both", features=["inputs"], **plain).load(0)
    assert (data.y == arrays["both"]).all()
    data = FileData(target="sick", features=["inputs"], **plain).load(0)
    assert data.classes == ("False", "True")
    assert data.y[:, 0].tolist() == [1, 0, 1, 0, 1, 0, 1]


def test_splitting_and_standardising(table, rng):
    rows = [f"{x},{'uv'[i % 2]}" for i, x in enumerate(rng.normal(5, 3, 40))]
    source = FileData(table("\n".join(["x,y", *rows])), "y", test=0.25)
    data, again, other = source.load(1), source.load(1), source.load(2)
    assert data.test.y.sum() == 5
    assert len(data.test) == 10
    assert abs(data.x.mean()) < 1e-14
    assert data.x.std() == pytest.approx(1)
    assert abs(data.test.x.mean()) > 1e-6
    assert (data.test.x == again.test.x).all()
    assert not np.array_equal(data.test.x, other.test.x)
    fixed = FileData(source.path, "y", test=0.25, split_seed=1)
    assert (fixed.load(2).test.x == data.test.x).all()
    raw = FileData(source.path, "y", test=0.25, standardise=False).load(1)
    assert raw.x.mean() > 1
    np.testing.assert_allclose(data.test.x, (raw.test.x - raw.x.mean()) / raw.x.std(), rtol=1e-12)


@pytest.mark.parametrize(
    ("text", "arguments", "error", "message"),
    [
        (CSV, {"target": "il"}, UnknownName, "unknown column of table.csv 'il'; .*'ill'"),
        (CSV, {"features": ["aeg"]}, UnknownName, "unknown column of table.csv 'aeg'; .*'age'"),
        (CSV, {}, FileProblem, r"table.csv: column 'sex' is not numeric: 'f' in row 1 \(the first"),
        (CSV, {"features": ["age", "ill"]}, InvalidInput, "features = .*different columns"),
        (CSV, {"features": ["age", "age"]}, InvalidInput, "features = .*different columns"),
        (CSV, {"target": []}, InvalidInput, "target = .*the name of a column"),
        (CSV, {"task": "guess"}, InvalidInput, "task = 'guess': expected one of auto, class"),
        (CSV, {"test": 1.5}, InvalidInput, "test = 1.5: expected a fraction in"),
        (CSV, {"test": -1}, InvalidInput, "test = -1"),
        (CSV, {"split_seed": -1}, InvalidInput, "split_seed = -1"),
        (
            CSV,
            {"task": "regression", "features": ["age"]},
            FileProblem,
            "'ill' is not numeric: 'no'",
        ),
        ("y\n1\n2\n", {"target": "y"}, InvalidInput, "features = .*one column besides the target"),
        ("x,ill\n1,no\n,yes\n", {}, FileProblem, "column 'x' is not numeric: '' in row 2"),
        (
            "x,ill\n1,no\nnan,yes\n",
            {},
            FileProblem,
            r"column 'x' is nan in row 2 \(the first is 1\);",
        ),
        ("x,ill\n1,0\n2,inf\n", {}, FileProblem, "column 'ill' is inf in row 2"),
        ("x,ill\n1,no\n2,\n3,no\n", {}, FileProblem, "column 'ill' is empty in row 2"),
        ("x,ill\n1,no\n2,no\n", {}, InvalidInput, "target = 'ill': expected at least two classes"),
        (
            "x,ill\n1,2.5\n2,3.5\n3,12.x\n",
            {},
            FileProblem,
            "column 'ill' is numeric except for entries like '12.x' in row 3 .*correct them",
        ),
        (
            "x,ill,y\n1,2,3\n2,3,4\n",
            {"target": ["ill", "y"], "task": "classification"},
            InvalidInput,
            "target = .*one column with a class each",
        ),
        (
            "x,ill\n1,nan\n2,1\n",
            {"task": "classification"},
            FileProblem,
            "column 'ill' is nan in row 1",
        ),
    ],
)
def test_mistakes_are_named(table, text, arguments, error, message):
    with pytest.raises(error, match=message) as caught:
        FileData(**{"path": table(text), "target": "ill", **arguments}).load(0)
    assert "\n" not in str(caught.value)


def test_a_text_column_with_few_numbers_is_a_class(table):
    data = FileData(table("x,y\n1,7\n2,c\n3,d\n"), "y").load(0)
    assert data.classes == ("7", "c", "d")


def test_a_file_that_is_not_there():
    with pytest.raises(FileProblem, match=r"/nowhere\.csv: no such file"):
        FileData("/nowhere.csv", "y").load(0)


# Bundled sets.


@pytest.mark.parametrize(
    ("name", "shape", "outputs"),
    [
        ("breast-cancer", (569, 30), 1),
        ("digits", (1797, 64), 10),
        ("iris", (150, 4), 3),
        ("wine", (178, 13), 3),
        ("diabetes", (442, 10), 1),
    ],
)
def test_bundled(name, shape, outputs):
    data = Bundled(name).load(0)
    assert (data.x.shape, data.outputs) == (shape, outputs)
    assert abs(data.x.mean(axis=0)).max() < 1e-12
    assert bool(data.classes) == (name != "diabetes")
    assert set(data.y[:, 0]) == set(range(len(data.classes))) or name == "diabetes"


def test_breast_cancer():
    data = Bundled("breast-cancer", test=0.3).load(4)
    assert data.classes == data.test.classes == ("malignant", "benign")
    whole = np.concatenate([data.y[:, 0], data.test.y[:, 0]])
    assert np.bincount(whole.astype(int)).tolist() == [212, 357]
    assert np.bincount(data.test.y[:, 0].astype(int)).tolist() == [64, 107]


def test_bundled_sets_by_other_names(monkeypatch):
    with pytest.raises(UnknownName, match="unknown bundled data set 'irs'; did you mean 'iris'"):
        Bundled("irs")
    with pytest.raises(InvalidInput, match="test = 2"):
        Bundled("iris", test=2)
    monkeypatch.setitem(sys.modules, "sklearn", None)
    with pytest.raises(MeanfieldError, match=r'scikit-learn.*pip install "meanfield\[datasets\]"'):
        Bundled("iris").load(0)


# Arrays.


def test_arrays():
    data = Arrays([[1, 2], [3, 4]], [5, 6], [0.25, 0.75]).load(0)
    assert data.x.tolist() == [[1, 2], [3, 4]]
    assert data.y[:, 0].tolist() == [5, 6]
    assert data.weights.tolist() == [0.25, 0.75]
    assert Arrays([[1]], [[5, 6]]).load(0).outputs == 2
    named = Arrays([[1], [2], [3]], ["b", "a", "b"]).load(0)
    assert (named.classes, named.y[:, 0].tolist()) == (("a", "b"), [1, 0, 1])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([[1, 2], [3]], [1, 2]), "x = .*numbers, in rows of one length"),
        (([["a"]], [1]), "x = .*numbers"),
        (([[1]], [[1, 2], [3]]), "y = .*numbers"),
        (([[1]], [1, 2]), "y = .*one target for each"),
        (([[1]], [1], [2]), "weights = .*sum to 1"),
        (([[1], [2]], ["a", "a"]), "target = 'y': expected at least two classes"),
    ],
)
def test_arrays_that_do_not_fit(arguments, message):
    with pytest.raises(InvalidInput, match=message):
        Arrays(*arguments).load(0)


# Two Gaussians, reduced.


def test_infinite_dimension():
    data = TwoGaussians(0.25).load(0)
    assert data.x.tolist() == [[1.25], [0.75]]
    assert data.y[:, 0].tolist() == [1.0, -1.0]
    assert data.weights.tolist() == [0.5, 0.5]


@pytest.mark.parametrize("dim", [2, 3, 40, 1000])
def test_radii_have_the_moments_of_a_normal_vector(dim):
    data = TwoGaussians(0.4, dim).load(0)
    for sign, scale in ((1.0, 1.4), (-1.0, 0.6)):
        rows = data.y[:, 0] == sign
        radius, weight = data.x[rows, 0] / scale, 2 * data.weights[rows]
        assert weight.sum() == pytest.approx(1, rel=1e-14)
        assert weight @ radius**2 == pytest.approx(dim, rel=1e-13)
        assert weight @ radius**4 == pytest.approx(dim * (dim + 2), rel=1e-13)
        mean = np.sqrt(2) * float(mp.gammaprod([(dim + 1) / 2], [dim / 2]))
        assert weight @ radius == pytest.approx(mean, rel=1e-12)


def _risk(delta, dim, radii, mass, **options):
    activation = {"kind": "sphere-ramp", "dim": dim} if dim else "averaged-ramp"
    network = mf.TwoLayer(activation, 1, outer="fixed")
    risk = mf.Risk(network, TwoGaussians(delta, dim, **options).load(0))
    return risk, network.ensemble(np.reshape(radii, (-1, 1)), mass=mass)


def test_risk_of_the_limit():
    """R = ¼ [(1 - Q₊)² + (1 + Q₋)²], with Q± the means of q((1 ± Δ) r)."""
    delta, radii, mass = 0.3, [0.8, 1.9], [0.3, 0.7]

    def q(r):
        def ramp(t):
            return -2.5 + 10 * (min(max(t, 0.5), 1.5) - 0.5)

        cuts = [-12, *range(-6, 7), 12, 0.5 / r, 1.5 / r]
        return float(mp.quad(lambda z: ramp(r * z) * mp.npdf(z), sorted(cuts)))

    plus, minus = (np.dot(mass, [q((1 + s * delta) * r) for r in radii]) for s in (1, -1))
    risk, ensemble = _risk(delta, 0, radii, mass)
    expected = 0.25 * ((1 - plus) ** 2 + (1 + minus) ** 2)
    assert risk.value(ensemble) == pytest.approx(expected, rel=1e-12)
    # The gap closes where one radius serves both classes: Δ = 0.47421895151.
    risk, ensemble = _risk(0.47421895151, 0, [1.7494549076], [1.0])
    assert risk.value(ensemble) < 1e-9


def test_risk_in_finite_dimension_is_that_of_isotropic_neurons(rng):
    """Against neurons of all directions, and inputs drawn from the Gaussians themselves."""
    delta, dim, radius = 0.5, 6, 1.3
    count, neurons = 40_000, 10
    y = rng.choice([1.0, -1.0], size=count)
    x = (1 + delta * y)[:, None] * rng.normal(size=(count, dim))

    def residual():
        # Every sample meets neurons of its own; the product of two such averages has no bias.
        w = rng.normal(size=(neurons, count, dim))
        w *= radius / np.linalg.norm(w, axis=2, keepdims=True)
        z = np.einsum("nsd,sd->ns", w, x)
        return (-2.5 + 10 * (np.clip(z, 0.5, 1.5) - 0.5)).mean(axis=0) - y

    samples = 0.5 * residual() * residual()
    error = samples.std() / np.sqrt(count)
    risk, ensemble = _risk(delta, dim, [radius], [1.0])
    exact = risk.value(ensemble)
    assert abs(samples.mean() - exact) < 4 * error
    assert 0.5 * exact > 20 * error  # half or twice as much would be noticed


def test_more_nodes_do_not_change_the_risk():
    for dim in (5, 40):
        risk, ensemble = _risk(0.3, dim, [0.8, 1.9], [0.3, 0.7])
        finer, _ = _risk(0.3, dim, [0.8, 1.9], [0.3, 0.7], nodes=size(1500, 700))
        assert risk.value(ensemble) == pytest.approx(finer.value(ensemble), rel=1e-6)
        assert risk.gradient(ensemble) == pytest.approx(finer.gradient(ensemble), rel=1e-5)


def test_initial_risk_of_mei_montanari_and_nguyen():
    """From N(0, 0.4²/40 I), Δ = 0.8: 2.1665 for d = 40 and 2.1552 in the limit."""
    for dim, expected in ((40, 2.1665), (0, 2.1552)):
        risk, _ = _risk(0.8, dim, [1.0], [1.0])
        law = mf.QuantileInit(size(400, 100), "radial-normal", scale=0.4, dim=40, others={"a": 1.0})
        assert risk.value(law.draw(risk.network.layout, 0)) == pytest.approx(expected, abs=3e-4)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((1.0,), "delta = 1.0: expected a number in"),
        ((-0.1,), "delta = -0.1"),
        ((0.1, 1), r"dim = 1: expected 0 \(infinity\), or a dimension ≥ 2"),
        ((0.1, -2), "dim = -2"),
        ((0.1, 2, 1), "nodes = 1"),
    ],
)
def test_two_gaussians_that_make_no_sense(arguments, message):
    with pytest.raises(InvalidInput, match=message):
        TwoGaussians(*arguments)
