from __future__ import annotations

import sys

import pytest

from meanfield.observables import observables
from meanfield.sweeps import chaos, sweep
from tests.sweeps.examples import HERE


@pytest.fixture(scope="module")
def here():
    """Members run in this process."""
    with pytest.MonkeyPatch.context() as patch:
        for function in (sweep, chaos):
            patch.setattr(sys.modules[function.__module__], "local", lambda *_: HERE)
        yield


@pytest.fixture(autouse=True)
def _forget_what_is_registered():
    before = dict(observables._entries)
    yield
    observables._entries = before
