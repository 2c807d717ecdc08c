"""Model files: what goes in comes out, and nothing altered is ever accepted."""

from __future__ import annotations

import hashlib
import json
import os

import numpy as np
import pytest
import safetensors.numpy
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from nonneg.errors import InputError, ModelFileError, OutputExistsError
from nonneg.io.model_file import ModelRecord, read_record, write_record

RECORD = ModelRecord(
    "nmf",
    {"n_components": 2, "tol": 1e-4, "names": ["Heat", 'A "quoted" ü'], "seed": None, "on": True},
    {
        "W": np.array([[1.0, 0.25], [0.0, 3.0], [2.0, 1.0]]),
        "H": np.arange(4, dtype=np.float32).reshape(2, 2),
        "codes": np.array([3, 1], dtype=np.int32),
        "mask": np.array([True, False]),
    },
)


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    path = tmp_path_factory.mktemp("model") / "m.nonneg"
    write_record(RECORD, path)
    return path.read_bytes()


def same(one: ModelRecord, two: ModelRecord) -> None:
    assert one.kind == two.kind
    assert one.meta == two.meta
    assert set(one.arrays) == set(two.arrays)
    for name, values in one.arrays.items():
        assert two.arrays[name].dtype == values.dtype.newbyteorder("=")
        assert two.arrays[name].shape == values.shape
        np.testing.assert_array_equal(two.arrays[name], values)


def resealed(header: dict, body: bytes) -> bytes:
    """A file whose checksum is right, whatever its header says."""
    header["__metadata__"]["sha256"] = "0" * 64
    text = json.dumps(header, separators=(",", ":")).encode()
    data = len(text).to_bytes(8, "little") + text + body
    digest = hashlib.sha256(data).hexdigest().encode()
    return data.replace(b'"sha256":"' + b"0" * 64, b'"sha256":"' + digest)


def split(data: bytes) -> tuple[dict, bytes]:
    size = 8 + int.from_bytes(data[:8], "little")
    return json.loads(data[8:size]), data[size:]


class TestRoundTrip:
    def test_record(self, tmp_path):
        path = write_record(RECORD, tmp_path / "m.nonneg")
        loaded = read_record(path)
        same(RECORD, loaded)
        loaded.arrays["W"][0, 0] = 5.0  # writable
        assert os.listdir(tmp_path) == ["m.nonneg"]

    def test_any_safetensors_reader_opens_it(self, tmp_path):
        path = write_record(RECORD, tmp_path / "m.nonneg")
        arrays = safetensors.numpy.load_file(path)
        np.testing.assert_array_equal(arrays["W"], RECORD.arrays["W"])

    def test_layouts(self, tmp_path):
        arrays = {
            "fortran": np.asfortranarray(np.arange(6.0).reshape(2, 3)),
            "strided": np.arange(20.0)[::3],
            "big": np.arange(3, dtype=">i4"),
            "scalar": np.array(2.5),
            "empty": np.zeros((0, 4)),
        }
        record = ModelRecord("factorization", {}, arrays)
        same(record, read_record(write_record(record, tmp_path / "m")))

    meta = st.dictionaries(
        st.text(max_size=5),
        st.recursive(
            st.none()
            | st.booleans()
            | st.integers()
            | st.floats(allow_nan=False, allow_infinity=False)
            | st.text(st.characters(exclude_categories=()), max_size=8),
            lambda inner: (
                st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3)
            ),
            max_leaves=6,
        ),
        max_size=4,
    )
    arrays = st.dictionaries(
        st.from_regex(r"[A-Za-z][A-Za-z0-9_.]{0,8}", fullmatch=True),
        st.sampled_from(["f8", "f4", "f2", "i8", "i4", "u1", "?"]).flatmap(
            lambda dtype: hnp.arrays(
                dtype,
                hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=4),
                elements=(
                    {"allow_nan": False, "allow_infinity": False} if dtype[0] == "f" else None
                ),
            )
        ),
        max_size=4,
    )

    @settings(max_examples=60, deadline=None)
    @given(meta=meta, arrays=arrays)
    def test_any_record(self, tmp_path_factory, meta, arrays):
        path = tmp_path_factory.mktemp("any") / "m"
        record = ModelRecord("recommender", meta, arrays)
        same(record, read_record(write_record(record, path)))

    def test_meta_that_looks_like_the_checksum(self, tmp_path):
        record = ModelRecord("nmf", {"sha256": "0" * 64}, {"sha256": np.zeros(2)})
        same(record, read_record(write_record(record, tmp_path / "m")))


