"""The section ``[data]``: a law (integrated, sampled or streamed) or a finite data set."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from meanfield import random
from meanfield.config.arguments import arguments
from meanfield.config.problems import Problems
from meanfield.config.tables import Checked, Table, check_kind
from meanfield.data import (
    FiniteData,
    LabelledLaw,
    Law,
    Stream,
    Target,
    Teacher,
    laws,
    sources,
    targets,
)
from meanfield.errors import InvalidInput, MeanfieldError, require, require_count, short
from meanfield.initial import NormalInit, SphereInit
from meanfield.memory import require_room
from meanfield.networks import TwoLayer
from meanfield.registry import OneOf, Registry

inputs: Registry[Any] = Registry("kind of data", laws, sources)
# A teacher needs the network, so that it is no target until there is one.
labels: Registry[Any] = Registry("target", targets)


@labels.register("teacher")
@dataclass(frozen=True)
class TeacherTable:
    """Neurons of the network's own activation.

    Parameters
    ----------
    neurons : int, optional
        How many, drawn at random (default 1) …
    law : {"sphere", "normal"}
        … with w uniform on the unit sphere and a = ±1, or all entries N(0, 1).
    w, a, b : arrays, optional
        The neurons themselves, instead.
    output : {"mean", "sum"}
        Whether y is the mean or the sum over the teacher's neurons.
    seed : int, optional
        Of the draw; default: the seed of the run.
    """

    neurons: int | None = None
    law: Literal["sphere", "normal"] = "sphere"
    w: Sequence[Sequence[float]] = ()
    a: Sequence[float] | Sequence[Sequence[float]] = ()
    b: Sequence[float] = ()
    output: Literal["mean", "sum"] = "mean"
    seed: int | None = None

    def __post_init__(self) -> None:
        if self.neurons is not None:
            require_count("neurons", self.neurons)
            require(not len(self.w), "neurons", self.neurons, "either neurons or w, not both")
        if self.seed is not None:
            random.check_seed(self.seed)
        for key in ("a", "b"):
            value = getattr(self, key)
            require(bool(len(self.w)) or not len(value), key, value, "a and b only together with w")
        lengths = {len(row) for row in self.w}
        require(len(lengths) <= 1, "w", self.w, "rows of one length")

    @property
    def outputs(self) -> int:
        """Dimension k of y."""
        first = self.a[0] if len(self.a) else 0.0
        return len(first) if isinstance(first, (list, tuple)) else 1

    def build(self, network: TwoLayer, seed: int) -> Teacher:
        """The teacher for a student network."""
        theirs = TwoLayer(network.activation, network.dim, network.outputs, network.bias)
        if len(self.w):
            a = self.a if len(self.a) else 1.0
            ensemble = theirs.ensemble(self.w, a, self.b if len(self.b) else 0.0)
        else:
            count = self.neurons or 1
            require_room("neurons", count, float(count) * theirs.layout.width)
            law = SphereInit if self.law == "sphere" else NormalInit
            # Another stream than the student's start: the seed is folded, not shared.
            drawn = random.generator(seed if self.seed is None else self.seed, random.Stream.TARGET)
            ensemble = law(count).draw(theirs.layout, int(drawn.integers(2**63)))
        if self.output == "sum":
            ensemble.mass[:] = 1.0
        return Teacher(theirs, ensemble)


@dataclass(frozen=True)
class OfLaw:
    """What is done with a law of inputs.

    Parameters
    ----------
    target : table
        What labels the inputs.
    samples : int, optional
        Draw this many once: the empirical risk.
    batch : int, optional
        Stream this many per step: the online risk. Without either, the risk is integrated.
    test : int
        Further samples, held out.
    seed : int, optional
        Of the drawn data and of a random teacher; default: the seed of the run.
    """

    target: Annotated[Mapping[str, Any] | Target, OneOf(labels)]
    samples: int | None = None
    batch: int | None = None
    test: int = 0
    seed: int | None = None

    def __post_init__(self) -> None:
        for key in ("samples", "batch"):
            if getattr(self, key) is not None:
                require_count(key, getattr(self, key))
        require_count("test", self.test, least=0)
        if self.seed is not None:
            random.check_seed(self.seed)
        if self.samples is not None and self.batch is not None:
            raise MeanfieldError(
                "data.samples and data.batch are both given: the data are either drawn "
                "once or streamed"
            )
        if self.test and self.samples is None and self.batch is None:
            raise MeanfieldError(
                "data.test needs data.samples or data.batch: the population risk has no "
                "samples to hold out"
            )

    def label(self, law: Law, network: TwoLayer, seed: int) -> Any:
        """The law, a sample or a stream, with targets."""
        target = labels.make("target", self.target)
        if isinstance(target, TeacherTable):
            target = target.build(network, seed)
        labelled = LabelledLaw(law, target)
        if self.samples is not None:
            return labelled.sample(self.samples, seed, self.test)
        if self.batch is not None:
            return labelled.stream(self.batch, seed, self.test)
        return labelled


@dataclass(frozen=True)
class OfSource:
    """What is done with a finite data set.

    Parameters
    ----------
    batch : int, optional
        Stream this many per step: the online risk.
    replacement : bool
        Whether batches are drawn independently; false deals every sample once in each epoch.
    seed : int, optional
        Of the batches; default: the seed of the run.
    """

    batch: int | None = None
    replacement: bool = True
    seed: int | None = None

    def __post_init__(self) -> None:
        if self.batch is not None:
            require_count("batch", self.batch)
        if self.seed is not None:
            random.check_seed(self.seed)
        if not self.replacement and self.batch is None:
            raise MeanfieldError(
                "data.replacement = false needs data.batch and a finite data set to take it from"
            )

    def label(self, data: Any, network: TwoLayer, seed: int) -> Any:
        """The data set, or a stream of batches from it."""
        if self.batch is None:
            return data
        return Stream(data, self.batch, seed, data.test, self.replacement)


@dataclass(frozen=True)
class DataSection:
    """Where samples come from, and what is done with them."""

    checked: Checked
    use: OfLaw | OfSource

    @classmethod
    def check(cls, table: Table, problems: Problems) -> DataSection | None:
        """Check the section; None if there are mistakes."""
        use = OfLaw if table.get("kind") in laws else OfSource
        checked = check_kind(inputs, table, "data", problems, also=use)
        if checked is None or problems.attempt("data", checked.build) is None:
            return None
        return cls(checked, problems.attempt("data", checked.build_also, use))

    def load(self, seed: int) -> Any:
        """The law of inputs, or the finite data set."""
        made = self.checked.build()
        if isinstance(made, Law):
            return made
        loaded = made.load(self._seed(seed))
        if not isinstance(loaded, FiniteData):
            said = f"data: the source of data {made.kind!r} returned {short(loaded)}"
            raise MeanfieldError(f"{said}: expected a FiniteData")
        return loaded

    def outputs(self, loaded: Any) -> int:
        """How many outputs the data ask for."""
        if isinstance(self.use, OfSource):
            return loaded.outputs
        return labels.make("target", self.use.target).outputs

    def label(self, loaded: Any, network: TwoLayer, seed: int) -> Any:
        """What `Risk` takes: a labelled law, a finite data set or a stream."""
        try:
            return self.use.label(loaded, network, self._seed(seed))
        except InvalidInput as error:  # of a key of the section, or of the target
            raise error.within("" if error.key in arguments(type(self.use)) else "target") from None

    def table(self) -> Table:
        """The section again, with all defaults."""
        return self.checked.table()

    def _seed(self, seed: int) -> int:
        return seed if self.use.seed is None else self.use.seed
