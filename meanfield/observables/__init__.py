"""Observables: what one looks at while an energy descends."""

from meanfield.observables.base import Observable, Observe, View, observables
from meanfield.observables.certificate import Certificate
from meanfield.observables.energy import (
    Dissipation,
    Energy,
    FreeEnergy,
    KineticEnergy,
    Mass,
    PairsError,
)
from meanfield.observables.laziness import Displacement, Linearisation
from meanfield.observables.margins import Margin
from meanfield.observables.metrics import Accuracy, ErrorRate, SampledRisk, TestRisk
from meanfield.observables.moments import BlockNorm, Moments, Speed
from meanfield.observables.neurons import (
    Balance,
    DeadNeurons,
    EffectiveNeurons,
    PathNorm,
)
from meanfield.observables.sharpness import Sharpness
from meanfield.observables.transport import W2, DistanceTo

__all__ = [
    "W2",
    "Accuracy",
    "Balance",
    "BlockNorm",
    "Certificate",
    "DeadNeurons",
    "Displacement",
    "Dissipation",
    "DistanceTo",
    "EffectiveNeurons",
    "Energy",
    "ErrorRate",
    "FreeEnergy",
    "KineticEnergy",
    "Linearisation",
    "Margin",
    "Mass",
    "Moments",
    "Observable",
    "Observe",
    "PairsError",
    "PathNorm",
    "SampledRisk",
    "Sharpness",
    "Speed",
    "TestRisk",
    "View",
    "observables",
]
