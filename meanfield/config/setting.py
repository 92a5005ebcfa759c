"""Network and data of a run again, from the experiment that its file holds."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from meanfield.arrays import Array
from meanfield.config.experiment import Experiment
from meanfield.data import FiniteData, LabelledLaw, Law, Stream, Target, Teacher, laws
from meanfield.errors import MeanfieldError, Unsupported
from meanfield.networks import TwoLayer

if TYPE_CHECKING:
    from meanfield.storage import Run

# What of a law is drawn: without these keys it is the law itself, which knows the target.
DRAWN = ("samples", "batch", "test", "replacement")


@dataclass(frozen=True)
class Setting:
    """What the neurons of a run are, and what they learn from.

    Attributes
    ----------
    network : TwoLayer
    data : FiniteData, LabelledLaw or Stream
        As `Risk` takes them.
    target : Target, optional
        What labels the inputs, where they are drawn from a law.
    """

    network: TwoLayer
    data: FiniteData | LabelledLaw | Stream
    target: Target | None = None

    @property
    def teacher(self) -> Teacher | None:
        """The network that labels the inputs, if it is one."""
        return self.target if isinstance(self.target, Teacher) else None

    @property
    def samples(self) -> FiniteData | None:
        """The samples that are learnt from; None where a law is integrated or streamed."""
        source = self.data.source if isinstance(self.data, Stream) else self.data
        return source if isinstance(source, FiniteData) else None

    @property
    def law(self) -> Law | None:
        """The law of the inputs, where it is integrated or streamed."""
        source = self.data.source if isinstance(self.data, Stream) else self.data
        return source.inputs if isinstance(source, LabelledLaw) else None

    def inputs(self, count: int, rng: np.random.Generator) -> Array:
        """Typical inputs, (n, d): all samples, or so many drawn from the law."""
        source = self.data.source if isinstance(self.data, Stream) else self.data
        return source.x if isinstance(source, FiniteData) else source.inputs.draw(count, rng)[0]


def setting(run: Run) -> Setting:
    """The network and the data of the seed that a run shows.

    The experiment's Python files are not run for it.

    Raises
    ------
    Unsupported
        If the run holds no experiment, as it was started from Python; or an activation or data
        that only its Python files know.
    """
    if not run.experiment:
        raise Unsupported(
            "the run was started from Python and holds no experiment: pass setting = "
            "mf.Setting(network, data)"
        )
    tables = tomllib.loads(run.experiment)
    data = tables["data"]
    try:
        network, known = _bare(tables["network"], data).network_and_data(run.seed)
        if data.get("kind") == "spikes":
            return Setting(network, known, _spikes(network, data))
        if data.get("kind") not in laws:
            return Setting(network, known)
        whole = {key: value for key, value in data.items() if key not in DRAWN}
        _, law = _bare(tables["network"], whole).network_and_data(run.seed)
    except MeanfieldError as error:
        if "python" in tables:
            raise Unsupported(
                f"network and data cannot be made again without the Python files of the run, which "
                f"are not run for a figure ({error}): pass setting = "
                "mf.Setting(network, data)"
            ) from None
        raise
    return Setting(network, known, law.target)


def _spikes(network: TwoLayer, data: Mapping[str, Any]) -> Teacher:
    """Spikes on the circle as neurons: they are what the samples were made of."""
    angles = np.asarray(data["angles"], dtype=float)
    w = np.column_stack([np.cos(angles), np.sin(angles)])
    return Teacher(network, network.ensemble(w, data["heights"], mass=np.ones(len(w))))


def _bare(network: Mapping[str, Any], data: Mapping[str, Any]) -> Experiment:
    """An experiment of these two sections; the others say as little as they can."""
    others = {"ensemble": {"count": 1}, "scheme": {"step": 1.0}, "run": {"until": 1.0}}
    return Experiment({"network": dict(network), "data": dict(data), "energy": {}, **others})
