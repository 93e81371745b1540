"""facekit compare"""

from __future__ import annotations

import csv
import sys
from typing import Any

import click

from facekit.cli.options import embedding_options, json_option
from facekit.errors import UsageError


@click.command()
@click.argument("images", nargs=-1, required=True)
@click.option("--csv", "as_csv", is_flag=True, help="Write the matrix as CSV.")
@embedding_options
@json_option
def compare(
    images: tuple[str, ...], as_csv: bool, model: str, as_json: bool, **options: Any
) -> None:
    """Print the cosine similarity of every picture to every other.

    \b
    Example: facekit compare a.jpg b.jpg c.jpg
             facekit compare --face all family.jpg
    """
    if as_csv and as_json:
        raise UsageError("--csv and --json are two forms of one result; pass one of them.")

    import numpy as np

    from facekit.cli.open_pipeline import open_pipeline
    from facekit.cli.render.output import emit_json
    from facekit.cli.terminal import with_progress
    from facekit.photo.sources import list_pictures
    from facekit.pipeline.photos import PhotoFailure, embed_each
    from facekit.template.match import similarity_matrix

    names = list_pictures(images)
    pipeline = open_pipeline(model, **options)
    labels: list[str] = []
    vectors = []
    for result in with_progress(embed_each(pipeline, names), length=len(names), label="embedding"):
        if isinstance(result, PhotoFailure):
            raise result.error
        count = len(result.embeddings)
        labels += [result.name if count == 1 else f"{result.name}#{n}" for n in range(count)]
        vectors.append(result.embeddings)
    matrix = similarity_matrix(np.concatenate(vectors), np.concatenate(vectors))
    if as_json:
        emit_json(
            {
                "images": labels,
                "similarity": matrix.tolist(),
                "model": f"{pipeline.model.card.name}:{pipeline.model.card.variant}",
                "model_sha256": pipeline.model.card.file_sha256,
                **pipeline.device_use.to_dict(),
            }
        )
    elif as_csv:
        writer = csv.writer(sys.stdout, lineterminator="\n")
        writer.writerow(["", *labels])
        writer.writerows(
            [label, *(f"{value:.6f}" for value in row)]
            for label, row in zip(labels, matrix, strict=True)
        )
    else:
        width = max(map(len, labels))
        for number, (label, row) in enumerate(zip(labels, matrix, strict=True), 1):
            cells = " ".join(f"{value:6.3f}" for value in row)
            click.echo(f"{number:3} {label:{width}} {cells}")
