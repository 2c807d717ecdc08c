"""Ratings: one meaning for files and frames, first appearance decides codes, errors have places."""

from __future__ import annotations

import gzip
from datetime import datetime

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nonneg.errors import FileFormatError, InputError, UnknownNameError
from nonneg.io.ratings import Ratings, read_ratings

ROWS = [(7, "x", 5.0, 100), (3, "y", 0.0, 101), (7, "y", 2.5, 102), (9, "x", 1.0, 103)]

COLUMNS = {
    "user": [row[0] for row in ROWS],
    "item": [row[1] for row in ROWS],
    "rating": [row[2] for row in ROWS],
    "timestamp": [row[3] for row in ROWS],
}


@pytest.fixture
def read(tmp_path):
    """Read a text as a file of the given name."""

    def read_text(text: str, name: str = "r.csv", **options) -> Ratings:
        path = tmp_path / name
        path.write_bytes(text.encode())
        return read_ratings(path, **options)

    return read_text


def text_of(rows, delimiter=",", header="user,item,rating,timestamp") -> str:
    lines = [header.replace(",", delimiter)] if header else []
    return "\n".join(lines + [delimiter.join(map(str, row)) for row in rows]) + "\n"


def same(one: Ratings, two: Ratings) -> None:
    for name in ("users", "items", "values", "user_ids", "item_ids"):
        left, right = getattr(one, name), getattr(two, name)
        assert left.dtype == right.dtype, name
        np.testing.assert_array_equal(left, right, err_msg=name)
    if one.timestamps is None or two.timestamps is None:
        assert one.timestamps is two.timestamps
    else:
        np.testing.assert_array_equal(one.timestamps, two.timestamps)


class TestMeaning:
    def test_codes_values_and_matrix(self, read):
        ratings = read(text_of(ROWS))
        assert (ratings.users.dtype, ratings.items.dtype) == (np.int32, np.int32)
        assert ratings.users.tolist() == [0, 1, 0, 2]
        assert ratings.items.tolist() == [0, 1, 1, 0]
        assert ratings.values.tolist() == [5, 0, 2.5, 1]
        assert ratings.user_ids.tolist() == [7, 3, 9]
        assert ratings.user_ids.dtype == np.int64
        assert ratings.item_ids.tolist() == ["x", "y"]
        assert ratings.timestamps.tolist() == [100, 101, 102, 103]
        assert (ratings.n_users, ratings.n_items, len(ratings), ratings.notes) == (3, 2, 4, ())
        matrix = ratings.matrix()
        assert matrix.nnz == 4  # a rating of 0 is stored
        np.testing.assert_array_equal(matrix.toarray(), [[5, 2.5], [0, 0], [1, 0]])

    @pytest.mark.parametrize("delimiter", [",", "\t", ";", "|", "::"])
    @pytest.mark.parametrize("header", ["user,item,rating,timestamp", ""])
    def test_delimiters_with_and_without_header(self, read, delimiter, header):
        same(read(text_of(ROWS, delimiter, header)), read(text_of(ROWS)))

    @pytest.mark.parametrize(
        "header",
        [
            "userId,movieId,rating,timestamp",
            "user_id,item_id,score,ts",
            "UID,IID,Stars,Time",
            "userID,artistID,weight,timestamp",
            "user, book, value, time",
            "USER,Product,Rating,Timestamp",
        ],
    )
    def test_common_names(self, read, header):
        same(read(text_of(ROWS, header=header)), read(text_of(ROWS)))

    def test_any_order_and_more_columns(self, read):
        rows = [(d, "title, long", c, a, b) for a, b, c, d in ROWS]
        text = "time,title,rating,user,item\n"
        text += "".join(f'{d},"{t}",{c},{a},{b}\n' for d, t, c, a, b in rows)
        same(read(text), read(text_of(ROWS)))

    def test_gzip_without_suffix_of_text(self, tmp_path, read):
        path = tmp_path / "u1.base"
        path.write_bytes(gzip.compress(text_of(ROWS, "\t", "").encode()))
        same(read_ratings(path), read(text_of(ROWS)))
        same(read_ratings(str(path)), read_ratings(path))

    def test_columns_by_name_and_place(self, read):
        text = "who,what,much\n7,x,5\n3,y,0\n"
        expected = read(text_of([row[:3] for row in ROWS[:2]], header="user,item,rating"))
        same(read(text, columns=("who", "what", "much")), expected)
        same(read(text, columns=["WHO", 2, "3"]), expected)
        same(read(text, columns="who,what,much"), expected)
        same(read("x,7,5\ny,3,0\n", columns=(2, 1, 3)), expected)
        assert read("1,2,3,4\n5,6,7,8\n", columns=(1, 2, 3)).timestamps is None
        assert read("1,2,3,4\n5,6,7,8\n", columns=(4, 1, 2, 3)).timestamps.tolist() == [3, 7]

    def test_many_blocks(self, read):
        rng = np.random.default_rng(0)
        rows = {(int(u), int(i)): float(r) for u, i, r in rng.integers(0, 300, (20_000, 3))}
        ratings = read(text_of([(u, i, r) for (u, i), r in rows.items()], header=""))
        assert (
            dict(
                zip(
                    zip(
                        ratings.user_ids[ratings.users].tolist(),
                        ratings.item_ids[ratings.items].tolist(),
                        strict=True,
                    ),
                    ratings.values.tolist(),
                    strict=True,
                )
            )
            == rows
        )

    def test_a_title_that_is_a_column_name(self, read):
        ratings = read("Ann,Time,5\nBob,Heat,3\n")
        assert ratings.item_ids.tolist() == ["Time", "Heat"]

    def test_timestamps_that_are_none(self, read):
        ratings = read("user,item,rating,time\n1,2,3,2001-01-01\n")
        assert ratings.timestamps is None
        assert "timestamps are not all numbers" in ratings.notes[0]
        assert read("user,item,rating,time\n1,2,3,0.5\n").timestamps.tolist() == [0.5]
        assert np.isnan(read("user,item,rating,time\n1,2,3,\n").timestamps[0])

    def test_extra_columns_without_header_are_noted(self, read):
        assert "the first 4 were used" in read("1,2,3,4,5\n").notes[0]
        assert "the first 3 were used" in read("1,2,3,a,5\n").notes[0]

    def test_timestamps_for_ratings_are_noted(self, read):
        rows = [(i, 1, 881_250_949 + i) for i in range(1001)]
        assert "look like timestamps" in read(text_of(rows, header="")).notes[0]
        rows = [(i, 1, i) for i in range(1001)]
        assert read(text_of(rows, header="")).notes == ()


