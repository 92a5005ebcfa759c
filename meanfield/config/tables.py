"""From the tables of an experiment file to objects: one definition, the constructors' own.

A table's keys are the arguments of the class that its ``kind`` names. Where an argument is itself
an object (a kernel, a cooling, an observable), its table is checked in the same way; pydantic
holds the other values against the type hints, and what it finds is said in our words.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import pydantic

from meanfield.config.arguments import (
    Argument,
    arguments,
    described,
    in_files,
    is_list,
    is_table,
    members,
    parts,
    words,
)
from meanfield.config.problems import Problems, unknown_key
from meanfield.config.values import WRONG
from meanfield.errors import InvalidInput, UnknownName, dotted
from meanfield.registry import Fields, OneOf, Registry

Table = dict[str, Any]


@dataclass(frozen=True)
class Checked:
    """A table that fits a class: its arguments, defaults filled in.

    Attributes
    ----------
    cls : type
    arguments : table
        What a table describes is `Checked` in turn.
    also : table
        Further keys, which are no arguments of the class.
    """

    cls: type
    arguments: Table
    also: Table = field(default_factory=dict)

    @property
    def given(self) -> Table:
        """The arguments as the constructor takes them."""
        return _given(self.arguments)

    def build(self, **injected: Any) -> Any:
        """The object; `injected` are the arguments that no table can hold."""
        return self.cls(**self.given, **injected)

    def build_also(self, cls: type) -> Any:
        """The object that the further keys make."""
        return cls(**_given(self.also))

    def table(self) -> Table:
        """The table again, with ``kind`` and all defaults, ready to be written."""
        kind = getattr(self.cls, "kind", "")
        return {**({"kind": kind} if kind else {}), **plain({**self.arguments, **self.also})}

    def spec(self) -> Any:
        """The shortest that says the same: a name, or the table."""
        table = self.table()
        return table["kind"] if list(table) == ["kind"] else table


def _given(value: Any) -> Any:
    """A value with names and tables where objects are described."""
    if isinstance(value, Checked):
        return value.spec()
    if isinstance(value, Mapping):
        return {key: _given(item) for key, item in value.items()}
    if isinstance(value, list) and value and not isinstance(value[0], (int, float, str)):
        return [_given(item) for item in value]
    return value


def check(
    cls: type,
    table: Mapping[str, Any],
    section: str,
    problems: Problems,
    without: Collection[str] = (),
    more: Mapping[str, Argument] | None = None,
    partial: bool = False,
    kinds: Registry[Any] | None = None,
) -> Checked | None:
    """Hold a table against the constructor of a class.

    Parameters
    ----------
    cls : type
    table : mapping
        Without ``kind``.
    section : str
        Dotted name of the table, for messages.
    problems : Problems
        Where mistakes go.
    without : collection of str
        Arguments that are injected later and are no keys.
    more : mapping of str to Argument
        Keys besides the arguments.
    partial : bool
        Whether keys may be left out, without defaults.
    kinds : Registry, optional
        Of which the class is one: others may know a key that it does not.
    """
    own = {name: each for name, each in arguments(cls).items() if name not in without}
    known = {**(more or {}), **own}
    fine = True
    for key, value in table.items():
        if key not in known:
            others = _who_knows(key, kinds, without) if kinds is not None else ""
            sentence = unknown_key(section, key, value, known, others)
            problems.add(sentence, f"{section}.{key}", value)
            fine = False
    found: Table = {}
    for name, argument in known.items():
        key = f"{section}.{name}"
        if name in table:
            found[name] = check_value(argument.hint, table[name], key, problems)
        elif partial:
            continue
        elif argument.is_required:
            problems.add(f"{key} is missing: expected {words(argument.hint)}", key)
            fine = False
        elif argument.default is not None:
            found[name] = _default(argument, key, problems)
        fine = fine and found.get(name) is not WRONG
    if not fine:
        return None
    mine = {name: value for name, value in found.items() if name in own}
    return Checked(cls, mine, {name: value for name, value in found.items() if name not in own})


def _default(argument: Argument, key: str, problems: Problems) -> Any:
    described_by, _ = described(argument.hint)
    nested = described_by is not None or _holds_tables(argument.hint)
    if not nested or not isinstance(argument.default, (str, list, dict)) or not argument.default:
        return argument.default
    return check_value(argument.hint, argument.default, key, problems)


def check_kind(
    registry: Registry[Any],
    table: Mapping[str, Any],
    section: str,
    problems: Problems,
    default: str | None = None,
    without: Collection[str] = (),
    also: type | None = None,
) -> Checked | None:
    """Hold a table against the class that its ``kind`` names.

    Keys that are arguments of `also` may stand beside those of the class.
    """
    rest = dict(table)
    kind = rest.pop("kind", default)
    if kind is None:
        known = ", ".join(registry)
        problems.add(f"{section}.kind is missing: expected one of {known}", f"{section}.kind")
        return None
    if kind is WRONG:
        return None
    try:
        cls = registry[kind]
    except UnknownName as error:
        problems.add(f"{section}.kind: {error}", f"{section}.kind")
        return None
    more = {} if also is None else arguments(also)
    clash = sorted(set(more) & set(arguments(cls)) - set(without))
    if clash:
        problems.add(
            f"{section}: the {registry.noun} {kind!r} has an argument {clash[0]!r}, which is a key "
            "of the section already: rename it",
            section,
        )
        return None
    checked = check(cls, rest, section, problems, without, more, kinds=registry)
    if checked is not None and also is not None:
        return None if problems.attempt(section, checked.build_also, also) is None else checked
    return checked


def check_value(hint: Any, value: Any, key: str, problems: Problems) -> Any:
    """Hold a value against a type hint: what a constructor takes, or `WRONG` and a note."""
    if value is WRONG:
        return WRONG
    by, rest = described(hint)
    if isinstance(by, OneOf):
        return _check_entry(by, rest, value, key, problems)
    if isinstance(by, Fields) and isinstance(value, Mapping):
        checked = check(by.cls, value, key, problems, partial=by.partial)
        if checked is None or (not by.partial and problems.attempt(key, checked.build) is None):
            return WRONG
        return {**checked.arguments} if by.partial else checked
    hint = rest
    for each in members(hint):
        if not _holds_tables(each):
            continue
        if is_list(each) and isinstance(value, list):
            inner, *_ = parts(each)
            found = [
                check_value(inner, item, f"{key}[{i}]", problems) for i, item in enumerate(value)
            ]
            return WRONG if any(item is WRONG for item in found) else found
        if is_table(each) and isinstance(value, Mapping):
            _, inner = parts(each)
            entries = {k: check_value(inner, v, dotted(key, k), problems) for k, v in value.items()}
            return WRONG if any(item is WRONG for item in entries.values()) else entries
        _, within = described(each)
        named = isinstance(value, str) and str in members(within)
        if within is not each and (named or isinstance(value, Mapping) or len(members(hint)) == 1):
            return check_value(each, value, key, problems)
    return _check_leaf(hint, value, key, problems)


def _check_entry(by: OneOf, hint: Any, value: Any, key: str, problems: Problems) -> Any:
    """A name or a table of an entry of a registry."""
    names = str in members(hint)
    tables = any(is_table(each) for each in members(hint))
    if by.optional and value == "":
        return value
    if names and isinstance(value, str):
        if value not in by.registry:
            problems.add(f"{key}: {UnknownName(by.registry.noun, value, by.registry)}", key, value)
            return WRONG
        if not tables:
            return value
        value = {"kind": value}
    if not tables or not isinstance(value, Mapping):
        expected = " or ".join([*["a name"] * names, *["a table with kind"] * tables])
        problems.add(str(InvalidInput(key, value, expected)), key, value)
        return WRONG
    checked = check_kind(by.registry, value, key, problems, without=by.without, also=by.also)
    if checked is None:
        return WRONG
    if not by.without and problems.attempt(key, checked.build) is None:
        return WRONG
    return checked


def _check_leaf(hint: Any, value: Any, key: str, problems: Problems) -> Any:
    try:
        return _adapter(hint).validate_python(value)
    except pydantic.ValidationError as error:
        for sentence in _sentences(error, hint, value, key):
            problems.add(sentence, key, value)
        return WRONG


@functools.cache
def _adapter(hint: Any) -> pydantic.TypeAdapter[Any]:
    settings = pydantic.ConfigDict(strict=True, allow_inf_nan=False)
    return pydantic.TypeAdapter(in_files(hint), config=settings)


def _sentences(error: pydantic.ValidationError, hint: Any, value: Any, key: str) -> Iterable[str]:
    """What pydantic found, in our words: one sentence, or one for each wrong entry."""
    found = [(_place(item["loc"]), item) for item in error.errors(include_url=False)]
    if len(members(hint)) > 1:  # a union reports once per member: what went deepest is meant
        depth = max(len(place) for place, _ in found)
        found = [(place, item) for place, item in found if len(place) == depth]
    told = set()
    for place, item in found:
        if place in told:
            continue
        told.add(place)
        said = item["msg"].removeprefix("Input should be ").removeprefix("Value error, ")
        expected = PLAIN_WORDS.get(said, said) if place else words(hint)
        if item["type"] == "finite_number":
            expected = "a finite number"
        where = functools.reduce(dotted, place, key)
        yield str(InvalidInput(where, item["input"], expected))


PLAIN_WORDS = {
    "a valid dictionary": "a table",
    "a valid list": "a list",
    "an instance of Sequence": "a list",
    "'str' instances are not allowed as a Sequence value": "a list",
    "a valid string": "text",
    "a valid boolean": "true or false",
    "a valid integer": "a whole number",
    "a valid number": "a number",
}


def _place(loc: Iterable[Any]) -> tuple[Any, ...]:
    """A place inside a value, without pydantic's names for the members of unions."""
    simple = ("int", "float", "str", "bool", "dict")
    return tuple(p for p in loc if not (isinstance(p, str) and ("[" in p or p in simple)))


