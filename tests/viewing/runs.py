"""Small runs of every kind that there is a picture of, each made once."""

from __future__ import annotations

import functools

import numpy as np

from meanfield.data import FiniteData, Gaussian, Teacher
from meanfield.ensemble import Ensemble, Layout
from meanfield.flows import Flow, Langevin, Wasserstein
from meanfield.functionals import L2, Entropy, Potential, Risk
from meanfield.initial import NormalInit
from meanfield.loop import Problem
from meanfield.networks import TwoLayer
from meanfield.observables import Accuracy, Energy, Moments, PathNorm, SampledRisk, Speed
from meanfield.schedules import at, evenly, log_spaced
from meanfield.schemes import Euler, EulerMaruyama
from meanfield.simulation import simulate, simulate_replicas
from meanfield.storage import Run

NAN = np.nan


@functools.cache
def teacher_student(activation: str = "relu", dim: int = 2, **network) -> Run:
    """Langevin dynamics in the population risk of a Gaussian law."""
    student = TwoLayer(activation, dim, **network)
    a = [1.0, -1.0] if student.outputs == 1 else np.ones((2, student.outputs))
    teacher = student.ensemble(w=np.eye(2, dim), a=a, mass=np.ones(2))
    risk = Risk(student, Gaussian(dim).labelled_by(Teacher(student, teacher)))
    return simulate(
        Langevin(risk + 1e-3 * L2() + 1e-4 * Entropy()),
        NormalInit(7),
        scheme=EulerMaruyama(0.1),
        until=1.0,
        observe=[Energy(), Moments(), PathNorm(), SampledRisk(20)],
        frames=evenly(5),
        title="A title of 5$ and 6$",
    )


@functools.cache
def shrinking(width: int = 1, count: int = 9, **options) -> Run:
    """A plain layout; every coordinate is e^-t of its start."""
    options = {"scheme": Euler(0.125), "until": 1.0, "frames": evenly(5), **options}
    start = NormalInit(count).draw(Layout.plain(width), 3)
    return simulate(Wasserstein(L2()), start, **options)


@functools.cache
def diffusing() -> Run:
    """Twelve particles of the plane that change places."""
    start = NormalInit(12).draw(Layout.plain(2), 3)
    flow = Langevin(L2() + Entropy())
    return simulate(flow, start, scheme=EulerMaruyama(0.1), until=2.0, frames=evenly(3))


def still(ensemble: Ensemble) -> Run:
    """A run of one step that hardly moves the given particles."""
    return simulate(Wasserstein(1e-9 * L2()), ensemble, scheme=Euler(1.0), until=1.0)


@functools.cache
def over_decades() -> Run:
    """Observations spaced like powers, of an energy that falls by decades."""
    return shrinking(scheme=Euler(0.01), until=4.0, observe_when=log_spaced(40))


@functools.cache
def classifying(baseline: bool = True) -> Run:
    """Three seeds of a network with four neurons that classifies; perhaps with a baseline."""
    rng = np.random.default_rng(0)
    x = rng.standard_normal((20, 2))
    y = (x[:, 0] > 0).astype(float)
    held_out = FiniteData(x[10:], y[10:], classes=("no", "yes"))
    network = TwoLayer("tanh", 2)
    data = FiniteData(x[:10], y[:10], classes=("no", "yes"), test=held_out)
    flow = Wasserstein(Risk(network, data, loss="logistic"))

    def remember(replica, recorder):
        if baseline:
            scores = {"baseline_test_accuracy": [0.5, 0.75, 0.25], "baseline_name": "logistic"}
            recorder.annotate("provenance", **scores)

    return simulate_replicas(
        [functools.partial(_problem, flow, network.layout, seed) for seed in (4, 5, 6)],
        seeds=[4, 5, 6],
        scheme=Euler(0.5),
        until=4.0,
        observe=[Energy(), Accuracy(), Moments()],
        after=remember,
    )


def _problem(flow: Flow, layout: Layout, seed: int, count: int = 4) -> Problem:
    return Problem(flow, NormalInit(count).draw(layout, seed), seed)


def _explosive() -> Flow:
    def value(x):
        return -0.25 * x[0] ** 4

    def gradient(x, out):
        out[0] = -x[0] * x[0] * x[0]

    return Wasserstein(Potential(value, gradient))


@functools.cache
def diverged() -> Run:
    """Leaves the finite numbers after a few steps."""
    start = Ensemble(np.array([[0.5], [2.0]]))
    return simulate(
        _explosive(), start, scheme=Euler(0.5), until=20.0, observe=[Energy(), Speed(), Moments()]
    )


@functools.cache
def second_seed_diverged() -> Run:
    """Of three seeds the first ends, the second diverges half-way, the third never starts."""
    flow = _explosive()
    return simulate_replicas(
        [lambda x=x: Problem(flow, Ensemble(np.array([[x], [0.0]])), 0) for x in (0.1, 0.8, 0.1)],
        seeds=[1, 2, 3],
        scheme=Euler(0.5),
        until=10.0,
        observe=[Energy()],
        observe_when=evenly(21),
        frames=evenly(21),
    )


@functools.cache
def one_frame() -> Run:
    """Diverges before the second frame."""
    start = Ensemble(np.array([[0.5, 1.0], [9.0, 1.0]]))
    return simulate(_explosive(), start, scheme=Euler(0.5), until=20.0, frames=at([0.0]))
