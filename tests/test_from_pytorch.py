"""A step of SGD in every scaling of the output is ours, as docs/from-pytorch.md translates it."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path

import numpy as np
import pytest

import meanfield as mf
from meanfield.kernels.compile import DISABLED

PAGE = Path(__file__).parents[1] / "docs/from-pytorch.md"


def descend(x, y, a, w, rate, decay=0.0, steps=200, factor=None):
    """SGD on the mean square error of f = factor Σ a relu(<w, x>), its gradient by hand."""
    factor = 1 / len(a) if factor is None else factor
    for _ in range(steps):
        z = x @ w.T
        f = factor * np.maximum(z, 0) @ a
        slope = 2 * (f - y) / len(y)
        of_a = factor * np.maximum(z, 0).T @ slope
        of_w = factor * a[:, None] * (((z > 0) * slope[:, None]).T @ x)
        a, w = a - rate * (of_a + decay * a), w - rate * (of_w + decay * w)
    return a, w


@pytest.mark.skipif(DISABLED, reason="full size, as all pages")
def test_page():
    names = {}
    for code in re.findall(r"^```python\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.M | re.S):
        if "import torch" in code and importlib.util.find_spec("torch") is None:
            of_page = ("x", "y", "start_a", "start_w", "rate", "decay", "steps")
            names["trained_a"], names["trained_w"] = descend(*(names[key] for key in of_page))
        else:
            exec(compile(code, PAGE.name, "exec"), names)


@pytest.mark.parametrize("power", [1.0, 0.5, 0.0], ids=["1/N", "1/sqrt(N)", "1"])
def test_scalings(rng, power):
    count, dim, steps = 20, 3, 50
    x, y = rng.normal(size=(30, dim)), rng.normal(size=30)
    a, w = rng.normal(size=count), rng.normal(size=(count, dim))
    factor = count**-power
    rate = 0.02 * count ** (2 * power - 1)  # of the same effect for all
    theirs = descend(x, y, a, w, rate, steps=steps, factor=factor)

    network, larger = mf.TwoLayer("relu", dim), count * factor
    step = 2 * rate * larger**2 / count
    flow = mf.Wasserstein(
        mf.Risk(network, mf.FiniteData(x, y), "squared"), mobility={"w": larger**-2}
    )
    start = network.ensemble(a=larger * a, w=w)
    end = mf.simulate(flow, start, scheme=mf.Euler(step), until=steps * step).final
    assert np.abs(end.a / larger - theirs[0]).max() < 1e-12
    assert np.abs(end.w - theirs[1]).max() < 1e-12
    assert np.abs(end.a / larger - a).max() > 0.01


def test_scalings_of_the_page():
    rows = re.findall(r"^\| (.*?)Σ a s.*?\| (.*?) \| (2η.*?) \| (1.*?) \|$", PAGE.read_text(), re.M)
    # larger = N times the factor: A = larger a, h = 2 η larger²/N, mobility larger⁻²
    assert rows == [
        ("(1/N) ", "a", "2η/N", "1"),
        ("(1/√N) ", "√N a", "2η", "1/N"),
        ("", "N a", "2ηN", "1/N²"),
    ]
