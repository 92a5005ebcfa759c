"""Experiment files at random: each is an experiment, or is refused in clear sentences.

``python -m tests.config.fuzz --examples 100000`` makes many. They are drawn from the keys and types
that constructors state, and then spoilt: wrong types, huge and lost numbers, keys of other kinds,
tables inside tables, and text that is no TOML. Other errors than ours, hangs and attempts to
take more memory than there is are failures.
"""

from __future__ import annotations

import argparse
import collections
import contextlib
import copy
import datetime
import signal
import tempfile
import tomllib
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import numpy as np
import tomli_w
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from meanfield.activations import activations
from meanfield.config import Experiment, ExperimentFile
from meanfield.config.arguments import Argument, arguments, described, is_list, is_table, members
from meanfield.config.arguments import parts as parts_of
from meanfield.config.data import OfLaw, OfSource, inputs
from meanfield.config.energy import EnergySection
from meanfield.config.files import read_toml
from meanfield.config.run import RunSection
from meanfield.data import laws
from meanfield.errors import Diverged, MeanfieldError
from meanfield.flows import flows
from meanfield.initial import initials
from meanfield.networks import TwoLayer
from meanfield.registry import Fields, OneOf, Registry
from meanfield.schemes import schemes

SECONDS = 120  # after which an example hangs
SMALL, GIANT = 40, 10**13  # sizes that are tried out: quickly made, and never

WORDS = st.sampled_from(["", "a", "w", "b", "mean", "énergie", "粒子", "\x00", "\r\n", "𝒩", "kind"])
JUNK: st.SearchStrategy[Any] = st.one_of(
    st.integers(-3, 3),
    st.sampled_from([10**15, -(10**15), 2**63 - 1, 2**63, 10**400, 10**9]),
    st.sampled_from([float("nan"), float("inf"), -float("inf"), 1e308, 5e-324, -0.0, 1e-30]),
    st.floats(),
    WORDS,
    st.text(max_size=8),
    st.just("x" * 5_000),
    st.booleans(),
    st.just([]),
    st.just({}),
    st.just(datetime.date(2024, 2, 29)),
    st.lists(st.one_of(st.integers(-2, 2), WORDS, st.just([])), max_size=3),
    st.dictionaries(WORDS, st.one_of(st.integers(-2, 2), WORDS), max_size=2),
    st.integers(2, 40).map(lambda depth: _nested(depth, [])),
    st.integers(2, 40).map(lambda depth: _nested(depth, {})),
)


def _nested(depth: int, inner: Any) -> Any:
    for _ in range(depth):
        inner = [inner] if isinstance(inner, list) else {"a": inner}
    return inner


def of_keys(keys: dict[str, Argument], depth: int) -> st.SearchStrategy[dict[str, Any]]:
    """Tables with all keys that are needed, and some of the others."""
    possible = {k: v for k, v in keys.items() if members(v.hint) or described(v.hint)[0]}
    needed = {k: of_hint(v.hint, depth) for k, v in possible.items() if v.is_required}
    others = {k: of_hint(v.hint, depth) for k, v in possible.items() if not v.is_required}
    chosen = st.sets(st.sampled_from(sorted(others)), max_size=3) if others else st.just(set())
    return chosen.flatmap(
        lambda some: st.fixed_dictionaries({**needed, **{k: others[k] for k in some}})
    )


def of_registry(by: Registry[Any], depth: int, also: type | None = None, without: Any = ()) -> Any:
    """Tables of the kinds of a registry."""

    def table(kind: str) -> Any:
        keys = {**(arguments(also) if also else {}), **arguments(by[kind])}
        wanted = of_keys({k: v for k, v in keys.items() if k not in without}, depth)
        return wanted.map(lambda found: {"kind": kind, **found})

    return st.sampled_from(list(by)).flatmap(table)


