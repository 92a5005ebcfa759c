"""What the command line shows: pages, curves, progress, its contents, completion, JSON."""

from __future__ import annotations

import io
import json
import os
import shlex
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import typer.main

import meanfield as mf
from meanfield import cli
from meanfield.cli import completion, contents, output
from meanfield.cli.report import page, record
from meanfield.ensemble import Layout
from meanfield.progress import Bar, Calling, Display, Lines, display_for, rate, span
from meanfield.schedules import Grid
from meanfield.storage import sight_of
from meanfield.viewing.sparkline import BLOCKS, sparkline
from meanfield.viewing.summaries import Series, series_of, table
from tests.conftest import EXPERIMENT
from tests.test_cli import VARIANTS

# Curves


def curve(values, width=8, log=False, times=None):
    array = np.asarray(values, dtype=float)
    moments = np.arange(len(array), dtype=float) if times is None else np.asarray(times)
    return sparkline(moments, array, width, log)


def test_a_ramp_climbs_all_blocks_and_a_power_does_on_a_log_scale():
    ramp = np.arange(8.0)
    assert curve(ramp) == BLOCKS
    assert curve(-ramp) == BLOCKS[::-1]
    assert curve(10.0**ramp, log=True) == BLOCKS
    assert curve(10.0**ramp) == "▁▁▁▁▁▁▁█"
    assert curve(3e307 * ramp[:6] - 9e307) == curve(ramp[:6])  # their range is no float


@pytest.mark.parametrize("count", [1, 5, 200])
def test_curves_of_constants_of_gaps_and_of_nothing(count):
    assert curve(np.full(count, -3.0)) == "▅" * min(count, 8)
    assert curve(np.full(count, np.nan)) == "·" * min(count, 8)
    assert curve([]) == ""
    assert curve([0.0, np.nan, 1.0, np.inf, -np.inf]) == "▁·█··"


def test_each_character_is_a_mean_over_its_time():
    times = np.array([0.0, 0.1, 0.2, 0.3, 10.0, 10.0001, 20.0])
    assert curve([0, 4, 0, 4, 8, 8, 8], 4, times=times) == "▃▃██"  # nothing was seen in the second
    powers = 10.0 ** np.arange(-4.0, 4.0)  # spaced like powers: one moment, one character
    assert curve(np.arange(8.0), 8, times=powers) == BLOCKS
    assert curve(np.arange(16.0), 8, times=2.0 ** np.arange(16)) == BLOCKS


def test_curves_have_the_scale_of_their_figures(tmp_path):
    from meanfield.viewing.curves import Curve, scale_values
    from meanfield.viewing.style import new_axes

    falling = 10.0 ** -np.arange(8.0)
    for name, values in [("risk", falling), ("risk", -falling), ("test_accuracy", falling)]:
        one = Series(name, np.arange(8.0), values[None])
        axes = new_axes()[0]
        log = False if name == "test_accuracy" else None
        scale_values(axes, [Curve(name, one.times, values)], log=log)
        assert one.curve(8) == curve(values, log=axes.get_yscale() == "log")


# Tables


def several(seeds: int = 1) -> list[Series]:
    times = np.linspace(0.0, 3.0, 50)
    wave = np.exp(-times) * (1 + 0.01 * np.arange(seeds)[:, None])
    names = ["energy", "distance_sliced_error", "mean[w[0]]"]
    return [
        Series(name, times, scale * wave)
        for name, scale in zip(names, (1, -1e-9, 1e7), strict=True)
    ]


@pytest.mark.parametrize("seeds", [1, 4])
@pytest.mark.parametrize("width", [60, 80, 132])
def test_tables_fit_into_the_terminal(seeds, width):
    lines = table(several(seeds), width)
    assert max(map(len, lines)) <= width
    assert lines[0].split()[:3] == ["series", "first", "last"]
    assert ("min" in lines[0]) == ((seeds == 1 and width >= 80) or width > 80)
    if "over time" in lines[0]:
        assert all(set(line[-8:]) <= set(BLOCKS) for line in lines[1:])
    else:
        assert (seeds, width) == (4, 60)
    assert (" ± " in lines[1]) == (seeds > 1)


