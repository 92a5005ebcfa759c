"""The sharpness along a run, beside the one that the step can bear."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from numpy.typing import ArrayLike

from meanfield.errors import require_count, require_positive
from meanfield.observables.base import Observable, View, observables
from meanfield.schedules import Schedule
from meanfield.sharpness import top_curvature


@observables.register("sharpness")
class Sharpness(Observable):
    """``sharpness`` λ, and ``stable_sharpness``, up to which the scheme's step is stable.

    λ is the top eigenvalue of minus the Jacobian of the flow: see `meanfield.sharpness`. With
    explicit Euler ``stable_sharpness`` is 2/h; gradient descent often brings λ there, to the edge
    of stability. It is left out where the scheme has no bound for the flow.

    Parameters
    ----------
    tolerance : float
        Residual of the eigenvector, relative to the largest eigenvalue.
    most : int
        Products with the Jacobian in one look, at two evaluations of the energy each.
    when : Schedule, optional
        A look costs some tens of evaluations of the energy: choose few.

    References
    ----------
    J. Cohen, S. Kaur, Y. Li, J. Z. Kolter, A. Talwalkar, ICLR 2021.
    """

    def __init__(
        self,
        tolerance: float = 1e-2,
        most: int = 60,
        when: Schedule | Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(when)
        require_positive("tolerance", tolerance)
        require_count("most", most)
        self.tolerance, self.most = tolerance, most

    def __call__(self, view: View) -> Mapping[str, ArrayLike]:
        flow, ensemble, scheme = view.flow, view.ensemble, view.scheme
        found = {"sharpness": top_curvature(flow, ensemble, self.tolerance, self.most)}
        if scheme is not None and scheme.is_bounded(flow):
            found["stable_sharpness"] = scheme.stable_sharpness(flow, ensemble)
        return found