class TestRefusesToWrite:
    def test_existing(self, tmp_path):
        path = write_record(RECORD, tmp_path / "m")
        before = path.read_bytes()
        with pytest.raises(OutputExistsError):
            write_record(RECORD, path)
        assert path.read_bytes() == before

    @pytest.mark.parametrize(
        ("record", "words"),
        [
            (ModelRecord("no kind", {}, {}), "kind"),
            (ModelRecord("nmf", {"a": {1: 2}}, {}), "not a string"),
            (ModelRecord("nmf", {"a": float("nan")}, {}), "not finite"),
            (ModelRecord("nmf", {"a": [np.float64(1)]}, {}), "not JSON"),
            (ModelRecord("nmf", {"a": {1, 2}}, {}), "not JSON"),
            (ModelRecord("nmf", {}, {"W": np.array([np.inf])}), "not finite"),
            (ModelRecord("nmf", {}, {"W": np.array(["a"])}), "its type is"),
            (ModelRecord("nmf", {}, {"W": np.array([None])}), "its type is object"),
            (ModelRecord("nmf", {}, {"W": np.array([1j])}), "its type is complex"),
            (ModelRecord("nmf", {}, {"__metadata__": np.ones(1)}), "name it with"),
        ],
    )
    def test_what_cannot_be_stored(self, tmp_path, record, words):
        with pytest.raises(InputError, match=words):
            write_record(record, tmp_path / "m")
        assert not os.listdir(tmp_path)


class TestDamage:
    def test_every_flipped_byte(self, tmp_path, written):
        path = tmp_path / "m"
        for place in range(len(written)):
            for mask in (0x01, 0xFF):
                damaged = bytearray(written)
                damaged[place] ^= mask
                path.write_bytes(damaged)
                with pytest.raises(ModelFileError):
                    read_record(path)

    def test_every_white_space_swap(self, tmp_path, written):
        path = tmp_path / "m"
        header_end = 8 + int.from_bytes(written[:8], "little")
        for place in range(8, header_end):
            if written[place : place + 1] == b" ":
                path.write_bytes(written[:place] + b"\n" + written[place + 1 :])
                with pytest.raises(ModelFileError):
                    read_record(path)

    def test_every_truncation(self, tmp_path, written):
        path = tmp_path / "m"
        for size in range(len(written)):
            path.write_bytes(written[:size])
            with pytest.raises(ModelFileError):
                read_record(path)

    def test_extra_bytes(self, tmp_path, written):
        path = tmp_path / "m"
        path.write_bytes(written + b"\0")
        with pytest.raises(ModelFileError):
            read_record(path)

    @settings(max_examples=200, deadline=None)
    @given(data=st.binary(max_size=300))
    def test_any_bytes(self, tmp_path_factory, data):
        path = tmp_path_factory.mktemp("any") / "m"
        path.write_bytes(data)
        with pytest.raises(ModelFileError):
            read_record(path)

    @pytest.mark.parametrize("length", [2**63, 2**64 - 1, 100_000_001, 10**6])
    def test_hostile_length_is_refused_before_anything(self, tmp_path, length):
        path = tmp_path / "m"
        path.write_bytes(length.to_bytes(8, "little") + b'{"__metadata__":{}}')
        with pytest.raises(ModelFileError):
            read_record(path)

    def test_other_files(self, tmp_path):
        path = tmp_path / "m.safetensors"
        safetensors.numpy.save_file({"W": np.ones(2)}, path)
        with pytest.raises(ModelFileError, match="not a model of nonneg"):
            read_record(path)
        path.write_bytes(b"\x80\x04\x95pickle, of all things")
        with pytest.raises(ModelFileError, match="no model file"):
            read_record(path)
        with pytest.raises(InputError, match="no such file"):
            read_record(tmp_path / "absent")


