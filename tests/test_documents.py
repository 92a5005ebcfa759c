"""All code in README.md, CONTRIBUTING.md and the pages in docs/ runs as it stands there.

A page whose code needs something first has a test of its own, which names it. All others run in an
empty folder, from top to bottom: a block whose first line is ``# NAME.toml`` or ``# NAME.py`` is
that file, other Python is executed, and of a console all lines are commands of meanfield. What is
not to be run is called ``text``.
"""

from __future__ import annotations

import inspect
import json
import re
import shlex
from pathlib import Path

import pytest

from meanfield import cli
from meanfield.kernels.compile import DISABLED
from tests.conftest import forgetting, size

ROOT = Path(__file__).parents[1]
GENERATED = ("docs/gallery", "docs/reference", "docs/_")
PAGES = sorted(
    name
    for file in [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]
    if not (name := file.relative_to(ROOT).as_posix()).startswith(GENERATED)
)
NAMED = "".join(file.read_text(encoding="utf-8") for file in (ROOT / "tests").rglob("test_*.py"))


def blocks(page: str, language: str) -> list[str]:
    text = (ROOT / page).read_text(encoding="utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.M | re.S)


def smaller(code: str) -> str:
    """The same code on fewer particles where kernels are plain Python."""
    for full, reduced in (("500)", "12)"), ("2000)", "12)"), ("until=10.0", "until=0.2")):
        code = code.replace(full, size(full, reduced))
    return code.replace("time=5))", size("time=5))", "time=0.1))"))


def test_python_of_the_readme(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}
    for code in blocks("README.md", "python"):
        exec(compile(smaller(code), "README.md", "exec"), names)
    assert (tmp_path / "overview.png").stat().st_size > 10_000
    assert len(names["end"]) == size(2000, 12)
    assert set(names["tree"].children) >= {"frames", "observables", "state", "provenance"}
    names["run"].close()
    names["tree"].close()
    names["frames"].close()


def test_commands_of_the_readme(tmp_path, monkeypatch, call):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "my-experiment.toml").write_text(blocks("README.md", "toml")[0])
    lines = [line for block in blocks("README.md", "console") for line in block.splitlines()]
    commands = [line[2:].split("#")[0] for line in lines if line.startswith("$ meanfield")]
    assert len(commands) >= 14
    for command in commands:
        arguments = shlex.split(command)[1:]
        if arguments[0] in ("reproduce", "sweep") and DISABLED:  # of full size, on processes
            continue
        if arguments[0] == "resume":
            arguments[-1] = size("1.5", "0.4")
        if arguments[0] == "sweep":
            arguments += ["--set=run.until=0.5", "--jobs=2"]
        if arguments[0] == "run":
            small = ["ensemble.count=12", "run.until=0.2"]
            arguments += [f"--set={s}" for s in size(["run.until=1.0"], small)]
        assert call(*arguments)[0] == 0, command
    assert (tmp_path / "result.pdf").read_bytes().startswith(b"%PDF")


def test_users_data_of_the_readme(tmp_path):
    from meanfield.config import Experiment

    rows = [f"{i},{i % 7},{'ill' if i % 2 else 'well'}" for i in range(40)]
    (tmp_path / "patients.csv").write_text("\n".join(["age,dose,diagnosis", *rows]))
    table = blocks("README.md", "toml")[1]
    rest = '[network]\nactivation = "tanh"\n[energy]\nloss = "logistic"\n[ensemble]\ncount = 5\n'
    rest += "[scheme]\nstep = 0.1\n[run]\nuntil = 0.2\nobserve = ['accuracy']\n"
    (tmp_path / "mine.toml").write_text(table + rest)
    run = Experiment.load(tmp_path / "mine.toml").run()
    assert 0 <= float(run["test_accuracy"][-1]) <= 1


def test_page_of_keys_is_complete():
    from meanfield.config.arguments import arguments
    from meanfield.config.data import OfLaw, OfSource, TeacherTable
    from meanfield.config.energy import EnergySection
    from meanfield.config.run import RunSection
    from meanfield.data import laws, sources, targets
    from meanfield.functionals import functionals
    from meanfield.initial import initials
    from meanfield.interactions import interactions
    from meanfield.networks import TwoLayer

    page = (ROOT / "docs" / "experiments.md").read_text(encoding="utf-8")
    classes = [RunSection, TeacherTable, OfLaw, OfSource, TwoLayer]
    assert all(f"`{key}`" in page or f"energy.{key}]" in page for key in EnergySection.all_keys())
    for registry in (laws, sources, targets, initials, interactions, functionals):
        classes += [registry[name] for name in registry]
        assert all(f"`{name}`" in page for name in registry)
    for cls in classes:
        for key in arguments(cls):
            assert re.search(rf"`{key}\b", page), (cls.__name__, key)


