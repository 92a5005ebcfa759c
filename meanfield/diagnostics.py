"""Numbers that say what a measure is like, or how two differ, each with its convention.

They take what distances take: ensembles, runs, paths ``"run.h5@2.5"``, arrays. Masses count as
shares of their total. Distances by optimal transport are in `meanfield.transport`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.spatial import cKDTree

from meanfield.arrays import Array, dots
from meanfield.ensemble import Ensemble, Layout
from meanfield.errors import Unsupported, require_count, require_positive
from meanfield.functionals import KSD, MMD, Entropy, Functional
from meanfield.interactions import RBF, PairPotential
from meanfield.kernels import reductions
from meanfield.kernels.pairwise import pairwise
from meanfield.transport.measures import measure, pair


@dataclass(frozen=True)
class Moments:
    """Mean (p,), covariance (p, p) without Bessel's correction, and fourth standardised moments.

    ``kurtosis`` (p,) is 3 for a Gaussian, and NaN for a column that is constant.
    """

    mean: Array
    covariance: Array
    kurtosis: Array


def moments(given: Any) -> Moments:
    """Mean, covariance and kurtosis of a measure."""
    found = measure(given)
    centred = found.points - found.mean
    covariance = (centred * found.shares[:, None]).T @ centred
    variance = np.diag(covariance)
    with np.errstate(invalid="ignore", divide="ignore"):
        kurtosis = (found.shares @ centred**4) / variance**2
    return Moments(found.mean, covariance, kurtosis)


def entropy(given: Any, neighbour: int = 3) -> float:
    """An estimate of Ent(ρ) = + ∫ ρ log ρ from equal masses: minus the differential entropy.

    By distances to a neighbour (Kozachenko and Leonenko): see `meanfield.functionals.Entropy`. Its
    bias grows with the dimension: for 800 points of N(0, I) it is 0.01, 0.02, 0.04 in dimension
    1, 2, 3. All columns count.
    """
    found = measure(given)
    ensemble = Ensemble(found.points, found.shares)
    return Entropy(neighbour).estimate(ensemble, np.ones(found.dim, dtype=bool))


def relative_entropy(first: Any, second: Any, neighbour: int = 3) -> float:
    """An estimate of KL(ρ|π) = ∫ log(dρ/dπ) dρ from samples of both, of equal masses.

    (p/N) Σ log(ν_k(i)/ρ_k(i)) + log(M/(N - 1)), with the distances of each of the N points of ρ to
    its k-th neighbour in π and in ρ. It may be negative: it is an estimate. It is too small where ρ
    is the wider one: of N(0, 2.25 I) and N(0, I) in the plane, with 4,000 points of each, it is
    0.32 ± 0.03 instead of 0.44, and 0.26 ± 0.03, which is right, the other way round.

    References
    ----------
    Q. Wang, S. Kulkarni, S. Verdú, IEEE Transactions on Information Theory 2009.
    """
    one, other = pair(first, second)
    require_count("neighbour", neighbour)
    enough = len(one) > neighbour and len(other) >= neighbour
    if not (enough and np.ptp(one.shares) < 1e-9 and np.ptp(other.shares) < 1e-9):
        raise Unsupported(
            f"the relative entropy needs equal masses and more than {neighbour} particles"
        )
    own = cKDTree(one.points).query(one.points, k=[neighbour + 1])[0][:, 0]
    theirs = cKDTree(other.points).query(one.points, k=[neighbour])[0][:, 0]
    with np.errstate(divide="ignore"):
        ratio = np.log(theirs) - np.log(own)
    return float(one.dim * ratio.mean() + np.log(len(other) / (len(one) - 1)))


def fisher_information(given: Any, bandwidth: float) -> float:
    """∫ |∇log ρ_h|² dρ with the density ρ_h smoothed by a Gaussian of standard deviation h.

    For N(0, s² I) in dimension p it tends to p s²/(s² + h²)² for many particles; with h so small
    that a particle sees itself only it tends to 0.

    Parameters
    ----------
    bandwidth : float
        h, in every column.
    """
    require_positive("bandwidth", bandwidth)
    found = measure(given)
    density, slope = pairwise(RBF(bandwidth), found.points, found.shares)
    score = slope / density[:, None]
    return float(reductions.mean(dots(score, score), found.shares))


def mmd(
    first: Any,
    second: Any,
    kernel: str | dict[str, Any] | PairPotential = "rbf",
    *,
    unbiased: bool = False,
) -> float:
    """Squared maximum mean discrepancy ∬ k d(ρ - π)d(ρ - π); see `meanfield.functionals.MMD`.

    Parameters
    ----------
    kernel
        As there: "rbf", "inverse-multiquadric", or "riesz" with a negative exponent.
    unbiased : bool
        Leave out pairs of a particle with itself (the U-statistic, which may be negative), for
        equal masses.
    """
    one, other = pair(first, second)
    functional = MMD(other.points, other.shares, kernel)
    value = functional.value(Ensemble(one.points, one.shares))
    if not unbiased:
        return value
    own = 0.0
    for each in (one, other):
        count = len(each)
        if np.ptp(each.shares) > 1e-9 or count < 2:
            raise Unsupported("the unbiased estimate needs equal masses and two particles or more")
        potential, _ = pairwise(functional.kernel, each.points, each.shares)
        among = float(reductions.mean(potential, each.shares))
        single = float(pairwise(functional.kernel, each.points[:1], np.ones(1))[0][0])
        own += (count * among - single) / (count - 1) - among
    return value + own


def ksd(
    given: Any,
    target: str | Mapping[str, Any] | Functional,
    temperature: float = 1.0,
    kernel: str | Mapping[str, Any] = "imq",
) -> float:
    """Squared kernel Stein discrepancy from the density e^{-V/τ}; see `meanfield.functionals.KSD`.

    Parameters
    ----------
    target, temperature, kernel
        As there: ∫ V dρ as a functional, τ, and the kernel.
    """
    found = measure(given)
    layout = found.layout or Layout.plain(found.dim)
    ensemble = Ensemble(found.points, found.shares, layout)
    return KSD(target, temperature, kernel).value(ensemble)
