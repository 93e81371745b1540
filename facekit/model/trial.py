"""Networks from outside are run in a process of their own before this process opens them.

What passed is remembered in <home>/tried.json by the SHA-256 of the file, and of its card.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from facekit.errors import ModelMismatchError
from facekit.model.checksum import sha256_of
from facekit.model.folders import CARD_SUFFIX
from facekit.system.home import home
from facekit.system.remembered import remember, remembered

_TRIAL = "facekit.model.trial_process:try_network"
_OPENING = "facekit.model.trial_process:try_opening"
_LONGEST_S = 60.0
_MAX_REMEMBERED = 1000


def require_tried(files: Mapping[Path, str], *, by_card: bool = True) -> None:
    """Tries model files, given with their SHA-256; `by_card` compares answers with their cards.

    Raises ModelMismatchError if the process crashes, or does not answer within 60 s, on one of
    them, or if the file does not run, or does not answer as the card beside it says.  A delegate or
    an execution provider is not tried: a file that the CPU cannot run is opened there only.
    """
    known = _passed()
    keys = {path: _key(path, sha256) if by_card else sha256 for path, sha256 in files.items()}
    new = {path: key for path, key in keys.items() if key not in known}
    if not new:
        return
    from facekit.system.trial import Died, try_each  # takes 10 ms with subprocess

    passed, error = [], None
    items = [{"path": str(path), "by_card": by_card} for path in new]
    for path, answer in zip(new, try_each(_TRIAL, items, longest_s=_LONGEST_S), strict=True):
        if isinstance(answer, Died):
            error = error or _not_used(path, answer.how)
        elif answer["refused"]:
            error = error or ModelMismatchError(answer["refused"])
        elif answer["is_settled"]:
            passed.append(new[path])
    if passed:
        remember(_file(), [*known, *passed][-_MAX_REMEMBERED:])
    if error is not None:
        raise error


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


def _passed() -> list[str]:
    """Returns the keys of what passed; [] if nothing is remembered."""
    found = remembered(_file())
    return found if isinstance(found, list) else []


def _key(path: Path, sha256: str) -> str:
    card = path.with_suffix(CARD_SUFFIX)
    return f"{sha256} {sha256_of(card)}" if card.is_file() else sha256
