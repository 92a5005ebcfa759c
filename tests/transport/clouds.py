"""Measures to be compared, and references that share no code with the package."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st
from scipy.optimize import linprog
from scipy.spatial.distance import cdist

seeds = st.integers(0, 2**32 - 1)


def cloud(rng, count, dim, weighted=True):
    """Points and masses, as a pair."""
    mass = rng.dirichlet(np.ones(count)) if weighted else np.full(count, 1 / count)
    return rng.standard_normal((count, dim)), mass


def by_linear_programme(first, second, order=2.0):
    """W_p by HiGHS."""
    (x, a), (y, b) = first, second
    n, m = len(a), len(b)
    rows = np.vstack([np.kron(np.eye(n), np.ones(m)), np.kron(np.ones(n), np.eye(m))])
    found = linprog(
        (cdist(x, y) ** order).ravel(), A_eq=rows, b_eq=np.append(a, b), method="highs-ds"
    )
    return found.fun ** (1 / order)