class TestForged:
    """Files with a correct checksum whose header lies."""

    @pytest.fixture
    def forge(self, tmp_path, written):
        def read(change) -> None:
            header, body = split(written)
            body = change(header, body) or body
            path = tmp_path / "m"
            path.write_bytes(resealed(header, body))
            read_record(path)

        return read

    def test_an_honest_one_is_read(self, forge):
        forge(lambda header, body: None)

    def test_newer_version_says_update(self, forge):
        def change(header, body):
            header["__metadata__"]["format_version"] = "2"

        with pytest.raises(ModelFileError, match=r"format version 2.*Update nonneg"):
            forge(change)

    @pytest.mark.parametrize("version", ["0", "-1", "1.0", "", "two", "９", "9" * 50])
    def test_unknown_version(self, forge, version):
        def change(header, body):
            header["__metadata__"]["format_version"] = version

        with pytest.raises(ModelFileError, match="version"):
            forge(change)

    @pytest.mark.parametrize(
        "meta",
        ["[]", "{", "", "null", '{"a":NaN}', '{"a":1e999}', '{"a":1,"a":2}', "[" * 100_000,
         '{"a":' + "9" * 5000 + "}"],
    )  # fmt: skip
    def test_bad_settings(self, forge, meta):
        def change(header, body):
            header["__metadata__"]["meta"] = meta

        with pytest.raises(ModelFileError, match="settings"):
            forge(change)

    def test_kind_that_is_no_word(self, forge):
        def change(header, body):
            header["__metadata__"]["kind"] = "no word"

        with pytest.raises(ModelFileError, match="kind is not a word"):
            forge(change)

    def test_bytes_that_belong_to_no_array(self, forge):
        with pytest.raises(ModelFileError, match="its arrays need"):
            forge(lambda header, body: body + bytes(8))

    @pytest.mark.parametrize("key", ["kind", "meta", "created", "library_version"])
    @pytest.mark.parametrize("value", [None, 1, ["x"]])
    def test_metadata_of_other_types(self, forge, key, value):
        def change(header, body):
            header["__metadata__"][key] = value

        with pytest.raises(ModelFileError, match=key):
            forge(change)

    @pytest.mark.parametrize(
        "entry",
        [
            None,
            [],
            {},
            {"dtype": "F128", "shape": [3, 2], "data_offsets": [0, 48]},
            {"dtype": ["F64"], "shape": [3, 2], "data_offsets": [0, 48]},
            {"dtype": "F64", "shape": [3, -2], "data_offsets": [0, 48]},
            {"dtype": "F64", "shape": [3.0, 2], "data_offsets": [0, 48]},
            {"dtype": "F64", "shape": [True, 6], "data_offsets": [0, 48]},
            {"dtype": "F64", "shape": "32", "data_offsets": [0, 48]},
            {"dtype": "F64", "shape": [3, 2], "data_offsets": [0]},
            {"dtype": "F64", "shape": [3, 2], "data_offsets": [48, 0]},
            {"dtype": "F64", "shape": [2**62, 2**62], "data_offsets": [0, 48]},
            {"dtype": "F64", "shape": [1] * 40 + [6], "data_offsets": [0, 48]},
            {"dtype": "F64", "shape": [3, 2], "data_offsets": [8, 56]},
        ],
    )
    def test_bad_entries(self, forge, entry):
        def change(header, body):
            header["W"] = entry

        with pytest.raises(ModelFileError):
            forge(change)

    def test_overlapping_arrays(self, forge):
        def change(header, body):
            header["W2"] = header["W"]
            return body + bytes(48)

        with pytest.raises(ModelFileError):
            forge(change)

    def test_not_finite(self, forge):
        def change(header, body):
            start = header["W"]["data_offsets"][0]
            return body[:start] + np.array(np.nan).tobytes() + body[start + 8 :]

        with pytest.raises(ModelFileError, match="'W' is not finite"):
            forge(change)

    def test_booleans_that_are_none(self, forge):
        def change(header, body):
            start = header["mask"]["data_offsets"][0]
            return body[:start] + b"\x07" + body[start + 1 :]

        with pytest.raises(ModelFileError, match="booleans"):
            forge(change)

    def test_duplicate_key(self, tmp_path, written):
        header, body = split(written)
        text = resealed(header, body)
        size = 8 + int.from_bytes(text[:8], "little")
        doubled = text[8 : size - 1] + b',"W":{}}'
        path = tmp_path / "m"
        path.write_bytes(len(doubled).to_bytes(8, "little") + doubled + body)
        with pytest.raises(ModelFileError, match="occurs twice"):
            read_record(path)
