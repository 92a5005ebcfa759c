"""The disk cache of compiled kernels: kept between processes, told when it is not, never stale."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

import meanfield
from meanfield.errors import InvalidInput
from meanfield.kernels import cache
from meanfield.kernels import compile as compiling
from meanfield.kernels.compile import DISABLED

compiled_only = pytest.mark.skipif(DISABLED, reason="nothing is compiled")

OUTSIDE = "NUMBER = 10.0\nOTHER = 10.0\n"

CALLEE = """
from meanfield.kernels.compile import jit

@jit
def callee(x):
    return x + 1.0
"""

PROBE = """
import numpy as np
from meanfield import outside
from meanfield.kernels.compile import compile_user_function, jit
from meanfield.kernels.deep.callee import callee
from meanfield.outside import NUMBER

@jit
def calling(x):
    return 2.0 * callee(x)

@jit
def borrowing(x):
    return x + NUMBER

@jit
def calling_a_borrower(x):
    return borrowing(x) + 0.5

@jit
def borrowing_by_name(x):
    return x + outside.OTHER

def over(*inner):
    first, second = inner
    @jit
    def outer(x):
        return 10.0 * first(x) + second(x)
    return outer

def constant(large):
    if large:
        @jit
        def made(x):
            return 3.0 * x
    else:
        @jit
        def made(x):
            return 2.0 * x
    return made

def closure(value):
    @jit
    def made(x):
        return x + value
    return made

