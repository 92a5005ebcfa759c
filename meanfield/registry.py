"""Names for classes, so that an experiment file can say `kind = "langevin"`."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Generic, TypeVar

from meanfield.errors import InvalidInput, UnknownName, require

T = TypeVar("T")


class Registry(Generic[T]):
    """The known implementations of one noun.

    Parameters
    ----------
    noun : str
        What the entries are, in the singular; error messages say it.
    parts : Registry
        Others whose entries are known here too, also those that they are given later.

    Attributes
    ----------
    all : list of Registry
        Every registry that classes can be entered in.
    """

    all: ClassVar[list[Registry[Any]]] = []

    def __init__(self, noun: str, *parts: Registry[Any]) -> None:
        self.noun = noun
        self._parts = parts
        self._entries: dict[str, type[T]] = {}
        Registry.all.append(self)

    def register(self, name: str) -> Callable[[type[T]], type[T]]:
        """Class decorator: enter the class under `name`, which it carries as its ``kind``.

        Raises
        ------
        InvalidInput
            If it is not a whole class, or if a class of another module has the name.
        """
        named = isinstance(name, str) and name != ""
        require(named, "register", name, 'a name, as in register("mine")')

        def enter(cls: type[T]) -> type[T]:
            where = f'register("{name}")'
            require(isinstance(cls, type), where, cls, f"a class: {self.noun}")
            lacking = ", ".join(sorted(getattr(cls, "__abstractmethods__", ())))
            require(not lacking, where, cls.__qualname__, f"a class that also has {lacking}")
            # Written once more, as in a notebook, a class replaces what it was before.
            taken = self._known.get(name, cls)
            free = taken.__module__ == cls.__module__
            require(free, where, cls.__qualname__, f"another name: the {self.noun} {name!r} exists")
            cls.kind = name  # type: ignore[attr-defined]
            self._entries[name] = cls
            return cls

        return enter

    @property
    def _known(self) -> dict[str, type[T]]:
        known: dict[str, type[T]] = {}
        for part in self._parts:
            known |= part._known
        return known | self._entries

    def __getitem__(self, name: str) -> type[T]:
        try:
            return self._known[name]
        except (KeyError, TypeError):
            raise UnknownName(self.noun, str(name), self._known) from None

    def make(self, key: str, spec: Any) -> T:
        """An object from its name, from a table with ``kind`` and its arguments, or itself.

        Raises
        ------
        InvalidInput
            If `spec` is none of these; the message calls it `key`.
        """
        table = {"kind": spec} if isinstance(spec, str) else spec
        known = self._known
        if not isinstance(table, Mapping):
            if any(isinstance(spec, cls) for cls in known.values()):
                return spec
            raise InvalidInput(key, spec, f"a name or a table with kind: {', '.join(self)}")
        kind = table.get("kind")
        if not isinstance(kind, str) or kind not in known:
            raise InvalidInput(f"{key}.kind", kind, f"one of {', '.join(self)}")
        arguments = {name: value for name, value in table.items() if name != "kind"}
        cls: Any = known[kind]
        try:
            inspect.signature(cls).bind(**arguments)
        except TypeError as error:
            raise InvalidInput(key, spec, f"arguments of {kind!r} ({error})") from None
        try:
            return cls(**arguments)
        except InvalidInput as error:
            raise error.within(key) from None

    def __iter__(self) -> Iterator[str]:
        return iter(sorted(self._known))

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and name in self._known

    def summary(self) -> dict[str, str]:
        """Each name with the first line of its documentation."""
        return {name: (self[name].__doc__ or "").strip().split("\n")[0] for name in self}


@dataclass(frozen=True)
class OneOf:
    """In a type hint ``Annotated[…, OneOf(registry)]``: text or a table that names an entry.

    Parameters
    ----------
    registry : Registry
    also : type, optional
        Whose arguments are keys of the table beside those of the entry.
    without : tuple of str
        Arguments of the entry that are no keys.
    optional : bool
        Whether the empty text stands for none.
    """

    registry: Registry[Any]
    also: type | None = None
    without: tuple[str, ...] = ()
    optional: bool = False


@dataclass(frozen=True)
class Fields:
    """In a type hint ``Annotated[…, Fields(cls)]``: a table of the arguments of a class.

    Parameters
    ----------
    cls : type
    partial : bool
        Whether any of them may be left out, and have no defaults then.
    """

    cls: type
    partial: bool = False
