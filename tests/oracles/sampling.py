"""Samples against the law they should come from, in units of standard errors."""

from __future__ import annotations

import numpy as np

from tests.conftest import size

AGREES = 4.0
# How far a wrong formula must be from what was measured, or the test could not fail.
DIFFERS = size(20.0, 0.0)


def mean_errors(samples: np.ndarray, mean: np.ndarray, covariance: np.ndarray) -> np.ndarray:
    """Error of the mean of (n, d) samples, over its standard error, (d,)."""
    return (samples.mean(axis=0) - mean) / np.sqrt(np.diag(covariance) / len(samples))


def covariance_errors(
    samples: np.ndarray, mean: np.ndarray, covariance: np.ndarray, claim: np.ndarray | None = None
) -> np.ndarray:
    """Error of the second moments of Gaussian (n, d) samples about `mean`, (d, d).

    In units of the standard error under `covariance`; the error is that of `claim`, where given.
    """
    centred = samples - mean
    found = centred.T @ centred / len(samples)
    variance = np.outer(np.diag(covariance), np.diag(covariance)) + covariance**2
    return (found - (covariance if claim is None else claim)) / np.sqrt(variance / len(samples))


def check_variance(samples: np.ndarray, mean: float, variance: float, wrong: tuple) -> None:
    """Variance of Gaussian samples (n,), close to the right value and far from wrong ones."""
    error = variance * np.sqrt(2 / len(samples))
    found = np.mean((samples - mean) ** 2)
    assert abs(found - variance) < AGREES * error
    for other in wrong:
        assert abs(found - other) > DIFFERS * error