def test_series_that_are_short_or_not_finite():
    one = Series("risk", np.zeros(1), np.array([[0.25]]))
    never = Series("margin", np.arange(3.0), np.full((1, 3), np.nan))
    none = Series("w2", np.empty(0), np.empty((1, 0)))
    lost = Series("l2", np.arange(3.0), np.array([[1.0, np.inf, np.nan]]))
    text = table([one, never, none, lost], 80)
    assert [line.split() for line in text[1:]] == [
        ["risk", "0.25", "0.25", "0.25", "0.25", "▅"],
        ["margin", "nan", "nan", "none", "none", "···"],
        ["w2", "nan", "none", "none"],
        ["l2", "1", "nan", "1", "1", "▅··"],
    ]
    assert never.record()["last"] is not None
    assert output.valid(never.record())["last"] is None
    assert none.record() == {
        **dict.fromkeys(("first", "last", "spread", "min", "max")),
        "seeds": [],
    }


def test_rows_of_several_seeds_and_of_columns():
    layout = Layout({"a": (), "w": (5,)})
    values = np.arange(36.0).reshape(2, 3, 6)
    scores = np.array([[1.0, 2.0, 3.0], [1.0, 4.0, np.nan]])
    times = np.arange(3.0)
    found, left = series_of({"mean": (times, values), "risk": (times, scores)}, layout)
    columns = [f"mean[{label}]" for label in layout.labels[:4]]
    assert [row.name for row in found] == ["risk", *columns]
    assert left == ["mean has 2 more columns, w[3] to w[4]"]
    assert found[0].mean.tolist() == [1.0, 3.0, 3.0]
    assert found[0].record() == {
        **{"first": 1.0, "last": 3.0, "spread": None, "min": 1.0, "max": 4.0},
        "seeds": [3.0, pytest.approx(np.nan, nan_ok=True)],
    }
    assert found[1].record()["spread"] == pytest.approx(np.std([12.0, 30.0], ddof=1))


# Pages


def test_the_page_of_a_run(experiment, call):
    call("run", experiment, "--set", "run.seeds=3", "--set", "run.observe=['energy','moments']")
    code, out, err = call("show", "small.h5")
    assert (code, err) == (0, "")
    lines = out.splitlines()
    assert lines[0] == "small: finished (reached time 1 in 10 steps)"
    assert "reached     time 1 of 1, 30 of 30 steps" in lines
    assert "network     tanh, 1 → 1" in lines
    assert "particles   5 of a, w[1]" in lines
    assert "energy      squared risk + 0.1 l2" in lines
    assert "start       normal, 3 seeds" in lines
    assert "flow        wasserstein, euler with step 0.1" in lines
    (row,) = (line.split() for line in lines if line.startswith("risk "))
    with mf.open("small.h5") as run:
        final = run["risk"].values[:, -1]
        assert row[2:5] == [f"{final.mean():.6g}", "±", f"{final.std(ddof=1):.2g}"]
        assert any(line.startswith("mean[w[0]] ") for line in lines)
        assert all(len(line) <= 80 for line in lines)
        assert "\x1b" not in out
        assert [line for line, _ in page(run)]
    code, out, _ = call("show", "small.h5", "--experiment")
    Path("again.toml").write_text(out)
    assert call("check", "again.toml")[1].replace("again", "small") == out


