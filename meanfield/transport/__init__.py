"""Distances and maps between measures, by optimal transport."""

from meanfield.transport.base import MOST_SECONDS, Cost, Distance, Method, distance, methods
from meanfield.transport.exact import Exact
from meanfield.transport.gaussian import Bures, gaussian_distance
from meanfield.transport.maps import Matching, barycentre, interpolate, matching
from meanfield.transport.measures import Measure, measure, modulo_scaling
from meanfield.transport.paths import Path, metric_speed, path_length
from meanfield.transport.sinkhorn import Sinkhorn
from meanfield.transport.sliced import MaxSliced, Sliced
from meanfield.transport.tables import Distances, Embedding, distance_matrix, embedding
from meanfield.transport.unbalanced import (
    Cone,
    GaussianHellingerKantorovich,
    WassersteinFisherRao,
)

__all__ = [
    "MOST_SECONDS",
    "Bures",
    "Cone",
    "Cost",
    "Distance",
    "Distances",
    "Embedding",
    "Exact",
    "GaussianHellingerKantorovich",
    "Matching",
    "MaxSliced",
    "Measure",
    "Method",
    "Path",
    "Sinkhorn",
    "Sliced",
    "WassersteinFisherRao",
    "barycentre",
    "distance",
    "distance_matrix",
    "embedding",
    "gaussian_distance",
    "interpolate",
    "matching",
    "measure",
    "methods",
    "metric_speed",
    "modulo_scaling",
    "path_length",
]
