"""facekit data: fetches photos to evaluate on."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from facekit.enums import LfwAlignment
from facekit.evaluation.protocols.fetch_lfw import data_home, fetch_lfw
from facekit.reporter import SILENT, Reporter


@dataclass(frozen=True, slots=True)
class FetchedData:
    """A data set that is available on this machine."""

    name: str
    alignment: LfwAlignment
    output: Path
    """The folder of the photos and pair lists."""

    def to_dict(self) -> dict[str, Any]:
        return {
            "data": self.name,
            "alignment": self.alignment.value,
            "output": str(self.output),
        }


def fetch(
    *,
    alignment: LfwAlignment = LfwAlignment.FUNNELED,
    output: Path | None = None,
    offline: bool = False,
    reporter: Reporter = SILENT,
) -> FetchedData:
    """Fetches LFW's photos and pair lists, about 240 MB, to where eval-lfw and calibrate read them.

    `alignment`: the edition of the photos.  `offline`, or FACEKIT_OFFLINE=1: use only files that
    are already there.  `output`: scikit-learn's data home; None means SCIKIT_LEARN_DATA or
    ~/scikit_learn_data.
    Raises FetchError, StorageError, or MissingExtraError without scikit-learn.
    """
    target = data_home(output)
    reporter.note(
        f"fetching LFW from figshare.com into {target}: about 240 MB, less what is there already"
    )
    return FetchedData("lfw", alignment, fetch_lfw(target, alignment, offline=offline))