def of_hint(hint: Any, depth: int = 3) -> st.SearchStrategy[Any]:
    """Values that a type hint allows, of small sizes."""
    by, rest = described(hint)
    choices: list[st.SearchStrategy[Any]] = []
    for each in members(rest):
        if isinstance(by, OneOf) and (each is str or is_table(each)):
            if each is str:
                choices.append(st.sampled_from(list(by.registry)))
            elif depth:
                choices.append(of_registry(by.registry, depth - 1, by.also, by.without))
        elif isinstance(by, Fields) and is_table(each):
            choices.append(of_keys(dict(arguments(by.cls)), depth))
        elif get_origin(each) is Literal:
            choices.append(st.sampled_from(get_args(each)))
        elif is_list(each):
            choices.append(st.lists(of_hint(parts_of(each)[0], depth), max_size=3))
        elif is_table(each):
            blocks = st.sampled_from(["a", "w", "b"])
            choices.append(st.dictionaries(blocks, of_hint(parts_of(each)[1], depth), max_size=2))
        elif each in (int, float, str, bool):
            choices.append(PLAIN[each])
        else:
            choices.append(st.integers(0, 3) if each is Any else of_hint(each, depth))
    return st.one_of(choices) if choices else st.just({})


PLAIN: dict[type, st.SearchStrategy[Any]] = {
    int: st.integers(0, 12),
    float: st.sampled_from([0.0, 0.1, 0.5, 1.0, 1.5, 3.0, -1.0]),
    bool: st.booleans(),
    str: st.sampled_from(["a", "w", "y", "energy", "no-such-file"]),
}


def _section(name: str) -> st.SearchStrategy[Any]:
    if name == "network":
        few = st.sampled_from(sorted(set(activations) & {"relu", "tanh", "linear", "erf"}))
        return st.one_of(
            st.fixed_dictionaries({"activation": few}), of_keys(dict(arguments(TwoLayer)), 2)
        )
    if name == "data":
        finite = Registry("finite data")
        finite._entries = {kind: inputs[kind] for kind in inputs if kind not in laws}
        Registry.all.remove(finite)
        return st.one_of(of_registry(laws, 2, OfLaw), of_registry(finite, 2, OfSource))
    if name == "energy":
        return of_keys(EnergySection.all_keys(), 2)
    if name == "run":
        fixed = {"until": st.sampled_from([0.2, 0.5])}
        return st.tuples(of_keys(dict(arguments(RunSection)), 2), st.fixed_dictionaries(fixed)).map(
            lambda both: {**both[0], **both[1]}
        )
    registry = {"ensemble": initials, "flow": flows, "scheme": schemes}[name]
    return of_registry(registry, 2, without=("energy",))


SECTIONS = {
    name: _section(name)
    for name in ("network", "data", "energy", "ensemble", "flow", "scheme", "run")
}
GOOD: dict[str, Any] = {
    "network": {"activation": "relu"},
    "data": {"kind": "gaussian", "dim": 3, "target": {"kind": "teacher", "neurons": 2}},
    "energy": {"l2": 0.1},
    "ensemble": {"count": 6},
    "flow": {"kind": "wasserstein"},
    "scheme": {"step": 0.1},
    "run": {"until": 0.2},
}


@st.composite
def tables(draw: Any) -> dict[str, Any]:
    """A good experiment with some sections drawn anew, and up to two places spoilt."""
    found = copy.deepcopy(GOOD)
    names = st.lists(st.sampled_from(list(SECTIONS)), min_size=1, max_size=2, unique=True)
    for name in draw(names):
        found[name] = draw(SECTIONS[name])
    for _ in range(draw(st.sampled_from([0, 0, 0, 1, 2]))):
        _spoil(found, draw)
    return found


def _spoil(found: dict[str, Any], draw: Any) -> None:
    """Change one place: other values, keys gone, keys of others."""
    place: Any = found
    for _ in range(draw(st.integers(0, 3))):
        deeper = [
            key for key, value in _entries(place) if isinstance(value, (dict, list)) and value
        ]
        if not deeper:
            break
        place = place[draw(st.sampled_from(deeper))]
    keys = [key for key, _ in _entries(place)]
    how = draw(st.sampled_from(["value", "value", "size", "gone", "new", "foreign"]))
    if how in ("value", "size", "gone") and keys:
        key = draw(st.sampled_from(keys))
        if how == "gone":
            del place[key]
        else:
            place[key] = draw(JUNK) if how == "value" else draw(st.sampled_from([10**15, 10**9, 0]))
    elif isinstance(place, dict):
        place[draw(WORDS if how == "new" else FOREIGN)] = draw(JUNK)


_KINDS = [kinds[name] for kinds in (flows, schemes, initials, inputs) for name in kinds]
_KEYS = {key for cls in _KINDS for key in arguments(cls)}
FOREIGN = st.sampled_from(["python", "variants", "reduced", "claims", "kind", *sorted(_KEYS)])


