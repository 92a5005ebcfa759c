"""The command line: parse, call, print. Heavy imports wait until a command needs them."""

from __future__ import annotations

import logging
import os
import re
import sys
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from meanfield.errors import FileProblem, InvalidInput, MeanfieldError, NotWritten, require

if TYPE_CHECKING:
    from meanfield.config import Experiment
    from meanfield.storage import Run

WRONG_INPUT = 2
DIVERGED = 1
INACCURATE = 1
DIFFERENT = 1
INTERRUPTED = 130  # as a shell reports Ctrl-C
NOT_WRITTEN = 74  # of a full disk, for instance; sysexits.h calls it EX_IOERR

app = typer.Typer(
    help="Particle-system engine for the mean-field theory of neural networks.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

Files = Annotated[
    list[str],
    typer.Argument(
        metavar="FILE...",
        help="A TOML file, or a shipped experiment; each further one changes those before it.",
    ),
]
Output = Annotated[Path, typer.Argument(metavar="OUT.h5", help="A finished run.")]
Set = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Override a key: ensemble.count=2000."),
]

Variant = Annotated[
    str, typer.Option("--variant", metavar="NAME", help="One of the file's variants (all).")
]
Numbers = Annotated[
    Path | None, typer.Option("--json", metavar="FILE", help="Write the numbers here too.")
]
Force = Annotated[bool, typer.Option("--force", help="Replace an existing file.")]
MaxWall = Annotated[
    str,
    typer.Option("--max-wall", metavar="TIME", help="Stop in time, as in 90s, 45m or 3h30m."),
]
Quiet = Annotated[bool, typer.Option("-q", "--quiet", help="Print no progress and no warnings.")]
Threads = Annotated[
    int | None, typer.Option("--threads", metavar="N", help="Processors to use (default: all).")
]


@app.command()
def run(
    files: Files,
    overrides: Set = None,
    variant: Variant = "",
    out: Annotated[
        Path | None, typer.Option("-o", "--out", help="Where to write (default: NAME.h5).")
    ] = None,
    again: Annotated[
        bool,
        typer.Option("--again", help="FILE is a run: its experiment anew, into NAME-again.h5."),
    ] = False,
    force: Force = False,
    max_wall: MaxWall = "",
    threads: Threads = None,
    quiet: Quiet = False,
) -> None:
    """Run an experiment and write an HDF5 file; for every variant one, NAME-VARIANT.h5.

    A run that was stopped before its end is continued.
    """
    from meanfield.config.study import check_all
    from meanfield.storage import check_writable

    _prepare(threads, quiet)
    stop_after = _seconds(max_wall)
    if again:
        experiments, targets = _again(files, overrides, variant, out)
    else:
        experiments = _load(files, overrides, variant)
        default = out or Path(f"{Path(files[-1]).stem}.h5")
        targets = {name: _target(default, "" if variant else name) for name in experiments}
    check_all(experiments)
    for name, experiment in experiments.items():
        check_writable(targets[name], replace=True)
        if not force:
            experiment.require_same(targets[name])
    for name, experiment in experiments.items():
        _run(experiment, targets[name], force, quiet, stop_after)


@app.command()
def resume(
    out: Annotated[Path, typer.Argument(metavar="OUT.h5", help="A run, finished or not.")],
    until: Annotated[
        float | None, typer.Option("--until", metavar="T", help="Go on to this time.")
    ] = None,
    max_wall: MaxWall = "",
    threads: Threads = None,
    quiet: Quiet = False,
) -> None:
    """Continue a run that was stopped, or go on from a finished one; the experiment is inside."""
    from meanfield.config import Experiment

    _prepare(threads, quiet)
    stop_after = _seconds(max_wall)
    experiment = Experiment.of_run(out, until)
    experiment.check()
    _run(experiment, out, False, quiet, stop_after)


