"""What errors say over N or the step: slopes, constants, limits, each with its own error.

Samples are arrays (sizes, replicas). A replica has the same number at every size, and is drawn
anew as a whole: replicas that are coupled, by a common start and noise, may be so.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from meanfield import random
from meanfield.arrays import Array
from meanfield.errors import require, require_count
from meanfield.random import Stream

RESAMPLES = 2000
LEVEL = 0.95
FEW = 4  # replicas, from which on their resamples say something


class Estimate(NamedTuple):
    """A number, and the interval that holds the true one with a probability (0.95)."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.value:.4g} [{self.low:.4g}, {self.high:.4g}]"


def slope(
    sizes: ArrayLike,
    samples: ArrayLike,
    *,
    resamples: int = RESAMPLES,
    level: float = LEVEL,
    seed: int = 0,
) -> Estimate:
    """The slope of log(mean error) against log(size), by least squares.

    Parameters
    ----------
    sizes : (S,) array
        N, or the step; at least two.
    samples : (S, R) array
        An error ≥ 0 of each replica. Replicas that lack one (NaN) are left out.
    resamples : int
        Bootstrap samples.
    level : float
        Of the interval.
    seed : int
        Of the bootstrap.

    Returns
    -------
    Estimate
        NaN where the mean error of some size is zero, or there are fewer than two replicas.

    Notes
    -----
    The interval is the bootstrap-t of Hall (Annals of Statistics 16, 1988) over replicas: the
    slope s = Σ c_k log m_k is a smooth function of the means m, and its standard error follows
    from the influence Σ c_k (e_kr / m_k - 1) of each replica. The plain percentile interval of
    errors, which are skewed, would be too short for 20 replicas. Two or three replicas have too
    few different resamples: their interval is Student's, with the same standard error.
    """
    x = np.asarray(sizes, dtype=float)
    require(x.ndim == 1 and len(x) >= 2, "sizes", sizes, "at least two")
    require(bool((x > 0).all()), "sizes", sizes, "numbers > 0")
    centred = np.log(x) - np.log(x).mean()
    require(bool((centred**2).sum() > 0), "sizes", sizes, "different sizes")
    return of_logarithms(
        *(centred / (centred**2).sum(), samples), resamples=resamples, level=level, seed=seed
    )


def of_logarithms(
    weights: Array,
    samples: ArrayLike,
    *,
    resamples: int = RESAMPLES,
    level: float = LEVEL,
    seed: int = 0,
) -> Estimate:
    """Σ c_k log m_k of the means m_k over replicas, for weights c (S,); see `slope`."""
    from scipy.special import stdtrit

    require_count("resamples", resamples)
    require(0 < level < 1, "level", level, "a probability")
    errors = _complete(samples, len(weights))
    replicas = errors.shape[1]
    if replicas < 2 or not (errors.mean(axis=1) > 0).all():
        return Estimate(np.nan, np.nan, np.nan)
    value, error = _slope_and_error(weights, errors[:, None, :])
    if replicas < FEW:
        half = float(stdtrit(replicas - 1, (1 + level) / 2) * error[0])
        return Estimate(float(value[0]), float(value[0]) - half, float(value[0]) + half)
    drawn = random.generator(seed, Stream.BOOTSTRAP).integers(replicas, size=(resamples, replicas))
    with np.errstate(divide="ignore", invalid="ignore"):
        values, own = _slope_and_error(weights, errors[:, drawn])
        ratios = (values - value) / own
    ratios = ratios[np.isfinite(ratios)]
    if not len(ratios):  # all replicas are alike
        return Estimate(float(value[0]), float(value[0]), float(value[0]))
    low, high = np.quantile(ratios, [(1 - level) / 2, (1 + level) / 2])
    width = float(error[0])
    return Estimate(float(value[0]), float(value[0] - high * width), float(value[0] - low * width))


def mean(samples: ArrayLike, level: float = LEVEL) -> Estimate:
    """The mean over replicas (R,), with Student's interval."""
    from scipy.special import stdtrit

    values = _complete(samples, None)
    count = len(values)
    if count < 2:
        return Estimate(float(values.mean()) if count else np.nan, np.nan, np.nan)
    middle = float(values.mean())
    half = float(stdtrit(count - 1, (1 + level) / 2) * values.std(ddof=1) / np.sqrt(count))
    return Estimate(middle, middle - half, middle + half)


def extrapolate(
    small: ArrayLike, samples: ArrayLike, weights: ArrayLike | None = None
) -> tuple[Estimate, Estimate]:
    """Richardson's: the limit Q of Q + c·x as x → 0, and the constant c.

    Parameters
    ----------
    small : (S,) array
        x: 1/N, or h^p for a scheme of order p.
    samples : (S, R) array
        The quantity at each x, from each replica.
    weights : (S,) array, optional
        Of the least squares; default: equal. Where the variance is proportional to x, as of an
        average over N particles, 1/x is best.

    Notes
    -----
    Both are fixed linear combinations of the samples of one replica, so that their errors are
    those of a mean over replicas, coupled or not. With two x they are Richardson's own.
    """
    x = np.asarray(small, dtype=float)
    require(len(np.unique(x)) >= 2, "small", small, "at least two different numbers")
    q = np.ones_like(x) if weights is None else np.asarray(weights, dtype=float)
    design = np.stack([np.ones_like(x), x])
    fit = np.linalg.solve((design * q) @ design.T, design * q)  # (2, S)
    limits, constants = fit @ _complete(samples, len(x))
    return mean(limits), mean(constants)


def _slope_and_error(weights: Array, errors: Array) -> tuple[Array, Array]:
    """Of errors (S, B, R), B times."""
    means = errors.mean(axis=-1)
    values = weights @ np.log(means)
    influence = np.einsum("k,kbr->br", weights, errors / means[..., None] - 1.0)
    return values, influence.std(axis=-1, ddof=1) / np.sqrt(errors.shape[-1])


def _complete(samples: ArrayLike, sizes: int | None) -> Array:
    """The samples of the replicas that have all."""
    found = np.asarray(samples, dtype=float)
    fits = found.ndim == (1 if sizes is None else 2) and (sizes is None or len(found) == sizes)
    require(fits, "samples", found.shape, "replicas, for each size")
    known = np.isfinite(found) if sizes is None else np.isfinite(found).all(axis=0)
    return found[..., known]
