"""Where and with what numbers were measured."""

from __future__ import annotations

import os
import platform
import time
from importlib import metadata
from typing import Any

from meanfield.memory import installed
from meanfield.storage.provenance import processor

PACKAGES = (
    *("meanfield", "numpy", "scipy", "numba", "llvmlite"),
    *("torch", "jax", "jaxlib", "pykeops", "sisyphe"),
)


def describe(command: str) -> dict[str, Any]:
    """This machine, this moment, these versions and the command."""
    return {
        "date": time.strftime("%Y-%m-%d"),
        "command": command,
        "machine": {
            "processor": processor(),
            "cores": os.cpu_count(),
            "memory_gb": round(installed() / 1e9),
            "system": platform.platform(),
        },
        "versions": {"python": platform.python_version(), **_versions()},
    }


def _versions() -> dict[str, str]:
    found = {}
    for package in PACKAGES:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            found[package] = "not installed"
    return found
