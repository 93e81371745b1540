"""Doors of files that users compare: pictures, packed pairs, embedding files, requests on stdin."""

from __future__ import annotations

import base64
import io
import json
import pickle
from collections.abc import Mapping, Sequence
from pathlib import Path
from random import Random

import numpy as np
from PIL import Image

from facekit.photo.bin_file import read_packed_pairs
from facekit.photo.decode import load_picture
from facekit.photo.limits import ImageLimits
from facekit.photo.reading import read_bytes
from facekit.template.file import SUFFIXES, read_embeddings, write_embeddings
from facekit.template.space import mean_sha256_of
from tests.fuzz.door import Door, Use
from tests.fuzz.mutate import (
    changed_bytes,
    changed_chunk,
    changed_json,
    changed_lines,
    of_zip,
)
from tests.photo.picture_samples import (
    PHOTO_FORMATS,
    encoded,
    png,
    sample,
    smooth_alpha,
    smooth_pixels,
    tiff,
)
from tests.template.spaces import MEAN, OTHER_MEAN_SPACE, SPACE
from tests.template.test_embedding_file import table

LIMITS = ImageLimits(max_pixels=1_000_000)  # so that a changed size does not make it slow


def picture_seeds() -> Mapping[str, list[bytes]]:
    """Small pictures of every format, in the forms that its decoder has code for."""
    pixels = smooth_pixels()
    picture = Image.fromarray(pixels)
    gray, palette, cmyk = picture.convert("L"), picture.quantize(16), picture.convert("CMYK")
    alpha = Image.fromarray(np.dstack([pixels, smooth_alpha()]), "RGBA")
    exif = Image.Exif()
    exif[0x0112] = 6
    made = [sample(name) for name in PHOTO_FORMATS]
    for options in (
        {"progressive": True},
        {"exif": exif},
        {"restart_marker_blocks": 2},
        {"subsampling": 0, "quality": 30},
    ):
        made.append(encoded(picture, "JPEG", **options))
    made += [encoded(gray, "JPEG"), encoded(cmyk, "JPEG", progressive=True)]
    made += [encoded(one, "PNG") for one in (gray, alpha, gray.convert("1"))]
    made.append(encoded(palette, "PNG", transparency=3))
    made.append(encoded(picture, "PNG", exif=exif))
    made.append(png(pixels.astype(np.uint16) * 257, bits=16, color=2))
    made += [encoded(alpha, "WEBP"), encoded(picture, "WEBP", lossless=False, exif=exif)]
    made += [encoded(palette, "BMP"), encoded(alpha, "BMP"), encoded(gray.convert("1"), "BMP")]
    for compression in ("tiff_lzw", "jpeg", "packbits", "tiff_adobe_deflate", "group4"):
        one = gray.convert("1") if compression == "group4" else picture
        made.append(encoded(one, "TIFF", compression=compression))
    made.append(encoded(cmyk, "TIFF"))
    made.append(tiff(pixels.astype(np.uint16), photometric=2, order=">"))
    made.append(tiff(pixels, photometric=2, order=">", planes_apart=True))
    made.append(encoded(palette, "GIF", transparency=2))
    made.append(encoded(picture, "GIF", save_all=True, append_images=[gray.convert("RGB")]))
    return {"": made}


def _open_pictures(folder: Path) -> Use:
    def use(path: Path) -> None:
        picture = load_picture(path, limits=LIMITS)
        assert picture.pixels.size <= 3 * LIMITS.max_pixels

    return use


def packed_seeds() -> Mapping[str, list[bytes]]:
    """Two pairs of bytes and of arrays, by the protocols that are in use."""
    photos, labels = [b"a", b"b" * 300, b"c", b"d"], [True, False]
    arrays = [np.frombuffer(photo, np.uint8) for photo in photos]
    made = [pickle.dumps((kind, labels), 4) for kind in (photos, arrays)]
    return {".bin": [*made, pickle.dumps((arrays, np.array(labels)), 5)]}


def _open_packed(folder: Path) -> Use:
    def use(path: Path) -> None:
        packed = read_packed_pairs(path)
        assert len(packed.photos) == 2 * len(packed.same)
        for photo in packed.photos:
            assert len(read_bytes(photo)) == photo.size_bytes

    return use


