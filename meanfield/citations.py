"""What to cite for a run: meanfield, and the methods and data that it has used.

The references are in ``references.bib``; the tables here say what comes from where. Every flow and
scheme has an entry, which may be empty: a new one needs it too.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping
from importlib import resources
from typing import Any

from meanfield.storage import Run

FLOWS: dict[str, tuple[str, ...]] = {
    "birth-death": ("rotskoff2019", "lu2019"),
    "blob": ("carrillo2019",),
    "bures-wasserstein": ("lambert2022",),
    "conic": ("chizat2022sparse",),
    "fisher-rao": ("lu2019", "freund1997"),
    "heavy-ball": ("polyak1964",),
    "kinetic": ("chen2024", "leimkuhler2015"),
    "langevin": ("mei2018", "nitanda2022", "chizat2022langevin"),
    "nesterov": ("su2016",),
    "sgd-sde": ("li2017", "shi2023"),
    "stein": ("liu2016", "lu2019stein"),
    "wasserstein": ("chizat2018", "mei2018", "rotskoff2018", "sirignano2020"),
    "wasserstein-fisher-rao": ("rotskoff2019", "chizat2022sparse"),
}
SCHEMES: dict[str, tuple[str, ...]] = {
    "adaptive": ("virtanen2020",),
    "baoab": ("leimkuhler2013",),
    "euler": (),
    "euler-maruyama": ("maruyama1955", "kloeden1992"),
    "exponential": ("hochbruck2010",),
    "heun": ("heun1900",),
    "jko": ("jordan1998",),
    "leimkuhler-matthews": ("leimkuhler2013",),
    "lie": ("trotter1959",),
    "noise-injection": ("arbel2019",),
    "obabo": ("bussi2007",),
    "proximal-recursion": ("caluya2020", "teter2024"),
    "rk4": ("kutta1901",),
    "stochastic-heun": ("kloeden1992", "milstein2004"),
    "strang": ("strang1968",),
    "tamed-euler": ("hutzenthaler2012",),
    "ubu": ("alamo2016", "sanzserna2021"),
}
INTERACTIONS: dict[str, tuple[str, ...]] = {
    "coulomb": ("lewin2022",),
    "log": ("lewin2022",),
    "morse": ("dorsogna2006",),
    "powers": ("balague2013",),
    "riesz": ("lewin2022",),
}
OBSERVABLES: dict[str, tuple[str, ...]] = {
    "certificate": ("chizat2018", "chizat2022sparse"),
    "displacement": ("chizat2019",),
    "distance": ("flamary2021",),
    "free-energy": ("kozachenko1987",),
    "linearisation": ("chizat2019",),
    "margin": ("chizat2020",),
    "path-norm": ("pisier1981", "barron1993", "e2022"),
    "sharpness": ("cohen2021",),
    "w2": ("flamary2021",),
}
TARGETS: dict[str, tuple[str, ...]] = {"norm": ("bourgain1988", "bach2017")}
BUNDLED: dict[str, tuple[str, ...]] = {
    "breast-cancer": ("street1993",),
    "diabetes": ("efron2004",),
    "digits": ("alpaydin1998",),
    "iris": ("fisher1936",),
    "wine": ("aeberhard",),
}
# Closed forms of population risks over Gaussian inputs.
POPULATION: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(("relu", "step", "abs", "leaky-relu"), ("cho2009",)),
    "erf": ("williams1996",),
}
PAIRS: dict[str, tuple[str, ...]] = {"random-batches": ("jin2020",)}
BASELINES: dict[str, tuple[str, ...]] = {
    "logistic-regression": ("pedregosa2011",),
    "ntk": ("jacot2018",),
}
OURS = """\
@software{{meanfield,
  author = {{{{The meanfield authors}}}},
  title = {{meanfield: a particle-system engine for the mean-field theory of neural networks}},
  version = {{{version}}},
  year = {{2026}},
}}
"""


def bibtex(run: Run) -> str:
    """BibTeX of meanfield in the version of a run, and of what the run has used.

    Of a run that was started from Python these are its flow, scheme and observables.
    """
    version = run.provenance.get("version_meanfield", "unknown")
    known = references()
    return "\n".join([OURS.format(version=version), *(known[key] for key in keys(run))])


def keys(run: Run) -> list[str]:
    """The keys in ``references.bib`` of what a run has used, each once, in the order of use."""
    tables = tomllib.loads(run.experiment) if run.experiment else _guess(run)
    return list(dict.fromkeys(_used(tables)))


def references() -> dict[str, str]:
    """All entries of ``references.bib`` by key."""
    text = resources.files("meanfield").joinpath("references.bib").read_text(encoding="utf-8")
    found = re.findall(r"^(@\w+\{([^,]+),\n.*?^\}\n)", text, re.M | re.S)
    return {key: entry for entry, key in found}


def _used(tables: Mapping[str, Any]) -> Iterator[str]:
    data, energy, run = (tables.get(name, {}) for name in ("data", "energy", "run"))
    flow = tables.get("flow", {})
    yield from FLOWS.get(_kind(flow), ())
    yield from SCHEMES.get(_kind(tables.get("scheme", {})), ())
    if flow.get("constraint"):
        yield "hairer2006"
    for interaction in _several(energy.get("interaction", [])):
        yield from INTERACTIONS.get(_kind(interaction), ())
    yield from PAIRS.get(_kind(energy.get("pairs", {})), ())
    gaussian = _kind(data) in ("gaussian", "gaussian-mixture")
    if gaussian and "samples" not in data and "batch" not in data:
        activation = tables.get("network", {}).get("activation", "")
        yield from POPULATION.get(_kind(activation), ())
    yield from TARGETS.get(_kind(data.get("target", "")), ())
    if _kind(data) == "two-gaussians":
        yield "mei2018"
    if _kind(data) == "bundled":
        yield from BUNDLED.get(data.get("name", ""), ())
        yield "pedregosa2011"
    if tables.get("ensemble", {}).get("antisymmetric"):
        yield "chizat2019"
    for observable in run.get("observe", []):
        yield from OBSERVABLES.get(_kind(observable), ())
    yield from BASELINES.get(_kind(run.get("baseline", "")), ())


def _kind(spec: Any) -> str:
    """What a table, or a name alone, stands for."""
    return str(spec.get("kind", "")) if isinstance(spec, Mapping) else str(spec)


def _several(spec: Any) -> list[Any]:
    return spec if isinstance(spec, list) else [spec]


def _guess(run: Run) -> dict[str, Any]:
    """What a run without an experiment says about itself, as tables."""
    from meanfield.flows import flows
    from meanfield.schemes import schemes

    about, plan = run.provenance, run.plan
    seen = re.findall(r"\('([\w-]+)',", plan.identity.get("observe", "")) if plan else []
    found: dict[str, Any] = {"run": {"observe": seen}}
    registries: tuple[tuple[str, Any], ...] = (("flow", flows), ("scheme", schemes))
    for section, registry in registries:
        name = str(about.get(section, "")).split("(")[0]
        kinds = [kind for kind in registry if registry[kind].__name__ == name]
        found[section] = {"kind": kinds[0] if kinds else ""}
    return found
