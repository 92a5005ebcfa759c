"""Reading the user's own columns."""

import h5py
import numpy as np
import pytest

from meanfield.errors import FileProblem
from meanfield.storage import read_table


def _write(path, text):
    path.write_text(text, encoding="utf-8")
    return path


def test_csv_columns_are_numbers_where_all_entries_are(tmp_path):
    path = _write(tmp_path / "a.csv", "x, y,kind\n1,2e-3, cat\n-4.5,nan,7\n")
    table = read_table(path)
    assert list(table) == ["x", "y", "kind"]
    assert table["x"].tolist() == [1.0, -4.5]
    assert table["y"][0] == 0.002
    assert np.isnan(table["y"][1])
    assert table["kind"].tolist() == ["cat", "7"]


def test_csv_with_a_byte_order_mark_quotes_and_empty_lines(tmp_path):
    path = _write(tmp_path / "a.csv", '\ufeffx,name\n1,"a, b"\n\n2,c\n')
    table = read_table(path)
    assert table["x"].tolist() == [1.0, 2.0]
    assert table["name"].tolist() == ["a, b", "c"]


def test_arrays_of_different_lengths_are_refused(tmp_path):
    np.savez(tmp_path / "a.npz", x=np.arange(3), y=np.arange(4))
    with pytest.raises(FileProblem, match=r"different numbers of rows \(x 3, y 4\)$"):
        read_table(tmp_path / "a.npz")


def test_npz_and_hdf5_keep_vectors_and_matrices(tmp_path):
    arrays = {"x": np.arange(6.0).reshape(3, 2), "y": np.arange(3), "cube": np.ones((5, 1, 1))}
    np.savez(tmp_path / "a.npz", **arrays, label=np.array(["p", "q", "r"]))
    with h5py.File(tmp_path / "a.h5", "w") as file:
        for name, array in arrays.items():
            file[name] = array
        file["label"] = ["p", "q", "r"]
        file.create_group("nested")["deep"] = np.arange(3)
    for name in ("a.npz", "a.h5"):
        table = read_table(tmp_path / name)
        assert set(table) == {"x", "y", "label"}
        assert np.array_equal(table["x"], arrays["x"])
        assert table["y"].tolist() == [0, 1, 2]
        assert table["label"].tolist() == ["p", "q", "r"]


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("a.csv", "x,y\n1,2\n3\n", "cannot be read: line 3 has 1 entries, the header 2$"),
        ("a.csv", "x,x\n1,2\n", "cannot be read: two columns have the same name$"),
        ("a.csv", "x,y\n", "cannot be read: expected a header line and at least one sample$"),
        ("a.txt", "1 2", r"cannot read .txt; expected .csv, .npz, .h5 or .hdf5$"),
        ("a", "1 2", "cannot read a file without ending; expected"),
        ("a.h5", "no HDF5", "a.h5 cannot be read: "),
        ("a.npz", "no archive", "a.npz cannot be read: "),
    ],
)
def test_what_is_no_table_is_refused_in_one_sentence(tmp_path, name, text, message):
    with pytest.raises(FileProblem, match=message):
        read_table(_write(tmp_path / name, text))


def test_a_missing_or_empty_file_is_named(tmp_path):
    with pytest.raises(FileProblem, match=r"a.csv: no such file$"):
        read_table(tmp_path / "a.csv")
    np.savez(tmp_path / "a.npz")
    with pytest.raises(FileProblem, match=r"a.npz holds no columns$"):
        read_table(tmp_path / "a.npz")


def test_an_npz_with_objects_is_not_unpickled(tmp_path):
    path = tmp_path / "a.npz"
    np.savez(path, x=np.array([{"a": 1}], dtype=object))
    with pytest.raises(FileProblem, match=r"a.npz cannot be read: .*allow_pickle"):
        read_table(path)