@app.command()
def reproduce(
    files: Annotated[
        list[str] | None,
        typer.Argument(metavar="[FILE]...", help="TOML files, or shipped experiments (all)."),
    ] = None,
    reduced: Annotated[
        bool, typer.Option("--reduced", help="At the small size that the files give.")
    ] = False,
    out: Annotated[
        Path | None,
        typer.Option("-o", "--out", metavar="FOLDER", help="Keep the runs there."),
    ] = None,
    numbers: Numbers = None,
    force: Force = False,
    threads: Threads = None,
    quiet: Annotated[
        bool, typer.Option("-q", "--quiet", help="Print nothing but numbers.")
    ] = False,
) -> None:
    """Run experiments and hold them to the numbers that they claim."""
    import json

    from meanfield.config import ExperimentFile, Study, find, shipped
    from meanfield.storage import check_writable

    _prepare(threads, quiet)
    studies = [Study(ExperimentFile.read(find(name)), reduced) for name in files or shipped()]

    def target(study: Study, variant: str) -> Path | None:
        return _target(out / f"{study.name}.h5", variant) if out else None

    for study in studies:
        study.check()
        for variant in study.experiments:
            if path := target(study, variant):
                check_writable(path, force)
    found: dict[str, list[dict[str, Any]]] = {}
    for study in studies:
        runs = {
            variant: _run(experiment, target(study, variant), force, quiet)
            for variant, experiment in study.experiments.items()
        }
        verdicts = study.judge(runs)
        print(study.name)
        print("\n".join(map(str, verdicts)) or "  claims nothing", flush=True)
        found[study.name] = [verdict.table() for verdict in verdicts]
        if numbers is not None:
            numbers.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    if any(verdict["holds"] is False for verdicts in found.values() for verdict in verdicts):
        raise typer.Exit(INACCURATE)


@app.command()
def show(out: Output) -> None:
    """Say what a run was, how it went, and its last values."""
    from meanfield.storage import open_run

    with open_run(out) as found:
        print(describe(found))
        provenance = found.provenance
        main = ("meanfield", "numpy", "numba", "scipy", "pot", "h5py")
        versions = ", ".join(f"{name} {provenance[f'version_{name}']}" for name in main)
        print(f"started     {provenance['started']}, ended {provenance.get('ended', '?')}")
        print(f"with        {versions}, Python {provenance['python']}")
        print(f"on          {provenance['platform']}, {provenance['threads']} threads")
        if len(sessions := provenance.get("session_started", [])) > 1:
            print(f"sessions    {len(sessions)}, the last from {sessions[-1]}")
        spent = {k: v for k, v in found.diagnostics.items() if k.endswith("ing")}
        print("time        " + ", ".join(f"{name} {sec:.2f} s" for name, sec in spent.items()))
        if found.experiment:
            print(f"\n{found.experiment}", end="")


@app.command()
def export(
    out: Annotated[Path, typer.Argument(metavar="OUT.h5", help="A run, finished or not.")],
    target: Annotated[
        Path | None,
        typer.Option("-o", "--out", metavar="TARGET", help="Where to write (default: OUT.csv)."),
    ] = None,
    format: Annotated[
        str, typer.Option("--format", help="csv, parquet, npz, nc or h5md (default: the ending).")
    ] = "",
    frames: Annotated[
        str, typer.Option("--frames", metavar="T1,T2…", help="Only the frames nearest to these.")
    ] = "",
    force: Force = False,
) -> None:
    """Write a run for other programs: a table, arrays, netCDF, or a trajectory of particles."""
    from meanfield.storage import open_run

    with open_run(out) as found:
        written = found.export(
            target or out.with_suffix(f".{format or 'csv'}"),
            format=format,
            frames=_times(frames),
            force=force,
        )
    print(written)


@app.command()
def diff(
    first: Annotated[Path, typer.Argument(metavar="A.h5")],
    second: Annotated[Path, typer.Argument(metavar="B.h5")],
    numbers: Numbers = None,
) -> None:
    """Hold two runs against each other; exit code 1 unless all their numbers have the same bits."""
    import json

    from meanfield.comparison import compare

    found = compare(first, second)
    print(found)
    if numbers is not None:
        numbers.write_text(json.dumps(found.table(), indent=1) + "\n", encoding="utf-8")
    if not found.same_bits:
        raise typer.Exit(DIFFERENT)


@app.command()
def cite(out: Output) -> None:
    """Print BibTeX of meanfield, and of the methods and data that a run has used."""
    from meanfield.citations import bibtex
    from meanfield.storage import open_run

    with open_run(out) as found:
        print(bibtex(found), end="")