def embedding_seeds() -> Mapping[str, list[bytes]]:
    """Files of 2 faces and a failure, with and without a mean, in each format."""
    import tempfile

    made: dict[str, list[bytes]] = {suffix: [] for suffix in SUFFIXES}
    with tempfile.TemporaryDirectory() as folder:
        for suffix in SUFFIXES:
            for centered in (False, True):
                path = Path(folder) / f"x{suffix}"
                write_embeddings(path, table(["a.jpg", "b é.jpg"], centered=centered))
                made[suffix].append(path.read_bytes())
    return made


def _changed_mean(content: bytes, others: Sequence[bytes], random: Random) -> bytes:
    """A mean of other numbers or of another length, which the space names."""
    header, *lines = content.splitlines()
    found = json.loads(header)
    mean = MEAN * np.float32(random.choice((0.5, 2, 100, 1e30, np.nan, np.inf)))
    mean = mean[: random.choice((len(mean), len(mean), 3, 1))]
    found["mean"] = base64.b64encode(mean.tobytes()).decode()
    found["space"]["mean_sha256"] = mean_sha256_of(mean)
    return b"\n".join([json.dumps(found).encode(), *lines])


def _open_embeddings(folder: Path) -> Use:
    def use(path: Path) -> None:
        read = read_embeddings(path)
        for space, mean in ((SPACE, None), (OTHER_MEAN_SPACE, MEAN)):
            vectors = read.vectors_in(space, mean, where=path.name)
            assert vectors.dtype == np.float32
            assert np.isfinite(vectors).all()
        write_embeddings(path.with_name(f"again{path.suffix}"), read)

    return use


def request_seeds() -> Mapping[str, list[bytes]]:
    """Lines of requests, for pictures that are there, that are none, and that are missing."""
    small = base64.b64encode(encoded(Image.fromarray(smooth_pixels()), "JPEG")).decode()
    requests = [
        {"detect": "missing.jpg", "id": 7},
        {"detect": {"base64": small}, "id": "x"},
        {"embed": {"base64": small[:400]}, "id": [1, {"a": None}]},
        {"verify": ["a.jpg", "b.npz"], "id": None},
        {"verify": [{"base64": small}, {"base64": ""}]},
        {"embed": "x.jsonl"},
    ]
    lines = [json.dumps(request).encode() + b"\n" for request in requests]
    return {".jsonl": [*lines, b"".join(lines)]}


def _changed_request(content: bytes, others: Sequence[bytes], random: Random) -> bytes:
    """The base64 of a line stands for a picture with a changed byte."""
    found = json.loads(content.splitlines()[0])
    inner = found.get("detect") or found.get("embed") or found["verify"][0]
    picture = base64.b64decode(inner["base64"])
    inner["base64"] = base64.b64encode(changed_bytes(picture, [picture], random)).decode()
    return json.dumps(found).encode()


def _open_requests(folder: Path) -> Use:
    from facekit.reporter import Reporter
    from facekit.server.stdin import answer, request_lines
    from facekit.tasks.open_pipeline import PipelineRequest
    from facekit.tasks.serve import Service, ServiceRequest
    from facekit.template.threshold import ThresholdChoice

    class Unforeseen(Reporter):
        def detail(self, line: str) -> None:
            raise AssertionError(f"An error that nobody has foreseen: {line}")

    service = Service(ServiceRequest(PipelineRequest(threads=1), ThresholdChoice(0.6)))

    def use(path: Path) -> str:
        said = ""
        for line in request_lines(io.BytesIO(path.read_bytes())):
            answered = answer(line, service, reporter=Unforeseen())
            said += json.dumps(answered, allow_nan=False)
            assert answered.get("error", {"exit_code": 2})["exit_code"] in (2, 3, 4)
        return said

    return use


PICTURES = Door(
    picture_seeds,
    {"": (changed_bytes, changed_bytes, changed_bytes, changed_chunk)},
    _open_pictures,
    most_bytes=LIMITS.max_decoding_bytes + 1_000_000,
    longest=60_000,
)
PACKED = Door(packed_seeds, {".bin": (changed_bytes,)}, _open_packed, most_bytes=20_000_000)
EMBEDDINGS = Door(
    embedding_seeds,
    {
        ".npz": (changed_bytes, of_zip(changed_bytes), of_zip(changed_bytes)),
        ".csv": (changed_bytes,),
        ".jsonl": (changed_bytes, *6 * (changed_lines,), _changed_mean),
    },
    _open_embeddings,
    most_bytes=100_000_000,
)
REQUESTS = Door(
    request_seeds,
    {".jsonl": (changed_bytes, *3 * (changed_json, changed_lines), _changed_request)},
    _open_requests,
)
