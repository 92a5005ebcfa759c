from __future__ import annotations

import pytest

from meanfield.observables import observables
from meanfield.sweeps import chaos, sweep
from tests.sweeps.examples import HERE


@pytest.fixture
def here(monkeypatch):
    """Members run in this process."""
    import sys

    for module in (sweep, chaos):
        monkeypatch.setattr(sys.modules[module.__module__], "local", lambda *_: HERE)


@pytest.fixture(autouse=True)
def _forget_what_is_registered():
    before = dict(observables._entries)
    yield
    observables._entries = before
