"""From the tables of an experiment file to objects: one definition, the constructors' own.

A table's keys are the arguments of the class that its ``kind`` names. Pydantic checks them against
the type hints of the constructor; what it finds is said in our words.
"""

from __future__ import annotations

import difflib
import inspect
import typing
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import pydantic

from meanfield.errors import InvalidInput, MeanfieldError, UnknownName
from meanfield.registry import Registry

Table = dict[str, Any]


class Mistakes(MeanfieldError):
    """Everything that is wrong with an experiment, one sentence each."""

    def __init__(self, sentences: list[str]) -> None:
        self.sentences = sentences
        super().__init__("\n".join(sentences))


@dataclass
class Problems:
    """Collects mistakes, so that all of them are told at once."""

    source: str
    sentences: list[str] = field(default_factory=list)

    def add(self, sentence: str) -> None:
        """Note a mistake."""
        self.sentences.append(f"{self.source}: {sentence}")

    def attempt(self, section: str, build: Any, *args: Any, **kwargs: Any) -> Any:
        """Call a constructor; None and a note if it refuses."""
        try:
            return build(*args, **kwargs)
        except InvalidInput as error:
            self.add(str(error.within(section)))
        except UnknownName as error:
            self.add(f"{section}: {error}" if section else str(error))
        except MeanfieldError as error:
            self.add(str(error))
        except ValueError as error:  # NumPy's, of ragged arrays
            self.add(f"{section}: {error}")
        return None

    def finish(self) -> None:
        """Raise what was collected."""
        if self.sentences:
            raise Mistakes(self.sentences)


@dataclass(frozen=True)
class Checked:
    """A table that fits a class: its arguments, defaults filled in."""

    cls: type
    arguments: Table

    def build(self, **injected: Any) -> Any:
        """The object; `injected` are the arguments that no table can hold."""
        return self.cls(**self.arguments, **injected)

    def anchored(self, base: Path) -> Checked:
        """The same with an argument ``path`` made absolute, relative to the experiment's folder."""
        if "path" not in self.arguments:
            return self
        path = str((base / Path(self.arguments["path"]).expanduser()).resolve())
        return Checked(self.cls, {**self.arguments, "path": path})

    def table(self) -> Table:
        """The table again, with ``kind`` and all defaults, ready to be written."""
        kind = getattr(self.cls, "kind", "")
        return {**({"kind": kind} if kind else {}), **plain(self.arguments)}


def check(
    cls: type,
    table: Mapping[str, Any],
    section: str,
    problems: Problems,
    without: Collection[str] = (),
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
    """
    model = _model(cls, frozenset(without))
    try:
        found = model.model_validate(dict(table))
    except pydantic.ValidationError as error:
        told: set[tuple[Any, ...]] = set()
        for item in error.errors():
            # A union of types reports once per member: one sentence is enough.
            where = tuple(item["loc"][:1]) if item["type"] != "extra_forbidden" else item["loc"]
            if where not in told:
                told.add(where)
                problems.add(_sentence(item, section, list(model.model_fields)))
        return None
    values = {name: getattr(found, name) for name in model.model_fields}
    return Checked(cls, {k: v for k, v in values.items() if v is not None})


def check_kind(
    registry: Registry[Any],
    table: Mapping[str, Any],
    section: str,
    problems: Problems,
    default: str | None = None,
    without: Collection[str] = (),
) -> Checked | None:
    """Hold a table against the class that its ``kind`` names."""
    rest = dict(table)
    kind = rest.pop("kind", default)
    if kind is None:
        known = ", ".join(registry)
        problems.add(f"{section}.kind is missing: expected one of {known}")
        return None
    try:
        cls = registry[kind]
    except UnknownName as error:
        problems.add(f"{section}.kind: {error}")
        return None
    return check(cls, rest, section, problems, without)


def unknown_key(section: str, key: str, known: Collection[str]) -> str:
    """The sentence about a key that nobody asked for."""
    near = difflib.get_close_matches(key, known, n=1, cutoff=0.5)
    hint = f"did you mean {near[0]!r}?" if near else "known keys: " + ", ".join(sorted(known))
    return f"unknown key {section + '.' if section else ''}{key}; {hint}"


def plain(value: Any) -> Any:
    """A value as TOML can hold it."""
    if isinstance(value, Mapping):
        return {str(k): plain(v) for k, v in value.items() if v is not None}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if hasattr(value, "item") and getattr(value, "ndim", 1) == 0:
        return value.item()
    return value if isinstance(value, (str, int, float, bool)) else str(value)


@cache
def _model(cls: type, without: frozenset[str]) -> type[pydantic.BaseModel]:
    constructor: Any = cls.__init__  # type: ignore[misc]  # the very class, not a subclass
    hints = typing.get_type_hints(constructor)
    fields: dict[str, Any] = {}
    for name, parameter in list(inspect.signature(constructor).parameters.items())[1:]:
        if name not in without:
            missing = parameter.default is inspect.Parameter.empty
            default = ... if missing else _fresh(cls, name, parameter.default)
            fields[name] = (hints.get(name, Any), default)
    settings = pydantic.ConfigDict(
        extra="forbid", strict=True, allow_inf_nan=False, arbitrary_types_allowed=True
    )
    return pydantic.create_model(cls.__name__, __config__=settings, **fields)


def _fresh(cls: type, name: str, default: Any) -> Any:
    factories = getattr(cls, "__dataclass_fields__", {})
    factory = getattr(factories.get(name), "default_factory", None)
    return pydantic.Field(default_factory=factory) if callable(factory) else default


def _sentence(item: Any, section: str, known: list[str]) -> str:
    key = ".".join(str(part) for part in item["loc"] if not _is_branch(part))
    if item["type"] == "extra_forbidden":
        return unknown_key(section, key, known)
    if item["type"] == "missing":
        return f"{section}.{key} is missing"
    said = item["msg"].removeprefix("Input should be ").removeprefix("Value error, ")
    expected = PLAIN_WORDS.get(said, said)
    return str(InvalidInput(f"{section}.{key}", item["input"], expected))


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


def _is_branch(part: Any) -> bool:
    """Whether a part of a location is pydantic's name for a member of a union."""
    simple = ("int", "float", "str", "bool", "dict")
    return isinstance(part, str) and ("[" in part or part in simple)
