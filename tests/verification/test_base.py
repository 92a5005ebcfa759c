"""What agrees passes, what does not fails, and what breaks does not stop the rest."""

import json
import math

import numpy as np
import pytest

from meanfield.errors import UnknownName
from meanfield.verification import Comparison, Verdict, mean_and_error, systems, verify


def test_allowed_is_bias_and_four_standard_errors():
    near = Comparison("x", 1.0, 1.3, tolerance=0.1, error=0.1, standard_error=0.026)
    assert near.passes
    assert near.allowed == pytest.approx(0.304)
    assert not Comparison("x", 1.0, 1.31, 0.1, 0.1, 0.026).passes
    assert not Comparison("x", math.nan, 1.0, 1.0).passes


def test_a_verdict_is_that_of_all(monkeypatch):
    good, bad = Comparison("a", 1.0, 1.0, 0.0), Comparison("b", 1.0, math.nan, 0.0)
    assert Verdict("s", [good], 1.0).passes
    assert not Verdict("s", [good, bad], 1.0).passes
    assert not Verdict("s", [good], 1.0, "it broke").passes
    table = json.loads(json.dumps(Verdict("s", [good, bad], 1.0).table(), allow_nan=False))
    assert [found["passes"] for found in table["comparisons"]] == [True, False]
    assert "FAIL" in str(Verdict("s", [good, bad], 1.0))


def test_numbers_of_numpy_are_written_too():
    """Systems yield what their arrays hold."""
    found = Comparison("a", np.float64(1.0), np.float32(1.5), np.float64(0.1), np.int64(0))
    table = json.loads(json.dumps(Verdict("s", [found], 1.0).table(), allow_nan=False))
    assert table["comparisons"][0]["exact"] == 1.5
    assert table["passes"] is False


def test_one_that_breaks_does_not_stop_the_others(monkeypatch):
    class Fine:
        def compare(self, full):
            yield Comparison("size", 2.0 if full else 1.0, 1.0, 0.0)

    class Broken:
        def compare(self, full):
            yield Comparison("before", 1.0, 1.0, 0.0)
            raise RuntimeError("out of luck")

    monkeypatch.setattr(systems, "_entries", {"broken": Broken, "fine": Fine})
    told = []
    broken, fine = verify(tell=told.append)
    assert told == [broken, fine]
    assert (broken.failure, len(broken.comparisons)) == ("RuntimeError: out of luck", 1)
    assert (fine.passes, verify(["fine"], full=True)[0].passes) == (True, False)
    with pytest.raises(UnknownName, match="did you mean 'fine'"):
        verify(["fines"])


def test_mean_and_error():
    assert mean_and_error([1.0, 2.0, 3.0]) == (2.0, pytest.approx(1 / math.sqrt(3)))
    assert mean_and_error([1.0]) == (1.0, math.inf)
