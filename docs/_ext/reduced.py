"""Every shipped experiment at its reduced size, and the tutorial: what the site shows of runs.

    python docs/_ext/reduced.py

Runs what is not in build/docs/experiments yet: a folder for each, named by a hash of all that
decides what comes out. That of an experiment has a picture of every variant and ``result.json``,
that of the tutorial the pictures that it draws. A claim that does not hold ends it with an error.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import sys
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import chdir, redirect_stdout
from io import StringIO
from multiprocessing import get_context
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
EXPERIMENTS = ROOT / "experiments"
TUTORIAL = ROOT / "docs" / "tutorial.md"
KEPT = ROOT / "build" / "docs" / "experiments"
PROCESSES = min(4, os.cpu_count() or 1)
# What an experiment is about, where the overview does not show it: figures, and of which variant.
CLOSER = {
    "birth-death": {"function": "births", "genealogy": "births"},
    "breast-cancer": {"marginals": ""},
    "dawson": {"distribution": "cold"},
    "implicit-bias": {"decision": "both-256"},
    "sparse-deconvolution": {"function": ""},
    "teacher-student": {"matrix": ""},
    "two-gaussians-neurons": {"radial": "delta-0.8"},
    "underdamped": {"energy": ""},
}


def names() -> list[str]:
    """Of the shipped experiments."""
    return sorted(file.stem for file in EXPERIMENTS.glob("*.toml"))


def place(name: str) -> Path:
    """Where the results of an experiment, or of the tutorial, are or will be."""
    digest = hashlib.sha256()
    files = [TUTORIAL if name == TUTORIAL.stem else EXPERIMENTS / f"{name}.toml", Path(__file__)]
    files += sorted([*EXPERIMENTS.glob("*.py"), *(ROOT / "meanfield").rglob("*.py")])
    for file in files:
        digest.update(file.read_bytes())
    return KEPT / f"{name}-{digest.hexdigest()[:16]}"


def result(name: str) -> dict[str, Any]:
    """What has come out of an experiment.

    Raises
    ------
    SystemExit
        If it was not run.
    """
    file = place(name) / "result.json"
    if not file.exists():
        raise SystemExit(f"{name} was not run yet: python docs/_ext/reduced.py")
    return json.loads(file.read_text(encoding="utf-8"))


def run(name: str, folder: Path) -> None:
    """Run an experiment, draw its variants, and hold its claims."""
    from meanfield.config import ExperimentFile, Study
    from meanfield.config.claims import Claim
    from meanfield.config.problems import Problems
    from meanfield.kernels.compile import set_threads

    set_threads(1)
    path = EXPERIMENTS / f"{name}.toml"
    study = Study.load(path, reduced=True)
    runs = study.run()
    verdicts = iter(study.judge(runs))
    claims = []
    for table in ExperimentFile.read(path).claims:
        full, small = (Claim.check(table, "", Problems(name), size) for size in (False, True))
        claim: dict[str, Any] = {"what": str(full), "says": full.says, "expected": full.expected}
        if small is not None:
            verdict = next(verdicts)
            claim |= {"reduced": small.expected, "number": verdict.number, "holds": verdict.holds}
        claims.append(claim)
    parts = begun(folder)
    pictures = {variant: f"{variant or name}.png" for variant in runs}
    for variant, picture in pictures.items():
        runs[variant].plot(parts / picture)
    closer = {}
    for figure, wanted in CLOSER.get(name, {}).items():
        variant = wanted or next(iter(runs))
        runs[variant].plot.save(parts / f"closer-{figure}.png", figure)
        closer[figure] = variant
    text = json.dumps({"claims": claims, "pictures": pictures, "closer": closer}, indent=1)
    (parts / "result.json").write_text(text, encoding="utf-8")
    parts.rename(folder)


def draw(name: str, folder: Path) -> None:
    """Run the Python of the tutorial, and keep its pictures."""
    parts = begun(folder)
    with TemporaryDirectory() as aside, chdir(aside), redirect_stdout(StringIO()):
        names: dict[str, Any] = {}
        text = TUTORIAL.read_text(encoding="utf-8")
        for code in re.findall(r"^```python\n(.*?)^```", text, re.M | re.S):
            exec(compile(code, TUTORIAL.name, "exec"), names)
        for picture in Path(aside).glob("*.png"):
            shutil.copy(picture, parts)
    parts.rename(folder)


def begun(folder: Path) -> Path:
    """An empty folder that will be `folder` when all is in it."""
    parts = folder.with_suffix(".part")
    shutil.rmtree(parts, ignore_errors=True)
    parts.mkdir(parents=True)
    return parts


def main() -> None:
    """Run what is not there yet, and forget what is of earlier files."""
    work: dict[str, Callable[[str, Path], None]] = dict.fromkeys(names(), run)
    work[TUTORIAL.stem] = draw
    places = {name: place(name) for name in work}
    for old in set(KEPT.glob("*")) - set(places.values()):
        shutil.rmtree(old)
    missing = [name for name in places if not places[name].exists()]
    if missing:
        with ProcessPoolExecutor(PROCESSES, get_context("spawn")) as pool:
            started = {pool.submit(work[name], name, places[name]): name for name in missing}
            for number, done in enumerate(as_completed(started), start=1):
                done.result()
                print(f"{number}/{len(missing)} {started[done]}", flush=True)
    wrong = [
        f"{name}: {claim['says'] or claim['what']}"
        for name in names()
        for claim in result(name)["claims"]
        if claim.get("holds") is False
    ]
    if wrong:
        raise SystemExit("claims that do not hold:\n  " + "\n  ".join(wrong))


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    sys.path.insert(0, str(ROOT))
    main()
