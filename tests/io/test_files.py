"""Bytes, text, delimiters and the atomic writer."""

from __future__ import annotations

import gzip
import os
import stat

import pytest

from nonneg.errors import FileFormatError, InputError, OutputExistsError
from nonneg.io.files import (
    atomic_write,
    column_blocks,
    format_suffix,
    numbered_rows,
    read_bytes,
    read_text,
    sniff_delimiter,
    write_bytes,
)


class TestReading:
    @pytest.mark.parametrize("name", ["a.csv", "a.csv.gz", "a.CSV.GZ"])
    def test_gzip_is_known_by_content(self, tmp_path, name):
        path = tmp_path / name
        path.write_bytes(gzip.compress(b"1,2\n"))
        assert read_text(path) == "1,2\n"

    def test_members_and_padding(self, tmp_path):
        path = tmp_path / "a.gz"
        path.write_bytes(gzip.compress(b"1,") + gzip.compress(b"2") + b"\0" * 7)
        assert read_bytes(path) == b"1,2"

    def test_bytes_as_they_are(self, tmp_path):
        path = tmp_path / "a"
        path.write_bytes(b"\x1f\x8bxyz")
        assert read_bytes(path, unpack=False) == b"\x1f\x8bxyz"

    def test_every_damage_to_gzip_is_an_error(self, tmp_path):
        packed = gzip.compress(b"user,item,rating\n" * 9, mtime=0)
        path = tmp_path / "a.gz"
        for cut in range(2, len(packed)):
            path.write_bytes(packed[:cut])
            with pytest.raises(FileFormatError, match="gzip"):
                read_bytes(path)
        path.write_bytes(packed[:-8] + bytes(8))
        with pytest.raises(FileFormatError, match="gzip data are damaged"):
            read_bytes(path)

    def test_plain_text_named_gz(self, tmp_path):
        path = tmp_path / "a.csv.gz"
        path.write_bytes(b"1,2\n")
        with pytest.raises(FileFormatError, match=r"named \.gz but is not gzip"):
            read_text(path)

    def test_byte_order_mark(self, tmp_path):
        path = tmp_path / "a.csv"
        path.write_bytes(b"\xef\xbb\xbfa,b\n")
        assert read_text(path) == "a,b\n"

    def test_place_of_a_bad_byte(self, tmp_path):
        path = tmp_path / "a.csv"
        path.write_bytes("é,1\nab".encode() + b"\xe9,2\n")
        with pytest.raises(FileFormatError, match=r"line 2, byte 3 \(0xe9\) is not UTF-8"):
            read_text(path)

    def test_fallback(self, tmp_path):
        path = tmp_path / "a.csv"
        path.write_bytes(b"1,Caf\xe9\n")
        assert read_text(path, fallback="latin-1") == "1,Café\n"
        path.write_bytes("1,Café\n".encode())
        assert read_text(path, fallback="latin-1") == "1,Café\n"
        path.write_bytes("a,b\n".encode("utf-16"))
        with pytest.raises(FileFormatError, match="UTF-16"):
            read_text(path, fallback="latin-1")

    def test_utf16_is_named(self, tmp_path):
        path = tmp_path / "a.csv"
        path.write_bytes("a,b\n".encode("utf-16"))
        with pytest.raises(FileFormatError, match="UTF-16"):
            read_text(path)

    @pytest.mark.parametrize("content", [b"", b"\n \n", b"\xef\xbb\xbf"])
    def test_empty(self, tmp_path, content):
        path = tmp_path / "a.csv"
        path.write_bytes(content)
        with pytest.raises(FileFormatError, match="it is empty"):
            read_text(path)

    def test_no_such_file(self, tmp_path):
        (tmp_path / "ratings.csv").touch()
        with pytest.raises(InputError, match=r"did you mean '.*ratings\.csv'"):
            read_bytes(tmp_path / "rating.csv")
        with pytest.raises(InputError, match="no folder"):
            read_bytes(tmp_path / "nowhere" / "a.csv")

    def test_directory_and_strange_paths(self, tmp_path):
        with pytest.raises(InputError, match="it is a directory"):
            read_bytes(tmp_path)
        with pytest.raises(InputError, match="cannot read"):
            read_bytes("a\0b")
        with pytest.raises(InputError, match="cannot read"):
            read_bytes(tmp_path / ("x" * 300))


def test_format_suffix():
    names = ["a/b.CSV.gz", "u.data", "x.tar.gz", "plain", "a.b.npz", ".gz"]
    assert [format_suffix(n) for n in names] == [".csv", ".data", ".tar", "", ".npz", ""]


class TestDelimiter:
    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            ("a,b\n1,2\n", ","),
            ("a\tb\n1\t2", "\t"),
            ("1::2::3::978300760\n", "::"),
            ("1|Toy Story (1995)|x\n2|GoldenEye, again|y\n", "|"),
            ("x;y\n1,5;2,5\n", ";"),
            ("1,5;2,5\n2,5;3,5\n", ";"),
            ("date,value\n2001-01-01 10:00,1\n", ","),
            ('"a;b","c;d"\n1,2\n', ","),
            ('"a\n;b","c"\n1,2\n', ","),
            ('"say ""a;b"" ; c",2\n"x",3\n', ","),
            ("1\n2\n", ","),
            ("a,b\n1,2,3\n4,5\n6,7\n", ","),
        ],
    )
    def test_witnesses(self, text, expected):
        assert sniff_delimiter(text) == expected


