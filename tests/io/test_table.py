"""Tables: what each format means, what is refused and where, and round trips."""

from __future__ import annotations

import gzip
import io
import sys
import zipfile

import numpy as np
import pandas as pd
import pytest
import scipy.io
import scipy.sparse
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from nonneg.errors import FileFormatError, InputError, OutputExistsError
from nonneg.io.table import read_table, write_table

NAN = np.nan


@pytest.fixture
def read(tmp_path):
    """Read a text as a file of the given name."""

    def read_text(text: str, name: str = "t.csv", **options):
        path = tmp_path / name
        path.write_bytes(text.encode())
        return read_table(path, **options)

    return read_text


class TestWideText:
    @pytest.mark.parametrize(
        ("text", "rows", "columns", "values"),
        [
            ("1,2\n3,4\n", None, None, [[1, 2], [3, 4]]),
            ("1\n2", None, None, [[1], [2]]),
            ("x\n1\n2", None, ("x",), [[1], [2]]),
            ("1,2,3", None, None, [[1, 2, 3]]),
            ("a,b\n1,2\n", None, ("a", "b"), [[1, 2]]),
            ("Ann,1,2\nBob,3,4\n", ("Ann", "Bob"), None, [[1, 2], [3, 4]]),
            ("gene,s1,s2\nA,1,2\n", ("A",), ("s1", "s2"), [[1, 2]]),
            (",s1,s2\n7,1,2\n", ("7",), ("s1", "s2"), [[1, 2]]),
            ("id,s1\n7,1\n", ("7",), ("s1",), [[1]]),
            # Numbers as column names: counted up, under a label, or over numbered rows.
            (",0,1\n0,5,6\n1,7,8\n", ("0", "1"), ("0", "1"), [[5, 6], [7, 8]]),
            ("gene,1,2,3\nA,5,6,7\n", ("A",), ("1", "2", "3"), [[5, 6, 7]]),
            ("user,318,260\n7,5,\n9,,4\n", ("7", "9"), ("318", "260"), [[5, NAN], [NAN, 4]]),
            ("who,318,260\n7,5,1\n", ("7",), ("318", "260"), [[5, 1]]),
            ("who,318,260\nAnn,5,1\n", ("who", "Ann"), None, [[318, 260], [5, 1]]),
            # R's write.table has no corner.
            ("s1 s2\tb\nA\t1\t2\nB\t3\t4\n", ("A", "B"), ("s1 s2", "b"), [[1, 2], [3, 4]]),
            # Missing in every spelling, spaces, line ends, quotes.
            ("a,b,c,d\nNA, nan,N/A,\n 1 ,NULL,2e1,-.5\n", None, ("a", "b", "c", "d"),
             [[NAN] * 4, [1, NAN, 20, -0.5]]),
            ("a,b\r\n1,2\r\n\r\n3,4", None, ("a", "b"), [[1, 2], [3, 4]]),
            ('"a, b","c\nd"\n1,"2"\n', None, ("a, b", "c\nd"), [[1, 2]]),
            ("a;b\n1;2\n", None, ("a", "b"), [[1, 2]]),
            ("a|b\n1|2\n", None, ("a", "b"), [[1, 2]]),
            ("a::b\n1::2\n", None, ("a", "b"), [[1, 2]]),
            # Three columns, but no triplets unless the names say so.
            ("1,2,4\n4,5,6\n", None, None, [[1, 2, 4], [4, 5, 6]]),
            ("a,1_0\n3,4\n", None, ("a", "1_0"), [[3, 4]]),
            # A row of a table without names may be all missing; one without a name is dropped.
            ("1,2\n,\n", None, None, [[1, 2], [NAN, NAN]]),
            ("day,a,b\nmon,1,2\n,,\n,,\n", ("mon",), ("a", "b"), [[1, 2]]),
        ],
    )  # fmt: skip
    def test_witnesses(self, read, text, rows, columns, values):
        table = read(text)
        assert table.row_names == rows
        assert table.column_names == columns
        np.testing.assert_array_equal(table.values, values)
        assert table.values.dtype == np.float64
        assert table.values.flags.c_contiguous

    def test_notes(self, read):
        assert read("a,a,b,a\n1,2,3,4\n").notes == (
            "2 column names repeat an earlier one, the first is 'a'",
        )
        assert "at the end were left out" in read("day,a\nmon,1\n,\n").notes[0]
        assert "taken as the header" in read("1,x,3\n4,5,6\n").notes[0]
        assert read("a,b\n1,2\n").notes == ()

    @pytest.mark.parametrize(
        ("text", "rows", "columns", "note"),
        [
            ("country,2001,2002,2003\nAustria,1,2,3\n", ("Austria",), ("2001", "2002", "2003"), 1),
            (",2001,2002,2003\nAustria,1,2,3\n", ("Austria",), ("2001", "2002", "2003"), 1),
            (",2001,2002\n7,1,2\n", ("7",), ("2001", "2002"), 1),
            ("0,1,2\n.5,.6,.7\n", None, ("0", "1", "2"), 1),
            ("1,2,3\n4,5,6\n", None, ("1", "2", "3"), 1),
            ("who,318,260\n7,5,1\n", ("7",), ("318", "260"), 1),
            ("x,1,2,3\nr2,4,5,6\n", ("r2",), ("1", "2", "3"), 1),
            # Names of one kind: the first line is a row as the others.
            ("r1,1,2,3\nr2,4,5,6\n", ("r1", "r2"), None, 2),
            ("r1,1,2,3\nr2,4,5,6\ns3,1,1,1\n", ("r2", "s3"), ("1", "2", "3"), 1),
            ("Ann,1,2\nBob,3,4\n", ("Ann", "Bob"), None, 2),
            ("2001,2002,2003\n1,2,3\n", None, None, 2),
            ("0,1\n1,0\n", None, None, 2),
            # No doubt.
            ("name,2001,2002\nAustria,1,2\n", ("Austria",), ("2001", "2002"), 0),
            ("Ann,3,1,2\nBob,3,4,5\n", ("Ann", "Bob"), None, 0),
            ("Ann,.1,.2,.3\nBob,3,4,5\n", ("Ann", "Bob"), None, 0),
            (",.5,2\n3,4,5\n", None, None, 0),
            ("3,1,2\n4,5,6\n", None, None, 0),
            ("r1,1,2,3\n", ("r1",), None, 0),
            ("0,1,2\n", None, None, 0),
            ("1," + "9" * 5000 + "\n", None, None, None),
        ],
    )  # fmt: skip
    def test_numbers_in_the_first_line(self, read, text, rows, columns, note):
        if note is None:
            with pytest.raises(FileFormatError, match="not a finite number"):
                read(text)
            return
        table = read(text)
        assert (table.row_names, table.column_names) == (rows, columns)
        beginnings = ("line 1 was read as the names of the columns", "line 1 was read as data: it")
        assert len(table.notes) == bool(note)
        assert not note or table.notes[0].startswith(beginnings[note - 1])

    def test_gzip_and_byte_order_mark(self, tmp_path):
        path = tmp_path / "t.tsv.gz"
        path.write_bytes(gzip.compress(b"\xef\xbb\xbfa\tb\n1\t2\n"))
        assert read_table(path).column_names == ("a", "b")

    def test_pandas_reads_and_writes_the_same(self, tmp_path):
        frame = pd.DataFrame(
            np.random.default_rng(0).random((20, 3)),
            index=[f"r{i}" for i in range(20)],
            columns=["a", "b c", "d,e"],
        )
        frame.iloc[3, 1] = NAN
        frame.to_csv(tmp_path / "t.csv")
        table = read_table(tmp_path / "t.csv")
        np.testing.assert_array_equal(table.values, frame.to_numpy())
        assert table.row_names == tuple(frame.index)
        assert table.column_names == tuple(frame.columns)
        write_table(
            tmp_path / "u.csv",
            table.values,
            row_names=table.row_names,
            column_names=table.column_names,
        )
        again = pd.read_csv(tmp_path / "u.csv", index_col=0)
        pd.testing.assert_frame_equal(again.rename_axis(None), frame)

    @pytest.mark.parametrize(
        ("text", "words"),
        [
            ("a,b\n1,2\n3\n", "line 3 has 1 cells, line 1 has 2"),
            ("a,b\n1,2,3\n4,5\n", "line 3 has 2 cells, line 2 has 3"),
            ("a,b\n1,2\n3,x\n", "line 3, column 2: 'x' is not a number"),
            ("a,b\n1,2\nx,4\n5,6\n", "line 3, column 1: 'x' is not a number.*'name'"),
            ("n,b,c\nA,1,2\n\nB,3,4_0\n", "line 4, column 3: '4_0' is not a number"),
            ("a;b\n1;2,5\n", "line 2, column 2: '2,5' .*decimal point"),
            ("1 2 3\n4 5 6\n", "line 2, column 1: '4 5 6' .*Separate the cells"),
            ("a,b\n1,inf\n", "line 2, column 2: 'inf' is not a finite number"),
            ("a,b\n1,1e999\n", "line 2, column 2: '1e999' is not a finite"),
            ("a\n1\ninf\n", "row 2, column 1 is infinite"),
            ("a,b\n", "only a header"),
            ("a\n", "only a header"),
            ("", "it is empty"),
            ('a,b\n"1,2\n', "line 2: "),
        ],
    )
    def test_errors_name_the_place(self, read, text, words):
        with pytest.raises(FileFormatError, match=words):
            read(text)

    @settings(max_examples=300, deadline=None)
    @given(text=st.text(st.sampled_from('1a,\n\r";:|.-\t é_'), max_size=40))
    @pytest.mark.parametrize("layout", ["auto", "long"])
    def test_anything_is_read_or_refused(self, tmp_path_factory, text, layout):
        path = tmp_path_factory.mktemp("t") / "t.csv"
        path.write_text(text, encoding="utf-8", newline="")
        try:
            table = read_table(path, layout=layout)
        except FileFormatError:
            return
        assert 0 not in table.values.shape

    def test_huge_cell(self, read):
        with pytest.raises(FileFormatError, match="line 2"):
            read("a,b\n1," + "9" * 200_000 + "\n")


