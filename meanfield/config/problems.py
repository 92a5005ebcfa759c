"""Everything that is wrong, collected, so that it is told at once."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Collection, Mapping
from typing import Any, NamedTuple

from meanfield.config import python
from meanfield.errors import InvalidInput, MeanfieldError, UnknownName, dotted, short

LONGEST = 1000  # letters of a sentence
FEW = 6  # keys that are listed beside the nearest one


class Mistake(NamedTuple):
    """A sentence, and where the fault is: a file, the variants of which it is one, and a key.

    The value is None where the key is missing, or where it is not known which is at fault.
    """

    file: str
    sentence: str
    variants: tuple[str, ...] = ()
    key: str = ""
    value: Any = None

    def __str__(self) -> str:
        variants = f" ({', '.join(self.variants)})" if self.variants else ""
        return f"{self.file}{variants}: {self.sentence}"


class Mistakes(MeanfieldError):
    """Everything that is wrong with an experiment, one sentence each."""

    def __init__(self, mistakes: Collection[Mistake]) -> None:
        self.mistakes = list(mistakes)
        self.sentences = [str(mistake) for mistake in self.mistakes]
        super().__init__("\n".join(self.sentences))


class Problems:
    """Collects mistakes, so that all of them are told at once.

    Parameters
    ----------
    source : str or callable
        What to call the experiment in messages; or, for each key, the file that states it.
    variant : str
        Which experiment of a file it is.
    """

    def __init__(self, source: str | Callable[[str], str], variant: str = "") -> None:
        self._source = source
        self._variants = (variant,) if variant else ()
        self.mistakes: list[Mistake] = []

    def add(self, sentence: str, key: str = "", value: Any = None) -> None:
        """Note a mistake at a key, and the value there."""
        if len(sentence) > LONGEST:
            sentence = f"{sentence[: LONGEST // 2]} … {sentence[-LONGEST // 2 :]}"
        file = self._source if isinstance(self._source, str) else self._source(key)
        said = (file, sentence, self._variants)
        if said not in [mistake[:3] for mistake in self.mistakes]:
            self.mistakes.append(Mistake(*said, key, value))

    def attempt(self, key: str, build: Any, *args: Any, **kwargs: Any) -> Any:
        """Call a constructor; None and a note if it refuses."""
        try:
            return build(*args, **kwargs)
        except InvalidInput as error:
            there = error.within(key)
            self.add(str(there), there.key, there.value)
        except UnknownName as error:
            self.add(f"{key}: {error}" if key else str(error), key)
        except MeanfieldError as error:
            self.add(str(error), key)
        except (MemoryError, OverflowError) as error:
            size = "needs more memory than there is" if isinstance(error, MemoryError) else "is"
            self.add(f"{key or 'the experiment'} {size}: {error}", key)
        except OSError as error:  # of a path that no system takes
            self.add(f"{key}: {error.filename} cannot be read: {error.strerror}", key)
        except Exception as error:
            if (said := python.blame(error)) is not None:
                self.add(said, key)
            elif isinstance(error, ValueError):
                ragged = "inhomogeneous shape" in str(error)  # as NumPy says it
                self.add(f"{key}: {'expected rows of one length' if ragged else error}", key)
            else:
                raise
        return None

    def finish(self) -> None:
        """Raise what was collected."""
        if self.mistakes:
            raise Mistakes(self.mistakes)


def together(found: Mapping[str, Mistakes], count: int) -> Mistakes:
    """The mistakes of several variants, each told once.

    Parameters
    ----------
    found : mapping
        By variant.
    count : int
        Of all variants: what is wrong with every one needs no names.
    """
    who: dict[tuple[str, str], tuple[Mistake, list[str]]] = {}
    for variant, mistakes in found.items():
        for mistake in mistakes.mistakes:
            who.setdefault(mistake[:2], (mistake, []))[1].append(variant)
    return Mistakes(
        [
            mistake._replace(variants=() if len(variants) == count else tuple(variants))
            for mistake, variants in who.values()
        ]
    )


def unknown_key(section: str, key: str, value: Any, known: Collection[str], kinds: str = "") -> str:
    """The sentence about a key that nobody asked for.

    Parameters
    ----------
    section, key : str
    value : object
    known : collection of str
        Keys that there are.
    kinds : str
        Who else knows the key, in words.
    """
    near = difflib.get_close_matches(key[:60], known, n=1, cutoff=0.5)
    every = "known keys: " + (", ".join(sorted(known)) or "none")
    hint = kinds or (f"did you mean {near[0]!r}?" if near else every)
    if near and not kinds and len(known) <= FEW:
        hint += f" ({every})"
    return f"unknown key {dotted(section, key)} = {short(value)}; {hint}"