class TestIds:
    @pytest.mark.parametrize(
        ("ids", "expected"),
        [
            (["1", "-2", "3"], [1, -2, 3]),
            (["1", "b"], ["1", "b"]),
            (["007", "8"], ["007", "8"]),  # spelled as in the file
            (["01", "1"], ["01", "1"]),  # two ids must not become one
            ([" a ", "a"], ["a"]),
            (["1.0", "2"], ["1.0", "2"]),
            (["1_0", "2"], ["1_0", "2"]),
            (["9" * 30, "2"], ["9" * 30, "2"]),
            (["é", "日本"], ["é", "日本"]),
        ],
    )
    def test_integers_only_if_all_are(self, read, ids, expected):
        text = "user,item,rating\n" + "".join(f"{name},{k},1\n" for k, name in enumerate(ids))
        ratings = read(text)
        assert ratings.user_ids.tolist() == expected
        for code, name in enumerate(expected):
            assert ratings.user_code(name) == ratings.user_code(str(name)) == code
        for name in ids:
            assert ratings.user_code(name) < len(expected)

    def test_unknown_ids(self, read):
        ratings = read("Anna,Heat,5\nBob,Alien,3\n", columns=(1, 2, 3))
        assert ratings.user_code("Anna") == 0
        assert ratings.item_code("Alien") == 1
        with pytest.raises(UnknownNameError, match=r"'Ana' is not among the 2 users: .* Anna\?"):
            ratings.user_code("Ana")
        with pytest.raises(UnknownNameError, match=r"is such an item\. If the two .* swapped"):
            ratings.user_code("Heat")
        with pytest.raises(UnknownNameError, match=r"is such a user\. If the two .* swapped"):
            ratings.item_code("Bob")
        with pytest.raises(UnknownNameError, match="check the id"):
            ratings.item_code("zzz")
        with pytest.raises(UnknownNameError):
            ratings.user_code(["Anna"])
        with pytest.raises(UnknownNameError):
            ratings.user_code(None)

    def test_ids_of_frames_are_kept(self):
        frame = pd.DataFrame({"user": ["1", "01"], "item": [1.5, 2.0], "rating": [1, 2]})
        ratings = read_ratings(frame)
        assert ratings.user_ids.tolist() == ["1", "01"]
        assert ratings.item_ids.tolist() == [1.5, 2.0]
        assert ratings.item_code(2) == ratings.item_code("2.0") == 1

    def test_integers_beyond_int64(self):
        frame = pl.DataFrame({"user": [2**63, 1], "item": [1, 2], "rating": [1, 2]})
        assert read_ratings(frame).user_code(2**63) == 0

    def test_an_id_wins_over_the_string_of_another(self):
        frame = pl.DataFrame(
            {"user": pl.Series([1, "1"], dtype=pl.Object), "item": [1, 1], "rating": [1, 2]}
        )
        ratings = read_ratings(frame)
        assert (ratings.user_code(1), ratings.user_code("1")) == (0, 1)


