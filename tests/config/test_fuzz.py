"""A few of the experiments at random that ``python -m tests.config.fuzz`` makes many of."""

from __future__ import annotations

import collections
import os
import tempfile
from pathlib import Path

from hypothesis import HealthCheck, given, settings

from tests.config import fuzz
from tests.conftest import size

EXAMPLES = int(os.environ.get("MEANFIELD_FUZZ", size(250, 60)))
MANY = settings(max_examples=EXAMPLES, suppress_health_check=list(HealthCheck), deadline=None)


def test_tables_are_an_experiment_or_refused():
    found: collections.Counter[str] = collections.Counter()

    @MANY
    @given(fuzz.tables())
    def each(example):
        with fuzz.deadline(fuzz.SECONDS):
            found[fuzz.outcome(example)] += 1

    each()
    assert found["made"] >= EXAMPLES / 25  # else the strategies have lost their way
    assert found["refused"] >= EXAMPLES / 4


def test_texts_are_an_experiment_or_refused():
    with tempfile.TemporaryDirectory() as folder:

        @settings(MANY, max_examples=EXAMPLES // 5)
        @given(fuzz.texts())
        def each(example):
            with fuzz.deadline(fuzz.SECONDS):
                fuzz.outcome_of_text(example, Path(folder))

        each()
