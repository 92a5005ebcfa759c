"""Classical methods fitted on the same data as the network, to compare with."""

from __future__ import annotations

import importlib
from abc import ABC, abstractmethod
from typing import Any, ClassVar

import numpy as np

from meanfield.data import FiniteData
from meanfield.errors import MeanfieldError, Unsupported
from meanfield.observables import View
from meanfield.registry import Registry
from meanfield.tangent import tangent_kernel

RIDGES = np.logspace(-6, 3, 19)
FOLDS = 5


class Baseline(ABC):
    """A method that is trained and scored on the data of a run's risk."""

    kind: ClassVar[str]

    def check(self, start: View) -> None:
        """Raise `Unsupported` unless the data are finite, of classes, with a part held out."""
        self._parts(start)

    @abstractmethod
    def scores(self, start: View) -> dict[str, float]:
        """``train_accuracy`` and ``test_accuracy`` (held out), and what else there is to tell.

        Parameters
        ----------
        start : View
            The run at its start: flow, risk and neurons.
        """

    def _parts(self, start: View) -> tuple[FiniteData, FiniteData]:
        """The training part and the held-out part."""
        train, test = start.risk.data, start.risk.held_out()
        if not isinstance(train, FiniteData) or test is None:
            raise Unsupported("a baseline needs a finite data set with a held-out part (data.test)")
        signs = train.y.shape[1] == 1 and np.isin(train.y, (-1.0, 1.0)).all()
        if not (train.classes or signs):
            raise Unsupported("a baseline needs classes: these targets are numbers")
        return train, test

    def _sklearn(self, module: str) -> Any:
        try:
            return importlib.import_module(f"sklearn.{module}")
        except ModuleNotFoundError:
            raise MeanfieldError(
                f'the baseline {self.kind!r} needs scikit-learn: pip install "meanfield[datasets]"'
            ) from None


baselines: Registry[Baseline] = Registry("baseline")


@baselines.register("logistic-regression")
class LogisticRegression(Baseline):
    """scikit-learn's logistic regression with its default ridge (C = 1), on the training part.

    ``test_risk`` is the mean log loss, held out.
    """

    def scores(self, start: View) -> dict[str, float]:
        linear_model = self._sklearn("linear_model")
        train, test = self._parts(start)
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


@baselines.register("ntk")
class NTK(Baseline):
    """Ridge regression with the tangent kernel of the network at its start: the lazy regime.

    The targets are ±1, or unit vectors, and the kernel that of the blocks that the flow moves, at
    their speeds. The ridge is the one of `RIDGES`, in units of the kernel's mean over the diagonal,
    that is most often right in five-fold cross-validation on the training part; ``ridge`` tells.
    """

    def check(self, start: View) -> None:
        super().check(start)
        if start.flow.constraint:
            raise Unsupported("the baseline 'ntk' is for flows without constraints")

    def scores(self, start: View) -> dict[str, float]:
        kernel_ridge = self._sklearn("kernel_ridge")
        model_selection = self._sklearn("model_selection")
        train, test = self._parts(start)
        loss, network, neurons = start.risk.loss, start.risk.network, start.ensemble
        speeds = start.flow.speeds(neurons.layout)
        gram, across = (
            tangent_kernel(network, neurons, part.x, train.x, speeds) for part in (train, test)
        )
        model = model_selection.GridSearchCV(
            kernel_ridge.KernelRidge(kernel="precomputed"),
            {"alpha": gram.diagonal().mean() * RIDGES},
            scoring=lambda model, kernel, y: float(loss.correct(model.predict(kernel), y).mean()),
            cv=model_selection.KFold(FOLDS, shuffle=True, random_state=0),
        )
        model.fit(gram, loss.targets(train, network.outputs))
        found = {"ridge": float(model.best_params_["alpha"])}
        for name, part, kernel in (("train", train, gram), ("test", test, across)):
            right = loss.correct(model.predict(kernel), loss.targets(part, network.outputs))
            found[f"{name}_accuracy"] = float(right.mean())
        return found
