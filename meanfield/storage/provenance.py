"""Where a result comes from: what to write down so that it explains itself in five years."""

from __future__ import annotations

import functools
import os
import platform
import time
from importlib import metadata
from typing import Any

from meanfield.kernels import blas
from meanfield.kernels import compile as compiling

CONVENTIONS = (
    "Risk R = E l(f, y), squared loss l = |f - y|^2 / 2. "
    "f = sum_i m_i a_i s(<w_i, x> + b_i), masses m_i sum to 1. "
    "V = -E[y phi]. Entropy = integral of rho log rho. "
    "Gradient = grad_theta F'(rho)(theta_i) = (1/m_i) dF/dtheta_i. "
    "Step h: theta <- theta - h grad F' + sqrt(2 tau h) xi; time advances by h."
)
PACKAGES = ("meanfield", "numpy", "numba", "scipy", "h5py", "pot")


def provenance(seeds: list[int]) -> dict[str, Any]:
    """Attributes that describe this moment, this machine and these versions."""
    found: dict[str, Any] = {
        "seeds": seeds,
        "conventions": CONVENTIONS,
        "started": now(),
        "python": platform.python_version(),
        "platform": platform.platform(),
        "processors": os.cpu_count() or 0,
        "threads": compiling.threads(),
        "jit": not compiling.DISABLED,
        "blas": blas.describe(),
    }
    return found | {f"version_{package}": _version(package) for package in PACKAGES}


@functools.cache
def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "not installed"


def now() -> str:
    """The time in UTC, ISO 8601."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
