"""facekit embed"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from facekit.cli.options import embedding_options, json_option, output_file, parallel_options
from facekit.errors import UsageError

if TYPE_CHECKING:
    from facekit.pipeline.photos import PhotoFailure
    from facekit.pipeline.pipeline import EmbeddedPicture
    from facekit.template.file import EmbeddingRow


@click.command()
@click.argument("images", nargs=-1, required=True)
@output_file("Embedding file: .npz, .csv or .jsonl.", required=True)
@embedding_options
@parallel_options
@json_option
def embed(
    images: tuple[str, ...],
    output: Path,
    model: str,
    workers: int | None,
    ray: str | None,
    as_json: bool,
    **options: Any,
) -> None:
    """Write the embeddings of pictures, or of folders of pictures, to a file.

    A photo without a face, or one that cannot be read, is a row with its error; the exit code
    is then that of the first such row.

    \b
    Example: facekit embed photos/ -o people.npz
             facekit embed --face all group.jpg -o group.csv
    """
    from facekit.cli.open_pipeline import open_pipeline
    from facekit.cli.render.output import emit_json, note
    from facekit.cli.terminal import with_progress
    from facekit.photo.sources import list_pictures
    from facekit.pipeline.photos import PhotoFailure, embed_each
    from facekit.template.file import SUFFIXES, EmbeddingTable, write_embeddings

    if output.suffix.lower() not in SUFFIXES:
        raise UsageError(f"-o must end in {', '.join(SUFFIXES)}. Received: {output}")
    names = list_pictures(images)
    pipeline = open_pipeline(model, **options)
    rows = []
    failures = []
    results = embed_each(pipeline, names, workers=workers, ray=ray)
    for result in with_progress(results, length=len(names), label="embedding"):
        rows += _rows(result)
        if isinstance(result, PhotoFailure):
            failures.append(result.error)
            note(str(result.error))
    card = pipeline.model.card
    write_embeddings(
        output,
        EmbeddingTable(
            space=pipeline.space, mean=card.calibration.embedding_mean, rows=tuple(rows)
        ),
    )
    embedded = sum(row.vector is not None for row in rows)
    if as_json:
        emit_json(
            {
                "output": str(output),
                "photos": len(names),
                "embeddings": embedded,
                "failed": [{"image": row.name, "error": row.error} for row in rows if row.error],
                "model": f"{card.name}:{card.variant}",
                "model_sha256": card.file_sha256,
                **pipeline.device_use.to_dict(),
            }
        )
    else:
        click.echo(f"{embedded} embeddings of {len(names)} photos in {output}")
    if failures:
        raise SystemExit(failures[0].exit_code)


def _rows(result: EmbeddedPicture | PhotoFailure) -> list[EmbeddingRow]:
    """One row a face, or one row with the error."""
    from facekit.pipeline.photos import PhotoFailure
    from facekit.template.file import EmbeddingRow

    if isinstance(result, PhotoFailure):
        error = f"{type(result.error).__name__}: {result.error}"
        return [EmbeddingRow(result.name, "", 0, None, None, None, error)]
    return [
        EmbeddingRow(
            name=result.name,
            photo_sha256=result.photo_sha256,
            face=index,
            box_xyxy=None if face is None else tuple(face.box_xyxy.tolist()),
            score=None if face is None else face.score,
            vector=vector,
        )
        for index, (face, vector) in enumerate(zip(result.faces, result.embeddings, strict=True))
    ]
