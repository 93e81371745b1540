"""CRC-32C (Castagnoli), the checksum of TensorFlow's checkpoints, as RFC 3720 appendix B.4 has it.

Long data is cut into lanes that are summed side by side, a byte of each at a time, and put
together again: a checksum is linear in its bits, so what n zero bytes do to it is a matrix.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_POLYNOMIAL = 0x82F63B78
_LANES = 1 << 12
_SHORT = 1 << 16  # bytes, up to which Python is as fast
_ONES = 0xFFFFFFFF
_BITS: NDArray[np.uint32] = np.uint32(1) << np.arange(32, dtype=np.uint32)
"""a matrix that changes nothing: what becomes of each bit"""


def crc32c(data: bytes) -> int:
    """Of any bytes: 0xE3069283 of b"123456789"."""
    if len(data) <= _SHORT:
        state = _ONES
        for byte in data:
            state = _STEPS[(state ^ byte) & 0xFF] ^ (state >> 8)
        return state ^ _ONES
    length = -(-len(data) // _LANES)
    lanes = np.zeros(_LANES * length, np.uint8)  # zeros in front of all change nothing
    lanes[-len(data) :] = np.frombuffer(data, np.uint8)
    states = np.zeros(_LANES, np.uint32)
    for column in np.ascontiguousarray(lanes.reshape(_LANES, length).T):
        states = _TABLE[(states ^ column) & 0xFF] ^ (states >> np.uint32(8))
    behind = _zeros(length)
    while len(states) > 1:
        states = _applied(behind, states[::2]) ^ states[1::2]
        behind = _applied(behind, behind)
    begun = _applied(_zeros(len(data)), np.array([_ONES], np.uint32))
    return int(states[0] ^ begun[0]) ^ _ONES


def _table() -> NDArray[np.uint32]:
    """What a byte does to a checksum of zeros."""
    table = np.arange(256, dtype=np.uint32)
    for _ in range(8):
        table = np.where(table & 1, (table >> 1) ^ np.uint32(_POLYNOMIAL), table >> 1)
    return np.asarray(table, np.uint32)


def _zeros(count: int) -> NDArray[np.uint32]:
    """The matrix of so many zero bytes."""
    result: NDArray[np.uint32] = _BITS
    power = _TABLE[_BITS & 0xFF] ^ (_BITS >> np.uint32(8))
    while count:
        if count & 1:
            result = _applied(power, result)
        power, count = _applied(power, power), count >> 1
    return result


def _applied(matrix: NDArray[np.uint32], states: NDArray[np.uint32]) -> NDArray[np.uint32]:
    result: NDArray[np.uint32] = np.zeros_like(states)
    for bit in range(32):
        result ^= np.where((states >> np.uint32(bit)) & 1, matrix[bit], np.uint32(0))
    return result


_TABLE = _table()
_STEPS = _TABLE.tolist()
