"""Mistakes in experiments: all at once, each with key, value and what would be right."""

from __future__ import annotations

import pytest

import meanfield as mf
from meanfield import memory
from meanfield.config import Experiment, Mistakes
from meanfield.registry import Registry
from tests.config.test_experiment import altered


def told(tables) -> list[str]:
    with pytest.raises(Mistakes) as caught:
        Experiment(tables).check()
    return caught.value.sentences


def test_all_sections_at_once():
    tables = altered(
        network={"activation": {"kind": "leaky-relu", "slope": 0.1}},
        data={"target": {"kind": "teacher", "neurons": 0}},
        energy={"loss": "square", "l3": 1.0, "terms": [{"kind": "mmd"}]},
        ensemble={"count": 2.5},
        flow={"kind": "kinetic", "cool": {"kind": "linear", "tim": 1.0}},
        scheme={"stepp": 0.1},
        run={"observe": ["energy", {"kind": "w2", "when": {"evry": 1}}], "seeds": 0},
    )
    found = "\n".join(told(tables))
    for expected in (
        "unknown key network.activation.slope = 0.1; did you mean 'slope_left'?",
        "data.target.neurons = 0: expected a whole number ≥ 1",
        "energy.loss: unknown loss 'square'; did you mean 'squared'?",
        "unknown key energy.l3 = 1.0; did you mean 'l2'?",
        "energy.terms[0].samples is missing: expected a list",
        "ensemble.count = 2.5: expected a whole number",
        "unknown key flow.cool.tim = 1.0; did you mean 'time'?",
        "flow.cool.time is missing: expected a number",
        "unknown key scheme.stepp = 0.1; did you mean 'step'?",
        "unknown key run.observe[1].when.evry = 1; did you mean 'evenly'?",
    ):
        assert expected in found, found


def test_the_kinds_that_know_a_key_are_named():
    (only,) = told(altered(flow={"kind": "langevin", "friction": 1.0}))
    assert (
        "unknown key flow.friction = 1.0; it is a key of the flow 'heavy-ball', 'kinetic'" in only
    )
    (only,) = told(altered(data={"delta": 0.1}))
    assert "data.delta = 0.1; it is a key of the kind of data 'two-gaussians' alone" in only
    (only,) = told(altered(data={"replacement": False}))
    assert "unknown key data.replacement = False" in only


def test_a_missing_section_is_one_sentence():
    found = told({"data": altered()["data"]})
    sections = ("network", "ensemble", "scheme", "run")
    assert len(found) == len(sections)
    for section, sentence in zip(sections, found, strict=True):
        assert f"the section [{section}] is missing: it says" in sentence


@pytest.mark.parametrize(
    ("sections", "key"),
    [
        ({"ensemble": {"count": 10**15}}, "ensemble.count"),
        ({"ensemble": {"kind": "quantiles", "count": 10**15}}, "ensemble.count"),
        ({"data": {"dim": 10**15}}, "data.dim"),
        ({"data": {"samples": 10**15}}, "data.samples"),
        ({"data": {"batch": 10**15}}, "data.batch"),
        ({"data": {"samples": 2, "test": 10**15}}, "data.test"),
        ({"data": {"target": {"kind": "teacher", "neurons": 10**15}}}, "data.target.neurons"),
        ({"network": {"outputs": 10**15}}, "network.outputs"),
        ({"network": {"dim": 10**15}}, "network.dim"),
    ],
)
def test_what_does_not_fit_into_memory_is_refused_at_once(sections, key):
    tables = altered(**sections)
    if "kind" in sections.get("ensemble", {}):
        tables["network"]["outer"] = "fixed"
        tables["data"]["dim"] = 1
    (only,) = told(tables)
    assert f"{key} = 1000000000000000: expected less: it takes" in only
    assert "and this machine has" in only


def test_memory_is_that_of_the_machine(monkeypatch):
    monkeypatch.setattr(memory, "machine", lambda: 8 * 1000)
    layout = mf.Layout.plain(5)
    assert len(mf.NormalInit(50).draw(layout, 0)) == 50
    with pytest.raises(mf.InvalidInput, match=r"count = 51: .* 8.16 kB .* 8 kB"):
        mf.NormalInit(51).draw(layout, 0)


@pytest.mark.parametrize(
    ("run", "said"),
    [
        ({"frames": {"steps": 1}, "until": 1e9}, "run.frames.steps = 1: expected a schedule of at"),
        ({"frames": {"time": 1e-300}}, "run.frames.time = 1e-300: expected a schedule of at most"),
        ({"frames": {"evenly": 10**15}}, "run.frames.evenly = 1000000000000000: expected a sched"),
        ({"seeds": 10**15}, "run.seeds = 1000000000000000: expected at most 100,000 replicas"),
    ],
)
def test_endless_schedules_are_refused(run, said):
    assert any(said in sentence for sentence in told(altered(run=run)))


def test_a_name_is_given_once():
    registry: Registry[object] = Registry("thing")
    try:

        @registry.register("one")
        class One:
            pass

        @registry.register("one")
        class Again:
            pass

        assert registry["one"] is Again
        Elsewhere = type("Elsewhere", (), {"__module__": "elsewhere"})
        with pytest.raises(mf.InvalidInput, match="another name: the thing 'one' exists"):
            registry.register("one")(Elsewhere)
        with pytest.raises(mf.InvalidInput, match="expected a class: thing"):
            registry.register("two")(len)
    finally:
        Registry.all.remove(registry)


def test_lists_are_counted_in_brackets():
    assert "run.seeds[1] = 'a'" in "\n".join(told(altered(run={"seeds": [0, "a"]})))


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"network": {"dim": 77}}, "network.dim = 77: expected the data's"),
        ({"energy": {"terms": [{"kind": "mmd", "samples": [[1.0]]}]}}, "energy.samples = (1, 1)"),
        (
            {"flow": {"kind": "fisher-rao", "cells": [1.0]}},
            "flow.cells = 1: expected as many cells",
        ),
        ({"flow": {"kind": "conic"}}, 'or one with signs = ["a"]'),
    ],
)
def test_what_does_not_fit_together_names_the_section(changes, expected):
    assert expected in "\n".join(told(altered(**changes)))


def test_ragged_arrays():
    (only,) = told(altered(data={"covariance": [[1.0, 0.0], [1.0]]}))
    assert "data: expected rows of one length" in only