def test_python_of_the_page_about_the_file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}
    pieces = blocks("docs/file-format.md", "python")
    assert len(pieces) == 3
    for code in pieces:
        exec(compile(code, "file-format.md", "exec"), names)


def test_page_about_the_file_names_all_attributes(tmp_path, monkeypatch):
    from tests.storage.runs import simulate

    page = (ROOT / "docs" / "file-format.md").read_text(encoding="utf-8")
    with simulate(tmp_path / "run.h5") as run:
        known = [*run.provenance, *run.file.attrs, *run.file["provenance"], *run.file]
    for name in known:
        if not name.startswith("version_"):
            assert re.search(rf"[`/]{name}\b", page), name


def test_commands_and_python_of_the_page_about_runs(tmp_path, monkeypatch, call):
    monkeypatch.chdir(tmp_path)
    experiment = blocks("README.md", "toml")[0].replace("dim = 20", "dim = 2")
    small = experiment.replace("count = 500", "count = 12").replace("until = 10.0", "until = 2.0")
    _, _, *kept = blocks("docs/runs.md", "toml")[0].splitlines()
    (tmp_path / "my.toml").write_text("\n".join([small, *kept]))
    lines = [line for block in blocks("docs/runs.md", "console") for line in block.splitlines()]
    commands = [shlex.split(line[2:].split("#")[0])[1:] for line in lines]
    assert len(commands) == 9
    for arguments in commands:
        over = 75 if "--max-wall" in arguments else 0
        assert call(*arguments)[0] in (0, over), arguments
    names: dict[str, object] = {}
    for code in blocks("docs/runs.md", "python"):
        exec(compile(code, "runs.md", "exec"), names)
    assert {"my.nc", "my.csv", "my.h5md", "my-again.h5"} <= {f.name for f in tmp_path.iterdir()}


def test_commands_and_python_of_the_page_about_the_command_line(tmp_path, monkeypatch, call):
    monkeypatch.chdir(tmp_path)
    experiment = blocks("README.md", "toml")[0].replace("dim = 20", "dim = 2")
    small = experiment.replace("count = 500", "count = 12").replace("until = 10.0", "until = 1.0")
    (tmp_path / "my.toml").write_text(small)
    page = (ROOT / "docs" / "command-line.md").read_text(encoding="utf-8")
    lines = [
        line for block in blocks("docs/command-line.md", "console") for line in block.splitlines()
    ]
    assert len(lines) == 11
    for line in lines:
        code, printed, _ = call(*shlex.split(line[2:].split("#")[0])[1:])
        assert code == 0, line
        if line.endswith("--json -"):
            told = json.loads(printed)
            assert all(f"`{key}`" in page for key in (*told, *told["series"]["energy"])), told
    names: dict[str, object] = {}
    for block in blocks("docs/command-line.md", "python"):
        exec(compile(block, "command-line.md", "exec"), names)
    for info in cli.app.registered_commands:
        if "numbers" in inspect.signature(info.callback).parameters:
            assert re.search(rf"^\| .*`{info.name or info.callback.__name__}`", page, re.M)


def test_page_about_limits():
    from meanfield import limits

    page = (ROOT / "docs" / "limits.md").read_text(encoding="utf-8")
    for code in blocks("docs/limits.md", "python"):
        exec(compile(code, "limits.md", "exec"), {})
    for name in limits.oracles:
        assert f"`{limits.oracles[name].__name__}`" in page, name


@pytest.mark.skipif(DISABLED, reason="processes; tests/sweeps has the same without them")
def test_commands_and_python_of_the_page_about_sweeps(tmp_path, monkeypatch, call):
    monkeypatch.chdir(tmp_path)
    experiment = blocks("README.md", "toml")[0].replace("dim = 20", "dim = 2")
    (tmp_path / "my.toml").write_text(experiment.replace("until = 10.0", "until = 0.4"))
    lines = [line for block in blocks("docs/sweeps.md", "console") for line in block.splitlines()]
    (tmp_path / "attraction.toml").write_text(blocks("docs/sweeps.md", "toml")[0])
    commands = [line for line in lines if ".toml" in line]  # shipped ones take minutes
    assert len(commands) == 4
    said = ""
    for line in commands:
        code, printed, _ = call(*shlex.split(line[2:])[1:], "--jobs", "1")
        assert code == 0, line
        said += printed
    assert "against the oracle LinearQuadratic(" in said
    names: dict[str, object] = {"__name__": "__main__"}
    for block in blocks("docs/sweeps.md", "python"):  # all of it is done already
        exec(compile(block, "sweeps.md", "exec"), names)
    assert (tmp_path / "chaos.png").stat().st_size > 10_000


