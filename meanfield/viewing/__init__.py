"""Pictures of runs. Matplotlib is imported here and nowhere else, when the first one is drawn."""

from meanfield.viewing.directions import directions
from meanfield.viewing.distribution import distribution, marginals
from meanfield.viewing.energy import dissipation, energy
from meanfield.viewing.functions import decision, function
from meanfield.viewing.genealogies import genealogy
from meanfield.viewing.overview import overview
from meanfield.viewing.paths import paths
from meanfield.viewing.plots import Plot, overlay
from meanfield.viewing.radial import radial
from meanfield.viewing.registry import figure, figures
from meanfield.viewing.series import observables, series
from meanfield.viewing.transport import distances, matching, matrix

__all__ = [
    "Plot",
    "decision",
    "directions",
    "dissipation",
    "distances",
    "distribution",
    "energy",
    "figure",
    "figures",
    "function",
    "genealogy",
    "marginals",
    "matching",
    "matrix",
    "observables",
    "overlay",
    "overview",
    "paths",
    "radial",
    "series",
]
