"""meanfield: neurons as particles, training as a measure that descends a free energy.

Everything a user needs is here, and is imported when it is first used::

    import meanfield as mf

    network = mf.TwoLayer("relu", dim=20)
    risk = mf.Risk(network, mf.Gaussian(20).labelled_by(mf.SingleIndex(degree=2)))
    run = mf.simulate(mf.Wasserstein(risk), mf.NormalInit(1000), scheme=mf.Euler(0.1), until=10)
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

# Name -> module. Importing numba, SciPy and h5py takes a second; `meanfield --help` must not.
_HOME = {
    "meanfield.activations": ["Activation", "activations"],
    "meanfield.config": ["Experiment"],
    "meanfield.data": [
        *["FiniteData", "Function", "Gaussian", "GaussianMixture", "Hypercube", "LabelledLaw"],
        *["Labels", "Law", "Parity", "SingleIndex", "Sphere", "Stream", "Target", "Teacher"],
        *["laws", "split", "standardise", "targets"],
    ],
    "meanfield.ensemble": ["Ensemble", "Layout"],
    "meanfield.errors": ["Diverged", "FileProblem", "InvalidInput", "MeanfieldError"],
    "meanfield.flows": ["Flow", "Langevin", "Wasserstein", "flows"],
    "meanfield.functionals": [
        *["L1", "L2", "TV", "Entropy", "Evaluation", "Functional", "Interaction", "Linear"],
        *["Loss", "Potential", "Risk", "Sum", "gradient_error", "losses"],
    ],
    "meanfield.initial": [
        *["Given", "Initial", "NormalInit", "QuantileInit", "SphereInit", "UniformInit"],
        "initials",
    ],
    "meanfield.networks": ["TwoLayer"],
    "meanfield.observables": [
        *["W2", "Accuracy", "Balance", "DeadNeurons", "Dissipation", "EffectiveNeurons"],
        *["Energy", "FreeEnergy", "Moments", "Observable", "PathNorm", "SampledRisk", "Speed"],
        *["TestRisk", "View", "observables", "wasserstein2"],
    ],
    "meanfield.schedules": ["Schedule", "at", "evenly", "every", "log_spaced"],
    "meanfield.schemes": ["RK4", "Euler", "EulerMaruyama", "Heun", "Scheme", "schemes"],
    "meanfield.simulate": ["simulate"],
    "meanfield.storage": ["Frames", "Run"],
}
_MODULE_OF = {name: module for module, names in _HOME.items() for name in names}

__all__ = [*sorted(_MODULE_OF), "open", "__version__"]


def open(path: Any) -> Any:
    """Open a finished run: a `Run`, read lazily."""
    from meanfield.storage import open_run

    return open_run(path)


def __getattr__(name: str) -> Any:
    if name in _MODULE_OF:
        # Kept: the module `simulate`, once imported, would stand in the place of the function.
        globals()[name] = getattr(importlib.import_module(_MODULE_OF[name]), name)
        return globals()[name]
    raise AttributeError(f"module 'meanfield' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *_MODULE_OF})


if TYPE_CHECKING:
    from meanfield.simulate import simulate as simulate