def item(values):
    @jit
    def made(x):
        return x + values[len(values) // 2]
    return made

def peak(height):
    return np.where(np.arange(5000) == 2500, height, 0.0)

def default(value):
    @jit
    def made(x, shift=value):
        return x + shift
    return made

"""

PROGRAM = """
import os, sys
from meanfield.kernels import cache
locked, writable = os.environ.get("LOCKED"), cache._writable
if locked:
    cache._writable = lambda folder: not str(folder).startswith(locked) and writable(folder)
from meanfield.kernels.compile import log
from meanfield.kernels.probe import *
values = [eval(expression) for expression in sys.argv[1:]]
print(len(log.compiled), log.seconds > 0, *values)
"""


@dataclass
class Outcome:
    """What a process that used the cache has to tell."""

    compiled: int
    timed: bool
    values: list[float]
    said: str


@dataclass
class Machine:
    """A copy of the package whose sources a test may change, and an empty cache."""

    home: Path
    cache: Path

    def start(self, *expressions: str, **environment: str) -> subprocess.Popen[str]:
        places = {"MEANFIELD_CACHE_DIR": str(self.cache), "TMPDIR": str(self.home / "tmp")}
        return subprocess.Popen(
            [sys.executable, "-c", PROGRAM, *expressions],
            cwd=self.home,
            env={**os.environ, **places, **environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def end(self, process: subprocess.Popen[str]) -> Outcome:
        out, said = process.communicate()
        assert process.returncode == 0, said
        compiled, timed, *values = out.split()
        return Outcome(int(compiled), timed == "True", [float(value) for value in values], said)

    def run(self, *expressions: str, **environment: str) -> Outcome:
        return self.end(self.start(*expressions, **environment))

    def write(self, name: str, text: str) -> None:
        path = self.home / "meanfield" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    @property
    def entries(self) -> list[Path]:
        return sorted(self.cache.rglob("*.nbc"))


def new_machine(home: Path) -> Machine:
    source = Path(meanfield.__file__).parent
    for name in ("errors.py", "kernels/__init__.py", "kernels/cache.py", "kernels/compile.py"):
        target = home / "meanfield" / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(source / name, target)
    (home / "tmp").mkdir()
    made = Machine(home, home / "cache")
    made.write("__init__.py", "")
    made.write("outside.py", OUTSIDE)
    made.write("kernels/deep/__init__.py", "")
    made.write("kernels/deep/callee.py", CALLEE)
    made.write("kernels/probe.py", PROBE)
    return made


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    """One where nothing was compiled yet."""
    return new_machine(tmp_path)


@pytest.fixture(scope="module")
def first_run(tmp_path_factory: pytest.TempPathFactory) -> tuple[Machine, Outcome]:
    """What ``calling(1.0)`` says and leaves on a new machine."""
    made = new_machine(tmp_path_factory.mktemp("machine"))
    return made, made.run("calling(1.0)")


@pytest.fixture
def used(first_run: tuple[Machine, Outcome], tmp_path: Path) -> Machine:
    """One where ``calling`` was compiled: a copy, as nothing in a cache says where it is."""
    home = shutil.copytree(first_run[0].home, tmp_path / "used")
    return Machine(home, home / "cache")


@compiled_only
def test_kernels_are_compiled_once_per_machine(first_run, used):
    _, first = first_run
    assert (first.compiled, first.timed, first.values) == (2, True, [4.0])
    assert first.said == "compiling kernels for this machine; kept for the next run …\n"
    assert used.run("calling(1.0)") == Outcome(0, False, [4.0], "")


@compiled_only
def test_a_change_of_a_callee_in_another_folder_is_noticed(used):
    used.write("kernels/deep/callee.py", CALLEE.replace("1.0", "5.0"))
    assert used.run("calling(1.0)").values == [12.0]
    used.write("kernels/deep/callee.py", CALLEE)
    assert used.run("calling(1.0)") == Outcome(0, False, [4.0], "")


@compiled_only
def test_a_change_of_a_number_from_elsewhere_is_noticed(machine):
    # Each in a process of its own: the one would be compiled on the way to the other.
    expressions = ("borrowing(1.0)", "borrowing_by_name(1.0)", "calling_a_borrower(1.0)")
    for expression, value in zip(expressions, (11.0, 11.0, 11.5), strict=True):
        assert machine.run(expression).values == [value]
    machine.write("outside.py", OUTSIDE.replace("10", "20"))
    for expression, value in zip(expressions, (21.0, 21.0, 21.5), strict=True):
        assert machine.run(expression).values == [value]
    machine.write("outside.py", OUTSIDE)
    assert machine.run(*expressions) == Outcome(0, False, [11.0, 11.0, 11.5], "")


# One factory, two kernels, and what they make of 1.
TWINS = [
    ("constant(True)(1.0)", 3.0, "constant(False)(1.0)", 2.0),
    ("closure(1.0)(1.0)", 2.0, "closure(2.0)(1.0)", 3.0),
    ("closure(np.float32(0.1))(np.float32(1)) > 1.1", 1.0, "closure(0.1)(1.0) > 1.1", 0.0),
    ("item((0.0, 1.0))(1.0)", 2.0, "item((0.0, 2.0))(1.0)", 3.0),
    ("item(peak(1.0))(1.0)", 2.0, "item(peak(2.0))(1.0)", 3.0),
    ("default(1.0)(1.0)", 2.0, "default(2.0)(1.0)", 3.0),
    ("over(callee, default(1.0))(2.0)", 33.0, "over(callee, default(2.0))(2.0)", 34.0),
    ("over(callee, callee)(1.0)", 22.0, "over(callee, closure(3.0))(1.0)", 24.0),
    ("over(callee, closure(3.0))(1.0)", 24.0, "over(closure(3.0), callee)(1.0)", 42.0),
    ("over(callee, constant(True))(1.0)", 23.0, "over(callee, constant(False))(1.0)", 22.0),
]


@compiled_only
def test_kernels_of_one_factory_are_never_mixed_up(machine):
    firsts = {expression: value for expression, value, _, _ in TWINS}
    seconds = {expression: float(value) for _, _, expression, value in TWINS}
    for each in (firsts, seconds):
        expressions = [f"float({expression})" for expression in each]
        assert machine.run(*expressions).values == list(each.values())
    together = {**firsts, **seconds}
    for order in (list(together), list(together)[::-1]):
        found = machine.run(*(f"float({expression})" for expression in order))
        assert found.values == [together[expression] for expression in order]
        assert found.compiled == 0


@compiled_only
def test_code_from_different_processes_can_be_linked(machine):
    # numba names compiled code by a counter that starts anew in every process: where a new kernel
    # is made over two that come from two processes, the linker must not find one name for both.
    for value in (1.0, 2.0):
        machine.run(f"closure({value})(1.0)")
    found = machine.run("over(closure(1.0), closure(2.0))(1.0)")
    assert (found.compiled, found.values) == (1, [23.0])


@compiled_only
def test_options_tell_kernels_apart():
    def same(x):
        return x

    from numba import njit

    plain, contracted = njit(same), njit(fastmath={"contract"})(same)
    keys = {cache.identity(same, made.targetoptions) for made in (plain, contracted)}
    assert len(keys) == 2


@compiled_only
def test_processes_may_compile_at_the_same_time(machine):
    expressions = ("calling(1.0)", "over(callee, closure(3.0))(1.0)")
    running = [machine.start(*expressions[:: (-1) ** k]) for k in range(3)]
    for k, process in enumerate(running):
        assert machine.end(process).values == [4.0, 24.0][:: (-1) ** k]
    assert machine.run(*expressions) == Outcome(0, False, [4.0, 24.0], "")
    assert not list(machine.cache.rglob("*.part"))


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-100])


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def empty(path: Path) -> None:
    path.write_bytes(b"")


@compiled_only
@pytest.mark.parametrize("damage", [cut, flip, empty])
def test_a_damaged_entry_is_compiled_again(used, damage: Callable[[Path], None]):
    for path in used.entries:
        damage(path)
    again = used.run("calling(1.0)")
    assert (again.compiled, again.values) == (2, [4.0])
    assert used.run("calling(1.0)").compiled == 0


@compiled_only
def test_an_entry_under_another_name_is_not_taken(machine):
    machine.run("closure(1.0)(1.0)")
    (first,) = machine.entries
    machine.run("closure(2.0)(1.0)")
    (second,) = set(machine.entries) - {first}
    shutil.copy(first, second)
    assert machine.run("closure(2.0)(1.0)").values == [3.0]


@compiled_only
def test_a_cache_that_cannot_be_written_is_read_and_another_is_filled(used):
    before = used.entries
    locked = {"LOCKED": str(used.cache)}
    ready = used.run("calling(1.0)", **locked)
    assert (ready.compiled, ready.values) == (0, [4.0])
    assert used.run("calling(1.0)", "borrowing(1.0)", **locked).compiled == 1
    again = used.run("calling(1.0)", "borrowing(1.0)", **locked)
    assert (again.compiled, again.values) == (0, [4.0, 11.0])
    assert used.entries == before
    spare = used.home / "tmp" / f"meanfield-{os.getuid()}"
    assert again.said == (
        f"{used.cache} cannot be written: compiled kernels are kept in {spare} for now; "
        "set MEANFIELD_CACHE_DIR to a folder that can\n"
    )


@compiled_only
def test_without_any_place_nothing_is_kept_and_a_sentence_says_so(machine):
    machine.cache.write_text("a file, where a folder should be")
    spare = machine.home / "tmp" / f"meanfield-{os.getuid()}"
    spare.mkdir()
    spare.chmod(0o777)  # others could put code there
    for _ in range(2):
        found = machine.run("calling(1.0)")
        assert (found.compiled, found.values) == (2, [4.0])
        warning, notice = found.said.splitlines()
        assert "compiled kernels are not kept; set MEANFIELD_CACHE_DIR" in warning
        assert notice == "compiling kernels for this machine; not kept …"
    assert not list(spare.iterdir())


@compiled_only
def test_kernels_over_a_users_function_are_not_kept(machine):
    for factor in ("3.0", "4.0"):
        user = f"compile_user_function(lambda x: {factor} * x)"
        found = machine.run(f"over({user}, callee)(1.0)")
        assert found.values == [10.0 * float(factor) + 2.0]
        assert "not kept" in found.said
    assert len(machine.entries) == 1  # that of `callee`


@compiled_only
def test_settings_of_numba_have_folders_of_their_own(used):
    assert used.run("calling(1.0)", NUMBA_NUM_THREADS="1").compiled == 0
    assert used.run("calling(1.0)", NUMBA_LOOP_VECTORIZE="0").compiled == 2


@compiled_only
def test_sources_that_changed_under_a_process_are_not_cached(tmp_path, monkeypatch):
    from meanfield.kernels.philox import unit

    monkeypatch.setattr(cache, "places", lambda: cache.Places((tmp_path,), tmp_path))
    entry = cache.KernelCache(unit)
    for digest, kept in (("another", 0), (cache._SETTLED, 1)):
        monkeypatch.setattr(cache, "digest", lambda digest=digest: digest)
        entry._write("key", b"code")
        assert len(list(tmp_path.iterdir())) == kept
    assert entry._read("key") == b"code"


@compiled_only
def test_a_kernel_over_something_without_a_name_is_refused():
    thing = object()

    def kernel(x):
        return x if thing is None else -x

    with pytest.raises(TypeError, match=r"^a kernel cannot be made over <object object at "):
        compiling.jit(kernel)


@compiled_only
def test_time_is_counted_after_a_compilation_that_failed():
    from numba.core.errors import TypingError

    wrong, right = compiling.jit(lambda x: x.no_such_thing), compiling.jit(lambda x: x + 1)
    with pytest.raises(TypingError):
        wrong(1.0)
    before = compiling.log.seconds
    assert right(1.0) == 2.0
    assert compiling.log.seconds > before


def test_threads_are_counted_from_one():
    before = compiling.threads()
    try:
        compiling.set_threads(1)
        assert compiling.threads() == 1
        compiling.set_threads(10_000)
        assert compiling.threads() >= before
    finally:
        compiling.set_threads(before)
    for wrong in (0, -1, 1.5, True, None):
        with pytest.raises(InvalidInput, match=r"^threads = .*: expected a whole number ≥ 1$"):
            compiling.set_threads(wrong)


def test_folders_are_named_by_every_source_of_the_rooms(tmp_path, monkeypatch):
    monkeypatch.setattr(cache, "__file__", str(tmp_path / "meanfield" / "kernels" / "cache.py"))
    seen = [cache.digest()]
    for name in ("kernels/a.py", "kernels/deep/b.py", "activations/c.py", "activations/x/y/d.py"):
        path = tmp_path / "meanfield" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        for text in ("", "one", "two"):
            path.write_text(text)
            seen.append(cache.digest())
    assert len(set(seen)) == len(seen)
    (tmp_path / "meanfield" / "cli.py").write_text("not a kernel")
    assert cache.digest() == seen[-1]
    assert np.all([len(name) == 16 for name in seen])
