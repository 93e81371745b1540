"""Lines that are almost requests."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import strategies as st

PATHS = ("", "-", "/", "/dev/zero", "missing.jpg", "a\0b", "\ud800", "x" * 5000, "missing.npz")
_NAMES = (
    *("verify", "detect", "embed", "compare", "identify", "enroll", "id", "base64"),
    *("face", "fmr", "threshold", "metric", "top", "name"),
)
NUMBERS = ("NaN", "1e999", "-Infinity", "9" * 5000, "1" + "0" * 400, "-0.0", "1E400")


def json_lines() -> st.SearchStrategy[bytes]:
    """Texts with some members of a request, some of them with numbers that are none."""
    value: st.SearchStrategy[Any] = st.recursive(
        st.sampled_from(PATHS)
        | st.text()
        | st.booleans()
        | st.none()
        | st.integers()
        | st.floats()
        | st.sampled_from(NUMBERS).map(Raw)
        | st.builds(dict, base64=st.text() | st.binary().map(lambda raw: raw.hex())),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
        max_leaves=6,
    )
    name = st.sampled_from(_NAMES) | st.text()
    members = st.dictionaries(name, value, max_size=3)
    return st.builds(_written, members, st.integers(0, 3))


class Raw(str):
    """Stands in the line as it is."""


def _written(members: dict[str, Any], cut: int) -> bytes:
    """As JSON, of which the last `cut` characters are missing where `cut` is above 1."""
    text = _text(members)
    return (text[:-cut] if cut > 1 else text).encode("utf-8", "surrogatepass")


def _text(value: Any) -> str:
    if isinstance(value, Raw):
        return str(value)
    if isinstance(value, dict):
        return "{" + ",".join(f"{json.dumps(key)}:{_text(one)}" for key, one in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(_text, value)) + "]"
    return json.dumps(value, ensure_ascii=False)
