"""What an experiment file may hold besides its sections, and what wins over what."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meanfield.config import ExperimentFile
from meanfield.config.files import merged
from meanfield.errors import FileProblem, InvalidInput, UnknownName

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
