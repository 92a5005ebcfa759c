"""What every test may use: sizes that fit uncompiled kernels, a generator, settings of hypothesis.

``pytest`` runs every test in continuous integration, compiled; and again with NUMBA_DISABLE_JIT=1
on reduced sizes, where kernels are plain Python, but for rooms that hold no code that is compiled.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import numpy as np
import pytest
from hypothesis import HealthCheck, settings

from meanfield import cli
from meanfield.config.python import PREFIX
from meanfield.kernels.compile import DISABLED
from meanfield.registry import Registry

T = TypeVar("T")

if DISABLED:
    collect_ignore = [
        *("config", "limits", "reliability", "storage", "sweeps", "transport", "verification"),
        *("viewing", "test_documents.py"),
    ]


# A small experiment, for tests of the command line.
EXPERIMENT = """
[network]
activation = "tanh"
[data]
kind = "arrays"
x = [[0.0], [1.0], [2.0]]
y = [0.1, 0.5, 0.2]
[energy]
l2 = 0.1
[ensemble]
count = 5
[scheme]
step = 0.1
[run]
until = 1.0
"""


def size(full: T, reduced: T) -> T:
    """`full`, or `reduced` where kernels are not compiled."""
    return reduced if DISABLED else full


settings.register_profile(
    "meanfield",
    deadline=None,
    derandomize=True,
    max_examples=size(25, 5),
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("meanfield")


@pytest.fixture
def rng() -> np.random.Generator:
    """A generator that starts anew in every test."""
    return np.random.default_rng(20240607)


@contextmanager
def forgetting() -> Iterator[None]:
    """What the Python files of experiments register within is forgotten in the end."""
    yield
    for registry in Registry.all:
        for kind, cls in list(registry._entries.items()):
            if cls.__module__.startswith(PREFIX):
                del registry._entries[kind]
    for name in [name for name in sys.modules if name.startswith(PREFIX)]:
        del sys.modules[name]


@pytest.fixture(autouse=True)
def forgets() -> Iterator[None]:
    """No test sees the kinds of another's Python files."""
    with forgetting():
        yield


@pytest.fixture
def experiment(tmp_path, monkeypatch) -> Path:
    """Its file, ``small.toml``, in a folder of its own, where the test is then."""
    monkeypatch.chdir(tmp_path)
    file = tmp_path / "small.toml"
    file.write_text(EXPERIMENT)
    return file


@pytest.fixture
def call(monkeypatch, capsys) -> Callable[..., tuple[int, str, str]]:
    """Call the command line; returns exit code, standard output and error."""

    def run(*arguments: object) -> tuple[int, str, str]:
        monkeypatch.setattr("sys.argv", ["meanfield", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        said = capsys.readouterr()
        return int(ended.value.code or 0), said.out, said.err

    return run
