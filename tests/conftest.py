"""What every test may use: sizes that fit uncompiled kernels, a generator, settings of hypothesis.

``pytest`` runs every test in continuous integration, compiled; and those of compiled code again
with NUMBA_DISABLE_JIT=1 on reduced sizes, where kernels are plain Python.
"""

from __future__ import annotations

import os
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

HERE = Path(__file__).parent
# Where kernels are, or what is compiled over a user's functions; and one file on whole runs.
COMPILED = (
    *("activations", "data", "functionals", "kernels"),
    *("test_conventions.py", "test_networks.py", "test_precision.py", "test_random.py"),
    *("test_simulation.py", "test_tangent.py"),
)
if DISABLED:
    collect_ignore = [
        path.name
        for path in HERE.iterdir()
        if path.name not in COMPILED and (path.is_dir() or path.name.startswith("test_"))
    ]

# Long files, and those with many kernels of their own: workers that have these at the start
# compile different kernels, which the other files then find, and none of them is left for the end.
FIRST = (
    *("kernels/test_population.py", "kernels/test_pairwise.py", "kernels/test_attention.py"),
    *("kernels/test_layer.py", "activations/test_gaussian_averages.py", "test_documents.py"),
    *("kernels/test_compile.py", "config/test_shipped.py", "reliability/test_environment.py"),
    *("sweeps/test_chaos.py", "sweeps/test_processes.py", "verification/test_systems.py"),
    *("schemes/test_orders.py", "test_benchmarks.py", "test_notebooks.py"),
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the files of `FIRST` first, in its order."""
    places = {HERE / name: place for place, name in enumerate(FIRST)}
    items.sort(key=lambda item: places.get(item.path, len(FIRST)))


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


@pytest.fixture
def call(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., tuple[int, str, str]]:
    """Call the command line in this process; returns exit code, standard output and error."""

    def call(*arguments: object) -> tuple[int, str, str]:
        monkeypatch.setattr("sys.argv", ["meanfield", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        said = capsys.readouterr()
        return int(ended.value.code or 0), said.out, said.err

    return call


@pytest.fixture(scope="session", autouse=True)
def does_not_wait() -> Iterator[None]:
    """No test waits for the disk: what is on it when the power is cut, none can see."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", lambda _: None)
        yield


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
