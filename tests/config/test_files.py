"""What an experiment file may hold besides its sections, and what wins over what."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meanfield.config import Experiment, ExperimentFile, Mistakes, Study
from meanfield.config.files import merged
from meanfield.errors import FileProblem, InvalidInput, MeanfieldError, UnknownName

TEXT = """
[ensemble]
count = 100
scale = { a = 1.0, w = 0.5 }
[flow]
kind = "wasserstein"
constraint = { w = "sphere" }
[variants.wide]
ensemble = { count = 1000 }
[variants.births]
flow = { kind = "birth-death", beta = 4.0 }
[reduced]
ensemble = { count = 10 }
run = { until = 1.0 }
[[claims]]
series = "risk"
"""


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text(TEXT)
    return ExperimentFile.read(path)


def test_a_variant_changes_the_sections(file):
    assert list(file.variants) == ["wide", "births"]
    wide = file.tables("wide")
    assert wide["ensemble"] == {"count": 1000, "scale": {"a": 1.0, "w": 0.5}}
    assert wide["flow"] == file.sections["flow"]
    assert wide["run"]["title"] == "mine: wide"
    assert "variants" not in wide
    assert file.claims == [{"series": "risk"}]


def test_a_table_of_another_kind_replaces_the_old_one(file):
    assert file.tables("births")["flow"] == {"kind": "birth-death", "beta": 4.0}


def test_the_last_word(file):
    assert file.tables("births", reduced=True)["ensemble"]["count"] == 10
    assert file.tables("wide", reduced=True)["ensemble"]["count"] == 1000
    last = file.tables("wide", reduced=True, overrides=["ensemble.count=3", "run.title=Mine"])
    assert last["ensemble"]["count"] == 3
    assert last["run"] == {"until": 1.0, "title": "Mine"}
    # An override changes one key, also where it is the kind.
    kept = file.tables("births", overrides=["flow.kind=wasserstein-fisher-rao"])["flow"]
    assert kept == {"kind": "wasserstein-fisher-rao", "beta": 4.0}
    assert file.tables("births")["flow"]["kind"] == "birth-death"


def test_variants_are_named(file):
    with pytest.raises(InvalidInput, match="variant = '': expected one of wide, births"):
        file.tables()
    with pytest.raises(UnknownName, match="unknown variant 'wode'; did you mean 'wide'"):
        file.tables("wode")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("variants = 3", "variants = 3: expected a table"),
        ("[variants]\nplain = 3", "variants.plain = 3: expected a table"),
        ("reduced = 3", "reduced = 3: expected a table"),
        ("claims = 3", "claims = 3: expected tables"),
        ("claims = [3]", "expected tables"),
    ],
)
def test_mistakes(tmp_path, text, told):
    path = tmp_path / "wrong.toml"
    path.write_text(text)
    with pytest.raises(InvalidInput, match=r"wrong\.toml") as caught:
        ExperimentFile.read(path)
    assert told in str(caught.value)


def test_not_toml(tmp_path):
    path = tmp_path / "wrong.toml"
    path.write_text("a = = 3")
    with pytest.raises(FileProblem, match="not valid TOML"):
        ExperimentFile.read(path)


leaves = st.one_of(st.integers(), st.booleans())
tables = st.recursive(
    st.dictionaries(st.sampled_from("abc"), leaves),
    lambda inner: st.dictionaries(st.sampled_from("abc"), st.one_of(leaves, inner)),
)


@given(tables, tables)
def test_merging(first, second):
    assert merged(first, {}) == first
    assert merged({}, second) == second
    assert merged(first, first) == first
    both = merged(first, second)
    assert set(both) == set(first) | set(second)
    assert merged(both, second) == both


BASE = """
[network]
activation = "relu"
[data]
kind = "file"
path = "points.csv"
target = "y"
[ensemble]
count = 6
[flow]
kind = "langevin"
constraint = { w = "sphere" }
[scheme]
step = 0.1
[run]
until = 0.2
[variants.short]
run = { until = 0.1 }
[variants.long]
run = { until = 0.3 }
[[claims]]
says = "low"
series = "risk"
of = "long"
below = 1.0
[[claims]]
series = "energy"
of = "long"
"""
MINE = """
[ensemble]
count = 8
[flow]
kind = "wasserstein"
[variants.short]
scheme = { step = 0.05 }
[variants.wide]
ensemble = { count = 9 }
[[claims]]
says = "lower"
series = "risk"
of = "long"
below = 0.5
"""


@pytest.fixture
def two(tmp_path):
    folder = tmp_path / "common"
    folder.mkdir()
    (folder / "points.csv").write_text("u,y\n1,2\n2,3\n3,5\n")
    paths = [folder / "base.toml", tmp_path / "mine.toml"]
    for path, text in zip(paths, (BASE, MINE), strict=True):
        path.write_text(text)
    return paths


def test_several_files_are_merged_from_left_to_right(two):
    file = ExperimentFile.read(two)
    assert file.path == two[1]
    assert list(file.variants) == ["short", "long", "wide"]
    assert file.variants["short"] == {"run": {"until": 0.1}, "scheme": {"step": 0.05}}
    tables = file.tables("wide")
    assert tables["ensemble"] == {"count": 9}
    assert tables["flow"] == {"kind": "wasserstein"}
    assert tables["run"]["title"] == "mine: wide"
    says = [(claim.get("says"), claim.get("below"), claim["series"]) for claim in file.claims]
    assert says == [(None, None, "energy"), ("lower", 0.5, "risk")]
    assert ExperimentFile.read(two[:1]) == ExperimentFile.read(two[0])


def test_a_path_starts_at_the_file_that_states_it(two):
    experiment = Experiment.load(two, variant="short")
    assert experiment.resolved()["data"]["path"] == str(two[0].parent / "points.csv")
    assert experiment.title == "mine: short"
    experiment.check()
    two[1].write_text('[data]\npath = "others.csv"\n')
    (two[1].parent / "others.csv").write_text("u,y\n1,2\n2,3\n")
    table = Experiment.load(two, variant="short").resolved()["data"]
    assert table["path"] == str(two[1].parent / "others.csv")
    # what --set says is seen from the last file
    set_ = Experiment.load(two[:1], ["data.path=points.csv"], variant="short")
    assert set_.resolved()["data"]["path"] == str(two[0].parent / "points.csv")


def test_each_mistake_names_the_file_that_states_it(two):
    two[0].write_text(BASE.replace("step = 0.1", 'step = "x"'))
    two[1].write_text(MINE + "[variants.long.network]\nactivation = 'rely'\n")
    with pytest.raises(Mistakes) as caught:
        Study.load(two)
    told = set(map(str, caught.value.sentences))
    base, mine = two
    assert f"{base} (long, wide): scheme.step = 'x': expected a number or 'auto'" in told
    wrong = "network.activation: unknown activation 'rely'; did you mean 'relu'?"
    assert f"{mine} (long): {wrong}" in told


def test_mistakes_of_all_variants_and_claims_come_together(tmp_path):
    path = tmp_path / "wrong.toml"
    text = BASE.replace("count = 6", "cuont = 6").replace("until = 0.3", "until = -1")
    path.write_text(text.replace("below = 1.0", "bellow = 1.0"))
    with pytest.raises(Mistakes) as caught:
        Study.load(path)
    told = caught.value.sentences
    assert (
        sum("unknown key ensemble.cuont = 6; did you mean 'count'?" in said for said in told) == 1
    )
    assert f"{path} (long): run.until = -1.0: expected a finite number > 0" in told
    assert any("unknown key claims[0].bellow = 1.0; did you mean 'below'?" in s for s in told)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("a = 1\nb = [1,\nc = 3", "line 3"),
        ("a = 1\na = 2", "line 2"),
        ("[run]\nuntil = " + "9" * 5000, "line 2: a number of thousands of digits"),
        ("[run]\nuntil = 0x" + "f" * 5000, "run.until: expected a whole number of 64 bits"),
        ("a = " + "[" * 3000 + "]" * 3000, "nested too deeply"),
        (".".join("a" * 3000) + " = 1", "at most 16 tables and lists inside each other"),
        ("[run]\nuntil = nan", "run.until = nan: expected a finite number"),
        ("[run]\nuntil = 2024-02-29", "run.until = '2024-02-29': expected text or a number"),
        ('["run\\n"]\nuntil = 1', r"unknown key 'run\n'"),
        ('["fluß"]\nkind = 1', "unknown key fluß"),
    ],
)
def test_what_toml_can_say_and_no_key_takes(tmp_path, text, told):
    path = tmp_path / "wrong.toml"
    path.write_text(text)
    with pytest.raises(MeanfieldError) as caught:
        Experiment.load(path)
    assert told in str(caught.value)
    assert str(path) in str(caught.value)


def test_what_no_key_takes_is_told_with_all_else(tmp_path):
    path = tmp_path / "wrong.toml"
    (tmp_path / "points.csv").write_text("x,y\n1,2\n3,4\n")
    path.write_text(
        BASE.replace("[flow]", "scale = { w = nan }\n[flow]")
        .replace("step = 0.1", "step = 2024-02-29")
        .replace('"langevin"', '"langevinn"')
    )
    with pytest.raises(Mistakes) as caught:
        Experiment.load(path, variant="short")
    assert sorted(said.removeprefix(f"{path} (short): ") for said in caught.value.sentences) == [
        "ensemble.scale.w = nan: expected a finite number",
        "flow.kind: unknown flow 'langevinn'; did you mean 'langevin'?",
        "scheme.step = '2024-02-29': expected text or a number, and no date",
    ]


def test_not_text(tmp_path):
    path = tmp_path / "wrong.toml"
    path.write_bytes(b"a = 1\nb = '\xff'\n")
    with pytest.raises(FileProblem, match="line 2 is not UTF-8"):
        ExperimentFile.read(path)


def test_what_was_set_is_not_blamed_on_a_file(file):
    states = file.states("wide", False, ["ensemble.count=3", "flw.kind=x", "ensemble.extra=1"])
    assert states("ensemble.count") == states("ensemble.extra") == states("flw") == "--set"
    assert states("ensemble.scale") == states("run.until") == str(file.path)


def test_the_mark_of_some_editors(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_bytes(b"\xef\xbb\xbf" + TEXT.encode())
    assert ExperimentFile.read(path).sections["ensemble"]["count"] == 100


@pytest.mark.parametrize("name", ["a/b", "", ".. /x", "a b"])
def test_variants_name_files(tmp_path, name):
    path = tmp_path / "mine.toml"
    path.write_text(f"[variants.'{name}']\nrun = {{ seed = 1 }}\n")
    with pytest.raises(InvalidInput, match=r"variants = .*expected a name of letters"):
        ExperimentFile.read(path)


def test_there_may_be_no_variants(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text(TEXT.partition("[variants.wide]")[0])
    with pytest.raises(InvalidInput, match="variant = 'wide': expected none"):
        ExperimentFile.read(path).tables("wide")
