"""What a constructor asks for: names, types, defaults and words, read from the constructor itself.

This is the one definition of the keys of a table. Checking a file (`meanfield.config.tables`),
the file that `meanfield new` writes and the schema for editors are all made from it.
"""

from __future__ import annotations

import inspect
import re
import types
import typing
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any, Literal, NamedTuple

from meanfield.activations import Activation, activations
from meanfield.data import Target, targets
from meanfield.flows import coolings, manifolds
from meanfield.flows.cooling import Cooling
from meanfield.flows.manifolds import Manifold
from meanfield.functionals import Functional, functionals
from meanfield.functionals.stein_kernels import SteinKernel, stein_kernels
from meanfield.initial import Initial, initials
from meanfield.interactions import PairPotential, interactions
from meanfield.registry import Fields, OneOf
from meanfield.schedules import Moments, Schedule

# Where an argument is an object of these classes, a file may name one, or give it as a table.
NOUNS: dict[type, OneOf | Fields] = {
    Activation: OneOf(activations),
    Cooling: OneOf(coolings),
    Functional: OneOf(functionals),
    Initial: OneOf(initials),
    Manifold: OneOf(manifolds),
    PairPotential: OneOf(interactions),
    Schedule: Fields(Moments),
    SteinKernel: OneOf(stein_kernels),
    Target: OneOf(targets),
}
REQUIRED = inspect.Parameter.empty


class Argument(NamedTuple):
    """One argument of a constructor.

    Attributes
    ----------
    hint : type hint
    default : object
        `REQUIRED` if there is none.
    about : str
        Its paragraph in the documentation, in one line.
    """

    hint: Any
    default: Any
    about: str

    @property
    def is_required(self) -> bool:
        """Whether it must be given."""
        return self.default is REQUIRED


def arguments(cls: Any) -> Mapping[str, Argument]:
    """The arguments of a class by name."""
    return _arguments(cls)


@cache
def _arguments(cls: Any) -> Mapping[str, Argument]:
    constructor = cls.__init__
    try:
        hints = typing.get_type_hints(constructor, include_extras=True)
    except NameError:  # of names that a user's file imports for the type checker alone
        hints = {}
    words = documentation(cls)
    found = {}
    for name, parameter in list(inspect.signature(constructor).parameters.items())[1:]:
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            continue
        default = parameter.default
        if default is not REQUIRED:
            default = _fresh(cls, name, default)
        found[name] = Argument(hints.get(name, Any), default, words.get(name, ""))
    return found


def _fresh(cls: type, name: str, default: Any) -> Any:
    field = getattr(cls, "__dataclass_fields__", {}).get(name)
    factory = getattr(field, "default_factory", None)
    return factory() if callable(factory) else default


def documentation(cls: type) -> dict[str, str]:
    """What the numpydoc sections "Parameters" of a class and its bases say of each argument."""
    found: dict[str, str] = {}
    for base in reversed(cls.__mro__):
        text = inspect.cleandoc(base.__dict__.get("__doc__") or "")
        _, _, after = text.partition("Parameters\n----------\n")
        names: list[str] = []
        for line in after.split("\n"):
            if re.match(r"-{3,}", line):  # the next section has begun with the line before
                break
            if line and not line.startswith(" "):
                listed, _, _ = line.partition(" : ")
                names = [name.strip() for name in listed.split(",")]
                found.update(dict.fromkeys(names, ""))
            elif line:
                for name in names:
                    found[name] = f"{found[name]} {line.strip()}".strip()
    return found


def summary(cls: type) -> str:
    """The first line of the documentation of a class."""
    return inspect.cleandoc(cls.__doc__ or "").split("\n")[0]


# Type hints, as far as a file can fill them


def members(hint: Any) -> list[Any]:
    """What a file may put where the hint is, one by one: no ``None``, no functions, no objects."""
    origin = typing.get_origin(hint)
    if origin in (typing.Union, types.UnionType):
        return [part for each in typing.get_args(hint) for part in members(each)]
    usable = origin in (Literal, typing.Annotated) or hint in (str, int, float, bool, Any)
    return [hint] if usable or is_list(hint) or is_table(hint) else []


def in_files(hint: Any) -> Any:
    """The hint without what no file can hold: a type that pydantic knows."""
    choices = []
    for each in members(hint):
        if typing.get_origin(each) is typing.Annotated:
            each = in_files(typing.get_args(each)[0])
        elif is_list(each):
            each = list[in_files(parts(each)[0])]  # type: ignore[misc]
        elif is_table(each):
            each = dict[str, in_files(parts(each)[1])]  # type: ignore[misc]
        choices.append(each)
    return typing.Union[tuple(choices)] if choices else Any  # noqa: UP007


def parts(hint: Any) -> tuple[Any, ...]:
    """The types inside a list or a table; ``Any`` where it does not say."""
    return typing.get_args(hint) or (Any, Any)


def is_list(hint: Any) -> bool:
    """Whether a hint is of a list."""
    return (typing.get_origin(hint) or hint) in (list, Sequence)


def is_table(hint: Any) -> bool:
    """Whether a hint is of a table."""
    return (typing.get_origin(hint) or hint) in (dict, Mapping)


def described(hint: Any) -> tuple[OneOf | Fields | None, Any]:
    """What a table at this place holds, if something says so; and the rest of the hint."""
    if typing.get_origin(hint) is typing.Annotated:
        rest, *notes = typing.get_args(hint)
        return next((note for note in notes if isinstance(note, (OneOf, Fields))), None), rest
    if typing.get_origin(hint) in (typing.Union, types.UnionType):
        for each in typing.get_args(hint):
            if isinstance(each, type) and each in NOUNS:
                return NOUNS[each], hint
    if isinstance(hint, type) and hint in NOUNS:
        return NOUNS[hint], str | dict[str, Any]
    return None, hint


def words(hint: Any) -> str:
    """What may stand where a hint is, as a noun phrase."""
    return " or ".join(dict.fromkeys(_word(each) for each in members(hint))) or "nothing"


def _word(hint: Any) -> str:
    if typing.get_origin(hint) is Literal:
        choices = ", ".join(repr(choice) for choice in typing.get_args(hint))
        return f"one of {choices}" if "," in choices else choices
    if typing.get_origin(hint) is typing.Annotated:
        return words(typing.get_args(hint)[0])
    if is_list(hint):
        inner = {float: "numbers", int: "whole numbers", str: "texts"}.get(parts(hint)[0])
        return f"a list of {inner}" if inner else "a list"
    if is_table(hint):
        return "a table"
    plain = {str: "text", bool: "true or false", int: "a whole number", float: "a number"}
    return plain.get(hint, "a value")