class TestDuplicates:
    ROWS = ((1, "x", 1, 10), (2, "x", 3, 11), (1, "x", 5, 12), (1, "y", 2, 13))

    @pytest.mark.parametrize(("policy", "value"), [("last", 5), ("mean", 3)])
    def test_one_is_left(self, read, policy, value):
        ratings = read(text_of(self.ROWS), duplicates=policy)
        assert ratings.users.tolist() == [1, 0, 0]  # in the order of the lines that are left
        assert ratings.values.tolist() == [3, value, 2]
        assert ratings.timestamps.tolist() == [11, 12, 13]
        assert ratings.notes[0].startswith("1 duplicate ratings: ")

    def test_error(self, read):
        with pytest.raises(InputError, match="user 1 and item x"):
            read(text_of(self.ROWS), duplicates="error")
        with pytest.raises(InputError, match='duplicates="sum"'):
            read(text_of(self.ROWS), duplicates="sum")

    @settings(max_examples=100, deadline=None)
    @given(
        rows=st.lists(
            st.tuples(st.integers(0, 3), st.integers(0, 3), st.integers(0, 9)), min_size=1
        )
    )
    def test_as_pandas_groups(self, rows):
        frame = pd.DataFrame(rows, columns=["user", "item", "rating"])
        for policy in ("last", "mean"):
            ratings = read_ratings(frame, duplicates=policy)
            groups = frame.groupby(["user", "item"])["rating"].agg(policy)
            matrix = ratings.matrix()
            assert len(ratings) == len(groups)
            for (user, item), value in groups.items():
                found = matrix[ratings.user_code(user), ratings.item_code(item)]
                assert found == pytest.approx(value, rel=1e-12)


