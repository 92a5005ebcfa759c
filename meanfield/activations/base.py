"""What an activation is.

A new activation is one class: its compiled scalar function, and, where mathematics has them, its
Gaussian averages. Register it, and experiment files know it by name::

    @jit
    def _evaluate(p, t):
        return t**3, 3 * t**2

    @activations.register("cubic")
    @dataclass(frozen=True)
    class Cubic(Activation):
        evaluate = staticmethod(_evaluate)
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from meanfield.activations.hermite import trapezoid
from meanfield.errors import Unsupported
from meanfield.kernels import elementwise
from meanfield.kernels.zonal import Zonal
from meanfield.registry import Registry


@dataclass(frozen=True)
class Activation:
    """A scalar function s applied to the pre-activation of every neuron.

    The fields of a subclass are its parameters; compiled functions receive them as the tuple
    ``p`` of floats, so one compilation serves all values.

    Attributes
    ----------
    evaluate : compiled function
        ``evaluate(p, t) -> (s(t), s'(t))``. At a kink, the derivative from the left.
    pair : compiled function or None
        ``pair(p, m1, s1, m2, s2, rho, r) -> (K, dm, dr, dt)`` with K = E[s(u)s(v)] for jointly
        Gaussian u, v of means m, standard deviations s > 0 and correlation rho
        (r = sqrt(1 - rho^2), given separately and accurate); ``dm`` = dK/dm1, ``dr`` = dK/ds1 and
        ``dt`` = r s2 E[s'(u)s'(v)], the derivative along the unit tangent of the direction of u
        towards that of v. None where there is no closed form.
    mean : compiled function or None
        ``mean(p, m, s) -> (E s(u), E s'(u), s E s''(u))``, for s >= 0.
    homogeneity : float or None
        h with s(c t) = c^h s(t) for all c > 0.
    zonal : Zonal or None
        The pair's kernel without means, where it is a function of one variable
        (`meanfield.kernels.zonal`): the form that is fast.
    moments : bool
        Whether all interactions follow from moments (`meanfield.kernels.moments`).
    quadrature : bool
        Whether ``pair`` and ``mean`` are sums of many terms, hundreds of times slower than a
        closed form (though right to 1e-12).
    """

    kind: ClassVar[str] = ""
    evaluate: ClassVar[Callable[..., tuple[float, float]]]
    pair: ClassVar[Callable[..., tuple[float, float, float, float]] | None] = None
    mean: ClassVar[Callable[..., tuple[float, float, float]] | None] = None
    homogeneity: ClassVar[float | None] = None
    moments: ClassVar[bool] = False
    quadrature: ClassVar[bool] = False

    @property
    def zonal(self) -> Zonal | None:
        """See the class; None unless a subclass says otherwise."""
        return None

    @property
    def parameters(self) -> tuple[float, ...]:
        """The fields as floats, in the order of their declaration."""
        return tuple(float(getattr(self, field.name)) for field in fields(self))

    @property
    def has_closed_form(self) -> bool:
        """Whether E[s(u)s(v)] over Gaussian inputs can be evaluated without samples."""
        return self.pair is not None

    def __call__(self, t: ArrayLike) -> NDArray[np.float64]:
        """s(t), elementwise."""
        return elementwise.evaluate(self, t)[0]

    def slope(self, t: ArrayLike) -> NDArray[np.float64]:
        """s'(t), elementwise."""
        return elementwise.evaluate(self, t)[1]

    def hermite(
        self, mean: NDArray[np.float64], std: NDArray[np.float64], degree: int
    ) -> NDArray[np.float64]:
        """Hermite coefficients ``c_k = E[s(m + s Z) He_k(Z)]`` for k = 0 … degree.

        Parameters
        ----------
        mean, std : (N,) arrays
            Of the pre-activations; ``std >= 0``.
        degree : int
            Highest k.

        Returns
        -------
        (N, degree + 1) array
        """
        if self.quadrature:
            return trapezoid(self, self.slope, mean, std, degree)
        raise Unsupported(
            f"activation {self.kind!r} has no Hermite coefficients in closed form; "
            "give the data samples = … (one draw) or batch = … (streamed)"
        )


activations: Registry[Activation] = Registry("activation")


def make(spec: str | dict[str, Any] | Activation) -> Activation:
    """An activation from its name, or from a table ``{"kind": name, **parameters}``."""
    if isinstance(spec, Activation):
        return spec
    table = {"kind": spec} if isinstance(spec, str) else dict(spec)
    return activations[table.pop("kind", "")](**table)
