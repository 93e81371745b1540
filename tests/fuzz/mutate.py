"""Makes inputs that are almost sound: changes bytes, JSON, members of zip and tar archives."""

from __future__ import annotations

import gzip
import io
import json
import tarfile
import warnings
import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from random import Random
from typing import Any, TypeAlias

Mutator: TypeAlias = Callable[[bytes, Sequence[bytes], Random], bytes]
"""Changes a content; the others are contents of the same kind, to take pieces from.

Raises any Exception for a content that it cannot read, such as an archive that is damaged.
"""

_EDGES = (0, 1, 2, 3, 127, 128, 255, 256, 32767, 32768, 65535, 65536, (1 << 31) - 1, 1 << 31)
_LARGE = ((1 << 32) - 1, 1 << 32, (1 << 62), (1 << 63) - 1, 1 << 63, (1 << 64) - 1)
_WORDS = (
    b"NaN", b"Infinity", b"-Infinity", b"1e999", b"-1", b"0", b"1e-400", b"9" * 5000, b"null", b"",
    b"true", b'"', b"{", b"}", b"[", b"]", b"[" * 2000, b"\0", b"\n", b"\r", b",", b"\xff", b"\xc3",
    b"\xed\xa0\x80", b"\xef\xbb\xbf", b"\\ud800", b"..", b"/", b"../../etc/passwd", b"/dev/zero",
    b"%s", b"'", b";", b"-", b"A" * 300, b"\xff\xd9", b"PK\5\6", b"\x93NUMPY", b"(1000000000, 4)",
)  # fmt: skip
_VALUES: tuple[Any, ...] = (
    None, True, False, 0, 1, -1, 2, 0.5, -0.0, 1e308, -1e308, 5e-324, 1 << 31, -(1 << 63), 1 << 64,
    1 << 70, 10**400, "", "x", "NaN", "inf", "\ud800", "\0", "é", "a" * 5000, "../x", "/dev/zero",
    "1e999", "-1", "0x10", [], {}, [[]], [None], {"": None}, [0] * 1000, [1e308] * 4, "none",
    float("nan"), float("inf"), "mtcnn", "float32", "A" * 4, "=", "1 2", " ", "0 ms", "\n",
)  # fmt: skip
"""JSON writes NaN and Infinity for two of them, as careless programs do."""


def changed_bytes(content: bytes, others: Sequence[bytes], random: Random) -> bytes:
    """One change: a bit, a byte, a number of 1 to 8 bytes, a piece lost, doubled, moved or put in.

    Half of the changes fall into the first 100 bytes or the last 100, where sizes and kinds are.
    """
    data = bytearray(content)
    length = len(data)
    at = random.randrange(length + 1)
    if length > 200 and random.random() < 0.5:
        at = random.randrange(100)
        at = at if random.random() < 0.7 else length - at
    piece = random.choice((1, 1, 2, 4, 8, 16, 64, 1000, length))
    match random.randrange(10):
        case 0 | 1 if at < length:
            data[at] ^= 1 << random.randrange(8)
        case 2 | 3 if at < length:
            data[at] = random.randrange(256)
        case 4 | 5:
            size = random.choice((1, 2, 4, 8))
            number = random.choice((*_EDGES, *_LARGE)) % (1 << 8 * size)
            order: Any = random.choice(("little", "big"))
            place = at - at % size if random.random() < 0.7 else at
            data[place : place + size] = number.to_bytes(size, order)
        case 6:
            del data[at : at + piece]
        case 7:
            data[at:at] = data[at : at + min(piece, 5000)] * random.choice((1, 1, 2, 20))
        case 8:
            data[at:at] = random.choice(_WORDS)
        case _:
            other = random.choice(others)
            start = random.randrange(len(other) + 1)
            data[at : at + piece * random.randrange(2)] = other[start : start + piece]
    return bytes(data)


