"""Studies: the variants of a file, run together, and the claims about their numbers."""

from __future__ import annotations

import math

import numpy as np
import pytest

from meanfield.cli.options import studied
from meanfield.config import Mistakes, Study
from meanfield.config.claims import Claim, Quantity

# A linear neuron on the sample x = 1, y = 0 with a = c fixed: w decays like e^{-c² t}.
TEXT = """
[network]
activation = "linear"
outer = "fixed"
[data]
kind = "arrays"
x = [[1.0]]
y = [0.0]
[ensemble]
kind = "normal"
count = 4
scale = { a = 0.0, w = 0.0 }
mean = { a = 1.0, w = 1.0 }
[scheme]
kind = "rk4"
step = 0.05
[run]
until = 2.0
observe_when = { steps = 1 }
[variants.slow]
ensemble = { mean = { a = 1.0 } }
[variants.fast]
ensemble = { mean = { a = 2.0 } }
[reduced]
run = { until = 1.0 }
"""


def study(tmp_path, *claims: str, reduced: bool = False) -> Study:
    path = tmp_path / "decay.toml"
    path.write_text(TEXT + "".join(f"\n[[claims]]\n{claim}\n" for claim in claims))
    return Study.load(path, reduced=reduced)


def risk(c: float, t: float) -> float:
    """½ f² with f = c w and w = e^{-c² t}."""
    return 0.5 * c**2 * math.exp(-2 * c**2 * t)


NUMBERS = {
    'series = "risk"\nof = "slow"': risk(1, 2),
    'series = "risk"\nof = "fast"\nat = "start"': risk(2, 0),
    'series = "risk"\nof = "fast"\nat = "max"\nsince = 1.0': risk(2, 1),
    'series = "risk"\nof = "slow"\nat = "min"': risk(1, 2),
    'series = "risk"\nof = "slow"\nat = 0.52': risk(1, 0.5),
    'series = "risk"\nof = "slow"\nat = 1': risk(1, 1),
    'series = "risk"\nof = "slow"\nat = { below = 0.25 }': 0.35,
    'series = "risk"\nof = "slow"\nat = { below = 1e-9 }': math.inf,
    'series = "risk"\nof = "slow"\nat = "mean"\nsince = 1.96': risk(1, 2),
    'series = "risk"\nof = "slow"\nover = { at = "start" }': math.exp(-4),
    'series = "risk"\nof = "slow"\nat = 1.0\nminus = { of = "fast" }': risk(1, 1) - risk(2, 1),
    # log risk(t = 0) = log ½ + 2 log c
    'series = "risk"\nof = ["slow", "fast"]\nat = "start"\nagainst = "ensemble.mean.a"': 2.0,
}


def test_numbers_against_the_exact_decay(tmp_path):
    found = study(tmp_path, *NUMBERS)
    verdicts = found.judge(found.run())
    for verdict, expected in zip(verdicts, NUMBERS.values(), strict=True):
        assert verdict.number == pytest.approx(expected, rel=2e-4), str(verdict)
        assert verdict.holds is None


def test_spread_is_the_variance_over_seeds(tmp_path):
    path = tmp_path / "spread.toml"
    several = TEXT.replace("until = 2.0", "until = 2.0\nseeds = 3")
    several = several.replace("w = 0.0 }", "w = 1.0 }", 1)
    claims = [
        'series = "risk"\nof = "slow"\nspread = true\nat = "start"',
        'series = "risk"\nof = "fast"\nspread = true\nover = { of = "slow" }\nat = "start"',
    ]
    path.write_text(several + "".join(f"\n[[claims]]\n{claim}\n" for claim in claims))
    found = Study.load(path)
    runs = found.run()
    risks = runs["slow"]["risk"].values[:, 0]
    assert risks.shape == (3,)
    # The start is the same and the output is a times w: twice a makes the risk four times as large.
    expected = [((risks - risks.mean()) ** 2).sum() / 2, 16.0]
    for verdict, number in zip(found.judge(runs), expected, strict=True):
        assert verdict.number == pytest.approx(number, rel=1e-12)


@pytest.mark.parametrize(
    ("bounds", "number", "holds"),
    [
        ({}, 1.0, None),
        ({"value": 1.0, "within": 0.1}, 1.05, True),
        ({"value": 1.0, "within": 0.1}, 1.15, False),
        ({"above": 1.0}, 1.0, False),
        ({"above": 1.0}, math.inf, True),
        ({"below": 1.0}, 0.5, True),
        ({"above": 0.0, "below": 1.0}, 2.0, False),
        ({"below": 1.0}, math.nan, False),
        ({"value": 1.0, "within": 0.1}, math.nan, False),
    ],
)
def test_bounds(bounds, number, holds):
    assert Claim("risk", **bounds).holds(number) is holds