class TestLongText:
    TEXT = "row,column,value\nA,x,1\nB,y,2\nA,y,0\n"

    def test_header_decides(self, read):
        table = read(self.TEXT)
        assert isinstance(table.values, scipy.sparse.csr_array)
        np.testing.assert_array_equal(table.values.toarray(), [[1, 0], [0, 2]])
        assert table.values.nnz == 3  # a zero in the file is a stored zero
        assert (table.row_names, table.column_names) == (("A", "B"), ("x", "y"))

    @pytest.mark.parametrize(
        "header", ["i,j,x", "user,item,rating", "userId,movieId,rating", "Row, Col, Value"]
    )
    def test_known_headers(self, read, header):
        assert scipy.sparse.issparse(read(header + "\n1,2,3\n").values)
        assert read(header + "\n1,2,3\n", layout="wide").values.shape[0] == 1

    @pytest.mark.parametrize("header", ["a,b,c\n", ""])
    def test_asked_for(self, read, header):
        table = read(header + "A,x,1\nA,z,\n", layout="long")
        np.testing.assert_array_equal(table.values.toarray(), [[1, NAN]])

    @pytest.mark.parametrize(("policy", "value"), [("last", 5), ("mean", 3)])
    def test_duplicates(self, read, policy, value):
        table = read(self.TEXT + "A,x,3\nB,x,1\nA,x,5\n", duplicates=policy)
        np.testing.assert_array_equal(table.values.toarray(), [[value, 0], [1, 2]])
        assert table.notes[0].startswith("2 duplicate cells: ")

    def test_duplicates_refused(self, read):
        with pytest.raises(FileFormatError, match="row 'A', column 'x'"):
            read(self.TEXT + "A,x,1\n", duplicates="error")

    @pytest.mark.parametrize(
        ("text", "words"),
        [
            (TEXT + "A,x\n", "line 5 has 2 cells"),
            (TEXT + "A,x,y\n", "line 5, column 3: 'y' is not a number"),
            (TEXT + "A,x,inf\n", "line 5, column 3: 'inf' is not a finite number"),
            ("row,column,value\n", "only a header"),
        ],
    )
    def test_errors(self, read, text, words):
        with pytest.raises(FileFormatError, match=words):
            read(text)

    def test_four_columns(self, read):
        with pytest.raises(FileFormatError, match="4 columns, not the 3"):
            read("1,2,3,4\n", layout="long")


