"""meanfield: neurons as particles, training as a measure that descends a free energy.

Everything a user needs is here, and is imported when it is first used (`__init__.pyi` lists it)::

    import meanfield as mf

    network = mf.TwoLayer("relu", dim=20)
    risk = mf.Risk(network, mf.Gaussian(20).labelled_by(mf.SingleIndex(degree=2)))
    run = mf.simulate(mf.Wasserstein(risk), mf.NormalInit(1000), scheme=mf.Euler(0.1), until=10)
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import lazy_loader

if TYPE_CHECKING:
    from meanfield.storage import Run

__version__ = "0.1.0"

# Importing numba, SciPy and h5py takes a second; `meanfield --help` must not.
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
__all__ += ["open"]


def open(path: str | os.PathLike[str]) -> Run:
    """Open a finished run, to be read lazily.

    Raises
    ------
    FileProblem
        If the file is missing, or is not a run of meanfield.
    """
    from meanfield.storage import open_run

    return open_run(path)
