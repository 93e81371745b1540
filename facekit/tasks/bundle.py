"""facekit bundle: packs all that a board needs into one archive."""

from __future__ import annotations

from pathlib import Path

from facekit.board.make import MadeBundle, make_bundle
from facekit.board.models import NpuFiles
from facekit.errors import UsageError
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
    bsp: str | None = None,
    npu_model: Path | None = None,
    npu_detector: Path | None = None,
    npu_compiler: str | None = None,
    wheel: Path | None = None,
    force: bool = False,
    reporter: Reporter = SILENT,
) -> MadeBundle:
    """Packs models, cards, thresholds, facekit, scripts and a README; the detector is built first.

    model: name of an embedding model, None means the default one; its files are searched in the
    folder `models`, which convert wrote, then in the store.  detector: name of a detection model;
    None means the one that the model's card names.  target: the board, one of
    `facekit.board.targets.TARGETS`.
    output: the archive, .tar.gz.  cpu_variant: variant that runs on the CPU; None means the
    target's default.  bsp: NXP's board support package of the board's image, a name of
    `facekit.board.bsp.BSPS`; None means the newest one that takes the files for the NPU.
    npu_model, npu_detector: files that you have compiled for the NPU, packed in place of facekit's
    own; npu_compiler: the version of the compiler.  wheel: wheel of facekit; None builds one.
    force: replace an existing archive.
    Raises UsageError, ModelMissingError, ModelMismatchError for files that the target's NPU does
    not take, ModelBuildError if no wheel can be built, or StorageError.
    """
    if npu_compiler is not None and npu_model is None and npu_detector is None:
        raise UsageError("--npu-compiler goes with --npu-model or --npu-detector.")
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
        bsp=bsp,
        npu_files=NpuFiles(npu_model, npu_detector, npu_compiler),
        wheel=wheel,
        reporter=reporter,
    )