class TestRows:
    def test_lines_of_quoted_newlines_and_blanks(self):
        text = 'a,b\r\n\r\n"x\ny",2\n \nz,3'
        assert list(numbered_rows(text, ",", "f")) == [
            (1, ["a", "b"]),
            (3, ["x\ny", "2"]),
            (6, ["z", "3"]),
        ]

    def test_unfinished_quote_names_its_line(self):
        with pytest.raises(FileFormatError, match=r"line 2: .*quotes"):
            list(numbered_rows('a,b\n"x,1\ny,2\n', ",", "f"))

    def test_double_colon_knows_no_quotes(self):
        assert list(numbered_rows('1::"A" film\n', "::", "f")) == [(1, ["1", '"A" film'])]

    def test_blocks_are_the_columns(self):
        text = "h,k\n" + "".join(f"{i},{2 * i}\n" for i in range(10_000))
        blocks = list(column_blocks(text, ",", "f", skip=1))
        assert len(blocks) > 1
        joined = [sum((block[c] for block in blocks), ()) for c in (0, 1)]
        assert joined[0] == tuple(str(i) for i in range(10_000))
        assert joined[1] == tuple(str(2 * i) for i in range(10_000))

    @pytest.mark.parametrize("bad", ["1,2\n", "1,2,3,4\n", "1,2,3\n" * 5000 + "1,2\n"])
    def test_ragged_blocks_name_the_line(self, bad):
        text = "a,b,c\n" + bad
        last = text.count("\n")
        with pytest.raises(FileFormatError, match=f"line {last} has . cells, line 1 has 3"):
            list(column_blocks(text, ",", "f", skip=1))

    def test_broken_quotes_in_blocks(self):
        with pytest.raises(FileFormatError, match="line 2: "):
            list(column_blocks('a,b\n"x,1\n', ",", "f"))


class TestAtomicWrite:
    def test_writes_and_leaves_nothing_else(self, tmp_path):
        path = write_bytes(tmp_path / "a.bin", b"abc")
        assert path.read_bytes() == b"abc"
        assert os.listdir(tmp_path) == ["a.bin"]

    def test_existing_needs_force(self, tmp_path):
        path = write_bytes(tmp_path / "a.bin", b"old")
        with pytest.raises(OutputExistsError, match="exists already"):
            write_bytes(path, b"new")
        assert path.read_bytes() == b"old"
        write_bytes(path, b"new", force=True)
        assert path.read_bytes() == b"new"

    @pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
    def test_failure_keeps_the_old_file(self, tmp_path, error):
        path = write_bytes(tmp_path / "a.bin", b"old")

        def fail() -> None:
            with atomic_write(path, force=True) as stream:
                stream.write(b"half")
                raise error

        with pytest.raises(error):
            fail()
        assert path.read_bytes() == b"old"
        assert os.listdir(tmp_path) == ["a.bin"]

    def test_a_file_that_appears_meanwhile_is_kept(self, tmp_path):
        path = tmp_path / "a.bin"

        def race() -> None:
            with atomic_write(path) as stream:
                stream.write(b"mine")
                path.write_bytes(b"theirs")

        with pytest.raises(OutputExistsError):
            race()
        assert path.read_bytes() == b"theirs"
        assert os.listdir(tmp_path) == ["a.bin"]

    def test_mode_is_the_usual_or_the_old_one(self, tmp_path):
        (tmp_path / "plain").touch()
        usual = stat.S_IMODE((tmp_path / "plain").stat().st_mode)
        path = write_bytes(tmp_path / "a.bin", b"x")
        assert stat.S_IMODE(path.stat().st_mode) == usual
        path.chmod(0o600)
        write_bytes(path, b"y", force=True)
        assert stat.S_IMODE(path.stat().st_mode) == 0o600

    def test_links_are_followed(self, tmp_path):
        target = write_bytes(tmp_path / "target", b"old")
        link = tmp_path / "link"
        link.symlink_to(target)
        write_bytes(link, b"new", force=True)
        assert link.is_symlink()
        assert target.read_bytes() == b"new"

    def test_missing_folder(self, tmp_path):
        with pytest.raises(InputError, match="there is no folder"):
            write_bytes(tmp_path / "no" / "a", b"")
        write_bytes(tmp_path / "file", b"")
        with pytest.raises(InputError, match="there is no folder"):
            write_bytes(tmp_path / "file" / "a", b"")

    def test_directory_and_device_are_never_replaced(self, tmp_path):
        with pytest.raises(InputError, match="it is a directory"):
            write_bytes(tmp_path, b"", force=True)
        os.mkfifo(tmp_path / "pipe")
        with pytest.raises(InputError, match="not a regular file"):
            write_bytes(tmp_path / "pipe", b"", force=True)

    def test_unwritable_folder(self, tmp_path, monkeypatch):
        # Root may write anywhere, so the refusal itself is simulated.
        def refuse(*args: object, **kwargs: object) -> int:
            raise PermissionError(13, "Permission denied")

        monkeypatch.setattr(os, "open", refuse)
        with pytest.raises(InputError, match="is not writable"):
            write_bytes(tmp_path / "a", b"")

    def test_strange_paths(self, tmp_path):
        with pytest.raises((InputError, OSError)):
            write_bytes(tmp_path / ("x" * 300), b"")
        with pytest.raises((InputError, ValueError)):
            write_bytes("a\0b", b"")
