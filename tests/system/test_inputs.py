"""The door for files from outside: nothing hangs it, nothing passes it as another error."""

from __future__ import annotations

import io
import os
import socket
import tracemalloc
import zipfile
import zlib
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from facekit.errors import EmbeddingFileError, PairListError, UsageError
from facekit.system.inputs import (
    InputKind,
    open_input,
    open_zip,
    parse_json,
    read_input,
    read_member,
    reading,
)
from tests.sparse_file import four_terabytes

KIND = InputKind("a pair list", PairListError, max_bytes=1000)


def test_a_file_up_to_the_limit_is_read(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_bytes(b"x" * 1000)
    assert read_input(path, KIND) == b"x" * 1000


def test_a_larger_file_is_refused_before_it_is_read(tmp_path: Path) -> None:
    path = tmp_path / "x"
    four_terabytes(path)
    with pytest.raises(PairListError, match=r"x has more than the 0 MB that a pair list may have"):
        read_input(path, KIND)


def test_a_file_that_grows_while_it_is_read_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_bytes(b"x")
    with open_input(path, KIND) as file:
        path.write_bytes(b"x" * 1001)
        assert len(file.read()) == 1001  # which read_input bounds:
    assert Path("/proc/self/maps").stat().st_size == 0
    with pytest.raises(PairListError, match="more than"):
        read_input(Path("/proc/self/maps"), KIND)


def make_socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as opened:
        opened.bind(str(path))


@pytest.mark.parametrize(
    ("make", "what"),
    [
        (lambda path: os.mkfifo(path), "a pipe"),
        (lambda path: path.symlink_to("/dev/zero"), "a device"),
        (lambda path: path.mkdir(), "directory"),
        (lambda path: make_socket(path), "No such device"),
    ],
    ids=["pipe", "device", "folder", "socket"],
)
def test_what_is_no_regular_file_is_refused_at_once(
    make: object, what: str, tmp_path: Path
) -> None:
    path = tmp_path / "x"
    assert callable(make)
    make(path)
    with pytest.raises(PairListError, match=what):
        read_input(path, KIND)


def test_a_pipe_may_be_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"a,b\n")))
    assert read_input(Path("-"), KIND) == b"a,b\n"
    with open("/dev/zero", encoding="latin-1") as endless:
        monkeypatch.setattr("sys.stdin", endless)
        with pytest.raises(PairListError, match="standard input has more than"):
            read_input(Path("-"), KIND)
    monkeypatch.setattr("sys.stdin", None)
    with pytest.raises(PairListError, match="closed"):
        read_input(Path("-"), KIND)


def test_a_path_that_cannot_be_opened_names_itself(tmp_path: Path) -> None:
    with pytest.raises(PairListError, match=r"none cannot be read: No such file"):
        read_input(tmp_path / "none", KIND)
    with pytest.raises(PairListError, match="null"):
        read_input(tmp_path / "a\0b", KIND)


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (KeyError("face"), "'face' is missing in it"),
        (RecursionError(), "nested too deeply"),
        (MemoryError(), "more memory than there is"),
        (IndexError("out of range"), "out of range"),
        (StopIteration(), "StopIteration"),
    ],
)
def test_whatever_a_reader_raises_is_the_error_of_the_kind(error: Exception, reason: str) -> None:
    with pytest.raises(PairListError, match=f"^x cannot be read as a pair list: .*{reason}"):  # noqa: SIM117 - the inner one raises
        with reading(KIND, "x"):
            raise error


def test_errors_of_ours_and_interrupts_pass(tmp_path: Path) -> None:
    for error in (UsageError("x"), EmbeddingFileError("x"), KeyboardInterrupt()):
        with pytest.raises(type(error)), reading(KIND, "x"):
            raise error


@pytest.mark.parametrize("text", ["NaN", "-Infinity", '{"a": [1e999]}', "[" * 100_000, "\xff", ""])
def test_what_is_no_json_is_refused(text: str) -> None:
    with pytest.raises((ValueError, RecursionError)):
        parse_json(text)


@given(st.binary(max_size=200))
def test_any_bytes_are_json_or_an_error_of_the_kind(content: bytes) -> None:
    with suppress(PairListError), reading(KIND, "x"):
        parse_json(content)


def zipped(method: int, content: bytes = bytes(2_000_000), *, members: int = 1) -> io.BytesIO:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        for number in range(members):
            archive.writestr(f"{number:0200d}", content)
    return buffer


def test_an_archive_that_unpacks_to_too_much_is_refused() -> None:
    buffer = zipped(zipfile.ZIP_DEFLATED)
    with open_zip(buffer, max_bytes=2_000_000) as archive:
        assert read_member(archive, archive.namelist()[0]) == bytes(2_000_000)
    with (
        pytest.raises(ValueError, match="unpacks to 2 MB; 2 are allowed"),
        open_zip(buffer, max_bytes=1_999_999),
    ):
        pass
    with pytest.raises(zipfile.BadZipFile), open_zip(io.BytesIO(b"no archive"), max_bytes=100):
        pass


def test_a_member_that_unpacks_to_more_than_it_states_takes_no_memory() -> None:
    """zipfile cuts it to the stated size, but `ZipFile.read` would unpack all of it first."""
    buffer = zipped(zipfile.ZIP_DEFLATED, bytes(200_000_000))
    content = buffer.getvalue().replace((200_000_000).to_bytes(4, "little"), bytes(4))
    content = content.replace(zlib.crc32(bytes(200_000_000)).to_bytes(4, "little"), bytes(4))
    tracemalloc.start()
    with open_zip(io.BytesIO(content), max_bytes=100) as archive:
        assert read_member(archive, archive.namelist()[0]) == b""
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 20_000_000


@pytest.mark.parametrize(
    ("method", "members", "said"),
    [
        (zipfile.ZIP_LZMA, 1, "compressed in a way"),
        (zipfile.ZIP_BZIP2, 1, "compressed in a way"),
        (zipfile.ZIP_STORED, 20_000, "list of members is too long"),
    ],
)
def test_an_archive_without_bounds_is_refused(method: int, members: int, said: str) -> None:
    buffer = zipped(method, b"x", members=members)
    with pytest.raises(ValueError, match=said), open_zip(buffer, max_bytes=1_000_000):
        pass