class TestFrames:
    @pytest.mark.parametrize(
        "build",
        [pd.DataFrame, pl.DataFrame, pl.LazyFrame, pa.table],
        ids=["pandas", "polars", "lazy", "arrow"],
    )
    def test_equal_the_file(self, read, build):
        same(read_ratings(build(COLUMNS)), read(text_of(ROWS)))

    def test_categories_and_nullable_types(self, read):
        frame = pd.DataFrame(COLUMNS).astype(
            {"user": "Int64", "item": "category", "rating": "Float64"}
        )
        same(read_ratings(frame), read(text_of(ROWS)))
        frame = pl.DataFrame(COLUMNS).with_columns(pl.col("item").cast(pl.Categorical))
        same(read_ratings(frame), read(text_of(ROWS)))

    def test_parquet(self, tmp_path, read):
        pl.DataFrame(COLUMNS).write_parquet(tmp_path / "r.parquet")
        same(read_ratings(tmp_path / "r.parquet"), read(text_of(ROWS)))

    def test_dates_stay_dates(self):
        frame = pd.DataFrame(
            {"user": [1], "item": [2], "rating": [3], "ts": [datetime(2001, 1, 2)]}
        )
        assert read_ratings(frame).timestamps.astype("datetime64[D]") == np.datetime64("2001-01-02")

    @pytest.mark.parametrize("build", [pd.DataFrame, pl.DataFrame, pa.table])
    @pytest.mark.parametrize(
        ("column", "values", "words"),
        [
            ("rating", [1.0, None], "row 2, column 'rating': .*missing"),
            ("rating", [1.0, np.nan], "row 2, column 'rating': .*missing"),
            ("rating", [1.0, -1.0], "row 2, column 'rating': .*negative"),
            ("rating", [1.0, np.inf], "row 2, column 'rating': .*not finite"),
            ("rating", ["1", "x"], "row 2, column 'rating': 'x' is not a number"),
            ("user", ["a", None], "row 2, column 'user': the id is empty"),
            ("user", ["a", ""], "row 2, column 'user': the id is empty"),
            ("item", [1.5, np.nan], "row 2, column 'item': the id is empty"),
            ("item", [[1], [2]], "column 'item' holds lists"),
        ],
    )
    def test_bad_cells(self, build, column, values, words):
        columns = {"user": [1, 2], "item": [1, 2], "rating": [1, 2]} | {column: values}
        with pytest.raises(InputError, match=words):
            read_ratings(build(columns))

    @pytest.mark.parametrize("source", [None, 3, [(1, 2, 3)], {"user": [1]}, np.ones((2, 3))])
    def test_not_a_frame(self, source):
        with pytest.raises(InputError, match="give a path or a pandas, polars or pyarrow table"):
            read_ratings(source)

    def test_empty_and_missing_columns(self):
        with pytest.raises(InputError, match="is empty"):
            read_ratings(pd.DataFrame({"user": [], "item": [], "rating": []}))
        with pytest.raises(
            InputError, match=r"no column rating; it has user, item, likes.*columns="
        ):
            read_ratings(pd.DataFrame({"user": [1], "item": [1], "likes": [1]}))
        twice = pd.DataFrame([[1, 2, 3, 4]], columns=["user", "item", "rating", "rating"])
        with pytest.raises(InputError, match="Rename or drop columns"):
            read_ratings(twice)
        frame = pd.DataFrame({0: [7], 1: ["x"], 2: [5]})
        assert read_ratings(frame, columns=(1, 2, 3)).user_ids.tolist() == [7]


