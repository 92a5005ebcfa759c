"""Small experiments that figures make network and data of again, each run once."""

from __future__ import annotations

import functools
from typing import Any

from meanfield.config import Experiment
from meanfield.storage import Run


@functools.cache
def teacher(dim: int = 2, count: int = 9, **data: Any) -> Run:
    """ReLU students of three ReLU neurons, on Gaussian inputs."""
    target = {"kind": "teacher", "neurons": 3, "seed": 1}
    return run(
        {"activation": "relu"},
        {"kind": "gaussian", "dim": dim, "target": target, **data},
        {"kind": "sphere", "count": count, "scale": {"a": 0.5, "w": 0.5}},
    )


@functools.cache
def exploded() -> Run:
    """Its energy rises until it is no float."""
    target = {"kind": "teacher", "neurons": 3, "seed": 1}
    data = {"kind": "gaussian", "dim": 2, "target": target}
    start = {"kind": "sphere", "count": 9, "scale": {"a": 0.5, "w": 0.5}}
    return run({"activation": "relu"}, data, start, scheme="euler", step=100.0, until=2000.0)


@functools.cache
def bumps(flow: str = "wasserstein", seeds: int = 1, count: int = 6) -> Run:
    """Bumps at places b that learn two bumps, from samples on the line."""
    target = {"kind": "teacher", "w": [[1.0], [1.0]], "b": [-1.0, 0.5], "a": [1.0, 1.0]}
    return run(
        {"activation": {"kind": "bump", "rate": 2.0}, "bias": True, "outer": "fixed"},
        {"kind": "gaussian", "dim": 1, "samples": 40, "target": target},
        {"count": count, "scale": {"a": 0.0, "w": 0.0}, "mean": {"a": 1.0, "w": 1.0, "b": 1.0}},
        flow={"kind": flow, "mobility": {"w": 0.0}},
        until=4.0,
        seeds=seeds,
    )


@functools.cache
def classes() -> Run:
    """Points of the plane in classes, by the angle."""
    x = [[1.0, 0.2], [0.8, -0.4], [-1.0, 0.1], [-0.5, 0.9], [0.1, 1.0], [0.0, -1.0]]
    labels = [[1.0], [1.0], [-1.0], [-1.0], [-1.0], [1.0]]
    data: dict[str, Any] = {"kind": "arrays", "x": x, "y": labels}
    return run({"activation": "tanh", "outputs": 1}, data, {"count": 8}, loss="logistic")


@functools.cache
def radii(delta: float = 0.2) -> Run:
    """Radii of two isotropic Gaussians, whose limit is known."""
    return run(
        {"activation": "averaged-ramp", "outer": "fixed"},
        {"kind": "two-gaussians", "delta": delta},
        {"kind": "quantiles", "law": "radial-normal", "count": 60, "scale": 0.8, "dim": 40},
        step=0.1,
    )


def run(
    network: dict[str, Any],
    data: dict[str, Any],
    ensemble: dict[str, Any],
    *,
    flow: dict[str, Any] | None = None,
    loss: str = "squared",
    scheme: str = "",
    step: float = 0.25,
    until: float = 2.0,
    seeds: int = 1,
    seen: int = 9,
) -> Run:
    """A run in memory that observes energy and dissipation."""
    plain = (flow or {}).get("kind", "wasserstein") == "wasserstein"
    tables = {
        "network": network,
        "data": data,
        "energy": {"loss": loss},
        "ensemble": ensemble,
        "flow": flow or {"kind": "wasserstein"},
        "scheme": {"kind": scheme or ("heun" if plain else "lie"), "step": step},
        "run": {
            "until": until,
            "seeds": seeds,
            "observe": ["energy", "dissipation"],
            "observe_when": {"evenly": seen},
            "frames": {"evenly": 5},
        },
    }
    return Experiment(tables, title="Small").run()
