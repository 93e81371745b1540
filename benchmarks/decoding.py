"""What decoding takes by format and depth: memory at its peak, and time, also by scans of a JPEG.

    python benchmarks/decoding.py
    python benchmarks/decoding.py --side 2048

Photos of one color, of which a decoder makes as much as of others; each is read in a process of its
own, whose peak of resident memory counts beyond what it was before, without the file itself.

JPEGs whose coefficients are all at their largest show what a byte of Huffman code costs, and a
pixel in arithmetic code, whose bytes do not tell.  libjpeg's jpegtran makes them; without it they
are left out.
"""

from __future__ import annotations

import argparse
import io
import shutil
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from facekit.photo.decode import read_image
from facekit.photo.header import read_header
from facekit.photo.limits import DEFAULT_LIMITS

CHILD = """
import sys, time
from pathlib import Path
from facekit.photo.decode import read_image
from facekit.photo.limits import ImageLimits

def peak_bytes():
    status = Path("/proc/self/status").read_text()
    return 1024 * int(status.partition("VmHWM:")[2].split()[0])

read_image(sys.argv[2])
data = Path(sys.argv[1]).read_bytes()
before, started = peak_bytes(), time.process_time()
read_image(data, limits=ImageLimits(10**9))
print(peak_bytes() - before, time.process_time() - started)
"""
SCANS = 110
DENSE_SCANS = 20
COMPONENTS = 4
SCAN_ROUNDS = 3


def by_pillow(mode: str, file_format: str, **options: object) -> Callable[[int], bytes]:
    def encoded(side: int) -> bytes:
        buffer = io.BytesIO()
        Image.new(mode, (side, side)).save(buffer, file_format, **options)
        return buffer.getvalue()

    return encoded


def by_opencv(suffix: str, dtype: type, *, channels: int) -> Callable[[int], bytes]:
    def encoded(side: int) -> bytes:
        shape = (side, side, channels) if channels > 1 else (side, side)
        return bytes(cv2.imencode(suffix, np.zeros(shape, dtype))[1])

    return encoded


def kinds() -> Iterator[tuple[str, Callable[[int], bytes]]]:
    for mode in ("L", "RGB", "CMYK"):
        yield f"JPEG {mode}", by_pillow(mode, "JPEG")
        yield f"JPEG {mode}, progressive", by_pillow(mode, "JPEG", progressive=True, subsampling=0)
    for suffix in (".png", ".tiff"):
        for channels, color in ((1, "gray"), (3, "RGB"), (4, "RGBA")):
            for dtype, bits in ((np.uint8, 8), (np.uint16, 16)):
                name = f"{suffix[1:].upper()} {color}, {bits} bits"
                yield name, by_opencv(suffix, dtype, channels=channels)
    yield "PNG palette", by_pillow("P", "PNG")
    yield "PNG gray and alpha", by_pillow("LA", "PNG")
    yield "WebP", by_pillow("RGB", "WEBP")
    yield "WebP with alpha", by_pillow("RGBA", "WEBP", lossless=True)
    yield "BMP", by_pillow("RGB", "BMP")
    yield "GIF", by_pillow("P", "GIF")
    yield "GIF, transparent", by_pillow("P", "GIF", transparency=0)


def measured(data: bytes, folder: Path) -> tuple[float, float]:
    """Bytes and processor seconds."""
    photo, tiny = folder / "photo", folder / "tiny"
    photo.write_bytes(data)
    tiny.write_bytes(by_pillow("RGB", "PNG")(8))
    command = [sys.executable, "-c", CHILD, str(photo), str(tiny)]
    run = subprocess.run(command, capture_output=True, text=True, check=True)
    peak, seconds = map(float, run.stdout.split())
    return peak, seconds


