"""A writer that dies at any call to the disk loses nothing that was sealed, and not a bit."""

from __future__ import annotations

import shutil
from functools import partial

import pytest

import meanfield as mf
from meanfield.storage import Checkpoint, exists
from tests.reliability.dying import disk
from tests.reliability.runs import (
    FLOWS,
    calls,
    check_the_end,
    check_what_is_left,
    contents,
    expected,
    points,
    run,
    threads,
)


@pytest.mark.parametrize("name", FLOWS)
def test_a_run_that_dies_is_continued_to_the_same_bits(tmp_path, name):
    path = tmp_path / "there" / "run.h5"
    for number, kind in points(calls(partial(run, name), tmp_path), 25):
        path.parent.mkdir()
        with threads(1), disk(number, kind) as seen:
            run(name, path)
        check_what_is_left(path, expected(name), seen.sealed)
        with threads(2):
            check_the_end(path, expected(name), run(name, path, resume=True))
        shutil.rmtree(path.parent)


@pytest.mark.parametrize("name", FLOWS)
def test_twice_in_a_row(tmp_path, name):
    path = tmp_path / "there" / "run.h5"
    first = calls(partial(run, name), tmp_path) // 2
    for number, kind in points(first, 40):
        path.parent.mkdir()
        with disk(first, "killed") as before:
            run(name, path)
        with threads(3), disk(number, kind) as seen:
            run(name, path, resume=True)
        check_what_is_left(path, expected(name), before.sealed | seen.sealed)
        with threads(2):
            check_the_end(path, expected(name), run(name, path, resume=True))
        shutil.rmtree(path.parent)


@pytest.mark.parametrize("name", FLOWS)
def test_while_a_finished_run_is_extended(tmp_path, name):
    path, short = tmp_path / "there" / "run.h5", tmp_path / "short.h5"
    run(name, short, until=0.3).close()

    def extend(out):
        shutil.copyfile(short, out)
        run(name, out, resume=True)

    count = calls(extend, tmp_path)
    with mf.open(tmp_path / "counted.h5") as extended:  # it has looked where the first part ended
        whole = contents(extended)
    assert {k: v for k, v in whole.items() if k.startswith("state")} == {
        k: v for k, v in expected(name).items() if k.startswith("state")
    }
    for number, kind in points(count, 49):
        path.parent.mkdir()
        with disk(number, kind) as seen:
            extend(path)
        check_what_is_left(path, whole, {0: 3, 1: 3} | seen.sealed)
        check_the_end(path, whole, run(name, path, resume=True))
        shutil.rmtree(path.parent)


def test_while_a_run_is_replaced(tmp_path):
    """By another of the same name; where either is not finished, or both are."""
    path, old = tmp_path / "there" / "run.h5", tmp_path / "old"
    for unfinished in (False, True):
        old.mkdir()
        if unfinished:
            with disk(30):
                run("langevin", old / "run.h5")
        else:
            run("langevin", old / "run.h5").close()

        def replace(out, old=old):
            shutil.copytree(old, out.parent, dirs_exist_ok=True)
            run("deterministic", out, force=True)

        for number, kind in points(calls(replace, tmp_path / "run"), 50):
            path.parent.mkdir()
            with disk(number, kind):
                replace(path)
            if exists(path):
                mf.open(path).close()
            check_the_end(path, expected("deterministic"), run("deterministic", path, force=True))
            shutil.rmtree(path.parent)
        shutil.rmtree(old)


@pytest.mark.parametrize("guard", ["warn", "stop"])
def test_what_a_guard_has_said_is_not_forgotten(tmp_path, guard):
    """Above all not that it has stopped the run, where the writer dies with the last file open."""
    path, layout = tmp_path / "there" / "run.h5", mf.TwoLayer("tanh", 1).layout

    def rise(out, **settings):
        """Euler's steps overshoot in a, which starts small."""
        return mf.simulate(
            mf.Wasserstein(mf.L2(), {"a": 50.0}),
            mf.NormalInit(4, scale={"a": 0.05}),
            layout=layout,
            scheme=mf.Euler(0.05),
            until=0.6,
            observe_when={"steps": 1},
            guard=guard,
            out=out,
            checkpoint=Checkpoint(steps=2),
            **settings,
        )

    whole = rise(None)
    assert "the energy rose" in whole.stop_reason
    for number, kind in points(calls(rise, tmp_path), 16):
        path.parent.mkdir()
        with disk(number, kind):
            rise(path)
        with rise(path, resume=True) as found:
            assert (found.status, found.stop_reason) == (whole.status, whole.stop_reason)
            assert found.diagnostics["energy_rise"] == whole.diagnostics["energy_rise"]
            assert contents(found) == contents(whole)
        shutil.rmtree(path.parent)