def test_reduced_bounds_replace_the_others(tmp_path):
    claims = [
        'series = "risk"\nof = "slow"\nbelow = 0.01\nreduced = { above = 0.01, says = "small" }',
        'series = "risk"\nof = "fast"\nbelow = 0.01\nreduced = false',
        'series = "risk"\nof = "fast"\nbelow = 0.01',
    ]
    full, small = study(tmp_path, *claims), study(tmp_path, *claims, reduced=True)
    assert len(full.claims) == 3
    assert len(small.claims) == 2
    assert small.claims[0].below is None
    runs = small.run()
    assert float(runs["slow"]["risk"]["time"][-1]) == 1.0
    assert [verdict.holds for verdict in small.judge(runs)] == [True, True]
    assert "small: risk of slow" in str(small.judge(runs)[0])


def test_entries_of_a_run_and_means_over_seeds(tmp_path):
    claims = ['series = "elapsed"\nof = "slow"\nabove = 0.0', 'series = "risk"\nof = "slow"']
    found = study(tmp_path, *claims)
    text = TEXT.replace("until = 2.0", "until = 2.0\nseeds = 3").replace("w = 0.0", "w = 0.5", 1)
    (tmp_path / "decay.toml").write_text(text)
    runs = Study.load(tmp_path / "decay.toml").run(lambda variant: tmp_path / f"{variant}.h5")
    elapsed, last = found.judge(runs)
    assert elapsed.holds
    assert last.number == pytest.approx(float(np.mean(runs["slow"]["risk"][:, -1])))
    assert runs["fast"].path == tmp_path / "fast.h5"
    assert runs["fast"].title == "decay: fast"


@pytest.mark.parametrize(
    ("claim", "told"),
    [
        ('of = "slow"', "claims[0].series is missing"),
        ('series = "risk"', "claims: risk needs of, a variant"),
        ('series = "risk"\nof = "slw"', "unknown variant 'slw'; did you mean 'slow'?"),
        ('series = "risk"\nof = "slow"\nvalue = 1.0', "claims[0].within = None"),
        ('series = "risk"\nof = "slow"\nabov = 1.0', "unknown key claims[0].abov"),
        ('series = "risk"\nof = ["slow", "fast"]', "claims[0].against = ''"),
        ('series = "risk"\nof = "slow"\nagainst = "run.until"', "claims[0].against = 'run.until'"),
        ('series = "risk"\nof = "slow"\nover = { att = 1.0 }', "unknown key claims[0].over.att"),
        ('series = "risk"\nof = "slow"\nat = { above = 1.0 }', "claims[0].at = {'above': 1.0}"),
        ('series = "risk"\nof = "slow"\nat = "ende"', "claims[0].at = 'ende'"),
        ('series = "risk"\nof = "slow"\nspread = true', "needs run.seeds = 2 or more"),
        ('series = "risk"\nof = "slow"\nsince = 3.0', "claims.since = 3.0: expected a time of"),
        (
            'series = "risk"\nof = ["slow", "fast"]\nagainst = "run.until"',
            "'run.until' is the same in all of slow, fast: a slope needs two values or more",
        ),
        ('series = "rusk"\nof = "slow"', "claims: unknown series 'rusk'; did you mean 'risk'?"),
        ('series = "baseline_test_accuracy"\nof = "slow"', "unknown series 'baseline_test"),
        (
            'series = "risk"\nof = ["slow", "fast"]\nagainst = "flow.kind"',
            "against = 'flow.kind' is 'wasserstein' in slow: expected a key with a number > 0",
        ),
    ],
)
def test_mistakes_are_told_before_the_first_step(tmp_path, claim, told):
    with pytest.raises(Mistakes) as caught:
        study(tmp_path, claim).check()
    assert told in str(caught.value)
    assert "decay.toml" in str(caught.value)


def test_a_quantity_says_what_it_is():
    assert str(Quantity("risk")) == "risk"
    assert str(Quantity("risk", "slow", 2.0)) == "risk of slow at time 2"
    first = Quantity("risk", "slow", {"below": 0.5}, since=1.0)
    assert str(first) == "risk of slow first below 0.5 from time 1"
    assert str(Claim("risk", of="slow", over={"of": "fast"})) == "risk of slow / risk of fast"
    slope = Claim("risk", of=["slow", "fast"], at="max", against="flow.beta")
    assert str(slope) == "slope of risk at max against flow.beta"


def test_a_file_is_checked_with_its_claims_and_its_small_size(tmp_path):
    path = tmp_path / "decay.toml"
    path.write_text(TEXT + '[[claims]]\nseries = "risk"\nof = "slow"\nabov = 1.0\n')
    with pytest.raises(Mistakes, match=r"unknown key claims\[0\].abov"):
        studied([str(path)], [])
    path.write_text(TEXT.replace("until = 1.0", "untill = 1.0"))
    with pytest.raises(Mistakes, match=r"unknown key run\.untill"):
        studied([str(path)], [])
    path.write_text(TEXT)
    assert list(studied([str(path)], [])) == ["slow", "fast"]


def test_without_variants_a_claim_is_of_none(tmp_path):
    path = tmp_path / "decay.toml"
    text = TEXT.partition("[variants.slow]")[0]
    path.write_text(text + '[[claims]]\nseries = "risk"\nof = "slow"\n')
    with pytest.raises(Mistakes, match="expected none, as the file has no variants"):
        Study.load(path)