def test_the_page_of_a_run_that_stands_still(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def stop(step, total, view):
        if step == 3:
            raise KeyboardInterrupt

    network = mf.TwoLayer("tanh", dim=1)
    risk = mf.Risk(network, mf.FiniteData([[1.0]], [0.5]))
    with mf.simulate(
        *(mf.Wasserstein(risk), mf.NormalInit(4)),
        scheme=mf.Euler(0.1),
        until=1.0,
        out="run.h5",
        progress=stop,
    ) as run:
        lines = [line for line, _ in page(run)]
        assert lines[0] == "run: interrupted (stopped by the user)"
        assert "reached     time 0.2 of 1, 2 of 10 steps" in lines
        assert any(line.startswith("flow        Wasserstein(") for line in lines)
        assert record(run)["series"]["risk"]["last"] == float(run["risk"][-1])
        assert sight_of(run).total == 10


def test_output_without_unicode_is_spelled(experiment, call):
    call("run", experiment, "-q")
    command = [sys.executable, "-m", "meanfield", "show", "small.h5"]
    root = str(Path(__file__).parents[1])
    environment = {**os.environ, "PYTHONIOENCODING": "ascii", "PYTHONPATH": root}
    done = subprocess.run(command, capture_output=True, env=environment, check=True)
    text = done.stdout.decode("ascii")
    assert "tanh, 1 -> 1" in text
    assert "?" not in text
    (row,) = (line for line in text.splitlines() if line.startswith("risk "))
    assert set(row.split()[-1]) <= {output.PLAIN[block] for block in BLOCKS}
    assert "äλ±😀".encode("ascii", "meanfield.spell") == b"?lambda+-?"


# Progress


class Recording(Display):
    """Writes down what it is told."""

    def __init__(self) -> None:
        self.told: list[tuple] = []

    def start(self, plan, done):
        self.told.append(("start", plan.grid.total, done))

    def advance(self, replica, step, view):
        self.told.append(("advance", replica, step, view.ensemble.time))

    def observe(self, replica, time, values):
        self.told.append(("observe", replica, time, float(values["energy"])))

    def end(self, status, reason):
        self.told.append(("end", status))


def tiny(seeds=1, **options):
    network = mf.TwoLayer("tanh", dim=1)
    risk = mf.Risk(network, mf.FiniteData([[1.0]], [0.5]))
    return mf.simulate(
        *(mf.Wasserstein(risk), mf.NormalInit(4)),
        scheme=mf.Euler(0.25),
        until=1.0,
        observe=[mf.Energy()],
        **options,
    )


def test_a_display_is_told_the_start_every_step_what_is_seen_and_the_end(tmp_path):
    display = Recording()
    run = tiny(progress=display)
    energy = run["energy"].values
    expected = [("start", 4, 0), ("observe", 0, 0.0, energy[0])]
    for step in range(1, 5):
        expected += [("advance", 0, step, step / 4), ("observe", 0, step / 4, energy[step])]
    assert display.told == [*expected, ("end", "finished")]
    calls: list[tuple[int, int]] = []
    tiny(progress=lambda step, total, view: calls.append((step, total)))
    assert calls == [(1, 4), (2, 4), (3, 4), (4, 4)]

    def stop(step, total, view):
        if step == 3:
            raise KeyboardInterrupt

    tiny(progress=stop, out=tmp_path / "run.h5").close()
    later = Recording()
    tiny(progress=later, out=tmp_path / "run.h5", resume=True).close()
    assert later.told[:2] == [("start", 4, 2), ("advance", 0, 3, 0.75)]
    assert later.told[-1] == ("end", "finished")


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_a_log_has_few_lines_which_say_how_far_it_is():
    clock, stream = Clock(), io.StringIO()
    plan = replace(tiny().plan, grid=Grid(1.0, 1e6), seeds=[0, 1])
    lines = Lines(stream, clock)
    lines.start(plan, 0)
    lines.observe(0, 0.0, {"risk": 0.5, "l2": 1.0})
    for step in range(1, 100_001):
        clock.now += 1.0
        lines.advance(0, step, None)
    said = stream.getvalue().splitlines()
    assert said[0] == (
        "meanfield: 0 %, seed 1 of 2, time 30 of 1e+06, 1.0 steps/s, 23 d 3 h left, risk 0.5"
    )
    # After 30 s, doubling up to an hour, then every hour.
    moments = [round(float(line.split("time ")[1].split()[0])) for line in said]
    assert moments[:7] == [30, 60, 120, 240, 480, 960, 1920]
    assert len(said) == 7 + ((100_000 - 3840) // 3600) + 1
    assert "\x1b" not in stream.getvalue()
    assert "\r" not in stream.getvalue()


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_bar_looks_at_most_five_times_a_second():
    plan, clock = tiny().plan, Clock()
    stream = Terminal()
    with Bar(stream, clock) as bar:
        bar.start(plan, 0)
        shown: list[str] = []
        plain = bar._show
        bar._show = lambda done, words: (shown.append(words), plain(done, words))
        bar.observe(0, 0.0, {"energy": np.float64(0.123456)})
        for call_ in range(1000):
            clock.now += 0.01
            bar.advance(0, 1 + call_ // 400, None)
    assert 48 <= len(shown) <= 50
    assert shown[-1].startswith("75 %, time 0.75 of 1, ")
    assert shown[-1].endswith(" left, energy 0.12346")
    assert "starting" in stream.getvalue()


def test_where_progress_is_shown():
    assert type(display_for(True)) is Display
    assert isinstance(display_for(False, Terminal()), Bar)
    assert isinstance(display_for(False, io.StringIO()), Lines)
    assert isinstance(Calling(print), Display)


def test_times_and_rates_in_words():
    spans = {0.04: "0.0 s", 9.94: "9.9 s", 59.4: "59 s", 60: "1 min", 200: "3 min 20 s"}
    spans |= {3600: "1 h", 7500: "2 h 5 min", 90_000: "1 d 1 h", float("inf"): "ages"}
    assert {seconds: span(seconds) for seconds in spans} == spans
    rates = {1234.5: "1,234 steps/s", 2.0: "2.0 steps/s", 0.25: "4.0 s a step"}
    assert {each: rate(each) for each in rates} == rates


# Contents


def commands():
    return typer.main.get_command(cli.app).commands


def test_every_command_is_in_the_contents_with_examples_that_parse(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    listed = [name for entries in contents.CONTENTS.values() for name in entries]
    found = commands()
    assert list(found) == [name for name in listed if name in found]
    for entries in contents.CONTENTS.values():
        for name, entry in entries.items():
            assert len(entry.does) <= 64, name
            for example in entry.examples:
                first, *rest = shlex.split(example.partition("|")[0].partition(">")[0])
                assert first == name
                if name in found:
                    found[name].make_context(name, rest)


def test_the_help_is_a_table_of_contents(call, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("TERM", "dumb")
    code, out, _ = call("--help")
    assert code == 0
    lines = [line.strip("│ ").rstrip() for line in out.splitlines()]
    panels = [line for line in lines if line.startswith("╭─ ")]
    assert [panel.strip("╭╮─ ") for panel in panels] == list(contents.CONTENTS)
    for name in commands():
        (line,) = (line for line in lines if line.split()[:1] == [name])
        assert len(line.split()) > 2
    assert "$ meanfield run mine.toml" in lines
    assert max(map(len, out.splitlines())) <= 80
    code, out, _ = call("show", "-h")
    assert "$ meanfield show mine.h5 --json -" in out


def test_a_command_that_is_not_known_has_a_near_one(call):
    code, _, err = call("wacth", "run.h5")
    assert code == 2
    assert "Did you mean 'watch'?" in err


# Completion


@pytest.fixture
def complete(tmp_path, monkeypatch, capsys):
    """What a shell is offered for a line; ``=`` stands alone in bash."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MEANFIELD_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.delenv(completion.SPLIT, raising=False)

    def offered(line: str, shell: str = "bash") -> list[str]:
        words = line.replace("=", " = ").split() + [""] * line.endswith(" ")
        environment = {
            "_MEANFIELD_COMPLETE": f"complete_{shell}",
            "COMP_WORDS": "\n".join(words),
            "COMP_CWORD": str(len(words) - 1),
            "_TYPER_COMPLETE_ARGS": line,
            "_TYPER_COMPLETE_FISH_ACTION": "get-args",
        }
        with monkeypatch.context() as patch:
            for key, value in environment.items():
                patch.setenv(key, value)
            patch.setattr("sys.argv", ["meanfield"])
            with pytest.raises(SystemExit):
                cli.main()
            os.environ.pop(completion.SPLIT, None)
        return capsys.readouterr().out.split()

    return offered


def test_commands_files_and_names_are_completed(complete, tmp_path):
    from meanfield import verification

    for name in ("one.toml", "two.toml", "teacher.h5", "tea.csv", ".hidden.toml"):
        (tmp_path / name).touch()
    (tmp_path / "test.h5.parts").mkdir()
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "three.toml").touch()
    assert complete("meanfield res") == ["resume"]
    assert complete("meanfield reproduce te") == ["teacher-student"]
    offered = complete("meanfield check one.toml t")
    assert {"teacher-student", "two-gaussians", "two.toml"} < set(offered)
    assert all(name.startswith("t") for name in offered)
    assert {"one.toml", "folder/", "digits"} <= set(complete("meanfield reproduce "))
    assert ".hidden.toml" not in complete("meanfield check ")
    assert complete("meanfield check folder/") == ["folder/three.toml"]
    for command in ("show", "view", "watch", "resume", "export", "cite", "distance", "diff"):
        assert complete(f"meanfield {command} te") == ["teacher.h5", "test.h5"], command
    offered = complete("meanfield plot te")
    assert offered[:2] == ["teacher.h5", "test.h5"]
    assert "test_accuracy" in offered
    assert complete("meanfield plot teacher.h5 gen") == ["genealogy"]
    assert complete("meanfield verify ") == sorted(verification.systems)
    assert complete("meanfield watch teacher.h5 test_a") == ["test_accuracy"]
    assert complete("meanfield show --js") == ["--json"]


def test_keys_of_experiments_and_their_values_are_completed(complete):
    from meanfield.flows import flows

    kinds = [f"flow.kind={name}" for name in flows]
    assert complete("meanfield run a.toml --set flow.ki") == kinds
    assert complete("meanfield run a.toml --set flow.kind=", "zsh")
    assert "flow.kind=langevin" in complete("meanfield run a.toml --set flow.kind=la", "fish")
    # Bash asks for what stands after the sign alone.
    assert complete("meanfield run a.toml --set flow.kind=la") == ["langevin"]
    assert complete("meanfield run a.toml --set flow.kind=") == list(flows)
    assert complete("meanfield check a.toml --set energy.l2=1 --set scheme.kind=rk") == ["rk4"]
    assert complete("meanfield check a.toml --set ensemble.cou") == ["ensemble.count="]
    assert {"run.until=", "run.seeds=", "run.title="} <= set(complete("meanfield run a --set run."))


def test_completion_imports_nothing_heavy_once_names_are_known(complete):
    complete("meanfield run a.toml --set fl")
    root = str(Path(__file__).parents[1])
    environment = {**os.environ, "_MEANFIELD_COMPLETE": "complete_bash", "PYTHONPATH": root}
    environment |= {"COMP_WORDS": "meanfield\nrun\na.toml\n--set\nfl", "COMP_CWORD": "4"}
    program = (
        "import sys\nfrom meanfield import cli\nsys.argv = ['meanfield']\n"
        "try:\n    cli.main()\nexcept SystemExit:\n    pass\n"
        "heavy = {'numba', 'numpy', 'scipy', 'h5py', 'matplotlib', 'rich'}\n"
        "print('HEAVY', sorted(heavy & set(sys.modules)))"
    )
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=True)
    assert "flow.kind=" in done.stdout
    assert "HEAVY []" in done.stdout


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_shells_are_told_how_to_complete(shell, call, monkeypatch):
    monkeypatch.setenv("_MEANFIELD_COMPLETE", f"source_{shell}")
    assert f"_MEANFIELD_COMPLETE=complete_{shell}" in call()[1]


# JSON


def told(call, *arguments):
    code, out, err = call(*arguments, "--json", "-")
    return code, json.loads(out), err


def test_json_on_standard_output_is_alone_there(experiment, call):
    code, found, err = told(call, "run", experiment)
    assert (code, err) == (0, "")
    (run,) = found["runs"]
    assert (run["file"], run["status"]) == ("small.h5", "finished")
    assert (run["time"], run["steps"]) == (1.0, 10)
    assert told(call, "show", "small.h5")[1] == run
    with mf.open("small.h5") as there:
        assert run["series"]["risk"]["last"] == float(there["risk"][-1])
        assert run["provenance"]["seeds"] == [0]
        assert run["experiment"]["scheme"]["step"] == 0.1
    assert told(call, "resume", "small.h5", "--until", 2)[1]["runs"][0]["until"] == 2.0
    call("run", experiment, "-o", "other.h5", "--set", "run.seed=1", "-q")
    code, found, _ = told(call, "diff", "small.h5", "other.h5")
    assert (code, found["same_bits"]) == (1, False)
    assert told(call, "distance", "small.h5", "small.h5")[1]["value"] == 0.0
    found = told(call, "list")[1]
    assert "langevin" in found["flows"]
    assert "euler" in found["schemes_of_flows"]["wasserstein"]
    assert "teacher-student" in found["shipped_experiments"]


def test_json_of_what_goes_wrong(experiment, call):
    wild = ["--set", "scheme.step=1e200", "--set", "run.until=1e203", "--set", "energy.l2=9.0"]
    code, found, err = told(call, "run", experiment, *wild)
    assert code == 1
    assert "no longer finite" in err
    assert found["runs"][0]["status"] == "diverged"
    code, _, err = call("show", "small.h5", "--json", "no/such/folder.json")
    assert (code, err) == (
        2,
        "meanfield: --json: no/such/folder.json: the folder no/such does not exist\n",
    )


def test_json_never_replaces_a_run_or_an_experiment(experiment, call):
    call("run", experiment, "-q", "-o", "a-run")  # without an ending too
    for target in ("a-run", experiment.name, "later.h5"):
        before = Path(target).read_bytes() if Path(target).exists() else None
        for command in (["show", "a-run"], ["watch", "a-run", "--once"], ["check", experiment]):
            code, _, err = call(*command, "--json", target)
            said = "is the name of a run or of an experiment: choose another one"
            assert (code, err) == (2, f"meanfield: --json: {target} {said}\n")
        assert (Path(target).read_bytes() if Path(target).exists() else None) == before


def test_json_of_mistakes(experiment, call):
    code, found, err = told(call, "check", experiment)
    assert (code, found["mistakes"], err) == (0, [], "")
    assert found["experiments"][""]["ensemble"]["count"] == 5
    wrong = ["scheme.step=-1", "network.activation=rleu", "energy.l3=1", "run.until=soon"]
    settings = [part for each in wrong for part in ("--set", each)]
    code, found, err = told(call, "check", experiment, *settings)
    assert code == 2
    assert found["experiments"] == {}
    given = {each["key"]: each["value"] for each in found["mistakes"]}
    assert given == {
        **{"scheme.step": -1, "network.activation": "rleu", "energy.l3": 1, "run.until": "soon"}
    }
    assert {each["file"] for each in found["mistakes"]} == {"--set"}
    sentences = [f"{each['file']}: {each['sentence']}" for each in found["mistakes"]]
    assert sorted(f"meanfield: {said}" for said in sentences) == sorted(err.splitlines())
    experiment.write_text(EXPERIMENT + VARIANTS.replace("until = 0.5", "until = -1.0"))
    (mistake,) = told(call, "check", experiment)[1]["mistakes"]
    assert (mistake["variants"], mistake["key"], mistake["value"]) == (["short"], "run.until", -1.0)
    (mistake,) = told(call, "check", "no-such")[1]["mistakes"]
    assert "unknown experiment 'no-such'" in mistake["sentence"]


def test_json_has_no_numbers_that_are_none():
    given = {
        "a": np.array([1.0, np.nan]),
        "b": (np.inf, -np.inf),
        "c": np.float64("nan"),
        1: Path(),
    }
    expected = {"a": [1.0, None], "b": [None, None], "c": None, "1": "."}
    assert json.loads(json.dumps(output.valid(given), allow_nan=False)) == expected
