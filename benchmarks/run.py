"""The comparisons, each in a process of its own; their table, their numbers and their picture.

    python -m benchmarks.run [--only PATTERN] [--peers NAME] [--rounds 7] [--out FOLDER]
                             [--update] [--readme] [--list]

Ours and every peer do the same work in the same process, in turn, round by round; results are
compared with the definition first. On one thread the clock is processor time, on several the wall.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shlex
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks import machine, report, whole
from benchmarks.rows import rows

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "benchmarks" / "results"


def environment(threads: int) -> dict[str, str]:
    """What libraries read when they load: how many threads, and that idle ones shall sleep.

    What is set for OpenBLAS is set aside, as it might make it take the processor for another.
    """
    count = str(threads)
    found = {
        **{key: value for key, value in os.environ.items() if not key.startswith("OPENBLAS_")},
        "OMP_NUM_THREADS": count,
        "OPENBLAS_NUM_THREADS": count,
        "MKL_NUM_THREADS": count,
        "OMP_WAIT_POLICY": "PASSIVE",
    }
    if threads == 1:
        found["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"
    return found


def child(module: str, threads: int, *arguments: str) -> dict[str, Any] | str:
    """What ``python -m module ARGUMENTS… RESULT.json`` wrote, or the last line it said."""
    with tempfile.TemporaryDirectory() as folder:
        result = Path(folder, "result.json")
        ended = subprocess.run(
            [sys.executable, "-m", module, *arguments, str(result)],
            env=environment(threads),
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
        )
        if ended.returncode or not result.exists():
            said = ended.stderr.strip().splitlines()
            return f"exit status {ended.returncode}: {said[-1] if said else 'no message'}"
        found: dict[str, Any] = json.loads(result.read_text(encoding="utf-8"))
        return found


def main() -> None:
    """Run what is asked for; the exit status is 1 if a row failed or ours was wrong."""
    chosen = _arguments()
    wanted = re.compile(chosen.only, re.IGNORECASE)
    tasks = [
        ("benchmarks.row", row.threads, row.name, (str(index),))
        for index, row in enumerate(rows())
        if wanted.search(row.name)
    ]
    tasks += [
        ("benchmarks.whole", measure.threads, measure.title, (name,))
        for name, measure in whole.MEASURES.items()
        if wanted.search(measure.title)
    ]
    if chosen.list:
        print("\n".join(title for _, _, title, _ in tasks))
        return
    chosen.out.mkdir(parents=True, exist_ok=True)
    file = chosen.out / "speed.json"
    command = shlex.join(["python", "-m", "benchmarks.run", *sys.argv[1:]])
    record = machine.describe(command)
    before = json.loads(file.read_text()) if chosen.update and file.exists() else {}
    record["rows"] = before.get("rows", {})
    for package, version in before.get("versions", {}).items():  # of peers in the rows that stay
        if record["versions"][package] == "not installed":
            record["versions"][package] = version
    failed = False
    for number, (module, threads, title, arguments) in enumerate(tasks, 1):
        print(f"\n[{number}/{len(tasks)}] {title}", flush=True)
        options = [f"--peers={chosen.peers}", f"--rounds={chosen.rounds}"]
        if module == "benchmarks.whole":
            options = []
        found = child(module, threads, *options, *arguments)
        if isinstance(found, str):
            print(f"  failed: {found}")
            failed = True
            continue
        found["measured"] = time.strftime("%Y-%m-%d %H:%M")
        record["rows"][title] = found
        print(report.paragraph(found), flush=True)
        failed |= report.is_wrong(found)
        file.write_text(json.dumps(record, indent=1), encoding="utf-8")
    print("\n" + report.tables(record))
    picture = chosen.out / "speed.svg"
    drawn = report.draw(record, picture)
    if chosen.readme:
        report.update(ROOT / "README.md", record)
    print("\nwritten: " + ", ".join(str(path) for path in [file, *([picture] if drawn else [])]))
    raise SystemExit(int(failed))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--only", default="", help="rows whose name matches this pattern")
    parser.add_argument("--peers", default="", help="peers whose name contains this")
    parser.add_argument("--rounds", type=int, default=7, help="samples of each contender")
    parser.add_argument("--out", type=Path, default=RESULTS, help="folder of the results")
    parser.add_argument("--update", action="store_true", help="keep rows that are there already")
    parser.add_argument("--readme", action="store_true", help="write the table into README.md")
    parser.add_argument("--list", action="store_true", help="name the rows, and measure nothing")
    return parser.parse_args()


if __name__ == "__main__":
    main()