def slowest_scan_s(side: int) -> float:
    """Seconds a pixel of the slowest kind of scan of a JPEG: the median of several rounds."""
    whole = by_pillow("CMYK", "JPEG", progressive=True)(side)
    starts = [at for at in range(len(whole)) if whole.startswith(b"\xff\xda", at)]
    taken = []
    for start, end in zip(starts, [*starts[1:], len(whole) - 2], strict=True):
        scan = whole[start:end]
        tables = scan.find(b"\xff\xc4")
        scan = scan[:tables] if tables > 0 else scan
        many = whole[:start] + scan * SCANS + whole[start:]
        rounds = []
        for _ in range(SCAN_ROUNDS):
            started = time.process_time()
            read_image(many)
            rounds.append(time.process_time() - started)
        taken.append(sorted(rounds)[SCAN_ROUNDS // 2])
    return max(taken) / (SCANS + len(starts)) / side**2


def dense_jpeg(side: int, components: int) -> bytes:
    """A baseline JPEG whose coefficients are all 1023: 11 bits of Huffman code each."""
    bits = "0" + "01111111111" * 63
    blocks = np.tile(np.array(list(bits * components), np.uint8), (side // 8) ** 2)
    code = np.packbits(blocks).tobytes().replace(b"\xff", b"\xff\0")

    def segment(marker: int, content: bytes) -> bytes:
        return struct.pack(">BBH", 0xFF, marker, len(content) + 2) + content

    numbers = range(components)
    frame = struct.pack(">BHHB", 8, side, side, components)
    frame += b"".join(bytes((number, 0x11, 0)) for number in numbers)
    scan = bytes((components, *(value for number in numbers for value in (number, 0)), 0, 63, 0))
    tables = [segment(0xC4, bytes((kind, 1, *[0] * 15, size))) for kind, size in ((0, 0), (16, 10))]
    head = [b"\xff\xd8", segment(0xDB, bytes((0, *[1] * 64))), segment(0xC0, frame), *tables]
    return b"".join((*head, segment(0xDA, scan), code, b"\xff\xd9"))


def transformed(jpeg: bytes, *options: str) -> bytes:
    done = subprocess.run(["jpegtran", *options], input=jpeg, capture_output=True, check=True)
    return done.stdout


def seconds(data: bytes) -> float:
    started = time.process_time()
    read_image(data)
    return time.process_time() - started


def dense_costs(side: int) -> tuple[float, float]:
    """Seconds a byte of a repeated refining scan in Huffman code, and seconds a pixel and component
    in arithmetic code, of all four together."""
    progressive = transformed(dense_jpeg(side, 1), "-progressive")
    last = progressive.rindex(b"\xff\xda")
    scan = progressive[last:-2]
    many = progressive[:-2] + scan * DENSE_SCANS + progressive[-2:]
    byte_s = (seconds(many) - seconds(progressive)) / len(scan) / DENSE_SCANS
    arithmetic = transformed(dense_jpeg(side, COMPONENTS), "-arithmetic")
    return byte_s, seconds(arithmetic) / side**2 / COMPONENTS


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--side", type=int, default=4000, help="pixels (default 4000)")
    side = parser.parse_args().side
    print(f"{'kind':26} {'bytes a pixel':>13} {'allowed for':>11} {'ms a megapixel':>14}")
    with tempfile.TemporaryDirectory() as folder:
        for name, make in kinds():
            data = make(side)
            peak, seconds = measured(data, Path(folder))
            allowed = read_header(data).peak_bytes_per_pixel
            print(
                f"{name:26} {peak / side**2:13.1f} {allowed:11} {seconds / side**2 * 1e9:14.0f}",
                flush=True,
            )
    scan_s = slowest_scan_s(side // 4)
    most = DEFAULT_LIMITS.max_scanned_pixels
    print(
        f"\nA scan of a JPEG takes at most {scan_s * 1e9:.1f} ns a pixel: "
        f"{scan_s * most:.0f} s for the {most / 1e6:,.0f} megapixels that all may pass over."
    )
    if shutil.which("jpegtran"):
        byte_s, arithmetic_s = dense_costs(side // 4 // 8 * 8)
        print(
            f"A byte of it takes {byte_s * 1e9:.0f} ns: {byte_s * DEFAULT_LIMITS.max_bytes:.0f} s "
            f"for the largest file.\nIn arithmetic code a pixel takes {arithmetic_s * 1e9:.0f} ns "
            "for each component."
        )


if __name__ == "__main__":
    main()