class TestOptionsAndPaths:
    def test_unknown_options(self, read):
        with pytest.raises(InputError, match='layout="tall"'):
            read("1,2\n", layout="tall")
        with pytest.raises(InputError, match='duplicates="first"'):
            read("1,2\n", duplicates="first")

    def test_unknown_suffix_and_missing_file(self, tmp_path):
        with pytest.raises(InputError, match=r"'\.xlsx' is no known suffix"):
            read_table(tmp_path / "t.xlsx")
        with pytest.raises(InputError, match="no such file"):
            read_table(tmp_path / "t.csv")
        (tmp_path / "d.csv").mkdir()
        with pytest.raises(InputError, match="it is a directory"):
            read_table(tmp_path / "d.csv")
        with pytest.raises(InputError, match="for text and Parquet"):
            read_table(tmp_path / "t.npy", layout="long")


class TestNumpyFiles:
    @pytest.mark.parametrize(
        ("dtype", "expected"),
        [("u1", "f8"), ("i8", "f8"), ("?", "f8"), ("f8", "f8"), (">f4", "f4"), ("f2", "f4")],
    )
    def test_types(self, tmp_path, dtype, expected):
        values = np.asfortranarray(np.array([[0, 1, 2], [3, 4, 5]]).astype(dtype))
        np.save(tmp_path / "t.npy", values)
        np.savez(tmp_path / "t.npz", anything=values)
        for name in ("t.npy", "t.npz"):
            table = read_table(tmp_path / name)
            assert table.values.dtype == np.dtype(expected)
            np.testing.assert_array_equal(table.values, values)

    @pytest.mark.parametrize("kind", ["csr", "csc", "coo", "bsr", "dia"])
    @pytest.mark.parametrize("cls", ["array", "matrix"])
    def test_sparse(self, tmp_path, kind, cls):
        dense = np.array([[0, 1, 0], [2, 0, 3]], dtype=np.uint16)
        matrix = getattr(scipy.sparse, f"{kind}_{cls}")(dense)
        scipy.sparse.save_npz(tmp_path / "t.npz", matrix)
        table = read_table(tmp_path / "t.npz")
        assert isinstance(table.values, scipy.sparse.csr_array)
        assert table.values.dtype == np.float64
        np.testing.assert_array_equal(table.values.toarray(), dense)

    def test_objects_are_never_unpickled(self, tmp_path):
        class Bomb:
            def __reduce__(self):
                return (sys.exit, ("unpickled",))

        np.save(tmp_path / "t.npy", np.array([[Bomb()]], dtype=object), allow_pickle=True)
        np.savez(tmp_path / "t.npz", X=np.array([[Bomb()]], dtype=object))
        for name in ("t.npy", "t.npz"):
            with pytest.raises(FileFormatError, match="never unpickled"):
                read_table(tmp_path / name)

    @pytest.mark.parametrize(
        ("values", "words"),
        [
            (np.ones(3), "not two dimensions"),
            (np.ones((2, 2, 2)), "reshape"),
            (np.array([["a"]]), "not numbers"),
            (np.array([[1j]]), "not numbers"),
            (np.zeros((0, 3)), "0 rows"),
            (np.array([[1.0, 2.0], [3.0, -np.inf]]), "row 2, column 2 is infinite"),
        ],
    )
    def test_wrong_arrays(self, tmp_path, values, words):
        np.save(tmp_path / "t.npy", values)
        np.savez(tmp_path / "t.npz", values)
        for name in ("t.npy", "t.npz"):
            with pytest.raises(FileFormatError, match=words):
                read_table(tmp_path / name)

    def test_header_of_format_version_2(self, tmp_path):
        stream = io.BytesIO()
        np.lib.format.write_array(stream, np.eye(2), version=(2, 0))
        (tmp_path / "t.npy").write_bytes(stream.getvalue())
        np.testing.assert_array_equal(read_table(tmp_path / "t.npy").values, np.eye(2))

    def test_names_that_are_no_strings(self, tmp_path):
        np.savez(tmp_path / "t.npz", X=np.eye(2), row_names=np.arange(2))
        with pytest.raises(FileFormatError, match="row_names is not a list of strings"):
            read_table(tmp_path / "t.npz")

    @pytest.mark.parametrize("count", [1, 3])
    def test_as_many_names_as_rows(self, tmp_path, count):
        np.savez(tmp_path / "t.npz", X=np.eye(2), row_names=np.array(["a"] * count))
        with pytest.raises(FileFormatError, match=f"{count} row names for 2 rows"):
            read_table(tmp_path / "t.npz")

    def test_several_arrays_or_none(self, tmp_path):
        np.savez(tmp_path / "t.npz", X=np.ones((2, 2)), y=np.ones(2))
        with pytest.raises(FileFormatError, match=r"2 arrays \(X, y\)"):
            read_table(tmp_path / "t.npz")
        np.savez(tmp_path / "t.npz")
        with pytest.raises(FileFormatError, match="0 arrays"):
            read_table(tmp_path / "t.npz")

    def test_every_truncation(self, tmp_path):
        np.save(tmp_path / "whole.npy", np.ones((2, 2)))
        np.savez(tmp_path / "whole.npz", np.ones((2, 2)))
        for name in ("npy", "npz"):
            data = (tmp_path / f"whole.{name}").read_bytes()
            path = tmp_path / f"t.{name}"
            for size in range(0, len(data), 3):
                path.write_bytes(data[:size])
                with pytest.raises(FileFormatError):
                    read_table(path)

    def test_a_header_that_promises_too_much(self, tmp_path):
        stream = io.BytesIO()
        np.lib.format.write_array_header_1_0(
            stream, {"descr": "<f8", "fortran_order": False, "shape": (10**9, 10**9)}
        )
        (tmp_path / "t.npy").write_bytes(stream.getvalue())
        with zipfile.ZipFile(tmp_path / "t.npz", "w") as archive:
            archive.writestr("X.npy", stream.getvalue())
        for name in ("t.npy", "t.npz"):
            with pytest.raises(FileFormatError, match="promises"):
                read_table(tmp_path / name)

    @pytest.mark.parametrize(
        "change",
        [
            {"indices": np.array([0, 99, 1])},
            {"indices": np.array([0, -1, 1])},
            {"indptr": np.array([0, 9, 3])},
            {"indptr": np.array([0, 1, 2, 3])},
            {"format": np.array("xyz")},
            {"data": np.ones(2)},
            {"shape": np.array([2, -3])},
            {"shape": np.array([2, 3, 4])},
        ],
    )
    def test_corrupt_sparse(self, tmp_path, change):
        good = scipy.sparse.csr_array(np.array([[0.0, 1, 0], [2, 0, 3]]))
        arrays = {"format": np.array(b"csr"), "shape": np.array(good.shape), "data": good.data}
        arrays |= {"indices": good.indices, "indptr": good.indptr}
        np.savez(tmp_path / "t.npz", **(arrays | change))
        with pytest.raises(FileFormatError):
            read_table(tmp_path / "t.npz")


