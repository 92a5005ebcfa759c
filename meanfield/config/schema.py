"""The keys of an experiment file as a JSON Schema (draft 2020-12), for editors.

It is made from the constructors, as the checks are. A table with ``kind`` is one of several
objects, told apart by the constant value of their ``kind``.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from typing import Any, Literal, get_args, get_origin

from meanfield.config import python
from meanfield.config.arguments import (
    Argument,
    arguments,
    described,
    is_list,
    is_table,
    members,
    parts,
    summary,
)
from meanfield.config.claims import Claim
from meanfield.config.data import OfLaw, OfSource, inputs
from meanfield.config.energy import EnergySection
from meanfield.config.files import ExperimentFile
from meanfield.config.run import RunSection
from meanfield.config.sections import NEEDED, SECTIONS
from meanfield.config.shipped import find
from meanfield.config.tables import plain
from meanfield.data import laws
from meanfield.flows import flows
from meanfield.initial import initials
from meanfield.networks import TwoLayer
from meanfield.registry import Fields, OneOf, Registry
from meanfield.schemes import schemes

Schema = dict[str, Any]
DRAFT = "https://json-schema.org/draft/2020-12/schema"
PLAIN: dict[Any, Schema] = {
    str: {"type": "string"},
    bool: {"type": "boolean"},
    int: {"type": "integer"},
    float: {"type": "number"},
}


def schema_text(files: Sequence[str] = ()) -> str:
    """The schema as JSON; with the kinds that the Python files of experiments add."""
    for file in files:
        found = ExperimentFile.read(find(file))
        python.load_all(found.sections.get("python", []), found.path.parent)
    return json.dumps(experiment_schema(), indent=1, ensure_ascii=False) + "\n"


def experiment_schema() -> Schema:
    """The schema of experiment files.

    A file with variants may leave keys to them; any other must have all that are required.
    """
    maker = _Maker()
    changes = {name: maker.section(name, partial=True) for name in SECTIONS}
    whole = {name: maker.section(name, partial=False) for name in SECTIONS}
    maker.definitions["changes"] = _object(changes)
    path = {"type": "string", "description": "Path of a Python file"}
    texts = {key: {"type": "string"} for key in ("path", "sha256", "text")}
    file = {"anyOf": [path, _object(texts, ["path"])]}
    variants = {"type": "object", "additionalProperties": {"$ref": "#/$defs/changes"}}
    beside: Schema = {
        "python": {
            "anyOf": [path, {"type": "array", "items": file}],
            "description": "Python files whose classes are kinds in this file",
        },
        "variants": {**variants, "description": "Experiments that differ in a few keys"},
        "reduced": {"$ref": "#/$defs/changes"},
        "claims": {"type": "array", "items": maker.fields(Claim, partial=False)},
    }
    return {
        "$schema": DRAFT,
        "title": "Experiment of meanfield",
        **_object({**changes, **beside}),
        "if": {"not": {"required": ["variants"]}},
        "then": {"properties": whole, "required": list(NEEDED)},
        "$defs": maker.definitions,
    }


def _object(properties: Schema, required: Collection[str] = ()) -> Schema:
    found = {"type": "object", "properties": properties, "additionalProperties": False}
    return {**found, "required": list(required)} if required else found


class _Maker:
    """Makes schemas, and remembers those that several places refer to."""

    def __init__(self) -> None:
        self.definitions: Schema = {}

    def section(self, name: str, partial: bool) -> Schema:
        """One of the seven sections; partial: what changes one."""
        if name == "network":
            own = self.of_keys(arguments(TwoLayer), partial)
            own["required"] = [] if partial else ["activation"]
            return {**own, "description": summary(TwoLayer)}
        if name == "energy":
            return self.of_keys(EnergySection.all_keys(), partial)
        if name == "run":
            return self.of_keys(arguments(RunSection), partial)
        if name == "data":
            by_law = self.entries(laws, partial, OfLaw)["anyOf"]
            finite = [kind for kind in inputs if kind not in laws]
            return {"anyOf": by_law + self.entries(inputs, partial, OfSource, only=finite)["anyOf"]}
        usual = {kind for flow in flows for kind in flows[flow].usual}
        kinds: dict[str, tuple[Registry[Any], set[str]]] = {
            "ensemble": (initials, {"normal"}),
            "flow": (flows, {"wasserstein", "langevin"}),
            "scheme": (schemes, usual),
        }
        registry, free = kinds[name]
        return self.entries(registry, partial, without=("energy",), free=free)

    def entries(
        self,
        registry: Registry[Any],
        partial: bool,
        also: type | None = None,
        without: Collection[str] = (),
        free: Collection[str] = (),
        only: Collection[str] | None = None,
    ) -> Schema:
        """A table of one of the entries of a registry; `free` are kinds that may go unsaid."""
        found = []
        for kind in registry if only is None else only:
            cls = registry[kind]
            extra = {} if also is None else arguments(also)
            keys = {k: v for k, v in {**arguments(cls), **extra}.items() if k not in without}
            table = self.of_keys(keys, partial)
            table["properties"] = {"kind": {"const": kind}, **table["properties"]}
            if not partial and kind not in free:
                table["required"] = ["kind", *table.get("required", [])]
            found.append({"title": kind, "description": summary(cls), **table})
        return {"anyOf": found}

    def of_keys(self, keys: Mapping[str, Argument], partial: bool) -> Schema:
        """A table of keys."""
        usable = {name: each for name, each in keys.items() if _can_be_given(each.hint)}
        needed = [name for name, each in usable.items() if each.is_required and not partial]
        return _object(
            {name: self.of_argument(each, partial) for name, each in usable.items()}, needed
        )

    def of_argument(self, argument: Argument, partial: bool) -> Schema:
        """A value, with what it means and its default."""
        found = dict(self.of_hint(argument.hint, partial))
        if argument.about:
            found["description"] = argument.about
        if not argument.is_required and argument.default is not None:
            default = plain({"default": argument.default})
            found.update(default)
        return found

    def of_hint(self, hint: Any, partial: bool) -> Schema:
        """What a type hint allows; in a change, tables inside tables are changes too."""
        by, rest = described(hint)
        choices = []
        for each in members(rest):
            if isinstance(by, OneOf) and each is str:
                names = {"enum": [*by.registry, *[""] * by.optional]}
                choices.append(names)
            elif isinstance(by, OneOf) and is_table(each):
                choices.append(self.reference(by, partial))
            elif isinstance(by, Fields) and is_table(each):
                choices.append(self.fields(by.cls, by.partial or partial))
            else:
                choices.append(self.of_member(each, partial))
        return choices[0] if len(choices) == 1 else {"anyOf": choices}

    def of_member(self, hint: Any, partial: bool) -> Schema:
        """What one member of a union allows."""
        if get_origin(hint) is Literal:
            return {"enum": list(get_args(hint))}
        if is_list(hint):
            return {"type": "array", "items": self.of_hint(parts(hint)[0], False)}
        if is_table(hint):
            return {"type": "object", "additionalProperties": self.of_hint(parts(hint)[1], partial)}
        return PLAIN[hint] if hint in PLAIN else {} if hint is Any else self.of_hint(hint, partial)

    def reference(self, by: OneOf, partial: bool) -> Schema:
        """The table of an entry, written once."""
        name = by.registry.noun + (" term" if by.also else "") + (" alone" if by.without else "")
        name += " changes" if partial else ""
        if name not in self.definitions:
            self.definitions[name] = {}  # a table may hold others of its like
            self.definitions[name] = self.entries(by.registry, partial, by.also, by.without)
        return {"$ref": f"#/$defs/{name.replace(' ', '%20')}"}

    def fields(self, cls: type, partial: bool) -> Schema:
        """The table of the arguments of a class, written once."""
        name = cls.__name__ + (" changes" if partial else "")
        if name not in self.definitions:
            self.definitions[name] = {}
            self.definitions[name] = self.of_keys(arguments(cls), partial)
        return {"$ref": f"#/$defs/{name.replace(' ', '%20')}"}


def _can_be_given(hint: Any) -> bool:
    """Whether a file can hold such a value."""
    return bool(members(hint)) or described(hint)[0] is not None
