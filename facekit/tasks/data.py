"""facekit data: photos to evaluate on."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from facekit.enums import LfwAlignment
from facekit.evaluation.protocols.fetch_lfw import data_home, fetch_lfw
from facekit.reporter import SILENT, Reporter


@dataclass(frozen=True, slots=True)
class FetchedData:
    """A data set that is on this machine now."""

    name: str
    alignment: LfwAlignment
    output: Path
    """the folder of the photos and pair lists"""

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
    """The photos and pair lists of LFW, about 240 MB, where eval-lfw and calibrate find them.

    `alignment`: which edition of the photos.  `offline`, or
    FACEKIT_OFFLINE=1: use what is there already.
    `output`: scikit-learn's data home; None: SCIKIT_LEARN_DATA or ~/scikit_learn_data.
    Raises FetchError, StorageError, MissingExtraError without scikit-learn.
    """
    target = data_home(output)
    reporter.note(
        f"fetching LFW from figshare.com into {target}: about 240 MB, less what is there already"
    )
    return FetchedData("lfw", alignment, fetch_lfw(target, alignment, offline=offline))
