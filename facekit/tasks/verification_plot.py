"""One picture of a verification: both photos, both crops, the score and the decision."""

from __future__ import annotations

import io
from pathlib import Path

from facekit.errors import UsageError
from facekit.photo.draw import draw_faces
from facekit.pipeline.records import EmbeddedPicture, Verification
from facekit.system.extras import require
from facekit.system.files import write_atomically

SUFFIXES = (".png", ".svg", ".pdf")
_SAME, _DIFFERENT = "#1e8449", "#b03a2e"


def plot_verification(result: Verification, path: Path) -> None:
    """Draws and writes; the format is the suffix's.

    Raises UsageError for another suffix, MissingExtraError without matplotlib, StorageError where
    the file cannot be written.
    """
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        raise UsageError(f"--plot must end in {', '.join(SUFFIXES)}. Received: {path}")
    require("matplotlib", extra="plot", needed_for="--plot")
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    same = result.decision.same
    figure = Figure(figsize=(9, 6.4), dpi=110, facecolor="white", layout="constrained")
    FigureCanvasAgg(figure)
    grid = figure.add_gridspec(2, 4, height_ratios=(5, 1), width_ratios=(3, 2, 2, 3))
    pictures = ((result.a, result.best_pair[0], (0, 1)), (result.b, result.best_pair[1], (3, 2)))
    for picture, index, (photo_column, crop_column) in pictures:
        photo = figure.add_subplot(grid[0, photo_column])
        crop = figure.add_subplot(grid[0, crop_column])
        for axes in (photo, crop):
            axes.set_axis_off()
        photo.set_title(_title(picture), fontsize=9)
        if picture.pixels is None:
            photo.text(0.5, 0.5, "embedding file", ha="center", transform=photo.transAxes)
        else:
            faces = tuple(face for face in picture.faces if face is not None)
            photo.imshow(draw_faces(picture.pixels, faces, faces))
        if len(picture.crops):
            crop.imshow(picture.crops[index])
            crop.set_title("what the model sees", fontsize=8, color="#566573")

    scale = figure.add_subplot(grid[1, :])
    similarity, threshold = result.decision.similarity, result.decision.threshold_similarity
    scale.axvspan(-1, threshold, color=_DIFFERENT, alpha=0.12, linewidth=0)
    scale.axvspan(threshold, 1, color=_SAME, alpha=0.12, linewidth=0)
    scale.axvline(threshold, color="#566573", linestyle="--", linewidth=1)
    scale.plot(similarity, 0, marker="o", markersize=11, color=_SAME if same else _DIFFERENT)
    scale.set(xlim=(min(-0.3, similarity - 0.05), 1), ylim=(-1, 1), yticks=[])
    scale.set_xlabel(f"cosine similarity; dashed: threshold {threshold:.3f}{_rate(result)}")
    for edge in ("left", "right", "top"):
        scale.spines[edge].set_visible(False)
    figure.suptitle(
        f"{'same person' if same else 'different people'}   similarity {similarity:.3f}",
        fontsize=15,
        fontweight="bold",
        color=_SAME if same else _DIFFERENT,
    )
    content = io.BytesIO()
    figure.savefig(content, format=suffix[1:])
    write_atomically(path, content.getvalue())


def _title(picture: EmbeddedPicture) -> str:
    name = Path(picture.name).name
    if picture.face_count is None:
        return name
    return f"{name}\n{picture.face_count} face{'' if picture.face_count == 1 else 's'} found"


def _rate(result: Verification) -> str:
    point = result.threshold.point
    if point is None or point.fmr is None:
        return ""
    return f", {point.fmr:.2g} false match rate measured on {point.n_impostor:,} impostor pairs"