def changed_json(content: bytes, others: Sequence[bytes], random: Random) -> bytes:
    """Another value, name or order somewhere in a JSON text."""
    return _dumped(changed_value(json.loads(content), random), random)


def changed_lines(content: bytes, others: Sequence[bytes], random: Random) -> bytes:
    """One line of JSON Lines changed, doubled, lost or moved, or one of another file put in."""
    lines = content.splitlines()
    at = random.randrange(len(lines))
    match random.randrange(8):
        case 0:
            del lines[at]
        case 1:
            lines.insert(at, random.choice(lines))
        case 2:
            lines.insert(at, random.choice(random.choice(others).splitlines() or [b""]))
        case 3:
            random.shuffle(lines)
        case _:
            lines[at] = changed_json(lines[at], others, random)
    return b"\n".join(lines) + b"\n"


def changed_value(value: Any, random: Random) -> Any:
    """The value with one place in it changed."""
    places = list(_places(value))
    if not places or random.random() < 0.02:
        return random.choice(_VALUES)
    parent, key = random.choice(places)
    match random.randrange(8):
        case 0:
            del parent[key]
        case 1 if isinstance(parent, dict):
            parent[random.choice((f"{key}x", "", "id", "\ud800"))] = parent[key]
        case 2:
            inner, name = random.choice(places)
            parent[key] = json.loads(json.dumps(inner[name]))
        case 3 if isinstance(parent[key], (int, float)) and not isinstance(parent[key], bool):
            parent[key] = random.choice((-1, 2, 0.1, 1e10, 1 << 40)) * parent[key]
        case 4 if isinstance(parent[key], str) and parent[key]:
            text = parent[key]
            at = random.randrange(len(text))
            parent[key] = text[:at] + str(random.choice(_VALUES))[:10] + text[at + 1 :]
        case 5 if isinstance(parent, list):
            parent.extend(parent[key:] * random.choice((1, 1, 50)))
        case 6 if random.random() < 0.1:
            for _ in range(random.choice((50, 500, 20_000))):
                parent[key] = [parent[key]]
        case _:
            parent[key] = random.choice(_VALUES)
    return value


def _places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Every (list or object, index or name) within the value."""
    keys = value if isinstance(value, dict) else range(len(value) if isinstance(value, list) else 0)
    for key in list(keys):
        yield value, key
        yield from _places(value[key])


def _dumped(value: Any, random: Random) -> bytes:
    try:
        text = json.dumps(value, ensure_ascii=random.random() < 0.5)
    except RecursionError:
        text = "[" * 30_000 + "]" * 30_000
    return text.encode("utf-8", "surrogatepass")


def of_zip(*mutators: Mutator) -> Mutator:
    """Changes one member of a zip archive, whose checksum and sizes are then right again."""

    def changed(content: bytes, others: Sequence[bytes], random: Random) -> bytes:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            members = [(one.filename, archive.read(one)) for one in archive.infolist()]
        at = random.randrange(len(members))
        name, member = members[at]
        match random.randrange(10):
            case 0:
                del members[at]
            case 1:
                members[at] = (random.choice(members)[0] + random.choice(("", "x", "/")), member)
            case 2:
                members.append((random.choice(("x.npy", "../x", name)), member))
            case 3:
                members[at] = (name, random.choice(members)[1])
            case _:
                members[at] = (name, _changed(member, others, random, mutators))
        kind = random.choice((zipfile.ZIP_STORED, zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED))
        buffer = io.BytesIO()
        with warnings.catch_warnings(), zipfile.ZipFile(buffer, "w", kind) as archive:
            warnings.simplefilter("ignore")  # two members of one name are meant
            for one, packed in members:
                archive.writestr(one, packed)
        return buffer.getvalue()

    return changed


def of_gzip(mutator: Mutator) -> Mutator:
    """Changes what a gzip file holds."""

    def changed(content: bytes, others: Sequence[bytes], random: Random) -> bytes:
        unpacked = mutator(gzip.decompress(content), others, random)
        return gzip.compress(unpacked, compresslevel=1, mtime=0)

    return changed


def of_tar(*mutators: Mutator, repair: Callable[[dict[str, bytes]], None]) -> Mutator:
    """Changes a member, or what the archive says of it; `repair` may then make checksums right."""

    def changed(content: bytes, others: Sequence[bytes], random: Random) -> bytes:
        with tarfile.open(fileobj=io.BytesIO(content)) as archive:
            members = {}
            for one in archive:
                file = archive.extractfile(one)
                members[one.name] = b"" if file is None else file.read()
        name = random.choice(list(members))
        odd = dict[str, Any]()
        match random.randrange(8):
            case 0:
                del members[name]
            case 1:
                shown = random.choice((f"../{name}", f"/{name}", f"{name}x", "x" * 300, "é\0x", ""))
                members[shown] = members.pop(name)
            case 2:
                odd = {"type": random.choice((*tarfile.SUPPORTED_TYPES, b"Z", b"\0"))}
            case 3:
                odd = {"linkname": random.choice(("/etc/passwd", "x" * 300)), "type": b"2"}
            case 4:
                odd = {"pax_headers": {random.choice(("size", "path", "mtime", "x")): "-1"}}
            case _:
                members[name] = _changed(members[name], others, random, mutators)
        if random.random() < 0.7:
            repair(members)
        return _tar_of(members, name, odd)

    return changed


def _tar_of(members: dict[str, bytes], name: str, odd: dict[str, Any]) -> bytes:
    """An archive of the members, of which the header of `name` has the odd values."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for one, content in members.items():
            header = tarfile.TarInfo(one)
            header.size = len(content)
            for key, value in odd.items() if one == name else ():
                setattr(header, key, value)
            archive.addfile(header, io.BytesIO(content))
    return buffer.getvalue()


