"""Classical methods fitted on the same data as the network, to compare with."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar

import numpy as np

from meanfield.data import FiniteData
from meanfield.errors import MeanfieldError, Unsupported
from meanfield.functionals import Risk
from meanfield.registry import Registry


class Baseline(ABC):
    """A method that is trained and scored on the data of a risk."""

    kind: ClassVar[str]

    def check(self, risk: Risk) -> None:
        """Raise `Unsupported` unless the data are finite, of classes, with a part held out."""
        if not isinstance(risk.data, FiniteData) or risk.held_out() is None:
            raise Unsupported("a baseline needs a finite data set with a held-out part (data.test)")
        if not risk.data.classes:
            raise Unsupported("a baseline needs classes: these targets are numbers")

    @abstractmethod
    def scores(self, risk: Risk) -> dict[str, float]:
        """``test_accuracy`` and ``test_risk`` (mean log loss), held out; and ``train_accuracy``."""


baselines: Registry[Baseline] = Registry("baseline")


@baselines.register("logistic-regression")
class LogisticRegression(Baseline):
    """scikit-learn's logistic regression with its default ridge (C = 1), on the training part."""

    def scores(self, risk: Risk) -> dict[str, float]:
        try:
            from sklearn import linear_model
        except ModuleNotFoundError:
            raise MeanfieldError(
                "the baseline 'logistic-regression' needs scikit-learn: "
                'pip install "meanfield[datasets]"'
            ) from None
        self.check(risk)
        train, test = risk.data, risk.held_out()
        assert isinstance(train, FiniteData)
        assert test is not None
        model = linear_model.LogisticRegression(max_iter=10_000)
        model.fit(train.x, train.y[:, 0])
        probability = model.predict_log_proba(test.x)
        column = np.searchsorted(model.classes_, test.y[:, 0])
        known = set(np.unique(train.y)) >= set(np.unique(test.y))
        return {
            "train_accuracy": float(model.score(train.x, train.y[:, 0])),
            "test_accuracy": float(model.score(test.x, test.y[:, 0])),
            "test_risk": float(-probability[np.arange(len(test)), column].mean())
            if known
            else float("inf"),
        }