def test_python_file_of_the_page_of_keys(tmp_path):
    from meanfield.config import Experiment
    from meanfield.functionals import functionals

    schema_line, own, *_ = blocks("docs/experiments.md", "toml")
    assert schema_line.startswith("#:schema")
    rest = '[network]\nactivation = "relu"\n[data]\nkind = "arrays"\nx = [[1.0]]\ny = [1.0]\n'
    rest += "[ensemble]\ncount = 5\n[scheme]\nstep = 0.1\n[run]\nuntil = 0.1\n"
    (tmp_path / "mine.py").write_text(blocks("docs/experiments.md", "python")[0])
    (tmp_path / "mine.toml").write_text(own + rest)
    before = dict(functionals._entries)
    try:
        run = Experiment.load(tmp_path / "mine.toml").run()
        theta = run.frames[0].position
        expected = 0.5 * 2.0 * ((theta**2 - 1) ** 2).sum(axis=1).mean()
        assert float(run["double-well"][0]) == pytest.approx(expected)
    finally:
        functionals._entries = before


def test_python_and_commands_of_the_page_about_transport(tmp_path, monkeypatch, call):
    from meanfield.transport import methods

    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}
    for code in blocks("docs/transport.md", "python"):
        exec(compile(code, "transport.md", "exec"), names)
    names["run"].save("a.h5").close()
    (command,) = blocks("docs/transport.md", "console")
    assert call(*shlex.split(command)[2:])[0] == 0
    page = (ROOT / "docs" / "transport.md").read_text(encoding="utf-8")
    assert all(f"| `{name}` |" in page for name in methods)


def test_commands_and_python_of_the_page_about_figures(tmp_path, monkeypatch, capsys):
    import matplotlib
    from matplotlib import pyplot as plt

    from meanfield.viewing import figures

    matplotlib.use("Agg")
    monkeypatch.chdir(tmp_path)
    experiment = blocks("README.md", "toml")[0].replace("dim = 20", "dim = 2")
    small = experiment.replace("count = 500", "count = 12").replace("until = 10.0", "until = 2.0")
    (tmp_path / "my.toml").write_text(small)
    lines = [line for block in blocks("docs/figures.md", "console") for line in block.splitlines()]
    commands = [shlex.split(line[2:].split("#")[0])[1:] for line in lines]
    runs = [["run", "my.toml", "-o", name, "-q"] for name in ("my.h5", "other.h5")]
    for arguments in [*runs, *commands]:
        monkeypatch.setattr("sys.argv", ["meanfield", *arguments])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        assert ended.value.code in (0, None), arguments
    names: dict[str, object] = {}
    try:
        for code in blocks("docs/figures.md", "python"):
            exec(compile(code, "figures.md", "exec"), names)
    finally:
        figures.pop("largest", None)
        plt.close("all")
    made = {"my.png", "FILE-paths.pdf", "my.gif", "energy.pdf", "both.svg", "paths.gif"}
    assert made <= {file.name for file in tmp_path.iterdir()}
    page = (ROOT / "docs" / "figures.md").read_text(encoding="utf-8")
    assert all(f"| `{name}` |" in page for name in figures)
    assert all(
        f"`{key}`" in page for f in figures.values() for key in f.options if key != "setting"
    )


def test_number_of_activations_in_the_readme():
    from meanfield.activations import activations

    integrable = [name for name in activations if activations[name].pair is not None]
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert re.findall(r"(\d+) activations", text) == [str(len(integrable))]


