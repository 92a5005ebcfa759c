"""What a user feels around the kernels: a step of a simulation, more threads, the start.

python -m benchmarks.whole NAME RESULT.json
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.measure import interleaved, median
from benchmarks.rows import ALL
from benchmarks.work import Population

STARTS = 7

IMPORT = """
import time
begin = time.perf_counter()
import meanfield
print(time.perf_counter() - begin)
"""
FIRST_STEP = """
import meanfield as mf
network = mf.TwoLayer("relu", dim=10)
teacher = mf.Teacher(network, mf.NormalInit(5).draw(network.layout, seed=1))
risk = mf.Risk(network, mf.Gaussian(10).labelled_by(teacher))
mf.simulate(mf.Wasserstein(risk), mf.NormalInit(1000), scheme=mf.Euler(0.1), until=0.1)
"""


@dataclass(frozen=True)
class Value:
    """A number, its unit, and what it aims at ("< 0.1")."""

    name: str
    value: float
    unit: str
    aim: str = ""


@dataclass(frozen=True)
class Measure:
    """Something to measure, in a process of its own."""

    title: str
    take: Callable[[], list[Value]]
    threads: int = ALL


def scaling(count: int, d: int) -> list[Value]:
    """Time of the kernel on one, two, … threads, in turn."""
    from benchmarks.ours import Ours
    from meanfield.kernels.compile import set_threads

    run = Ours(1).population(Population(count, d))
    run()

    def on(threads: int) -> Any:
        set_threads(threads)
        return run()

    counts = range(1, ALL + 1)
    # Always by the wall: processor time would count all threads.
    taken = interleaved({str(n): partial(on, n) for n in counts}, ALL)
    seconds = {n: median(taken[str(n)]) for n in counts}
    values = [Value(f"{n} thread{'s' * (n > 1)}", 1e3 * seconds[n], "ms") for n in counts]
    efficiency = seconds[1] / (ALL * seconds[ALL])
    return [*values, Value("efficiency", efficiency, "", "> 0.85")]


def step(count: int, d: int, steps: int) -> list[Value]:
    """A step of Langevin dynamics, with all that `simulate` does, beside its interaction alone."""
    import meanfield as mf
    from benchmarks.ours import Ours
    from meanfield import random

    network = mf.TwoLayer("relu", d)
    teacher = mf.Teacher(network, mf.NormalInit(1).draw(network.layout, seed=1))
    risk = mf.Risk(network, mf.Gaussian(d).labelled_by(teacher))
    start = mf.NormalInit(count).draw(network.layout, seed=0)
    kernel = Ours(ALL).population(Population(count, d))
    position, scale = start.position.copy(), np.full(d + 1, 1e-9)
    langevin = mf.Langevin(risk + 1e-4 * mf.Entropy() + 1e-3 * mf.L2())

    def simulated() -> Any:
        scheme = mf.EulerMaruyama(1e-3)
        return mf.simulate(langevin, start, scheme=scheme, until=steps * 1e-3)

    def noise() -> None:
        random.add_normal(position, scale, 0, random.Stream.LANGEVIN, 0)

    runs = {"step": simulated, "kernel": kernel, "noise": noise}
    for run in runs.values():
        run()  # compiles
    taken = interleaved(runs, ALL, rounds=5)
    seconds = {name: median(samples) for name, samples in taken.items()}
    whole = seconds["step"] / steps
    return [
        Value("step", 1e3 * whole, "ms"),
        Value("interaction alone", 1e3 * seconds["kernel"], "ms"),
        Value("step / interaction", whole / seconds["kernel"], "", "< 1.1"),
        Value("noise / step", seconds["noise"] / whole, "", "< 0.05"),
    ]


def transport() -> list[Value]:
    """Distances between Gaussian clouds in 20 dimensions, beside POT called by hand."""
    import ot

    import meanfield as mf
    from meanfield.kernels.compile import set_threads

    set_threads(ALL)
    draw = np.random.default_rng(0)
    x, y = (1.1 * k * draw.standard_normal((2000, 20)) for k in (1.0, 1.2))
    many, others = draw.standard_normal((2, 100_000, 20))
    even = np.full(2000, 1 / 2000)
    cost = float(ot.dist(x, y).mean())
    runs: dict[str, Callable[[], Any]] = {
        "exact": lambda: mf.distance(x, y, most_seconds=1e9),
        "exact, POT": lambda: ot.emd2(even, even, ot.dist(x, y), numItermax=10**7),
        "sliced": lambda: mf.distance(many, others, "sliced", directions=100),
        "sliced, POT": lambda: ot.sliced_wasserstein_distance(many, others, n_projections=100),
        "Sinkhorn": lambda: mf.distance(x, y, "sinkhorn", epsilon=0.05 * cost),
        "Sinkhorn, POT": lambda: ot.bregman.empirical_sinkhorn_divergence(
            x, y, 0.05 * cost, method="sinkhorn_log", stopThr=1e-6
        ),
    }
    taken = interleaved(runs, ALL, rounds=3)
    seconds = {name: median(samples) for name, samples in taken.items()}
    aims = {"exact": "< 3", "sliced": "< 2"}
    titles = {"exact": "exact W2, N=2,000", "sliced": "sliced, N=100,000", "Sinkhorn": "Sinkhorn"}
    values = []
    for name, title in titles.items():
        values.append(Value(title, seconds[name], "s", aims.get(name, "")))
        values.append(Value(f"POT / ours, {name}", seconds[f"{name}, POT"] / seconds[name], ""))
    return values


def start() -> list[Value]:
    """Seconds from nothing to the first step with compiled kernels on disk, and of the import."""
    _seconds(FIRST_STEP)  # compiles, if nothing did before
    steps = [_seconds(FIRST_STEP)[0] for _ in range(STARTS)]
    imports = [float(_seconds(IMPORT)[1]) for _ in range(STARTS)]
    return [
        Value("start to first step", statistics.median(steps), "s", "< 1.5"),
        Value("import meanfield", statistics.median(imports), "s", "< 0.25"),
    ]


def _seconds(program: str) -> tuple[float, str]:
    begin = time.perf_counter()
    ended = subprocess.run(
        [sys.executable, "-c", program], check=True, capture_output=True, text=True
    )
    return time.perf_counter() - begin, ended.stdout


MEASURES = {
    "scaling-2": Measure("Threads, ReLU population, d=2, N=16,000", partial(scaling, 16_000, 2)),
    "scaling-10": Measure("Threads, ReLU population, d=10, N=16,000", partial(scaling, 16_000, 10)),
    "step-2": Measure("Step of simulate, d=2, N=4,000", partial(step, 4000, 2, 1000)),
    "step-10": Measure("Step of simulate, d=10, N=4,000", partial(step, 4000, 10, 1000)),
    "transport": Measure("Distances between measures, d=20", transport),
    "start": Measure("Start", start),
}


def main() -> None:
    """Measure one, and write what was found."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("name", choices=list(MEASURES))
    parser.add_argument("result", type=Path)
    chosen = parser.parse_args()
    measure = MEASURES[chosen.name]
    values = [asdict(value) for value in measure.take()]
    found = {"name": measure.title, "threads": measure.threads, "values": values}
    chosen.result.write_text(json.dumps(found), encoding="utf-8")


if __name__ == "__main__":
    main()