class TestMatrixMarket:
    @pytest.mark.parametrize("name", ["t.mtx", "t.mtx.gz"])
    def test_both_kinds(self, tmp_path, name):
        dense = np.array([[0, 1.5], [2, 0], [0, 0]])
        for matrix in (dense, scipy.sparse.coo_array(dense)):
            stream = io.BytesIO()
            scipy.io.mmwrite(stream, matrix)
            data = stream.getvalue()
            (tmp_path / name).write_bytes(gzip.compress(data) if name.endswith("gz") else data)
            values = read_table(tmp_path / name).values
            assert scipy.sparse.issparse(values) == scipy.sparse.issparse(matrix)
            np.testing.assert_array_equal(
                values.toarray() if scipy.sparse.issparse(values) else values, dense
            )

    def test_pattern_and_duplicates(self, read):
        head = "%%MatrixMarket matrix coordinate "
        assert read(head + "pattern general\n2 2 1\n1 2\n", "t.mtx").values[0, 1] == 1
        table = read(head + "real general\n2 2 2\n1 2 3\n1 2 4\n", "t.mtx")
        assert table.values[0, 1] == 7
        assert "added up" in table.notes[0]

    @pytest.mark.parametrize(
        "text",
        [
            "nonsense",
            "",
            "%%MatrixMarket matrix coordinate real general\n2 2 1\n3 1 1.0\n",
            "%%MatrixMarket matrix coordinate real general\n2 2 2\n1 1 1.0\n",
            "%%MatrixMarket matrix coordinate real general\n2 2 1\n1 1 x\n",
            "%%MatrixMarket matrix coordinate complex general\n2 2 1\n1 1 1 2\n",
            "%%MatrixMarket matrix coordinate real general\n2 2 1\n1 1 inf\n",
        ],
    )
    def test_bad(self, read, text):
        with pytest.raises(FileFormatError):
            read(text, "t.mtx")


