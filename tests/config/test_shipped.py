"""Every shipped experiment claims numbers, and reproduces them: here at its reduced size."""

from __future__ import annotations

import pytest

from meanfield.config import Study, find, shipped
from meanfield.kernels.compile import DISABLED


@pytest.mark.skipif(DISABLED, reason="compiled kernels only")
@pytest.mark.parametrize("name", shipped())
def test_claims_hold(name):
    study = Study.load(find(name), reduced=True)
    assert study.claims
    runs = study.run()
    assert {run.status for run in runs.values()} == {"finished"}
    verdicts = study.judge(runs)
    assert any(verdict.holds for verdict in verdicts)
    assert [str(verdict) for verdict in verdicts if verdict.holds is False] == []
