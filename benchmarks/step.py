"""How long one evaluation of the risk and its gradient takes, against what one would write instead.

    python benchmarks/step.py [--threads 2] [--json FILE]

Every row runs ours and its peers in turn, round by round, in this process; quoted are the median
time of ours and the median over rounds of (peer's time / our time). PyTorch joins if installed.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable
from typing import Any

import numpy as np

import meanfield as mf
from meanfield.kernels.compile import set_threads, threads

Run = Callable[[], Any]


def empirical(activation: str, n: int, dim: int, count: int) -> dict[str, Run]:
    """Logistic risk of a network with bias on n samples, value and gradient."""
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(n, dim)), rng.choice([-1.0, 1.0], size=n)
    network = mf.TwoLayer(activation, dim, bias=True)
    neurons = mf.NormalInit(count).draw(network.layout, seed=0)
    risk = mf.Risk(network, mf.FiniteData(x, y), "logistic")
    a, w, b = neurons.a, np.ascontiguousarray(neurons.w), neurons.b

    def plain() -> Any:
        z = x @ w.T + b
        if activation == "tanh":
            s = np.tanh(z)
            slope = 1 - s * s
        else:
            s = np.maximum(z, 0)
            slope = (z > 0).astype(float)
        f = s @ a / count
        g = -y / (1 + np.exp(y * f)) / n
        pull = slope * (g[:, None] * a)
        return s.T @ g, pull.T @ x, pull.sum(axis=0)

    peers: dict[str, Run] = {"ours": lambda: risk.evaluate(neurons), "NumPy": plain}
    torch = _torch()
    if torch is not None:
        tx, ty = torch.from_numpy(x), torch.from_numpy(y)
        leaves = [torch.tensor(array.copy(), requires_grad=True) for array in (a, w, b)]
        act = {"tanh": torch.tanh, "relu": torch.relu}[activation]

        def autograd() -> Any:
            ta, tw, tb = leaves
            f = act(tx @ tw.T + tb) @ ta / count
            return torch.autograd.grad(torch.nn.functional.softplus(-ty * f).mean(), leaves)

        peers["PyTorch"] = autograd
    return peers


def population(count: int, dim: int) -> dict[str, Run]:
    """ReLU neurons among each other on N(0, I): value and gradient by the arc-cosine kernel."""
    network = mf.TwoLayer("relu", dim)
    neurons = mf.NormalInit(count).draw(network.layout, seed=0)
    teacher = mf.Teacher(network, mf.NormalInit(1).draw(network.layout, seed=1))
    risk = mf.Risk(network, mf.Gaussian(dim).labelled_by(teacher))
    a, w = neurons.a, np.ascontiguousarray(neurons.w)

    def chunked() -> Any:
        norm = np.linalg.norm(w, axis=1)
        unit = w / norm[:, None]
        potential, pull = np.empty(count), np.empty_like(w)
        for i in range(0, count, 500):
            angle = np.arccos(np.clip(unit[i : i + 500] @ unit.T, -1, 1))
            weight = a * norm / (2 * np.pi * count)
            sine = np.sin(angle) @ weight
            pull[i : i + 500] = (
                sine[:, None] * unit[i : i + 500] + ((np.pi - angle) * weight) @ unit
            )
            potential[i : i + 500] = np.einsum("ij,ij->i", pull[i : i + 500], w[i : i + 500])
        return potential, pull

    peers: dict[str, Run] = {"ours": lambda: risk.evaluate(neurons), "NumPy, chunked": chunked}
    torch = _torch()
    if torch is not None:
        leaves = [torch.tensor(array.copy(), requires_grad=True) for array in (a, w)]

        def autograd() -> Any:
            ta, tw = leaves
            norm = tw.norm(dim=1)
            cosine = (tw @ tw.T / (norm[:, None] * norm)).clamp(-1 + 1e-12, 1 - 1e-12)
            angle = torch.arccos(cosine)
            kernel = norm[:, None] * norm * (torch.sin(angle) + (torch.pi - angle) * cosine)
            return torch.autograd.grad(ta @ kernel @ ta / count**2 / (4 * torch.pi), leaves)

        peers["PyTorch"] = autograd
    return peers


def _torch() -> Any:
    try:
        import torch
    except ModuleNotFoundError:
        return None
    torch.set_num_threads(threads())
    return torch


def measure(peers: dict[str, Run], rounds: int = 15) -> dict[str, float]:
    """Seconds of ours, and the ratio of every peer to it."""
    for run in peers.values():
        run()
    times: dict[str, list[float]] = {name: [] for name in peers}
    for _ in range(rounds):
        for name, run in peers.items():
            begin = time.perf_counter()
            run()
            times[name].append(time.perf_counter() - begin)
    ours = times.pop("ours")
    ratios = {
        name: statistics.median(t / o for t, o in zip(found, ours, strict=True))
        for name, found in times.items()
    }
    return {"ours": statistics.median(ours), **ratios}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--threads", type=int, default=threads())
    parser.add_argument("--json")
    chosen = parser.parse_args()
    set_threads(chosen.threads)
    cases = {
        "tanh, n=398, d=30, N=1,000 (breast cancer)": empirical("tanh", 398, 30, 1000),
        "ReLU, n=2,000, d=10, N=10,000": empirical("relu", 2000, 10, 10_000),
        "ReLU, n=2,000, d=100, N=10,000": empirical("relu", 2000, 100, 10_000),
        "ReLU population, d=10, N=1,000": population(1000, 10),
        "ReLU population, d=10, N=4,000": population(4000, 10),
    }
    results = {}
    for title, peers in cases.items():
        results[title] = measure(peers)
        ours = results[title]["ours"]
        rest = ", ".join(f"{k} {v:.2f}x" for k, v in results[title].items() if k != "ours")
        print(f"{title:<45} {1e3 * ours:8.2f} ms   {rest}", flush=True)
    if chosen.json:
        with open(chosen.json, "w", encoding="utf-8") as file:
            json.dump({"threads": chosen.threads, "results": results}, file, indent=2)


if __name__ == "__main__":
    main()