class TestParquet:
    def test_names_from_text_column_or_index(self, tmp_path):
        frame = pd.DataFrame({"gene": ["A", "B"], "s1": [1, 2], "s2": [0.5, None]})
        frame.to_parquet(tmp_path / "t.parquet")
        frame.set_index("gene").rename_axis(None).to_parquet(tmp_path / "u.parquet")
        for name in ("t", "u"):
            table = read_table(tmp_path / f"{name}.parquet")
            assert table.row_names == ("A", "B")
            assert table.column_names == ("s1", "s2")
            np.testing.assert_array_equal(table.values, [[1, 0.5], [2, NAN]])

    def test_types(self, tmp_path):
        frame = pd.DataFrame({"a": pd.array([1, None], "Int64"), "b": [True, False]})
        frame.to_parquet(tmp_path / "t.parquet")
        np.testing.assert_array_equal(read_table(tmp_path / "t.parquet").values, [[1, 1], [NAN, 0]])
        frame = pd.DataFrame({"a": np.ones(2, np.float32), "b": np.ones(2, np.float32)})
        frame.to_parquet(tmp_path / "t.parquet")
        assert read_table(tmp_path / "t.parquet").values.dtype == np.float32

    def test_long(self, tmp_path):
        frame = pd.DataFrame({"user": [7, 8, 7], "item": ["x", "y", "x"], "rating": [1, 2, 3]})
        frame.to_parquet(tmp_path / "t.parquet")
        table = read_table(tmp_path / "t.parquet")
        assert (table.row_names, table.column_names) == (("7", "8"), ("x", "y"))
        np.testing.assert_array_equal(table.values.toarray(), [[3, 0], [0, 2]])

    def test_errors(self, tmp_path, read):
        pd.DataFrame({"g": ["A"], "h": ["B"]}).to_parquet(tmp_path / "t.parquet")
        with pytest.raises(FileFormatError, match="column 'h' holds 'B'"):
            read_table(tmp_path / "t.parquet")
        pd.DataFrame({"g": ["A"]}).to_parquet(tmp_path / "t.parquet")
        with pytest.raises(FileFormatError, match="no column of numbers"):
            read_table(tmp_path / "t.parquet")
        with pytest.raises(FileFormatError, match="as Parquet"):
            read("PAR1 is not enough", "u.parquet")

    def test_without_pyarrow_the_extra_is_named(self, tmp_path, monkeypatch):
        monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)
        with pytest.raises(InputError, match=r"pip install 'nonneg\[parquet\]'"):
            read_table(tmp_path / "t.parquet")


