"""The command line: parse, call, print. Heavy imports wait until a command needs them."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from meanfield.errors import MeanfieldError, require

if TYPE_CHECKING:
    from meanfield.config import Experiment
    from meanfield.observables import View
    from meanfield.storage import Run

WRONG_INPUT = 2
DIVERGED = 1
INACCURATE = 1
INTERRUPTED = 130  # as a shell reports Ctrl-C

app = typer.Typer(
    help="Particle-system engine for the mean-field theory of neural networks.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

File = Annotated[str, typer.Argument(metavar="FILE", help="A TOML file, or a shipped experiment.")]
Output = Annotated[Path, typer.Argument(metavar="OUT.h5", help="A finished run.")]
Set = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Override a key: ensemble.count=2000."),
]


@app.command()
def run(
    file: File,
    overrides: Set = None,
    out: Annotated[
        Path | None, typer.Option("-o", "--out", help="Where to write (default: NAME.h5).")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace an existing file.")] = False,
    threads: Annotated[
        int | None,
        typer.Option("--threads", metavar="N", help="Processors to use (default: all)."),
    ] = None,
    quiet: Annotated[bool, typer.Option("-q", "--quiet", help="Print nothing but errors.")] = False,
) -> None:
    """Run an experiment and write an HDF5 file."""
    if quiet:
        logging.getLogger("meanfield").setLevel(logging.ERROR)
    if threads is not None:
        _use(threads)
    from meanfield.storage.recorder import check_writable

    experiment = _load(file, overrides)
    target = out or Path(f"{Path(file).stem}.h5")
    check_writable(target, force)
    say = _silent if quiet else print
    experiment.check()
    count = len(experiment.seeds)
    say(
        f"{experiment.title}: time 0 to {experiment.until:g} with {experiment.scheme}"
        + (f", {count} seeds" if count > 1 else "")
    )
    with _progress(experiment, quiet) as progress:
        result = experiment.run(target, force=force, progress=progress)
    say(describe(result))
    if result.status == "diverged":
        print(f"meanfield: {result.stop_reason}", file=sys.stderr)
        raise typer.Exit(DIVERGED)
    if result.status == "interrupted":
        print(f"meanfield: stopped; what was computed is in {target}", file=sys.stderr)
        raise typer.Exit(INTERRUPTED)


@app.command()
def show(out: Output) -> None:
    """Say what a run was, how it went, and its last values."""
    from meanfield.storage import open_run

    with open_run(out) as found:
        print(describe(found))
        provenance = found.provenance
        versions = ", ".join(
            f"{key.removeprefix('version_')} {value}"
            for key, value in provenance.items()
            if key.startswith("version_")
        )
        print(f"started     {provenance['started']}, ended {provenance.get('ended', '?')}")
        print(f"with        {versions}, Python {provenance['python']}")
        print(f"on          {provenance['platform']}, {provenance['threads']} threads")
        spent = {k: v for k, v in found.diagnostics.items() if k.endswith("ing")}
        print("time        " + ", ".join(f"{name} {sec:.2f} s" for name, sec in spent.items()))
        if found.experiment:
            print(f"\n{found.experiment}", end="")


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
def check(file: File, overrides: Set = None) -> None:
    """Validate an experiment and print it with every default filled in."""
    experiment = _load(file, overrides)
    experiment.check()
    print(experiment.to_toml(), end="")


@app.command()
def bench(
    numbers: Annotated[
        Path | None, typer.Option("--json", metavar="FILE", help="Write the numbers here too.")
    ] = None,
    threads: Annotated[
        int | None,
        typer.Option("--threads", metavar="N", help="Processors to use (default: all)."),
    ] = None,
) -> None:
    """Check the kernels on this machine: which path, how fast, how right."""
    from meanfield import benchmark

    if threads is not None:
        _use(threads)
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
    """Entry point: a user's mistake is one sentence and exit code 2, never a traceback."""
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("meanfield: %(message)s"))
    logger = logging.getLogger("meanfield")
    logger.handlers[:] = [handler]
    logger.setLevel(logging.WARNING)
    try:
        app()
    except MeanfieldError as error:
        for sentence in str(error).split("\n"):
            print(f"meanfield: {sentence}", file=sys.stderr)
        raise SystemExit(WRONG_INPUT) from None
    except MemoryError as error:
        print(f"meanfield: out of memory: {error}", file=sys.stderr)
        raise SystemExit(WRONG_INPUT) from None


def _load(file: str, overrides: list[str] | None) -> Experiment:
    from meanfield.config import Experiment, find

    return Experiment.load(find(file), overrides or [])


def _silent(_: str) -> None:
    pass


def _use(count: int) -> None:
    from meanfield.kernels.compile import processors, set_threads

    most = processors()
    require(1 <= count <= most, "--threads", count, f"from 1 to {most}, as many as there are")
    set_threads(count)


class _progress:
    """A bar on a terminal; nothing elsewhere, so that logs stay readable."""

    def __init__(self, experiment: Experiment, quiet: bool) -> None:
        self._seeds = experiment.seeds
        self._shown = sys.stderr.isatty() and not quiet
        self._bar: Any = None

    def __enter__(self) -> Callable[[int, int, View], None] | None:
        if not self._shown:
            return None
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.completed}/{task.total} steps"),
            TimeRemainingColumn(),
            console=Console(stderr=True),
            transient=True,
        )
        self._bar.start()
        self._task = self._bar.add_task("starting", total=None)
        return self._update

    def _update(self, step: int, total: int, view: View) -> None:
        done = self._bar.tasks[0].fields.setdefault("done", 0)
        if step == 1 and self._bar.tasks[0].completed:
            done += total
            self._bar.update(self._task, done=done)
        self._bar.update(
            self._task,
            total=total * len(self._seeds),
            completed=done + step,
            description=f"energy {view.evaluation.value:.5g}",
        )

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.stop()


if __name__ == "__main__":
    main()