def _entries(place: Any) -> list[tuple[Any, Any]]:
    return list(place.items()) if isinstance(place, dict) else list(enumerate(place))


@st.composite
def texts(draw: Any) -> str:
    """An experiment as TOML, with letters lost, doubled or put in."""
    try:
        text = tomli_w.dumps(draw(tables()))
    except (TypeError, ValueError):  # what TOML cannot say
        text = tomli_w.dumps(GOOD)
    for _ in range(draw(st.integers(0, 3))):
        at = draw(st.integers(0, len(text)))
        text = (
            text[:at]
            + draw(st.sampled_from(["", "=", "[", "]]", '"', "\n", "1e999", "é", "{"]))
            + (text[at + draw(st.integers(0, 2)) :])
        )
    return text


# What must come out


def outcome(found: dict[str, Any]) -> str:
    """What becomes of tables: "refused", "valid", or "made", where sizes let it be made."""
    return _outcome(lambda: Experiment(found), found)


def outcome_of_text(text: str, folder: Path) -> str:
    """The same of a file."""
    path = folder / "fuzz.toml"
    path.write_bytes(text.encode("utf-8", "surrogatepass"))

    def read() -> Experiment:
        file = ExperimentFile.read(path)
        return Experiment.of(file, next(iter(file.variants), ""), reduced=bool(file.reduced))

    try:
        found = read_toml(path)
    except MeanfieldError as error:
        _require_clear(error)
        return "refused"
    return _outcome(read, found)


def _outcome(read: Any, found: dict[str, Any]) -> str:
    try:
        experiment = read()
        sizes = [abs(size) for size in _sizes(found)]
        if _is_work(found) or not all(size <= SMALL or size >= GIANT for size in sizes):
            return "valid"
        # Overflows of a wild experiment are for its run to tell.
        with np.errstate(all="ignore"), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            experiment.check()
        again = experiment.to_toml()
    except (MeanfieldError, Diverged) as error:
        _require_clear(error)
        return "refused"
    assert Experiment(tomllib.loads(again), title=experiment.title).to_toml() == again
    return "made"


def _is_work(found: dict[str, Any]) -> bool:
    """Whether one look takes minutes: Gaussian particles by products of quadrature rules."""
    flow = found.get("flow", {})
    degree = flow.get("degree", 3) if isinstance(flow, dict) else 3
    return isinstance(degree, int) and 3 < degree <= SMALL


def _sizes(value: Any) -> Iterator[float]:
    if isinstance(value, (dict, list)):
        for _, item in _entries(value):
            yield from _sizes(item)
    elif isinstance(value, int) and not isinstance(value, bool):
        yield value


def _require_clear(error: MeanfieldError) -> None:
    """Sentences that a person can act on."""
    sentences = str(error).split("\n")
    for sentence in sentences:
        assert 10 < len(sentence) < 3000, sentence
        for obscure in (" at 0x", "Traceback", "pydantic", "needs more memory", "Checked("):
            assert obscure not in sentence, sentence


class TooSlow(Exception):
    """An example that hangs."""


@contextlib.contextmanager
def deadline(seconds: int) -> Iterator[None]:
    """Fail what takes longer."""

    def late(*_: Any) -> None:
        raise TooSlow(f"an example takes more than {seconds} s")

    before = signal.signal(signal.SIGALRM, late)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def main() -> None:
    """Make many."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--examples", type=int, default=10_000)
    parser.add_argument("--text", type=float, default=0.2, help="share of them that are text")
    chosen = parser.parse_args()
    found: collections.Counter[str] = collections.Counter()
    many = {
        "deadline": None,
        "suppress_health_check": list(HealthCheck),
        "database": None,
        "derandomize": False,
        "print_blob": True,
    }
    as_text = int(chosen.text * chosen.examples)

    @settings(max_examples=chosen.examples - as_text, **many)
    @given(tables())
    def of_tables(example: dict[str, Any]) -> None:
        with deadline(SECONDS):
            found[outcome(example)] += 1

    @settings(max_examples=as_text, **many)
    @given(texts())
    def of_texts(example: str) -> None:
        with deadline(SECONDS):
            found[f"text {outcome_of_text(example, folder)}"] += 1

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        of_tables()
        of_texts()
    print(", ".join(f"{count} {what}" for what, count in sorted(found.items())))


if __name__ == "__main__":
    main()