class TestBadFiles:
    HEAD = "user,item,rating\n1,2,3\n"

    @pytest.mark.parametrize(
        ("text", "words"),
        [
            (HEAD + "1,3,x\n", "line 3, column 3: 'x' is not a number.*drop the line"),
            (HEAD + "1,3,4_0\n", "line 3, column 3: '4_0' is not a number"),
            (HEAD + "1,3,\n", "line 3, column 3: the rating is missing"),
            (HEAD + "1,3,NaN\n", "line 3, column 3: the rating is missing"),
            (HEAD + "1,3,inf\n", "line 3, column 3: the rating inf is not finite"),
            (HEAD + "\n1,3,-1\n", "line 4, column 3: the rating -1 is negative"),
            (HEAD + "1,3\n", "line 3 has 2 cells, line 1 has 3"),
            (HEAD + "1,3,4,5\n", "line 3 has 4 cells, line 1 has 3"),
            (HEAD + " ,3,4\n", "line 3, column 1: the user is empty"),
            (HEAD + "1,,4\n", "line 3, column 2: the item is empty"),
            (HEAD + '"1,3,4\n', "line 3: .*quotes"),
            ("rating,user,item\n3,1,2\nx,1,3\n", "line 3, column 1: 'x'"),
            ("1,2,x\n", "line 1, column 3: 'x' is not a number"),
            ("1;2;3,5\n", "line 1, column 3: '3,5' is not a number. Write the decimal point"),
            ("1 2 3\n", "first line has 1 cells"),
            ("1,2\n", "first line has 2 cells"),
            ("user,item,rating\n", "only a header"),
            ("", "it is empty"),
        ],
    )
    def test_errors_name_the_place(self, read, text, words):
        with pytest.raises(FileFormatError, match=words):
            read(text)

    def test_late_errors_in_a_long_file(self, read):
        text = self.HEAD + "".join(f"{i},1,1\n" for i in range(10_000))
        with pytest.raises(FileFormatError, match="line 10003, column 3: the rating -2"):
            read(text + "1,2,-2\n")
        with pytest.raises(FileFormatError, match="line 10003 has 2 cells"):
            read(text + "1,2\n")

    def test_missing_columns(self, read):
        with pytest.raises(
            InputError, match=r"no column item; it has user, thing, rating.*columns="
        ):
            read("user,thing,rating\n1,2,3\n")
        with pytest.raises(InputError, match="no column nobody"):
            read(self.HEAD, columns=("nobody", "item", "rating"))
        with pytest.raises(InputError, match="no column 4"):
            read("1,2,3\n", columns=(1, 2, 4))
        with pytest.raises(InputError, match="names a column twice"):
            read(self.HEAD, columns=("user", "user", "rating"))
        with pytest.raises(InputError, match="columns has 2 entries"):
            read(self.HEAD, columns=("user", "item"))
        many = ",".join(f"c{i}" for i in range(50))
        with pytest.raises(InputError, match="c9 and 40 more"):
            read(f"{many}\n" + ",".join("1" * 50) + "\n")

    def test_other_formats(self, tmp_path, read):
        with pytest.raises(InputError, match=r"\.npz is not a list of ratings"):
            read_ratings(tmp_path / "r.npz")
        with pytest.raises(InputError, match="no such file"):
            read_ratings(tmp_path / "r.csv")
        (tmp_path / "b.csv").write_bytes(b"user,item,rating\n1,\xe9,3\n")
        with pytest.raises(FileFormatError, match="line 2, byte 3"):
            read_ratings(tmp_path / "b.csv")
        with pytest.raises(FileFormatError, match="as Parquet"):
            read("x,y,z\n", "r.parquet")

    @settings(max_examples=300, deadline=None)
    @given(text=st.text(st.sampled_from('1a,\n";:|.-\t é_'), max_size=40))
    def test_anything_is_read_or_refused(self, tmp_path_factory, text):
        path = tmp_path_factory.mktemp("r") / "r.csv"
        path.write_text(text, encoding="utf-8", newline="")
        try:
            ratings = read_ratings(path)
        except InputError:
            return
        assert len(ratings) > 0
        assert (ratings.values >= 0).all()


@pytest.mark.shared_data
class TestRealFiles:
    def test_movielens_100k(self, shared_data):
        ratings = read_ratings(shared_data / "ml-100k" / "u.data.gz")
        assert (len(ratings), ratings.n_users, ratings.n_items) == (100_000, 943, 1682)
        assert (ratings.user_ids[0], ratings.item_ids[0], ratings.values[0]) == (196, 242, 3)
        assert ratings.timestamps[0] == 881250949
        assert ratings.values.mean() == pytest.approx(3.52986)

    def test_movielens_1m(self, shared_data):
        ratings = read_ratings(shared_data / "ml-1m" / "ratings.csv.gz")
        assert (len(ratings), ratings.n_users, ratings.timestamps) == (999_964, 6040, None)
        assert ratings.values.mean() == pytest.approx(3.58178, abs=1e-5)

    def test_movietweetings(self, shared_data):
        ratings = read_ratings(shared_data / "movietweetings-100k" / "ratings.dat.gz")
        assert (len(ratings), ratings.n_users, ratings.n_items) == (100_000, 16_554, 10_506)
        assert ratings.item_ids[ratings.item_code("0104257")] == "0104257"

    def test_lastfm(self, shared_data):
        ratings = read_ratings(shared_data / "lastfm-hetrec" / "user_artists.dat.gz")
        assert (len(ratings), ratings.n_users, ratings.n_items) == (92_834, 1892, 17_632)


def test_codes_of_one_or_several():
    frame = pd.DataFrame({"user": [7, 3, 7], "item": ["x", "y", "z"], "rating": [1, 2, 3]})
    ratings = read_ratings(frame)
    assert ratings.user_codes(3).tolist() == [1]
    assert ratings.user_codes([" 7 ", 3, 99, [], None]).tolist() == [0, 1, -1, -1, -1]
    assert ratings.item_codes("z").tolist() == [2]
    assert ratings.item_codes(name for name in "zyxw").tolist() == [2, 1, 0, -1]
    assert ratings.item_codes([]).size == 0
    assert ratings.item_codes(np.array(["y"])).dtype == np.intp