@app.command()
def plot(
    out: Output,
    names: Annotated[
        list[str] | None, typer.Argument(metavar="[NAME]...", help="Series (default: overview).")
    ] = None,
    picture: Annotated[
        Path | None,
        typer.Option("-o", "--out", help="PNG, PDF or SVG (default: OUT.png)."),
    ] = None,
) -> None:
    """Draw a run: series over time, and the neuron distribution at start, middle and end."""
    from meanfield.storage import open_run
    from meanfield.viewing import overview

    target = picture or out.with_suffix(".png")
    with open_run(out) as found:
        overview(found, target, names or None)
    print(target)


@app.command()
def check(files: Files, overrides: Set = None, variant: Variant = "") -> None:
    """Validate an experiment and print it with every default filled in."""
    from meanfield.config.study import check_all

    experiments = _load(files, overrides, variant)
    check_all(experiments)
    for name, experiment in experiments.items():
        if name and not variant:
            print(f"# variant {name}")
        print(experiment.to_toml(), end="")


@app.command()
def new(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The file will be NAME.toml.")],
    data: Annotated[str, typer.Option("--data", metavar="KIND", help="Kind of data.")] = "gaussian",
    flow: Annotated[str, typer.Option("--flow", metavar="KIND", help="Kind of flow.")] = (
        "wasserstein"
    ),
) -> None:
    """Write an experiment file to start from, with every key and what it means."""
    from meanfield.config.starting import write

    path = write(name, data, flow)
    print(f"{path}: change it, then meanfield run {path}")


@app.command()
def schema(
    files: Annotated[
        list[str] | None,
        typer.Argument(metavar="[FILE]...", help="Experiments whose Python files add kinds."),
    ] = None,
    out: Annotated[
        Path | None, typer.Option("-o", "--out", metavar="FILE", help="Write it here.")
    ] = None,
) -> None:
    """Print the keys of experiment files as a JSON Schema, which editors use."""
    from meanfield.config.schema import schema_text

    text = schema_text(files or [])
    if out is None:
        print(text, end="")
    else:
        out.write_text(text, encoding="utf-8")


@app.command()
def bench(
    numbers: Numbers = None,
    threads: Threads = None,
) -> None:
    """Check the kernels on this machine: which path, how fast, how right."""
    from meanfield import benchmark

    _prepare(threads)
    findings = []
    for finding in benchmark.check():
        print(benchmark.describe(finding), flush=True)
        findings.append(finding)
    if numbers is not None:
        benchmark.write(findings, numbers)
    if not all(finding.right for finding in findings):
        raise typer.Exit(INACCURATE)


@app.command("list")
def list_() -> None:
    """List what experiments can be made of, and what goes with what."""
    from meanfield import listing

    print(listing.text())


def describe(result: Run) -> str:
    """What a run was and how it ended, in a few lines."""
    from meanfield.storage import summarise

    spent = result.diagnostics
    lines = [
        f"{result.title or 'run'}: {result.status} ({result.stop_reason})",
        f"file        {result.path}",
        f"particles   {result.final!r}",
        f"speed       {spent['steps_per_second']:.0f} steps/s, {spent['elapsed']:.1f} s in all, "
        f"of which compiling {spent['compiling']:.1f} s",
    ]
    if len(result.seeds) > 1:
        seeds = ", ".join(map(str, result.seeds))
        lines.append(f"seeds       {seeds} (mean ± standard deviation between them)")
    for name in result.names:
        data = result[name]
        if "coordinate" not in data.dims and data.sizes["time"]:
            lines.append(f"  {name:<20} {summarise(data[..., -1].values)}")
    provenance = result.provenance
    baseline = provenance.get("baseline_name")
    if baseline:
        lines.append(f"baseline    {baseline}, fitted on the same data")
        for key in ("train_accuracy", "test_accuracy", "test_risk"):
            if f"baseline_{key}" in provenance:
                lines.append(f"  {key:<20} {summarise(provenance[f'baseline_{key}'])}")
    return "\n".join(lines)


