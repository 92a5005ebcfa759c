"""The disk cache of compiled kernels: kept between processes, told when it is not, never stale."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from meanfield.kernels.compile import DISABLED

pytestmark = pytest.mark.skipif(DISABLED, reason="nothing is compiled")

PROGRAM = """
import os
import numpy as np
from meanfield.activations import make
from meanfield.kernels.compile import cache_folder, log
from meanfield.kernels.population import Projected, interact

said = []
log.listener = said.append
neuron = Projected(np.array([[1.0, 0.5]]), np.zeros(1), np.zeros(2), np.eye(2))
one = np.ones((1, 1))
right = {"relu": 0.625, "linear": 1.25, "quadratic": 4.6875}
for kind in os.environ.get("KINDS", "linear").split():
    found = float(interact(make(kind), neuron, one, neuron, one)[0][0, 0])
    assert abs(found - right[kind]) < 1e-12, (kind, found)
print(len(log.compiled), len(said), log.seconds > 0, cache_folder())
"""


def run(**environment: str) -> list[str]:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, **environment},
    )
    return done.stdout.split()


def test_kernels_are_compiled_once_per_machine(tmp_path):
    first = run(MEANFIELD_CACHE_DIR=str(tmp_path))
    assert int(first[0]) >= 2
    assert int(first[1]) >= 1
    assert first[2] == "True"
    again = run(MEANFIELD_CACHE_DIR=str(tmp_path))
    assert again[:3] == ["0", "0", "False"]


def test_code_from_different_processes_does_not_get_mixed_up(tmp_path):
    # numba names compiled code by a counter that starts anew in every process: two kernels that
    # close over different functions must not end up with one name.
    folder = str(tmp_path)
    for kind in ("linear", "relu", "quadratic"):
        assert int(run(MEANFIELD_CACHE_DIR=folder, KINDS=kind)[0]) > 0
    for kinds in ("linear relu quadratic", "quadratic relu linear"):
        assert run(MEANFIELD_CACHE_DIR=folder, KINDS=kinds)[0] == "0"


def test_a_change_of_any_kernel_source_opens_a_new_folder(tmp_path, monkeypatch):
    from meanfield.kernels import compile as compiling

    before = compiling.cache_folder()
    package = tmp_path / "meanfield"
    (package / "kernels").mkdir(parents=True)
    (package / "activations").mkdir()
    (package / "kernels" / "compile.py").write_text("")
    (package / "activations" / "relu.py").write_text("one")
    monkeypatch.setattr(compiling, "__file__", str(package / "kernels" / "compile.py"))
    monkeypatch.setenv("MEANFIELD_CACHE_DIR", str(tmp_path / "cache"))
    folders = []
    for text in ("one", "two", "one"):
        (package / "activations" / "relu.py").write_text(text)
        compiling.cache_folder.cache_clear()
        folders.append(compiling.cache_folder())
    monkeypatch.undo()
    compiling.cache_folder.cache_clear()
    assert folders[0] == folders[2] != folders[1]
    assert compiling.cache_folder() == before


def test_a_folder_that_cannot_be_written_is_replaced(tmp_path):
    blocked = tmp_path / "a-file"
    blocked.write_text("")
    folder = run(MEANFIELD_CACHE_DIR=str(blocked))[3]
    assert str(blocked) not in folder


def test_kernels_over_different_functions_do_not_share_an_entry():
    from meanfield.activations import make
    from meanfield.kernels.compile import _describe
    from meanfield.kernels.layer import _compiled

    names = {_describe(_compiled(make(kind).evaluate)[0]) for kind in ("relu", "step", "abs")}
    assert len(names) == 3


def test_a_torn_file_is_compiled_again(tmp_path):
    folder = run(MEANFIELD_CACHE_DIR=str(tmp_path))[3]
    for path in Path(folder).iterdir():
        content = bytearray(path.read_bytes())
        content[len(content) // 2] ^= 1
        path.write_bytes(content)
    assert int(run(MEANFIELD_CACHE_DIR=str(tmp_path))[0]) >= 2
    assert run(MEANFIELD_CACHE_DIR=str(tmp_path))[0] == "0"


def test_settings_of_numba_have_folders_of_their_own(tmp_path):
    plain = run(MEANFIELD_CACHE_DIR=str(tmp_path))[3]
    assert run(MEANFIELD_CACHE_DIR=str(tmp_path), NUMBA_LOOP_VECTORIZE="0")[3] != plain
    assert run(MEANFIELD_CACHE_DIR=str(tmp_path), NUMBA_NUM_THREADS="1")[3] == plain


def test_sources_that_changed_under_a_process_are_not_cached(tmp_path, monkeypatch):
    from meanfield.kernels import compile as compiling

    monkeypatch.setattr(compiling, "_digest", lambda: "another")
    monkeypatch.setattr(compiling, "cache_folder", lambda: tmp_path)
    compiling._Entries("name").save("key", b"code")
    assert not list(tmp_path.iterdir())