def _who_knows(key: str, kinds: Registry[Any], without: Collection[str]) -> str:
    """Which other entries of a registry have a key, as the end of a sentence."""
    others = [n for n in kinds if key in arguments(kinds[n]) and key not in without]
    if not others:
        return ""
    listed = ", ".join(repr(name) for name in others)
    return f"it is a key of the {kinds.noun} {listed}" + (" alone" if len(others) == 1 else "")


@functools.cache
def _holds_tables(hint: Any) -> bool:
    """Whether tables that something describes are anywhere inside a hint."""
    if described(hint)[0] is not None:
        return True
    nested = members(hint)
    if nested == [hint]:
        nested = [part for part in parts(hint) if part is not Any] if _is_nest(hint) else []
    return any(_holds_tables(each) for each in nested)


def _is_nest(hint: Any) -> bool:
    return is_list(hint) or is_table(hint)


def plain(value: Any) -> Any:
    """A value as TOML can hold it. What is infinite was a default, and is left out."""
    if isinstance(value, Checked):
        return value.spec()
    if isinstance(value, Mapping):
        kept = {str(k): plain(v) for k, v in value.items() if v is not None}
        return {k: v for k, v in kept.items() if not (isinstance(v, float) and math.isinf(v))}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if hasattr(value, "item") and getattr(value, "ndim", 1) == 0:
        return value.item()
    return value if isinstance(value, (str, int, float, bool)) else str(value)