names = st.text(
    st.characters(exclude_categories=("Cs",)) | st.sampled_from(',;|:\t\n\r" 019.eNA\ufeff'),
    max_size=6,
)


@st.composite
def tables(draw, dtype="f8"):
    values = draw(
        hnp.arrays(
            dtype,
            hnp.array_shapes(min_dims=2, max_dims=2, max_side=5),
            elements={"allow_infinity": False},
        )
    )
    sides = [draw(st.none() | st.lists(names, min_size=n, max_size=n)) for n in values.shape]
    # A last row with neither name nor value cannot be told from a blank line: see the next test.
    assume(not sides[0] or sides[0][-1].strip() or not np.isnan(values[-1].astype(float)).all())
    return values, *(None if side is None else tuple(side) for side in sides)


def test_a_last_row_that_text_would_lose_is_refused(tmp_path):
    values = np.array([[1.0, 2.0], [np.nan, np.nan]])
    with pytest.raises(InputError, match="neither a name nor a value"):
        write_table(tmp_path / "t.csv", values, row_names=("a", ""))
    assert not list(tmp_path.iterdir())
    write_table(tmp_path / "t.npz", values, row_names=("a", ""))
    assert read_table(tmp_path / "t.npz").row_names == ("a", "")


class TestRoundTrip:
    @settings(max_examples=300, deadline=None)
    @given(table=tables(), suffix=st.sampled_from([".csv", ".tsv", ".csv.gz"]))
    def test_text(self, tmp_path_factory, table, suffix):
        values, rows, columns = table
        path = tmp_path_factory.mktemp("t") / f"t{suffix}"
        write_table(path, values, row_names=rows, column_names=columns)
        back = read_table(path)
        np.testing.assert_array_equal(back.values, values)
        # A side without names gets numbers where the other side needs them.
        for side, asked, size in (
            (back.row_names, rows, values.shape[0]),
            (back.column_names, columns, values.shape[1]),
        ):
            counted = tuple(str(i + 1) for i in range(size))
            assert side == asked or (asked is None and side == counted and (rows or columns))

    @settings(max_examples=100, deadline=None)
    @given(table=tables("f4"), suffix=st.sampled_from([".csv", ".npz"]))
    def test_float32(self, tmp_path_factory, table, suffix):
        values, rows, columns = table
        rows, columns = (
            side and tuple(name.replace("\0", "0") for name in side) for side in (rows, columns)
        )
        path = tmp_path_factory.mktemp("t") / f"t{suffix}"
        write_table(path, values, row_names=rows, column_names=columns)
        np.testing.assert_array_equal(read_table(path).values.astype(np.float32), values)

    @settings(max_examples=100, deadline=None)
    @given(table=tables())
    def test_npz_keeps_names(self, tmp_path_factory, table):
        values, rows, columns = table
        rows, columns = (
            side and tuple(name.replace("\0", "0") for name in side) for side in (rows, columns)
        )
        for matrix in (values, scipy.sparse.csr_array(values)):
            path = tmp_path_factory.mktemp("t") / "t.npz"
            write_table(path, matrix, row_names=rows, column_names=columns)
            back = read_table(path)
            assert (back.row_names, back.column_names) == (rows, columns)
            dense = back.values.toarray() if scipy.sparse.issparse(matrix) else back.values
            np.testing.assert_array_equal(dense, values)

    def test_sparse_text_is_triplets(self, tmp_path):
        matrix = scipy.sparse.csr_array(np.array([[0, 1.5], [2, 0]]))
        path = write_table(tmp_path / "t.csv", matrix, row_names=["a,b", "c"])
        assert path.read_text() == 'row,column,value\n"a,b",2,1.5\nc,1,2.0\n'
        back = read_table(path)
        assert back.values.nnz == 2
        assert back.row_names == ("a,b", "c")

    def test_npy(self, tmp_path):
        values = np.arange(6, dtype=np.float32).reshape(2, 3)
        back = read_table(write_table(tmp_path / "t.npy", values))
        assert back.values.dtype == np.float32
        np.testing.assert_array_equal(back.values, values)

    def test_first_name_that_begins_like_a_byte_order_mark(self, tmp_path):
        path = write_table(tmp_path / "t.csv", np.eye(2), column_names=["\ufeffa", "b"])
        assert read_table(path).column_names == ("\ufeffa", "b")

    def test_same_bytes_twice(self, tmp_path):
        for name in ("a.csv.gz", "b.csv.gz"):
            write_table(tmp_path / name, np.eye(3))
        assert (tmp_path / "a.csv.gz").read_bytes() == (tmp_path / "b.csv.gz").read_bytes()

    def test_integers_that_count_up_stay_data(self, tmp_path):
        values = np.arange(6).reshape(2, 3)
        back = read_table(write_table(tmp_path / "t.csv", values))
        assert back.column_names is None
        np.testing.assert_array_equal(back.values, values)

    def test_integers_and_booleans(self, tmp_path):
        path = write_table(tmp_path / "t.csv", np.array([[1, 2]]))
        assert path.read_text() == "1,2\n"
        write_table(path, np.array([[True, False]]), force=True)
        assert path.read_text() == "1,0\n"


