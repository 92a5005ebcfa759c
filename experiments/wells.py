"""For experiments with particles w on a line: a potential with two wells, and their mean."""

from meanfield.functionals import Linear, functionals
from meanfield.observables import Observable, observables


@functionals.register("two-wells")
class TwoWells(Linear):
    """∫ (w² - 1)²/4 dρ: minima at ±1, a barrier of 1/4, curvatures 2 below and -1 on top."""

    name = "two_wells"

    def density(self, ensemble):
        theta = ensemble.position
        column = ensemble.layout.columns("w")
        w = theta[:, column]
        gradient = 0.0 * theta
        gradient[:, column] = w * (w**2 - 1)
        return ((w**2 - 1) ** 2 / 4).sum(axis=1), gradient


@observables.register("magnetisation")
class Magnetisation(Observable):
    """``magnetisation``: the mean of w."""

    def __call__(self, view):
        return {"magnetisation": view.ensemble.mean(view.ensemble.w[:, 0])}
