"""Where and with what numbers were measured."""

from __future__ import annotations

import os
import platform
import time
from importlib import metadata
from pathlib import Path
from typing import Any

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
            "processor": _processor(),
            "cores": os.cpu_count(),
            "memory_gb": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9),
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


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    fields = dict(line.split(":", 1) for line in lines if ":" in line)
    named = {key.strip(): value.strip() for key, value in fields.items()}
    widest = "AVX-512" if "avx512f" in named.get("flags", "") else ""
    family = f"family {named.get('cpu family', '?')}"
    return ", ".join(filter(None, (named.get("model name", platform.processor()), family, widest)))
