"""insightface's .bin files: what is read of them, and that nothing in them runs."""

from __future__ import annotations

import os
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from facekit.errors import ImageTooLargeError, PairListError
from facekit.photo.bin_file import read_packed_pairs
from facekit.photo.decode import load_picture
from facekit.photo.limits import ImageLimits
from facekit.photo.reading import read_bytes

PHOTOS = [b"one\xff\xd8", b"two" * 100, b"three", b"four" * 70_000]
LABELS = [True, False]


def written(folder: Path, content: Any, protocol: int = pickle.HIGHEST_PROTOCOL) -> Path:
    path = folder / "made.bin"
    path.write_bytes(content if isinstance(content, bytes) else pickle.dumps(content, protocol))
    return path


def arrays() -> list[Any]:
    return [np.frombuffer(photo, np.uint8) for photo in PHOTOS]


CONTENTS: dict[str, tuple[Any, int]] = {
    **{f"bytes, protocol {number}": ((PHOTOS, LABELS), number) for number in (3, 4, 5)},
    **{f"arrays, protocol {number}": ((arrays(), LABELS), number) for number in (3, 4, 5)},
    "bytearrays": (([bytearray(photo) for photo in PHOTOS], LABELS), 5),
    "a list of lists": ([PHOTOS, [1, 0]], 4),
    "an array of labels": ((PHOTOS, np.array(LABELS)), 4),
    "such an array by protocol 5": ((PHOTOS, np.array(LABELS)), 5),
    "NumPy's labels": ((PHOTOS, list(np.array(LABELS))), 4),
}


@pytest.mark.parametrize("title", CONTENTS)
def test_photos_are_where_the_file_has_them(tmp_path: Path, title: str) -> None:
    packed = read_packed_pairs(written(tmp_path, *CONTENTS[title]))
    assert [read_bytes(photo) for photo in packed.photos] == PHOTOS
    assert packed.same == (True, False)
    assert str(packed.photos[1]) == "made.bin#00001"


def test_python_2s_files_hold_bytes_as_strings(tmp_path: Path) -> None:
    """As cPickle wrote (["a\\xff", "b" * 300], [True]) by its highest protocol."""
    long = b"b" * 300
    content = (
        b"\x80\x02]q\x01(U\x02a\xffq\x02T" + len(long).to_bytes(4, "little") + long
        + b"q\x03e]q\x04\x88a\x86q\x05."
    )  # fmt: skip
    packed = read_packed_pairs(written(tmp_path, content))
    assert [read_bytes(photo) for photo in packed.photos] == [b"a\xff", long]
    assert packed.same == (True,)


PAIRS = st.lists(st.tuples(*[st.binary(max_size=300)] * 2, st.booleans()), min_size=1)


@given(PAIRS)
def test_any_bytes_come_back(
    tmp_path_factory: pytest.TempPathFactory, pairs: list[tuple[bytes, bytes, bool]]
) -> None:
    photos = [photo for a, b, _ in pairs for photo in (a, b)]
    path = written(tmp_path_factory.mktemp("bin"), (photos, [same for *_, same in pairs]))
    packed = read_packed_pairs(path)
    assert [read_bytes(photo) for photo in packed.photos] == photos
    assert packed.same == tuple(same for *_, same in pairs)


class _Run:
    def __reduce__(self) -> tuple[Any, tuple[str]]:
        return os.mkdir, ("pickled-code-was-run",)


MALICIOUS: dict[str, Any] = {
    "a photo": ([_Run(), b"b"], [True]),
    "a label": ([b"a", b"b"], [_Run()]),
    "the whole": _Run(),
    "text alone": b"cposix\nmkdir\n(S'pickled-code-was-run'\ntR.",
    "an instance": b"(S'pickled-code-was-run'\niposix\nmkdir\n.",
}


@pytest.mark.parametrize("where", MALICIOUS)
@pytest.mark.parametrize("protocol", [2, 5])
def test_nothing_in_the_file_is_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: str, protocol: int
) -> None:
    monkeypatch.chdir(tmp_path)
    path = written(tmp_path, MALICIOUS[where], protocol)
    with pytest.raises(PairListError, match=r"made\.bin cannot be read as a \.bin file of photo"):
        read_packed_pairs(path)
    assert not Path("pickled-code-was-run").exists()
    pickle.loads(path.read_bytes())
    assert Path("pickled-code-was-run").exists()  # which other readers do


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "pickle exhausted|unknown|not end|got"),
        (b"\xff\xd8\xff\xe0", "opcode"),
        (pickle.dumps((PHOTOS, LABELS))[:-40], "expected|exhausted|remain"),
        ((PHOTOS, [True]), "4 photos and 1 labels"),
        ((PHOTOS[:3], LABELS), "3 photos and 2 labels"),
        (([], []), "0 photos and 0 labels"),
        ((PHOTOS, ["yes", "no"]), "neither true nor false"),
        ((PHOTOS, [1, 2]), "neither true nor false"),
        ((PHOTOS, {}), "a list of labels is needed"),
        ((["a.jpg", "b.jpg"], [True]), "it has a str"),
        (([np.zeros((2, 2), np.uint8)] * 2, [True]), "an array of something else"),
        (([np.zeros(2, np.float32)] * 2, [True]), "an array of something else"),
        ({"photos": PHOTOS}, "a list of photos and a list of labels"),
        (b"]q\x01h\x01a.", "a list of photos and a list of labels"),
        (b"\x80\x04\x8e" + b"\xff" * 7 + b"\x00.", "bytes8"),
    ],
)
def test_another_file_is_refused_with_the_reason(tmp_path: Path, content: Any, said: str) -> None:
    path = written(tmp_path, content)
    with pytest.raises(PairListError, match=said) as caught:
        read_packed_pairs(path)
    assert str(caught.value).startswith(f"{path} cannot be read")


def test_bytes_by_an_encoder_call_are_refused_by_name(tmp_path: Path) -> None:
    """Python 3 writes bytes so, where protocol 2 is asked for."""
    path = written(tmp_path, (PHOTOS, LABELS), 2)
    with pytest.raises(PairListError, match=r"_codecs\.encode"):
        read_packed_pairs(path)


def test_a_photo_in_the_file_is_guarded_as_any_other(tmp_path: Path, data: Path) -> None:
    photo = (data / "obama.jpg").read_bytes()
    (first, _) = read_packed_pairs(written(tmp_path, ([photo, photo], [True]))).photos
    assert load_picture(first).pixels.shape == load_picture(data / "obama.jpg").pixels.shape
    for limits in (ImageLimits(max_pixels=1000), ImageLimits(max_bytes=1000)):
        with pytest.raises(ImageTooLargeError, match=r"made\.bin#00000"):
            load_picture(first, limits=limits)
