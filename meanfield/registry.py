"""Names for classes, so that an experiment file can say `kind = "langevin"`."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Generic, TypeVar

from meanfield.errors import InvalidInput, UnknownName

T = TypeVar("T")


class Registry(Generic[T]):
    """The known implementations of one noun.

    Parameters
    ----------
    noun : str
        What the entries are, in the singular; error messages say it.
    """

    def __init__(self, noun: str) -> None:
        self.noun = noun
        self._entries: dict[str, type[T]] = {}

    def register(self, name: str) -> Callable[[type[T]], type[T]]:
        """Class decorator: enter the class under `name`, which it carries as its ``kind``."""

        def enter(cls: type[T]) -> type[T]:
            cls.kind = name  # type: ignore[attr-defined]
            self._entries[name] = cls
            return cls

        return enter

    def __getitem__(self, name: str) -> type[T]:
        try:
            return self._entries[name]
        except (KeyError, TypeError):
            raise UnknownName(self.noun, str(name), self._entries) from None

    def make(self, key: str, spec: Any) -> T:
        """An object from its name, from a table with ``kind`` and its arguments, or itself.

        Raises
        ------
        InvalidInput
            If `spec` is none of these; the message calls it `key`.
        """
        table = {"kind": spec} if isinstance(spec, str) else spec
        if not isinstance(table, Mapping):
            if any(isinstance(spec, cls) for cls in self._entries.values()):
                return spec
            raise InvalidInput(key, spec, f"a name or a table with kind: {', '.join(self)}")
        kind = table.get("kind")
        if not isinstance(kind, str) or kind not in self._entries:
            raise InvalidInput(f"{key}.kind", kind, f"one of {', '.join(self)}")
        arguments = {name: value for name, value in table.items() if name != "kind"}
        cls: Any = self._entries[kind]
        try:
            inspect.signature(cls).bind(**arguments)
        except TypeError as error:
            raise InvalidInput(key, spec, f"arguments of {kind!r} ({error})") from None
        try:
            return cls(**arguments)
        except InvalidInput as error:
            raise error.within(key) from None

    def joined(self, other: Registry[Any], noun: str) -> Registry[Any]:
        """The entries of both, under another noun."""
        both: Registry[Any] = Registry(noun)
        both._entries = {**self._entries, **other._entries}
        return both

    def __iter__(self) -> Iterator[str]:
        return iter(sorted(self._entries))

    def summary(self) -> dict[str, str]:
        """Each name with the first line of its documentation."""
        return {name: (self[name].__doc__ or "").strip().split("\n")[0] for name in self}
