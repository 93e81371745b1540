"""Writes an evaluation to a folder of files: JSON, CSV, HTML page and figures."""

from __future__ import annotations

import csv
import io
import json
import os
import tempfile
from collections.abc import Sequence
from pathlib import Path
from shutil import rmtree

from facekit.enums import Metric
from facekit.errors import StorageError, UsageError
from facekit.evaluation.embeddings import PhotoCropper
from facekit.evaluation.protocols.plan import Plan
from facekit.evaluation.records import (
    SCHEMA_VERSION,
    DataSetReport,
    EvaluationReport,
    ModelResult,
    ScoredPair,
)
from facekit.evaluation.report.page import ShownDataSet, report_html
from facekit.evaluation.report.plots import draw_figures, png, svg
from facekit.evaluation.report.procedure import pairs_file
from facekit.evaluation.report.worst_errors import (
    ErrorGallery,
    ShownPair,
    worst_false_matches,
    worst_false_non_matches,
)
from facekit.evaluation.run import ReportColumn
from facekit.photo.write import jpeg_bytes
from facekit.system.extras import require
from facekit.system.files import put_in_place
from facekit.template.metrics import distance

REPORT = "report.json"
_WORST = 12
"""Number of errors of each kind that the page shows."""
_PAIR_COLUMNS = (
    *("model", "fold", "line", "a", "b", "same", "similarity"),
    *("threshold", "threshold_similarity", "called_same"),
)


def require_writable(folder: Path) -> None:
    """Checks before an evaluation that a report can be written to `folder`.

    Raises UsageError if the folder contains other files than an earlier report, and
    MissingExtraError if matplotlib is missing.
    """
    require("matplotlib.figure", extra="plot", needed_for="A report with figures")
    if folder.exists() and not (folder / REPORT).is_file() and any(folder.iterdir()):
        raise UsageError(
            f"{folder} holds other files, and a report replaces the whole folder. Pass a new or "
            "empty folder, or one with an earlier report."
        )


def write_report(
    folder: Path,
    report: EvaluationReport,
    columns: Sequence[Sequence[ReportColumn]],
    plans: Sequence[Plan],
) -> None:
    """Writes all files to a temporary folder, which is then renamed to `folder`.

    `columns` and `plans` are those of each data set of the report.  Raises StorageError if the
    files cannot be written; an earlier report is then unchanged.
    """
    files = _files(report, columns, plans)
    target = Path(os.path.abspath(folder))
    part: Path | None = None
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        part = Path(tempfile.mkdtemp(dir=target.parent, prefix=f".{target.name}.", suffix=".part"))
        for name, content in files.items():
            (part / name).write_bytes(content)
        part.chmod(0o755)  # mkdtemp makes 0700
        put_in_place(part, target)
    except OSError as error:
        raise StorageError(f"Cannot write {folder}: {error.strerror or error}") from error
    finally:
        if part is not None:
            rmtree(part, ignore_errors=True)


def _files(
    report: EvaluationReport, columns: Sequence[Sequence[ReportColumn]], plans: Sequence[Plan]
) -> dict[str, bytes]:
    files: dict[str, bytes] = {}
    shown: list[ShownDataSet] = []
    for number, (one, own_columns, plan) in enumerate(
        zip(report.data_sets, columns, plans, strict=True), 1
    ):
        end = "" if number == 1 else f"-{number}"  # the first one's names stay the same
        figures = draw_figures(one)
        files |= {f"{name}{end}.png": png(figure) for name, figure in figures.items()}
        files[pairs_file(number)] = pairs_csv(one).encode(errors="backslashreplace")
        shown.append(
            ShownDataSet(
                one,
                {
                    name: svg(figure, f"{name}{end}")
                    for name, figure in figures.items()
                    if name != "scores"  # which the page draws by itself, to move the threshold
                },
                [_gallery(*pair, plan) for pair in zip(one.models, own_columns, strict=True)],
            )
        )
    page = report_html(report, shown)
    files["report.html"] = page.encode(errors="backslashreplace")
    return {**files, REPORT: report_json(report).encode()}


def _gallery(result: ModelResult, column: ReportColumn, plan: Plan) -> ErrorGallery:
    cropper = PhotoCropper(column.model, column.setup.settings)

    def shown(pairs: Sequence[ScoredPair]) -> tuple[ShownPair, ...]:
        return tuple(ShownPair(pair, crop(pair.a), crop(pair.b)) for pair in pairs)

    def crop(path: str) -> bytes:
        return jpeg_bytes(cropper.crop(plan.files[path])[0])

    return ErrorGallery(
        result.model.label,
        shown(worst_false_matches(result, _WORST)),
        shown(worst_false_non_matches(result, _WORST)),
        str(cropper.pipeline.crop_spec),
    )


def report_json(report: EvaluationReport) -> str:
    """Returns the JSON, without the single pairs, with `schema_version`."""
    whole = {"schema_version": SCHEMA_VERSION, **report.to_dict()}
    return json.dumps(whole, indent=1, allow_nan=False) + "\n"


def pairs_csv(report: DataSetReport) -> str:
    """Returns a line per pair and model; `similarity` and `called_same` are empty without a
    score."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(_PAIR_COLUMNS)
    for model in report.models:
        for pair in model.pairs:
            called = "" if pair.called_same is None else int(pair.called_same)
            writer.writerow(
                [model.model.label, pair.fold, pair.line, pair.a, pair.b, int(pair.same),
                 pair.similarity, distance(pair.threshold_similarity, Metric.COSINE),
                 pair.threshold_similarity, called]
            )  # fmt: skip
    return text.getvalue()