def test_examples_of_contributing():
    import meanfield as mf
    from meanfield.activations import activations
    from meanfield.flows import flows
    from meanfield.functionals import regularisers
    from meanfield.observables import observables

    examples = blocks("CONTRIBUTING.md", "python")
    assert len(examples) == 4
    registries = (activations, regularisers, flows, observables)
    before = [dict(registry._entries) for registry in registries]
    names: dict[str, object] = {}
    try:
        for code in examples:
            assert len(code.splitlines()) <= 20
            exec(compile(code, "CONTRIBUTING.md", "exec"), names)
        network = mf.TwoLayer({"kind": "cubic", "linear": 0.5}, dim=2)
        data = mf.FiniteData([[1.0, 0.0], [0.0, 1.0], [1.0, -1.0]], [1.0, -1.0, 0.5])
        risk = mf.Risk(network, data)
        start = mf.NormalInit(6, scale={"w": 0.3}).draw(network.layout, seed=0)
        assert mf.gradient_error(risk, start) < 1e-7
        quartic = names["Quartic"]()
        assert mf.gradient_error(quartic, start) < 1e-7
        flow = names["SignDescent"](risk + 0.1 * quartic)
        run = mf.simulate(
            *(flow, start),
            scheme=mf.Heun(1e-3),
            until=1e-3,
            observe=[mf.Energy(), mf.Dissipation(), names["LargestWeight"]()],
        )
        fall = float(run["energy"][0] - run["energy"][-1]) / 1e-3
        assert fall == pytest.approx(float(run["dissipation"].mean()), rel=1e-3)
        assert float(run["largest_weight"][0]) == abs(start.position).max()
    finally:
        for registry, entries in zip(registries, before, strict=True):
            registry._entries = entries


def code_of(page: str) -> list[tuple[str, str]]:
    """Language and code of every block; directives of the site, as ```{toctree}, are none."""
    text = (ROOT / page).read_text(encoding="utf-8")
    found = re.findall(r"^```([^\n]*)\n(.*?)^```", text, re.M | re.S)
    return [(language, code) for language, code in found if not language.startswith("{")]


@pytest.mark.parametrize("page", [page for page in PAGES if f'"{page}"' not in NAMED])
def test_code_of_page(page, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {"__name__": "__main__"}
    with forgetting():
        for language, code in code_of(page):
            file = re.match(r"# ([\w.-]+\.(?:toml|py))\b", code)
            if file:
                Path(file[1]).write_text(code, encoding="utf-8")
            elif language == "python":
                exec(compile(code, page, "exec"), names)
            elif language == "console":
                for line in code.splitlines():
                    assert line.startswith("$ meanfield "), line
                    arguments = shlex.split(line[2:].split(" #")[0])
                    if arguments[1] in ("sweep", "chaos"):  # processes take long to start
                        arguments += ["--jobs", "1"]
                    monkeypatch.setattr("sys.argv", arguments)
                    with pytest.raises(SystemExit) as ended:
                        cli.main()
                    assert ended.value.code in (0, None), line
            else:
                assert language == "text", f"a block of {language!r} that nothing runs: {code}"


def test_variants_of_the_page_of_keys(tmp_path):
    from meanfield.config import Study

    (added,) = [code for code in blocks("docs/experiments.md", "toml") if "[variants" in code]
    whole = blocks("README.md", "toml")[0].replace('kind = "euler-maruyama"', 'kind = "lie"')
    (tmp_path / "base.toml").write_text(whole.replace("temperature = 1e-4\n", ""))
    (tmp_path / "added.toml").write_text(added)
    study = Study.load([tmp_path / "base.toml", tmp_path / "added.toml"], reduced=True)
    study.check()
    assert set(study.experiments) == {"plain", "births"}
    assert len(study.claims) == 1


def anchors(page: Path) -> set[str]:
    """Of the headings of a page, as forges and the site make them."""
    text = re.sub(r"^```.*?^```", "", page.read_text(encoding="utf-8"), flags=re.M | re.S)
    heads = re.findall(r"^#+ (.*)$", text, re.M)
    return {re.sub(r"[^\w\- ]", "", head.lower()).replace(" ", "-") for head in heads}


@pytest.mark.parametrize("page", PAGES)
def test_links_of_page(page):
    text = (ROOT / page).read_text(encoding="utf-8")
    text = re.sub(r"^```.*?^```|`[^`\n]+`", "", text, flags=re.M | re.S)
    for path, anchor in re.findall(r"\]\(([^)#\s]*)#?([^)\s]*)\)", text):
        if path.startswith("http"):
            continue
        target = (ROOT / page).parent / path if path else ROOT / page
        assert target.exists(), f"{page}: {path}"
        assert not anchor or anchor in anchors(target), f"{page}: {path}#{anchor}"