class TestRefusesToWrite:
    @pytest.mark.parametrize(
        ("name", "values", "options", "words"),
        [
            ("t.xlsx", np.ones((2, 2)), {}, "says no format"),
            ("t.npz.gz", np.ones((2, 2)), {}, "says no format"),
            ("t.npy", np.ones((2, 2)), {"row_names": ["a", "b"]}, "holds neither names"),
            ("t.npy", scipy.sparse.eye_array(2), {}, "holds neither names"),
            ("t.csv", np.ones(2), {}, "give a matrix"),
            ("t.csv", np.ones((0, 2)), {}, "give a matrix"),
            ("t.csv", [["a"]], {}, "give a matrix"),
            ("t.csv", [[np.inf]], {}, "infinite"),
            ("t.csv", np.ones((2, 2)), {"row_names": ["a"]}, "1 names for 2 rows"),
            ("t.csv", np.ones((1, 1)), {"column_names": ["\ud800"]}, "surrogate"),
            ("t.npz", np.ones((1, 1)), {"column_names": ["a\0"]}, "NUL"),
        ],
    )
    def test_what_cannot_be_written(self, tmp_path, name, values, options, words):
        with pytest.raises(InputError, match=words):
            write_table(tmp_path / name, values, **options)
        assert list(tmp_path.iterdir()) == []

    def test_existing(self, tmp_path):
        path = write_table(tmp_path / "t.csv", np.eye(2))
        with pytest.raises(OutputExistsError):
            write_table(path, np.ones((2, 2)))
        write_table(path, np.ones((2, 2)), force=True)
        assert read_table(path).values.sum() == 4


