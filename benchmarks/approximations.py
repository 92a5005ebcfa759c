"""Fast sums over pairs of neurons beside the exact one: error against time.

    python -m benchmarks.approximations [--count 4000] [--threads 1] [--rounds 7] [--out FOLDER]

Random batches of several sizes and finite ranks of several degrees estimate what the exact sum
computes; all are timed in turn. Errors are of the potential and of its gradient, root mean squares
over the neurons relative to the exact values'; the bound on the largest error of the potential is
that which the finite rank states itself. Writes approximations.json and .png.
"""

from __future__ import annotations

import argparse
import json
import shlex
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import machine, measure
from meanfield.activations import make
from meanfield.arrays import Array
from meanfield.functionals.interactions import Exact, FiniteRank, Neurons, RandomBatches, Summation
from meanfield.kernels import bases
from meanfield.kernels.blas import single_threaded
from meanfield.kernels.compile import set_threads
from meanfield.kernels.projected import Projected

RESULTS = Path(__file__).resolve().parent / "results"
ACTIVATIONS, DIMS = ("relu", "erf"), (2, 3, 10)
SIZES = (4, 16, 64, 256, 1024)
DEGREES = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256)
LARGEST_RANK = 0.25  # of the number of neurons: beyond, the exact sum is as fast


def main() -> None:
    """Measure, print, write and draw."""
    chosen = _arguments()
    set_threads(chosen.threads)
    record = machine.describe(
        shlex.join(["python", "-m", "benchmarks.approximations", *sys.argv[1:]])
    )
    record |= {"neurons": chosen.count, "threads": chosen.threads, "panels": {}}
    for kind in ACTIVATIONS:
        for dim in DIMS:
            title = f"{kind}, d = {dim}"
            print(f"\n{title}", flush=True)
            record["panels"][title] = panel(kind, dim, chosen)
    chosen.out.mkdir(parents=True, exist_ok=True)
    file = chosen.out / "approximations.json"
    file.write_text(json.dumps(record, indent=1), encoding="utf-8")
    draw(record, chosen.out / "approximations.png")
    print(f"\nwritten: {file}, {chosen.out / 'approximations.png'}")


def panel(kind: str, dim: int, chosen: argparse.Namespace) -> list[dict[str, Any]]:
    """Time and errors of every way to sum, for one activation in one dimension."""
    count, rng = chosen.count, np.random.default_rng(0)
    # Norms are about 1, as at a usual start; outer weights have learnt half of what they are, so
    # that the exact sum is not one of random signs.
    seen = Projected(rng.normal(size=(count, dim)) / np.sqrt(dim), None, None, None)
    a = np.sqrt(dim) * seen.n[:, :1] + rng.normal(size=(count, 1))
    neurons = Neurons(make(kind), seen, a, a / count, 0)
    summations: dict[str, Summation] = {"exact": Exact()}
    summations |= {f"batches of {p}": RandomBatches(p) for p in SIZES if p <= count / 2}
    basis = bases.basis(neurons.activation, dim, False)
    ranks = [basis.rank(degree) for degree in DEGREES]
    for degree, rank, before in zip(DEGREES, ranks, [0, *ranks], strict=False):
        if before < rank <= LARGEST_RANK * count:
            summations[f"degree {degree}"] = FiniteRank(degree=degree)
    with single_threaded():
        runs = {name: _bind(summation, neurons) for name, summation in summations.items()}
        found = {name: run() for name, run in runs.items()}
        times = measure.interleaved(runs, chosen.threads, rounds=chosen.rounds)
        entries = []
        for name, summation in summations.items():
            entry: dict[str, Any] = {
                "name": name,
                "method": summation.kind,
                "seconds": measure.median(times[name]),
                "potential_error": _error(found[name][0], found["exact"][0]),
                "gradient_error": _error(found[name][2], found["exact"][2]),
            }
            if isinstance(summation, FiniteRank):
                entry["rank"] = basis.rank(summation.cut(neurons)[1])
                root_mean_square = np.linalg.norm(found["exact"][0]) / np.sqrt(count)
                entry["bound"] = summation.error(neurons).potential / float(root_mean_square)
            entries.append(entry)
            print(_line(entry, entries[0]["seconds"]), flush=True)
    return entries


def draw(record: dict[str, Any], target: Path) -> None:
    """One panel for each activation and dimension: errors against seconds, log–log."""
    from meanfield.viewing import files, style

    series = (
        ("finite-rank", "potential_error", "finite rank, potential", 1, "o"),
        ("finite-rank", "gradient_error", "finite rank, gradient", 3, "o"),
        ("finite-rank", "bound", "its bound on the potential", 7, ""),
        ("random-batches", "potential_error", "random batches, potential", 2, "s"),
        ("random-batches", "gradient_error", "random batches, gradient", 6, "s"),
    )
    with style.styled():
        figure = style.new_figure(4.6, shown=False)
        all_axes = figure.subplots(len(ACTIVATIONS), len(DIMS), sharex=True, sharey=True)
        for axes, (title, entries) in zip(all_axes.flat, record["panels"].items(), strict=True):
            for method, key, label, look, marker in series:
                points = [(e["seconds"], e[key]) for e in entries if e["method"] == method]
                axes.loglog(*zip(*points, strict=True), marker=marker, ms=3, label=label,
                            **style.line(look))  # fmt: skip
            axes.axvline(entries[0]["seconds"], color=style.GREY, lw=0.8, label="exact: no error")
            axes.set(title=title, ylim=(1e-11, 10.0))
        for axes in all_axes[-1]:
            axes.set_xlabel("seconds per evaluation")
        for axes in all_axes[:, 0]:
            axes.set_ylabel("relative error")
        handles, labels = all_axes[0, 0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=3)
        figure.suptitle(f"{record['neurons']:,} neurons, threads: {record['threads']}")
        files.save(figure, target)


def _bind(summation: Summation, neurons: Neurons) -> Callable[[], Any]:
    return lambda: summation(neurons)


def _error(found: Array, exact: Array) -> float:
    return float(np.linalg.norm(found - exact) / np.linalg.norm(exact))


def _line(entry: dict[str, Any], exact: float) -> str:
    rank = f"  rank {entry['rank']:5d}  bound {entry['bound']:.1e}" if "rank" in entry else ""
    return (
        f"  {entry['name']:<16}{1e3 * entry['seconds']:9.3f} ms {exact / entry['seconds']:7.1f}×"
        f"  potential {entry['potential_error']:.1e}  gradient {entry['gradient_error']:.1e}{rank}"
    )


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--count", type=int, default=4000, help="neurons")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=7, help="samples of each")
    parser.add_argument("--out", type=Path, default=RESULTS, help="folder of the results")
    return parser.parse_args()


if __name__ == "__main__":
    main()
