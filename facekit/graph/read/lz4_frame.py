"""Decompresses LZ4 frames, following lz4_Frame_format.md and lz4_Block_format.md of lz4/lz4.

Only small files have this format, so the compiled package lz4 would be a needless dependency.
"""

from __future__ import annotations

from facekit.errors import ModelBuildError
from facekit.system.inputs import InputKind, reading

_FRAME = InputKind("a whole LZ4 frame", ModelBuildError)
_MAGIC = b"\x04\x22\x4d\x18"
_VERSION_MASK, _VERSION = 0xC0, 0x40
_CONTENT_SIZE, _DICTIONARY, _BLOCK_CHECKSUM = 0x08, 0x01, 0x10
_UNCOMPRESSED = 1 << 31  # flag in a block's length
_MIN_MATCH = 4
_LENGTH_CONTINUES = 15  # value of a token's half which means that more bytes of the length follow


def decompress(content: bytes, *, at_most: int, origin: str) -> bytes:
    """Returns the decompressed content of a frame.

    Checksums are not verified, because the caller has verified the file as a whole.  Raises
    ModelBuildError, naming `origin`, if the content is not a complete frame or has more than
    `at_most` bytes.
    """
    with reading(_FRAME, origin):
        return _frame(content, at_most)


def _frame(content: bytes, at_most: int) -> bytes:
    if content[:4] != _MAGIC:
        raise ValueError("it does not begin as one")
    flags = content[4]
    if flags & _VERSION_MASK != _VERSION or flags & _DICTIONARY:
        raise ValueError(f"flags {flags:#x}")
    position = 15 if flags & _CONTENT_SIZE else 7  # after magic, flags, sizes and header checksum
    output = bytearray()
    while length := int.from_bytes(_bytes(content, position, 4), "little"):
        position += 4
        block = _bytes(content, position, length & ~_UNCOMPRESSED)
        position += len(block) + (4 if flags & _BLOCK_CHECKSUM else 0)
        if length & _UNCOMPRESSED:
            output += block
        else:
            _decompress_block(block, output, at_most)
        if len(output) > at_most:
            raise ValueError(f"more than {at_most} bytes in it")
    return bytes(output)


def _decompress_block(block: bytes, output: bytearray, at_most: int) -> None:
    """Appends a block to `output`: sequences of literals and a match in the output, then final
    literals."""
    position = 0
    while True:
        token = block[position]
        literals, position = _length(block, position + 1, token >> 4)
        output += _bytes(block, position, literals)
        position += literals
        if position == len(block):
            return
        distance = int.from_bytes(_bytes(block, position, 2), "little")
        match_length, position = _length(block, position + 2, token & 0xF)
        match_length += _MIN_MATCH
        if not 0 < distance <= len(output) or len(output) + match_length > at_most:
            raise ValueError(f"a match of {match_length} bytes, {distance} bytes back")
        start = len(output) - distance
        again = output[start : start + match_length]
        output += (again * (match_length // len(again) + 1))[
            :match_length
        ]  # a match may overlap itself


def _length(block: bytes, position: int, length: int) -> tuple[int, int]:
    """Returns a length and the position after the bytes of the length.

    `length` is half of a token.  The value 15 means that further bytes follow, which are added.
    """
    if length < _LENGTH_CONTINUES:
        return length, position
    while True:
        byte = block[position]
        length, position = length + byte, position + 1
        if byte < 0xFF:
            return length, position


def _bytes(content: bytes, position: int, count: int) -> bytes:
    found = content[position : position + count]
    if len(found) < count:
        raise ValueError("it is cut off")
    return found
