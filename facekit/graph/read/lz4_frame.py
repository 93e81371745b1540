"""LZ4 frames unpacked, after lz4_Frame_format.md and lz4_Block_format.md of lz4/lz4.

Small files come as such frames; the lz4 package would be one more compiled dependency for them.
"""

from __future__ import annotations

from facekit.errors import ModelBuildError

_MAGIC = b"\x04\x22\x4d\x18"
_VERSION_MASK, _VERSION = 0xC0, 0x40
_CONTENT_SIZE, _DICTIONARY, _BLOCK_CHECKSUM = 0x08, 0x01, 0x10
_UNCOMPRESSED = 1 << 31  # of a block's length
_SHORTEST_MATCH = 4
_LONGER = 15  # in a token's half: more bytes of the length follow


def unpacked(content: bytes, *, at_most: int, origin: str) -> bytes:
    """What a frame holds.  Checksums are not looked at: the caller has checked the whole file.

    Raises ModelBuildError naming `origin` for anything that is no whole frame, or that holds more
    than `at_most` bytes.
    """
    try:
        return _frame(content, at_most)
    except (IndexError, ValueError) as error:
        raise ModelBuildError(f"{origin} is not a whole LZ4 frame: {error}.") from error


def _frame(content: bytes, at_most: int) -> bytes:
    if content[:4] != _MAGIC:
        raise ValueError("it does not begin as one")
    flags = content[4]
    if flags & _VERSION_MASK != _VERSION or flags & _DICTIONARY:
        raise ValueError(f"flags {flags:#x}")
    place = 15 if flags & _CONTENT_SIZE else 7  # after magic, flags, sizes and header checksum
    output = bytearray()
    while length := int.from_bytes(_bytes(content, place, 4), "little"):
        place += 4
        block = _bytes(content, place, length & ~_UNCOMPRESSED)
        place += len(block) + (4 if flags & _BLOCK_CHECKSUM else 0)
        if length & _UNCOMPRESSED:
            output += block
        else:
            _unpack_block(block, output, at_most)
        if len(output) > at_most:
            raise ValueError(f"more than {at_most} bytes in it")
    return bytes(output)


def _unpack_block(block: bytes, output: bytearray, at_most: int) -> None:
    """Literals, then a match within what has been put out, again and again; literals last."""
    place = 0
    while True:
        token = block[place]
        literals, place = _length(block, place + 1, token >> 4)
        output += _bytes(block, place, literals)
        place += literals
        if place == len(block):
            return
        distance = int.from_bytes(_bytes(block, place, 2), "little")
        matched, place = _length(block, place + 2, token & 0xF)
        matched += _SHORTEST_MATCH
        if not 0 < distance <= len(output) or len(output) + matched > at_most:
            raise ValueError(f"a match of {matched} bytes, {distance} bytes back")
        start = len(output) - distance
        again = output[start : start + matched]
        output += (again * (matched // len(again) + 1))[:matched]  # a match may overlap itself


def _length(block: bytes, place: int, length: int) -> tuple[int, int]:
    """A length, of which a token's half is given, and the place after it."""
    if length < _LONGER:
        return length, place
    while True:
        byte = block[place]
        length, place = length + byte, place + 1
        if byte < 0xFF:
            return length, place


def _bytes(content: bytes, place: int, count: int) -> bytes:
    found = content[place : place + count]
    if len(found) < count:
        raise ValueError("it is cut off")
    return found
