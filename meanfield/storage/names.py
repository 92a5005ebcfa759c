"""What the datasets of a run are called in words, and their units: attributes that xarray shows."""

from __future__ import annotations

import h5py

# Of the loop: what the diagnostics say how many seconds were spent in.
PARTS = ("checking", "evaluating", "observing", "recording", "stepping")
TIME = "time units of the flow"
RATE = "per time unit of the flow"

LONG_NAMES = {
    "time": "time",
    "step": "steps since the start of the particles",
    "seed": "seed of the replica",
    "particle": "number of the particle",
    "coordinate": "column of a particle",
    "position": "positions of the particles",
    "mass": "masses of the particles",
    "velocity": "velocities of the particles",
    "energy": "energy F without its entropy",
    "risk": "risk",
    "log_risk": "logarithm of the risk",
    "test_risk": "risk on held-out data",
    "sampled_risk": "risk by Monte Carlo",
    "sampled_risk_error": "standard error of the risk by Monte Carlo",
    "l1": "weighted L1 norm of the outer weights",
    "l2": "weighted ridge",
    "tv": "weighted path norm",
    "potential": "energy of the potential",
    "interaction": "energy of the interaction",
    "entropy": "entropy, estimated",
    "free_energy": "free energy",
    "kinetic_energy": "kinetic energy",
    "total_energy": "energy and kinetic energy",
    "dissipation": "rate at which the energy falls without noise",
    "speed": "metric speed of the drift",
    "total_mass": "total mass",
    "effective_particles": "effective number of particles",
    "effective_neurons": "effective number of neurons",
    "dead_neurons": "mass of dead neurons",
    "path_norm": "path norm",
    "balance": "balance of outer and inner weights",
    "balance_drift": "largest change of balance in a neuron",
    "mean": "mean of every column",
    "second_moment": "second moment of every column",
    "displacement": "root mean square displacement from the start",
    "linearisation_error": "distance to the linearised network",
    "linearisation_relative": "distance to the linearised network, relative to its movement",
    "margin": "smallest margin",
    "f1_margin": "smallest margin over the F1 norm",
    "f2_margin": "smallest margin over the F2 norm",
    "train_accuracy": "accuracy on the data trained on",
    "test_accuracy": "accuracy on held-out data",
    "train_error": "error rate on the data trained on",
    "test_error": "error rate on held-out data",
    "sharpness": "sharpness",
    "stable_sharpness": "sharpness up to which the step is stable",
    "w2": "Wasserstein distance W2",
    "distance_exact": "Wasserstein distance",
    "distance_sliced": "sliced Wasserstein distance",
    "distance_sliced_error": "standard error of the sliced Wasserstein distance",
    "distance_max_sliced": "max-sliced Wasserstein distance",
    "distance_sinkhorn": "root of the Sinkhorn divergence",
    "distance_bures": "Bures-Wasserstein distance",
    "distance_unbalanced": "Gaussian-Hellinger-Kantorovich distance",
    "distance_wfr": "Wasserstein-Fisher-Rao distance",
    "distance_cone": "Wasserstein-Fisher-Rao distance on the sphere",
    "certificate": "certificate of optimality",
    "support_gap": "gap of the first variation on the support",
    "pairs_error_potential": "error of the sum over pairs, in outer weights",
    "pairs_error_gradient": "error of the sum over pairs, in inner weights",
}
UNITS = {
    "time": TIME,
    **dict.fromkeys(("dissipation", "speed", "sharpness", "stable_sharpness", "velocity"), RATE),
}


def describe(data: h5py.Dataset) -> None:
    """Give a dataset its ``long_name`` and ``units``, where these are known by its name."""
    name = data.name.rsplit("/", 1)[-1]
    for axis in ("time", "step"):  # those of a series with its own are time_…, step_…
        name = axis if name.startswith(f"{axis}_") else name
    if name in LONG_NAMES:
        data.attrs["long_name"] = LONG_NAMES[name]
        if data.dtype.kind == "f":
            data.attrs["units"] = UNITS.get(name, "1")
