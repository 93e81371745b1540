"""Networks from outside are run in a process of their own before this process opens them.

What passed is remembered by the SHA-256 of the file in <home>/tried.json.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from facekit.errors import ModelMismatchError, StorageError
from facekit.system.files import write_atomically
from facekit.system.home import home

_TRIAL = "facekit.model.trial:try_network"
_OPENING = "facekit.model.trial:try_opening"
_LONGEST_S = 60.0
_MAX_REMEMBERED = 1000


def require_tried(files: Mapping[Path, str]) -> None:
    """Tries model files, given with their SHA-256.

    Raises ModelMismatchError if the process crashes, or does not answer within 60 s, on one of
    them, or if the file does not run or does not answer as its card says.  A delegate or an
    execution provider is not tried: a file that the CPU cannot run is opened there only.
    """
    remembered = _read() if files else []
    new = {path: sha256 for path, sha256 in files.items() if sha256 not in remembered}
    if not new:
        return
    from facekit.system.trial import Died, try_each  # takes 10 ms with subprocess

    passed = []
    answers = try_each(_TRIAL, list(map(str, new)), longest_s=_LONGEST_S)
    for path, answer in zip(new, answers, strict=True):
        if isinstance(answer, Died):
            raise _not_used(path, answer.how)
        if answer["refused"]:
            raise ModelMismatchError(answer["refused"])
        if answer["is_settled"]:
            passed.append(new[path])
    if passed:
        with suppress(StorageError):  # in a read-only home, trying again costs time only
            write_atomically(
                _file(), json.dumps([*remembered, *passed][-_MAX_REMEMBERED:]).encode()
            )


def require_opens(path: Path) -> None:
    """Opens a model file in a process of its own, as `inspect_model` is about to do here.

    Raises ModelMismatchError if the process crashes, or does not answer within 60 s, or if the file
    is not valid.
    """
    from facekit.system.trial import Died, try_each

    (answer,) = try_each(_OPENING, [str(path)], longest_s=_LONGEST_S)
    if isinstance(answer, Died):
        raise _not_used(path, answer.how)
    if answer is not None:
        raise ModelMismatchError(answer)


def _not_used(path: Path, how: str) -> ModelMismatchError:
    return ModelMismatchError(
        f"{path} is not used: the process that tried it {how}. It is damaged or hostile, or the "
        "runtime here cannot run it. Copy it again from where it came."
    )


def _file() -> Path:
    return home() / "tried.json"


def _read() -> list[str]:
    try:
        found = json.loads(_file().read_bytes())
    except (OSError, ValueError, RecursionError):
        return []
    return found if isinstance(found, list) else []
