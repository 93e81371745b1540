"""Draws a verification: both photos, the two compared crops, and the decision with its reasons."""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING

from facekit.enums import MeasuredBy
from facekit.errors import UsageError
from facekit.pipeline.records import EmbeddedPicture, FaceOrigin, Verification
from facekit.system.extras import require
from facekit.system.files import write_atomically
from facekit.template.wording import CARD_MAKER_TEXT, percent_at_most
from facekit.types import Face

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SUFFIXES = (".png", ".svg", ".pdf")
SAME_COLOR, DIFFERENT_COLOR = "#1e8449", "#b03a2e"
OTHER_COLOR = "#95a5a6"
_SOFT_COLOR = "#566573"


def plot_verification(result: Verification, path: Path) -> None:
    """Draws a verification and writes the figure; the file's suffix selects the format.

    Raises UsageError for another suffix, MissingExtraError without matplotlib, and StorageError if
    the file cannot be written.
    """
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        raise UsageError(f"--plot must end in {', '.join(SUFFIXES)}. Received: {path}")
    content = io.BytesIO()
    verification_figure(result).savefig(content, format=suffix[1:])
    write_atomically(path, content.getvalue(), private=True)


def verification_figure(result: Verification) -> Figure:
    """Draws the photos in a row, crops and facts below them, and the similarity's scale at the
    bottom.

    The two compared faces have thick boxes in the decision's color, all others thin gray boxes.
    The axes have the labels "photo a", "photo b", "crop a", "crop b", "facts", "scale".  Raises
    MissingExtraError without matplotlib.
    """
    require("matplotlib", extra="plot", needed_for="--plot")
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    color = SAME_COLOR if result else DIFFERENT_COLOR
    figure = Figure(figsize=(9, 8.6), dpi=110, facecolor="white", layout="constrained")
    FigureCanvasAgg(figure)
    grid = figure.add_gridspec(3, 1, height_ratios=(5, 2.2, 0.9))
    sides = tuple(zip((result.a, result.b), result.matched, result.best_pair, strict=True))
    photos = grid[0].subgridspec(1, 2, width_ratios=[_relative_width(one) for one, _, _ in sides])
    below = grid[1].subgridspec(1, 3, width_ratios=(1, 1, 2.4))
    for column, (name, (picture, origin, index)) in enumerate(zip("ab", sides, strict=True)):
        _draw_photo(
            figure.add_subplot(photos[column], label=f"photo {name}"), picture, origin, color
        )
        crop = figure.add_subplot(below[column], label=f"crop {name}")
        crop.set_axis_off()
        if len(picture.crops):
            crop.imshow(picture.crops[index])
            crop.set_title("what the model sees", fontsize=8, color=_SOFT_COLOR)
    facts = figure.add_subplot(below[2], label="facts")
    facts.set_axis_off()
    facts.text(0, 1, _facts(result), va="top", fontsize=9, family="monospace")
    _draw_scale(figure.add_subplot(grid[2], label="scale"), result, color)
    figure.suptitle(
        "same person" if result else "different people",
        fontsize=16,
        fontweight="bold",
        color=color,
    )
    return figure


def _draw_photo(axes: Axes, picture: EmbeddedPicture, origin: FaceOrigin, color: str) -> None:
    axes.set_axis_off()
    if picture.pixels is None:
        text = f"{Path(picture.name).name}, row {origin.row}\n\nface {origin.face} of\n"
        axes.text(
            *(0.5, 0.5, text + Path(origin.photo).name),
            ha="center", va="center", fontsize=11, transform=axes.transAxes,
        )  # fmt: skip
        return
    axes.imshow(picture.pixels)
    axes.set_title(_title(picture, origin), fontsize=9)
    numbered = len(picture.faces) > 1
    others = [(number, face) for number, face in enumerate(picture.faces) if number != origin.face]
    for number, face in [*others, *((None, face) for face in picture.others)]:
        _draw_face(axes, face, number if numbered else None, OTHER_COLOR, 1.0)
    compared = picture.faces[origin.face]
    _draw_face(axes, compared, origin.face if numbered else None, color, 2.6)


def _draw_face(
    axes: Axes, face: Face | None, number: int | None, color: str, line_points: float
) -> None:
    """Draws a box with its number above it; draws no box for a photo that is a crop already."""
    if face is None:
        return
    from matplotlib.patches import Rectangle

    corner = (float(face.box_xyxy[0]), float(face.box_xyxy[1]))
    box = Rectangle(
        corner, face.width_px, face.height_px, fill=False, edgecolor=color, linewidth=line_points
    )
    axes.add_patch(box)
    if number is not None:
        axes.annotate(
            *(str(number), corner),
            xytext=(0, 2), textcoords="offset points", va="bottom", fontsize=8, color="white",
            fontweight="bold", annotation_clip=True,
            bbox={"boxstyle": "square,pad=0.2", "facecolor": color, "edgecolor": "none"},
        )  # fmt: skip


def _draw_scale(axes: Axes, result: Verification, color: str) -> None:
    similarity, threshold = result.decision.similarity, result.decision.threshold_similarity
    axes.axvspan(-1, threshold, color=DIFFERENT_COLOR, alpha=0.12, linewidth=0)
    axes.axvspan(threshold, 1, color=SAME_COLOR, alpha=0.12, linewidth=0)
    axes.axvline(threshold, color=_SOFT_COLOR, linestyle="--", linewidth=1)
    axes.plot(similarity, 0, marker="o", markersize=11, color=color, clip_on=False)
    least = min(-0.3, similarity - 0.05, threshold - 0.05)
    axes.set(xlim=(least, 1), ylim=(-1, 1), yticks=[])
    axes.set_xlabel("cosine similarity; dashed: the threshold", fontsize=9, color=_SOFT_COLOR)
    for edge in ("left", "right", "top"):
        axes.spines[edge].set_visible(False)


def _relative_width(picture: EmbeddedPicture) -> float:
    """Returns the relative width of a photo's column, limited so that both photos remain
    visible."""
    if picture.pixels is None:
        return 0.8
    height, width = picture.pixels.shape[:2]
    return float(min(max(width / height, 0.6), 2.2))


def _title(picture: EmbeddedPicture, origin: FaceOrigin) -> str:
    title = Path(picture.name).name
    if picture.face_count is None:
        return title
    title += f"\n{picture.face_count} face{'' if picture.face_count == 1 else 's'} found"
    return f"{title}, number {origin.face} compared" if len(picture.faces) > 1 else title


def _facts(result: Verification) -> str:
    """Returns both scales with the sign of a match, and the basis of the decision."""
    bound = result.meaning.fmr_at_most
    rate = "not measured there" if bound is None else f"at most {percent_at_most(bound)}"
    lines = [
        ("", "this pair", "a match has"),
        (
            "similarity",
            f"{result.decision.similarity:.4f}",
            f">= {result.threshold.similarity:.4f}",
        ),
        (
            f"{result.metric.value} distance",
            f"{result.distance:.4f}",
            f"<= {result.threshold_distance:.4f}",
        ),
    ]
    words = [("false match rate", rate), ("model", result.model), ("crop", str(result.crop))]
    if result.measured_by is MeasuredBy.CARD_MAKER:
        words.insert(1, ("measured by", CARD_MAKER_TEXT))
    if result.comparison_count > 1:
        words.append(("compared", f"best of {result.comparison_count} pairs of faces"))
    return "\n".join(
        [
            *(f"{label:18}{value:11}{limit}" for label, value, limit in lines),
            "",
            *(f"{label:18}{text}" for label, text in words),
        ]
    )
