"""Pictures of runs. Matplotlib is imported here and nowhere else, when the first one is drawn."""

from meanfield.viewing.distribution import distribution
from meanfield.viewing.energy import dissipation, energy
from meanfield.viewing.overview import overview
from meanfield.viewing.plots import Plot, overlay
from meanfield.viewing.registry import figure, figures
from meanfield.viewing.series import observables, series

__all__ = [
    "Plot",
    "dissipation",
    "distribution",
    "energy",
    "figure",
    "figures",
    "observables",
    "overlay",
    "overview",
    "series",
]
