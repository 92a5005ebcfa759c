"""Laws of the data: integrated, sampled once, or streamed; and finite data sets."""

from meanfield.data.clusters import Clusters
from meanfield.data.finite import FiniteData, split, standardise
from meanfield.data.laws import (
    Gaussian,
    GaussianMixture,
    Hypercube,
    LabelledLaw,
    Law,
    Sphere,
    Stream,
    laws,
)
from meanfield.data.sources import Arrays, Bundled, FileData, Source, TwoGaussians, sources
from meanfield.data.spikes import Spikes
from meanfield.data.targets import (
    Function,
    Labels,
    Norm,
    Parity,
    SingleIndex,
    Target,
    Teacher,
    targets,
)

__all__ = [
    "Arrays",
    "Bundled",
    "Clusters",
    "FileData",
    "FiniteData",
    "Function",
    "Gaussian",
    "GaussianMixture",
    "Hypercube",
    "LabelledLaw",
    "Labels",
    "Law",
    "Norm",
    "Parity",
    "SingleIndex",
    "Source",
    "Sphere",
    "Spikes",
    "Stream",
    "Target",
    "Teacher",
    "TwoGaussians",
    "laws",
    "sources",
    "split",
    "standardise",
    "targets",
]
