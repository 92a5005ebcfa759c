"""Where a result comes from: what to write down so that it explains itself in five years.

What is computed with, and on what kind of machine; but not whose: neither the name of the machine
nor that of the user, as runs are handed on and published.
"""

from __future__ import annotations

import functools
import hashlib
import os
import platform
import shlex
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path
from typing import Any

import h5py

from meanfield.kernels import blas
from meanfield.kernels import compile as compiling
from meanfield.memory import installed

CONVENTIONS = (
    "Risk R = E l(f, y), squared loss l = |f - y|^2 / 2. "
    "f = sum_i m_i a_i s(<w_i, x> + b_i), masses m_i sum to 1. "
    "V = -E[y phi]. Entropy = integral of rho log rho. "
    "Gradient = grad_theta F'(rho)(theta_i) = (1/m_i) dF/dtheta_i. "
    "Step h: theta <- theta - h grad F' + sqrt(2 tau h) xi; time advances by h."
)
# Ourselves, all that setup.cfg asks for, and what may make a difference besides.
PACKAGES = (
    *("meanfield", "numpy", "numba", "llvmlite", "scipy", "pot", "h5py", "h5netcdf", "xarray"),
    *("pydantic", "typer", "rich", "tomli-w", "matplotlib", "threadpoolctl", "lazy_loader"),
    "scikit-learn",
)
PATIENCE = 5.0  # seconds for git


@dataclass(frozen=True)
class Origin:
    """What an experiment was read from.

    Parameters
    ----------
    folder : path, optional
        Of the experiment's file.
    files : mapping of str to path
        Files that it read, by the key that names them, as in ``{"data.path": …}``.
    """

    folder: Path | None = None
    files: Mapping[str, Path] = field(default_factory=dict)

    @functools.cached_property
    def hashes(self) -> dict[str, str]:
        """The SHA-256 of every file, by key; what is no file (an unfinished run) has none."""
        return {key: sha256(path) for key, path in self.files.items() if path.is_file()}

    def attributes(self) -> dict[str, Any]:
        """``experiment_revision``, and ``sha256_data_path`` and the like."""
        found = {f"sha256_{key.replace('.', '_')}": value for key, value in self.hashes.items()}
        return found | ({} if self.folder is None else _named("experiment", revision(self.folder)))


def provenance(seeds: list[int]) -> dict[str, Any]:
    """Attributes that describe this moment, this machine and these versions."""
    found: dict[str, Any] = {
        "seeds": seeds,
        "conventions": CONVENTIONS,
        "started": now(),
        "command": command(),
        "python": platform.python_version(),
        "platform": platform.platform(),
        "processor": processor(),
        "processors": os.cpu_count() or 0,
        "memory_bytes": installed(),
        "threads": compiling.threads(),
        "jit": not compiling.DISABLED,
        "blas": blas.describe(),
        "version_hdf5": h5py.version.hdf5_version,
    }
    versions = {f"version_{package}": _version(package) for package in PACKAGES}
    return found | versions | _named("package", _own_revision())


def session_begins(before: Mapping[str, Any]) -> dict[str, list[Any]]:
    """Attributes for one more session of a run: an entry for each, in lists.

    A session without an end was killed.
    """
    entry = {
        "started": now(),
        "ended": "",
        "threads": compiling.threads(),
        "version": _version("meanfield"),
    }
    names = {key: f"session_{key}" for key in entry}
    return {name: [*before.get(name, []), entry[key]] for key, name in names.items()}


def session_ends(before: Mapping[str, Any]) -> dict[str, Any]:
    """The same with the end of the last session; and ``ended``."""
    ended = now()
    return {"ended": ended, "session_ended": [*before["session_ended"][:-1], ended]}


def command() -> str:
    """What was called: our own command line in full, of another program only its name."""
    name = Path(sys.argv[0]).name if sys.argv else ""
    if name == "__main__.py":  # python -m meanfield
        name = Path(sys.argv[0]).parent.name
    return shlex.join([name, *sys.argv[1:]]) if name == "meanfield" else name


@functools.cache
def processor() -> str:
    """The model of the processor, and the widest registers that it has."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    fields = dict(line.split(":", 1) for line in lines if ":" in line)
    named = {key.strip(): value.strip() for key, value in fields.items()}
    widest = "AVX-512" if "avx512f" in named.get("flags", "") else ""
    family = f"family {named.get('cpu family', '?')}"
    return ", ".join(filter(None, (named.get("model name", platform.processor()), family, widest)))


def sha256(path: Path) -> str:
    """The SHA-256 of a file."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def revision(folder: Path) -> str:
    """The git revision of a folder, ending in -dirty if files of it were changed; or nothing."""
    return _git(folder, "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*")


@functools.cache
def _own_revision() -> str:
    """That of the checkout that this package runs from, if it is one."""
    folder = Path(__file__).parents[1]
    # Installed inside somebody's repository, it is not part of it.
    return revision(folder) if _git(folder, "ls-files", "__init__.py") else ""


def _named(what: str, found: str) -> dict[str, Any]:
    if not found:
        return {}
    plain = found.removesuffix("-dirty")
    return {f"{what}_revision": plain, f"{what}_modified": plain != found}


def _git(folder: Path, *arguments: str) -> str:
    """What git says; nothing if it is not there, not a repository, or slow."""
    quiet = {**os.environ, "GIT_OPTIONAL_LOCKS": "0", "LC_ALL": "C"}
    try:
        said = subprocess.run(
            ["git", "-C", str(folder), *arguments],
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            env=quiet,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    return said.stdout.strip()


@functools.cache
def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "not installed"


def now() -> str:
    """The time in UTC, ISO 8601."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
