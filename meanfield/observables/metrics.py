"""How well the network does on data: risk and accuracy, trained on and held out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from numpy.typing import ArrayLike

from meanfield.data import FiniteData, LabelledLaw, Stream
from meanfield.errors import Unsupported, require_count
from meanfield.functionals import Risk
from meanfield.observables.base import Observable, View, observables
from meanfield.schedules import Schedule


@observables.register("accuracy")
class Accuracy(Observable):
    """``train_accuracy`` and, with held-out data, ``test_accuracy``: fractions that are right."""

    def __call__(self, view: View) -> Mapping[str, ArrayLike]:
        return {f"{part}_accuracy": score[1] for part, score in _scores(view).items()}


@observables.register("error-rate")
class ErrorRate(Observable):
    """``train_error`` and, with held-out data, ``test_error``: fractions that are wrong."""

    def __call__(self, view: View) -> Mapping[str, ArrayLike]:
        return {f"{part}_error": 1.0 - score[1] for part, score in _scores(view).items()}


@observables.register("test-risk")
class TestRisk(Observable):
    """``test_risk``: the risk on held-out data."""

    __test__ = False  # not a test case

    def __call__(self, view: View) -> Mapping[str, ArrayLike]:
        held_out = view.risk.held_out()
        if held_out is None:
            raise Unsupported(
                "the observable 'test-risk' needs held-out data: set data.test, "
                "or leave the observable out"
            )
        return {"test_risk": view.risk.cost_on(held_out, view.ensemble)}


@observables.register("sampled-risk")
class SampledRisk(Observable):
    """``sampled_risk`` and its standard error, by Monte Carlo from the law of the data.

    Parameters
    ----------
    samples : int
        Fresh samples, the same ones at every call.
    when : Schedule, optional
    """

    def __init__(
        self, samples: int = 10_000, when: Schedule | Mapping[str, Any] | None = None
    ) -> None:
        super().__init__(when)
        self.samples = samples
        self._points = Points(samples)

    def __call__(self, view: View) -> Mapping[str, ArrayLike]:
        risk = view.risk
        law = risk.data.source if isinstance(risk.data, Stream) else risk.data
        if not isinstance(law, LabelledLaw):
            raise Unsupported("the observable 'sampled-risk' needs a law to sample from")
        data = self._points(risk)
        f = risk.network.output(view.ensemble, data.x)
        costs, _ = risk.loss.evaluate(f, risk.loss.targets(data, risk.network.outputs))
        return {
            "sampled_risk": costs.mean(),
            "sampled_risk_error": costs.std() / self.samples**0.5,
        }


class Points:
    """The samples that an observable takes means over: those of a finite data set, or drawn ones.

    Parameters
    ----------
    samples : int
        How many are drawn from a law, once.
    """

    def __init__(self, samples: int) -> None:
        require_count("samples", samples)
        self.samples = samples
        self._drawn: tuple[LabelledLaw, FiniteData] | None = None

    def __call__(self, risk: Risk) -> FiniteData:
        data = risk.data.source if isinstance(risk.data, Stream) else risk.data
        if isinstance(data, FiniteData):
            return data
        if self._drawn is None or self._drawn[0] is not data:  # every replica has its own law
            self._drawn = data, data.sample(self.samples)
        return self._drawn[1]


def _scores(view: View) -> dict[str, tuple[float, float]]:
    risk = view.risk
    parts = {"train": risk.data, "test": risk.held_out()}
    finite = {name: data for name, data in parts.items() if isinstance(data, FiniteData)}
    if not finite:
        raise Unsupported("the observable 'accuracy' needs a finite data set to be right about")
    return {name: risk.on(data, view.ensemble) for name, data in finite.items()}