def changed_chunk(content: bytes, others: Sequence[bytes], random: Random) -> bytes:
    """A chunk of a PNG changed, packed or as it is, whose length and checksum are right again.

    Raises ValueError for another file.
    """
    if content[:4] != b"\x89PNG":
        raise ValueError("no PNG")
    chunks, at = [], 8
    while at < len(content):
        length = int.from_bytes(content[at : at + 4], "big")
        chunks.append((content[at + 4 : at + 8], content[at + 8 : at + 8 + length]))
        at += 12 + length
    place = random.randrange(len(chunks))
    kind, data = chunks[place]
    if kind == b"IDAT" and random.random() < 0.5:
        data = zlib.compress(changed_bytes(zlib.decompress(data), [data], random))
    elif random.random() < 0.1:
        kind = random.choice((b"tRNS", b"PLTE", b"eXIf", b"iTXt", b"acTL", b"fcTL", b"gAMA"))
    else:
        data = changed_bytes(data, [data], random)
    chunks[place : place + random.randrange(2)] = [(kind, data)]
    return content[:8] + b"".join(map(_png_chunk, chunks))


def _png_chunk(chunk: tuple[bytes, bytes]) -> bytes:
    whole = b"".join(chunk)
    return len(chunk[1]).to_bytes(4, "big") + whole + zlib.crc32(whole).to_bytes(4, "big")


def _changed(
    content: bytes, others: Sequence[bytes], random: Random, mutators: Sequence[Mutator]
) -> bytes:
    """Changes the content by one of the mutators, by its bytes where that one cannot."""
    try:
        return random.choice(mutators)(content, others, random)
    except Exception:
        return changed_bytes(content, others, random)


def mutant(
    seeds: Sequence[bytes], random: Random, mutators: Sequence[Mutator], *, longest: int
) -> bytes:
    """One of the seeds with 1 to 5 changes, of at most `longest` bytes."""
    content = random.choice(seeds)
    for _ in range(random.choice((1, 1, 1, 2, 3, 5))):
        content = _changed(content, seeds, random, mutators)
    return content[:longest]
