"""A Dask cluster runs the members, and may lose workers."""

from __future__ import annotations

import pytest

import meanfield as mf
from tests.sweeps.examples import deadly, everything, inline, write

distributed = pytest.importorskip("distributed")
dask = pytest.importorskip("dask")
# Its own: of sockets and event loops that it leaves to the garbage collector.
pytestmark = pytest.mark.filterwarnings("ignore")
GRID = {"ensemble.count": [4, 6]}


@pytest.fixture
def cluster():
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None
    ) as found:
        yield found


def test_a_worker_is_killed_half_way(tmp_path, cluster):
    """The cluster gives its member to another, which goes on from the last seal."""
    path = deadly(tmp_path, count=6)
    address = cluster.scheduler_address
    found = mf.sweep(path, tmp_path / "s", GRID, 2, on=address)
    assert (tmp_path / "marker").exists()
    assert not found.failures
    sessions = []
    for seed in found.seeds:
        with found.run(seed, **{"ensemble.count": 6}) as run:
            sessions.append(len(run.provenance["session_started"]))
            assert run.diagnostics["steps"] == 10
    assert max(sessions) == 2
    (tmp_path / "here").mkdir()
    alone = inline(path, tmp_path / "here" / "s", GRID, 2)
    assert everything(alone) == everything(found)
    said = []
    mf.sweep(path, tmp_path / "s", GRID, 2, on=address, say=said.append)
    assert said == ["4 of 4 are done already"]


def test_what_is_no_address_is_refused_at_once(tmp_path):
    with pytest.raises(mf.InvalidInput, match=r"--on = 'host:8786': expected an address like tcp"):
        mf.sweep(write(tmp_path), tmp_path / "s", {}, on="host:8786")


def test_nobody_answers(tmp_path):
    with (
        dask.config.set({"distributed.comm.timeouts.connect": "200ms"}),
        pytest.raises(mf.FileProblem, match=r"no Dask cluster answers at tcp://127.0.0.1:9"),
    ):
        mf.sweep(write(tmp_path), tmp_path / "s", {}, on="tcp://127.0.0.1:9")