@pytest.mark.shared_data
class TestRealFiles:
    def test_leukemia(self, shared_data):
        table = read_table(shared_data / "all-aml" / "all_aml.csv.gz")
        assert table.values.shape == (5000, 38)
        assert table.row_names[0] == "M12759_at"
        assert table.column_names[-1] == "AML_7"

    def test_cells(self, shared_data):
        values = read_table(shared_data / "pbmc3k" / "counts.npz").values
        assert values.shape == (2700, 16634)
        assert values.nnz == 2286884

    def test_signatures_and_catalogues(self, shared_data):
        table = read_table(shared_data / "cosmic-signatures" / "COSMIC_v3.4_SBS_GRCh37.txt.gz")
        assert table.values.shape == (96, 86)
        np.testing.assert_allclose(table.values.sum(axis=0), 1, atol=1e-4)
        table = read_table(shared_data / "mutational-catalogues" / "tcga_luad_sbs96.tsv.gz")
        assert table.values.shape == (96, 400)
        assert table.row_names[0] == "A[A>C]A"

    def test_air_quality(self, shared_data):
        folder = shared_data / "pmf-air-quality"
        for site in ("Baltimore_{}.txt.gz", "BatonRouge-{}.csv.gz", "StLouis-{}.csv.gz"):
            one, two = (
                read_table(folder / f"Dataset-{site.format(part)}") for part in ("con", "unc")
            )
            assert one.values.shape == two.values.shape
            assert one.column_names == two.column_names
            assert not np.isnan(one.values).any()
