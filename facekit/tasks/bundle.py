"""facekit bundle: packs all that a board needs into one archive."""

from __future__ import annotations

from pathlib import Path

from facekit.board.make import MadeBundle, make_bundle
from facekit.model.card import Task
from facekit.model.defaults import model_or_default
from facekit.reporter import SILENT, Reporter
from facekit.system.files import require_free
from facekit.tasks.build import ensure_installed
from facekit.tasks.open_pipeline import usual_detector


def bundle(
    model: str | None = None,
    *,
    target: str,
    output: Path,
    detector: str | None = None,
    models: Path | None = None,
    cpu_variant: str | None = None,
    wheel: Path | None = None,
    force: bool = False,
    reporter: Reporter = SILENT,
) -> MadeBundle:
    """Packs models, cards, thresholds, facekit, scripts and a README; the detector is built first.

    model: name of an embedding model, None means the default one; its files are searched in the
    folder `models`, which convert wrote, then in the store.  detector: name of a detection model;
    None means the one that the model's card names.  target: the board, one of
    `facekit.board.make.TARGETS`.
    output: the archive, .tar.gz.  cpu_variant: variant that runs on the CPU; None means the
    target's default.  wheel: wheel of facekit; None builds one.  force: replace an existing
    archive.
    Raises UsageError, ModelMissingError, ModelBuildError if no wheel can be built, or StorageError.
    """
    require_free(output, force=force)
    name = model_or_default(model)
    detector = detector or usual_detector(name)
    ensure_installed(detector, task=Task.DETECTION, reporter=reporter)
    return make_bundle(
        name,
        target,
        output,
        detector=detector,
        models=models,
        cpu_variant=cpu_variant,
        wheel=wheel,
        reporter=reporter,
    )