def main() -> None:
    """Entry point: a user's mistake is one sentence and exit code 2, a disk that refuses 74.

    With MEANFIELD_DEBUG=1 the traceback is printed before it.
    """
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("meanfield: %(message)s"))
    logger = logging.getLogger("meanfield")
    logger.handlers[:] = [handler]
    logger.setLevel(logging.WARNING)
    try:
        app()
    except MeanfieldError as error:
        _refuse(error, str(error), NOT_WRITTEN if isinstance(error, NotWritten) else WRONG_INPUT)
    except MemoryError as error:
        _refuse(error, f"out of memory: {error}")
    except OSError as error:
        _refuse(error, str(error))
    except Exception as error:
        from meanfield.config import python

        said = python.blame(error)
        if said is None:
            raise
        _refuse(error, said)


def _refuse(error: BaseException, said: str, code: int = WRONG_INPUT) -> NoReturn:
    if os.environ.get("MEANFIELD_DEBUG"):
        traceback.print_exception(error)
    for sentence in said.split("\n"):
        print(f"meanfield: {sentence}", file=sys.stderr)
    raise SystemExit(code) from None


def _load(files: list[str], overrides: list[str] | None, variant: str) -> dict[str, Experiment]:
    """The experiments of a file by variant, or the one that is asked for."""
    from meanfield.config import ExperimentFile, find
    from meanfield.config.study import experiments

    found = ExperimentFile.read([find(file) for file in files])
    return experiments(found, overrides=overrides or [], only=variant)


def _again(
    files: list[str], overrides: list[str] | None, variant: str, out: Path | None
) -> tuple[dict[str, Experiment], dict[str, Path]]:
    """The experiment inside a run, and where to write it."""
    from meanfield.config import Experiment

    require(len(files) == 1, "--again", " ".join(files), "one run")
    require(not overrides and not variant, "--again", files[0], "no --set and no --variant with it")
    source = Path(files[0])
    target = out or _target(source, "again")
    if target.resolve() == source.resolve():
        raise FileProblem(f"{source} is the run itself: choose another name (-o)")
    return {"": Experiment.of_run(source)}, {"": target}


def _target(out: Path, variant: str) -> Path:
    return out.with_name(f"{out.stem}-{variant}{out.suffix}") if variant else out


def _run(
    experiment: Experiment,
    target: Path | None,
    force: bool,
    quiet: bool,
    max_wall: float | None = None,
) -> Run:
    from meanfield.progress import progress_bar

    say = _silent if quiet else print
    count = len(experiment.seeds)
    say(
        f"{experiment.title}: time 0 to {experiment.until:g} with {experiment.scheme}"
        + (f", {count} seeds" if count > 1 else "")
    )
    with progress_bar(experiment, quiet) as progress:
        result = experiment.run(
            target, force=force, progress=progress, resume=not force, max_wall=max_wall
        )
    say(describe(result))
    if result.status == "diverged":
        print(f"meanfield: {result.stop_reason}", file=sys.stderr)
        raise typer.Exit(DIVERGED)
    if result.status == "interrupted":
        how = f"continue with: meanfield resume {target}" if target else "nothing was kept"
        print(f"meanfield: {result.stop_reason}; {how}", file=sys.stderr)
        raise typer.Exit(result.stop_code or INTERRUPTED)
    return result


def _seconds(text: str) -> float | None:
    """A time like 3h30m in seconds; None if there is none."""
    if not text:
        return None
    found = re.fullmatch(r"(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s?)?", text)
    parts = [int(part or 0) for part in found.groups()] if found else [0]
    total = sum(part * unit for part, unit in zip(parts, (3600, 60, 1), strict=False))
    require(total > 0, "--max-wall", text, "a time like 90s, 45m or 3h30m")
    return float(total)


def _times(text: str) -> list[float] | None:
    """Times like 0,2.5,10; None if there are none."""
    if not text:
        return None
    try:
        return [float(part) for part in text.split(",")]
    except ValueError:
        raise InvalidInput("--frames", text, "times like 0,2.5,10") from None


def _silent(_: str) -> None:
    pass


def _prepare(threads: int | None, quiet: bool = False) -> None:
    if quiet:
        logging.getLogger("meanfield").setLevel(logging.ERROR)
    if threads is None:
        return
    from meanfield.kernels.compile import processors, set_threads

    most = processors()
    require(1 <= threads <= most, "--threads", threads, f"from 1 to {most}, as many as there are")
    set_threads(threads)


if __name__ == "__main__":
    main()
