"""facekit identify"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from facekit.cli.gallery_options import gallery_options
from facekit.cli.options import EnumChoice, embedding_options, json_option
from facekit.enums import PersonRule
from facekit.errors import UsageError

if TYPE_CHECKING:
    from facekit.gallery.identify import Identification, OpenSetThreshold
    from facekit.gallery.records import GalleryInfo
    from facekit.pipeline.pipeline import EmbeddedPicture, Pipeline

EXIT_FOUND, EXIT_UNKNOWN = 0, 1
_RATE = click.FloatRange(0, 1, min_open=True, max_open=True)


@click.command()
@click.argument("images", nargs=-1, required=True)
@click.option(
    "--top", type=click.IntRange(min=1), default=5, show_default=True, help="Candidates to show."
)
@click.option("--threshold", type=float, help="Largest cosine distance of a known face, 0..2.")
@click.option(
    "--fmr",
    type=_RATE,
    help="The card's threshold at this false match rate of one "
    "comparison, whatever the size of the gallery.",
)
@click.option(
    "--fpir",
    type=_RATE,
    help="Threshold by the gallery's size: at most this share of unknown faces is predicted to be "
    "found.  [default: 0.01, or the strictest that the card has]",
)
@click.option(
    "--by",
    "rule",
    type=EnumChoice(PersonRule),
    default=PersonRule.BEST.value,
    show_default=True,
    help="Compare with a person's best template, or with their mean.",
)
@gallery_options
@embedding_options
@json_option
def identify(
    images: tuple[str, ...],
    top: int,
    threshold: float | None,
    fmr: float | None,
    fpir: float | None,
    rule: PersonRule,
    gallery_url: str | None,
    key_file: Path | None,
    model: str,
    as_json: bool,
    **options: Any,
) -> None:
    """Who is it?  Exit code 0 when every face is known, 1 when one is unknown.

    A photo that cannot be used is reported, and the others go on; the exit code is then that
    of the first such photo.

    \b
    Example: facekit identify somebody.jpg
             facekit identify --face all --fpir 0.001 --json group.jpg
    """
    if sum(given is not None for given in (threshold, fmr, fpir)) > 1:
        raise UsageError("--threshold, --fmr and --fpir all say where to cut; pass one of them.")

    from facekit.cli.gallery_options import gallery_at
    from facekit.cli.open_pipeline import open_pipeline
    from facekit.cli.render.output import emit_json, note
    from facekit.cli.terminal import with_progress
    from facekit.gallery.identify import identify as identify_faces
    from facekit.photo.sources import list_pictures
    from facekit.pipeline.photos import PhotoFailure, embed_each

    names = list_pictures(images)
    records: list[dict[str, Any]] = []
    failures = []
    all_known = True
    with gallery_at(gallery_url, key_file) as gallery:
        pipeline = open_pipeline(model, **options)
        space = pipeline.space
        info = gallery.info()
        cut = _threshold(pipeline, info, rule, threshold, fmr, fpir)
        for result in with_progress(
            embed_each(pipeline, names), length=len(names), label="identifying"
        ):
            if isinstance(result, PhotoFailure):
                failures.append(result.error)
                note(str(result.error))
                records.append({"image": result.name, **result.error.to_dict()})
                continue
            answers = identify_faces(
                gallery,
                result.embeddings,
                space,
                threshold_similarity=cut.similarity,
                rule=rule,
                top=top,
            )
            all_known = all_known and all(answer.known for answer in answers)
            records.append(_payload(result, answers))
            if not as_json:
                _print(result.name, answers)
    if as_json:
        emit_json(
            {
                "gallery": info.url,
                "people": info.people,
                "templates": info.templates,
                "compared_by": rule.value,
                **_cut_payload(cut),
                "model_sha256": space.model_sha256,
                **pipeline.device_use.to_dict(),
                "images": records,
            }
        )
    else:
        click.echo(f"threshold: {_cut_text(cut)}")
    if failures:
        raise SystemExit(failures[0].exit_code)
    raise SystemExit(EXIT_FOUND if all_known else EXIT_UNKNOWN)


def _threshold(
    pipeline: Pipeline,
    info: GalleryInfo,
    rule: PersonRule,
    threshold: float | None,
    fmr: float | None,
    fpir: float | None,
) -> OpenSetThreshold:
    from facekit.gallery import identify as openset

    measured = (pipeline.model.card.calibration, pipeline.threshold_space)
    comparisons = info.templates if rule is PersonRule.BEST else info.people
    if threshold is not None:
        return openset.distance_threshold(*measured, distance=threshold, comparisons=comparisons)
    if fmr is not None:
        return openset.fmr_threshold(*measured, fmr=fmr, comparisons=comparisons)
    if fpir is not None:
        return openset.fpir_threshold(*measured, fpir=fpir, comparisons=comparisons)
    return openset.default_threshold(*measured, comparisons=comparisons)


def _payload(embedded: EmbeddedPicture, answers: list[Identification]) -> dict[str, Any]:

    return {
        "image": embedded.name,
        "photo_sha256": embedded.photo_sha256,
        "faces": [
            {
                "face": None if face is None else face.to_dict(),
                "known": answer.known,
                "name": answer.candidates[0].name if answer.known else None,
                "margin": answer.margin,
                "candidates": [
                    {
                        "name": candidate.name,
                        "similarity": candidate.similarity,
                        "distance": 1.0 - candidate.similarity,
                        "templates": candidate.templates,
                    }
                    for candidate in answer.candidates
                ],
            }
            for face, answer in zip(embedded.faces, answers, strict=True)
        ],
    }


def _cut_payload(cut: OpenSetThreshold) -> dict[str, Any]:
    return {
        "threshold": 1.0 - cut.similarity,
        "threshold_similarity": cut.similarity,
        "threshold_source": cut.source,
        "fmr_at_most": cut.fmr,
        "comparisons": cut.comparisons,
        "predicted_fpir_at_most": cut.predicted_fpir,
    }


def _cut_text(cut: OpenSetThreshold) -> str:
    text = f"distance {1.0 - cut.similarity:.4f} ({cut.source})"
    if cut.predicted_fpir is None:
        return f"{text}; no error rate was measured there"
    return (
        f"{text}; predicted: at most {cut.predicted_fpir:.2g} of unknown faces are found among "
        f"{cut.comparisons} templates"
    )


def _print(name: str, answers: list[Identification]) -> None:
    """A line a face, and one a candidate."""
    for answer in answers:
        who = answer.candidates[0].name if answer.known else "unknown"
        margin = "" if answer.margin is None else f"\tmargin {answer.margin:.4f}"
        click.echo(f"{name}\t{who}{margin}")
        for candidate in answer.candidates:
            click.echo(f"  {1.0 - candidate.similarity:.4f}\t{candidate.name}")
