"""Every shipped experiment at its reduced size, for the gallery and the pages about papers.

    python docs/_ext/reduced.py

Runs what is not in build/docs/experiments yet: a folder for each experiment, named by a hash of all
that decides what comes out, with a picture of every variant and ``result.json``. A claim that does
not hold ends it with an error.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import sys
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import get_context
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
EXPERIMENTS = ROOT / "experiments"
KEPT = ROOT / "build" / "docs" / "experiments"
PROCESSES = min(4, os.cpu_count() or 1)


def names() -> list[str]:
    """Of the shipped experiments."""
    return sorted(file.stem for file in EXPERIMENTS.glob("*.toml"))


def place(name: str) -> Path:
    """Where the results of an experiment are, or will be."""
    digest = hashlib.sha256()
    files = [EXPERIMENTS / f"{name}.toml", Path(__file__)]
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


def run(name: str, folder: Path) -> list[str]:
    """Run an experiment, draw its variants, and say which claims do not hold."""
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
    parts = folder.with_suffix(".part")
    shutil.rmtree(parts, ignore_errors=True)
    parts.mkdir(parents=True)
    pictures = {variant: f"{variant or name}.png" for variant in runs}
    for variant, picture in pictures.items():
        runs[variant].plot(parts / picture)
    text = json.dumps({"claims": claims, "pictures": pictures}, indent=1)
    (parts / "result.json").write_text(text, encoding="utf-8")
    parts.rename(folder)
    return [claim["says"] or claim["what"] for claim in claims if claim.get("holds") is False]


def main() -> None:
    """Run what is not there yet, and forget what is of earlier files."""
    places = {name: place(name) for name in names()}
    for old in set(KEPT.glob("*")) - set(places.values()):
        shutil.rmtree(old)
    missing = [name for name in places if not (places[name] / "result.json").exists()]
    if not missing:
        return
    wrong: list[str] = []
    with ProcessPoolExecutor(PROCESSES, get_context("spawn")) as pool:
        started = {pool.submit(run, name, places[name]): name for name in missing}
        for number, done in enumerate(as_completed(started), start=1):
            failed = [f"{started[done]}: {claim} does not hold" for claim in done.result()]
            print(f"{number}/{len(missing)} {started[done]}", *failed, sep="\n  ", flush=True)
            wrong += failed
    if wrong:
        raise SystemExit(f"{len(wrong)} claims do not hold")


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    sys.path.insert(0, str(ROOT))
    main()
