"""CRC-32C (Castagnoli), the checksum of TensorFlow's checkpoints, as in RFC 3720 appendix B.4.

Long data is split into 4096 lanes of equal length, whose checksums are computed in parallel, one
byte of each lane at a time.  The lanes' checksums are then combined: a checksum is linear in its
bits, so that the effect of appending n zero bytes is a matrix.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_POLYNOMIAL = 0x82F63B78
_LANES = 1 << 12
_MAX_LOOP_BYTES = 1 << 16  # bytes; up to this length the plain loop is as fast
_ONES = 0xFFFFFFFF
_IDENTITY: NDArray[np.uint32] = np.uint32(1) << np.arange(32, dtype=np.uint32)
"""The identity matrix: element n is the value of bit n."""


def crc32c(data: bytes) -> int:
    """Returns the checksum of any bytes, e.g. 0xE3069283 for b"123456789"."""
    if len(data) <= _MAX_LOOP_BYTES:
        state = _ONES
        for byte in data:
            state = _STEPS[(state ^ byte) & 0xFF] ^ (state >> 8)
        return state ^ _ONES
    length = -(-len(data) // _LANES)
    lanes = np.zeros(_LANES * length, np.uint8)  # leading zeros do not change the result
    lanes[-len(data) :] = np.frombuffer(data, np.uint8)
    states = np.zeros(_LANES, np.uint32)
    for column in np.ascontiguousarray(lanes.reshape(_LANES, length).T):
        states = _TABLE[(states ^ column) & 0xFF] ^ (states >> np.uint32(8))
    append_zeros = _zero_bytes_matrix(length)
    while len(states) > 1:
        states = _multiply(append_zeros, states[::2]) ^ states[1::2]
        append_zeros = _multiply(append_zeros, append_zeros)
    initial = _multiply(_zero_bytes_matrix(len(data)), np.array([_ONES], np.uint32))
    return int(states[0] ^ initial[0]) ^ _ONES


def _table() -> NDArray[np.uint32]:
    """Returns the state after each of the 256 bytes, starting from state 0."""
    table = np.arange(256, dtype=np.uint32)
    for _ in range(8):
        table = np.where(table & 1, (table >> 1) ^ np.uint32(_POLYNOMIAL), table >> 1)
    return np.asarray(table, np.uint32)


def _zero_bytes_matrix(count: int) -> NDArray[np.uint32]:
    """Returns the matrix that appends `count` zero bytes."""
    result: NDArray[np.uint32] = _IDENTITY
    power = _TABLE[_IDENTITY & 0xFF] ^ (_IDENTITY >> np.uint32(8))
    while count:
        if count & 1:
            result = _multiply(power, result)
        power, count = _multiply(power, power), count >> 1
    return result


def _multiply(matrix: NDArray[np.uint32], states: NDArray[np.uint32]) -> NDArray[np.uint32]:
    result: NDArray[np.uint32] = np.zeros_like(states)
    for bit in range(32):
        result ^= np.where((states >> np.uint32(bit)) & 1, matrix[bit], np.uint32(0))
    return result


_TABLE = _table()
_STEPS = _TABLE.tolist()
