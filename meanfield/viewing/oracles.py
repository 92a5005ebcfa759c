"""Which limit N → ∞ a run has, where its experiment tells."""

from __future__ import annotations

import math
import tomllib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from meanfield.ensemble import Ensemble

if TYPE_CHECKING:
    from meanfield.storage import Run

RAMPS = ("ramp", "averaged-ramp", "sphere-ramp")


class Curve(Protocol):
    """A measure at every time, as the oracles of `meanfield.limits` are."""

    def measure(self, time: float, count: int) -> Ensemble:
        """The measure at a time, as so many particles."""


def oracle_of(run: Run) -> Curve | None:
    """The radial flow of two isotropic Gaussians that differ in scale, if the run is one; or None.

    Recognised are radii, with data of the kind "two-gaussians" from quantiles; and neurons in a
    mixture of two centred Gaussians, whose start is normal with a = 1. The risk is integrated or
    streamed, nothing but a ridge beside it, and the flow is `Wasserstein`.
    """
    tables = tomllib.loads(run.experiment) if run.experiment else {}
    if not tables or not _descends_risk(tables):
        return None
    data, start, ramp = tables["data"], tables["ensemble"], tables["network"]["activation"]
    found: dict[str, Any] | None = None
    if data["kind"] == "two-gaussians" and start.get("law") == "radial-normal":
        found = {"delta": data["delta"], "dim": data["dim"], "scale": start["scale"]}
        found["start_dim"] = start["dim"]
    elif data["kind"] == "gaussian-mixture" and start["kind"] == "normal":
        found = _of_neurons(data, start)
    if found is None:
        return None
    from meanfield.limits import TwoGaussians, TwoGaussiansInDimension

    knots = (ramp["start"], ramp["low"]), (ramp["stop"], ramp["high"])
    dim = found.pop("dim")
    rest = {**found, "knots": knots, "l2": tables["energy"].get("l2", 0.0)}
    return TwoGaussiansInDimension(dim=dim, **rest) if dim else TwoGaussians(**rest)


def _descends_risk(tables: Mapping[str, Any]) -> bool:
    """Whether neurons with a ramp descend the population risk of a plain network, and no more."""
    energy, flow, network = tables["energy"], tables["flow"], tables["network"]
    activation = network["activation"]
    ramp = isinstance(activation, Mapping) and activation["kind"] in RAMPS
    alone = not any(energy.get(key) for key in ("terms", "interaction", "temperature", "tv", "l1"))
    plain = flow["kind"] == "wasserstein" and not flow.get("mobility")
    whole = "samples" not in tables["data"] and energy["loss"] == "squared"
    return ramp and alone and plain and whole and not network["bias"]


def _of_neurons(data: Mapping[str, Any], start: Mapping[str, Any]) -> dict[str, Any] | None:
    """Δ, dimension and start of neurons; None unless the data are N(0, (1 ± Δ)² I), labelled ±1."""
    roots = [math.sqrt(c) if isinstance(c, float) else math.nan for c in data["covariances"]]
    labels = data["target"].get("values", [1.0, -1.0])
    centred = not np.any(data["means"]) and not len(data["weights"])
    if len(roots) != 2 or abs(sum(roots) - 2.0) > 1e-9 or not centred or labels != [1.0, -1.0]:
        return None
    scale, mean = _blocks(start.get("scale"), 1.0), _blocks(start.get("mean"), 0.0)
    if roots[0] < roots[1] or (scale["a"], mean["a"], mean["w"]) != (0.0, 1.0, 0.0):
        return None
    size = scale["w"] * math.sqrt(data["dim"])
    return {"delta": 0.5 * (roots[0] - roots[1]), "dim": data["dim"], "scale": size}


def _blocks(given: Any, default: float) -> dict[str, float]:
    """A number for each block, where one may stand for all."""
    table = given if isinstance(given, Mapping) else {}
    value = default if given is None or isinstance(given, Mapping) else float(given)
    return {"a": value, "w": value, **table}
