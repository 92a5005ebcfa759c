"""Small runs that are cheap to make and have everything that a file can hold."""

from __future__ import annotations

import meanfield as mf
from meanfield.loop import Problem
from meanfield.observables import Observable
from meanfield.simulation import simulate_replicas

NETWORK = mf.TwoLayer("tanh", 2, outer="fixed", bias=True)
RISK = mf.Risk(NETWORK, mf.FiniteData([[1.0, 0.0], [0.0, 1.0]], [1.0, -1.0]))
WARM = RISK + 0.1 * mf.L2() + 0.05 * mf.Entropy()


class Sometimes(Observable):
    """A series that has no value at every second look."""

    kind = "sometimes"

    def __call__(self, view):
        return (
            {"odd": view.ensemble.time} if view.ensemble.step % 2 or not view.ensemble.step else {}
        )


def simulate(out=None, seeds=(3,), flow=mf.Langevin, scheme=mf.EulerMaruyama, count=5, **changes):
    """Series of numbers and of vectors, one with gaps, and one with a schedule of its own."""
    driving = flow(WARM)

    def problem(seed):
        return lambda: Problem(driving, mf.NormalInit(count).draw(NETWORK.layout, seed), seed)

    settings = {
        "until": 1.0,
        "observe": [mf.Energy(), mf.Moments(), mf.PathNorm(when=[0.35, 0.5]), Sometimes()],
        "observe_when": {"steps": 2, "at": [0.7]},
        "frames": {"steps": 3},
        "title": "A title — with signs",
        **changes,
    }
    return simulate_replicas(
        [problem(seed) for seed in seeds],
        seeds=list(seeds),
        scheme=scheme(0.1),
        out=out,
        **settings,
    )


def kinetic(out=None, **changes):
    """The same with velocities."""
    return simulate(out, flow=mf.Kinetic, scheme=mf.BAOAB, **changes)


def stopping(replica, step):
    """A progress callback that stops the run as Ctrl-C does, in one of its replicas."""
    begun = [0]

    def progress(done, total, view):
        begun[0] += done == 1
        if (begun[0] - 1, done) == (replica, step):
            raise KeyboardInterrupt

    return progress
