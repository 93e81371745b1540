"""facekit models import"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from facekit.cli.options import EnumChoice, json_option
from facekit.cli.render.models import print_files
from facekit.cli.terminal import TerminalReporter
from facekit.enums import Architecture, CropRule, Flip, Preprocessing


@click.command("import")
@click.argument("path", metavar="FILE", type=click.Path(path_type=Path))
@click.option("--as", "name", metavar="NAME", help="What the imported weights shall be called.")
@click.option(
    "--arch",
    "architecture",
    type=EnumChoice(Architecture),
    help="The graph that the weights are for.  [default: what the format is for]",
)
@click.option(
    "--preprocess",
    "preprocessing",
    type=EnumChoice(Preprocessing),
    help="How the net is fed: facenet is RGB, (x-127.5)/128; deepface BGR, x/255; sphereface "
    "BGR, (x-127.5)/128.  [default: as the format's authors do]",
)
@click.option(
    "--crop",
    "crop_rule",
    type=EnumChoice(CropRule),
    help="From face to crop.  [default: the graph's usual rule]",
)
@click.option(
    "--margin",
    "margin_px",
    type=click.FloatRange(min=0),
    metavar="PX",
    help="Pixels of the crop outside the box, both sides together, for --crop margin.",
)
@click.option(
    "--flip",
    type=EnumChoice(Flip),
    help="What becomes of the mirror image's embedding.  [default: as the graph's authors do: "
    "concat for sphereface20, else none]",
)
@click.option("--license", "licence", metavar="TEXT", help="What may be done with the weights.")
@click.option("--force", is_flag=True, help="Replace a model of that name, with all variants.")
@json_option
def import_command(
    path: Path, name: str | None, force: bool, as_json: bool, **options: Any
) -> None:
    """Install the models of an archive, or weights that other systems have trained.

    Weights need --as NAME and TensorFlow (facekit-cli[train]): deepface's .h5, facenet's frozen
    .pb or checkpoint folder, facenet-pytorch's .pt, SphereFace-20's .caffemodel and
    sphereface_pytorch's .pth, Keras's .keras and .weights.h5, .onnx.  What a file is, its content
    says.  Nothing in it is run, and every tensor must fit.

    \b
    Example: facekit models import models.tar
             facekit models import 20180402-114759-vggface2.pt --as vggface2
             facekit models import facenet512_weights.h5 --as f512 --license MIT
             facekit models import sphereface_model.caffemodel --as sphereface
             facekit models import 20180402-114759/ --as sandberg --crop margin --margin 44
    """
    from facekit.tasks.import_model import import_model, import_options

    imported = import_model(
        path,
        name=name,
        options=import_options(**options),
        force=force,
        reporter=TerminalReporter(),
    )
    print_files(imported, as_json=as_json)
