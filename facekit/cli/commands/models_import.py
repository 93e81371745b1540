"""facekit models import"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from facekit.cli.command import Command
from facekit.cli.options import (
    EnumChoice,
    json_option,
)
from facekit.cli.output_options import force_option
from facekit.cli.render.models import print_files
from facekit.cli.terminal import TerminalReporter
from facekit.cli.types import FILE, PixelSize, Real
from facekit.enums import Architecture, ColorOrder, CropRule, Flip, Preprocessing


@click.command(
    "import", cls=Command, basic="as preprocessing size crop quality-range license force json"
)
@click.argument("path", metavar="FILE", type=click.Path(path_type=Path))
@click.option("--as", "as_name", metavar="NAME", help="What the imported weights shall be called.")
@click.option(
    "--architecture",
    type=EnumChoice(Architecture),
    help="The network that the weights are for.",
    show_default="what the format is for",
)
@click.option(
    "--preprocessing",
    type=EnumChoice(Preprocessing),
    help="How the net is fed: facenet is RGB, (x-127.5)/128; deepface BGR, x/255; insightface "
    "RGB, (x-127.5)/127.5; sphereface BGR, (x-127.5)/128; raw RGB, x.",
    show_default="as the format's authors do; of a whole network, as systems with inputs of its "
    "size do",
)
@click.option(
    "--size",
    type=PixelSize(),
    help="Height and width of the network's input, where the file leaves them open: 112, "
    "or 112x96, which is 112 high.",
)
@click.option(
    "--color-order",
    type=EnumChoice(ColorOrder),
    help="Order of the colors, in place of --preprocessing's.",
)
@click.option(
    "--mean", type=Real(), metavar="NUMBER", help="The net is fed (x - mean) / std, x 0..255."
)
@click.option("--std", type=Real(0, min_open=True), metavar="NUMBER", help="See --mean.")
@click.option(
    "--crop",
    type=EnumChoice(CropRule),
    help="The rule from face to crop.",
    show_default="as --preprocessing's system does, or the graph's authors",
)
@click.option(
    "--margin",
    type=Real(0),
    metavar="PIXELS",
    help="Pixels of the crop outside the box, both sides together, for --crop margin.",
)
@click.option(
    "--flip",
    type=EnumChoice(Flip),
    help="What is done with the mirrored crop's embedding.",
    show_default="as the graph's authors do: concat for sphereface20, else none",
)
@click.option(
    "--quality-range",
    type=Real(),
    nargs=2,
    metavar="WORST BEST",
    help="The network rates faces, with these outputs for the worst and the best; see quality.",
)
@click.option("--license", metavar="TEXT", help="What may be done with the model, for its card.")
@click.option(
    "--accept-untrained",
    is_flag=True,
    help="Take a network that does not tell the faces apart that ship with facekit.",
)
@click.option(
    "--trusted",
    type=FILE,
    metavar="KEY",
    help="Import an archive only if the owner of this public key signed it; a PEM file of Ed25519.",
)
@force_option("a model of that name, with all variants; or what an archive's models are called")
@json_option
def import_command(
    path: Path,
    as_name: str | None,
    margin: float | None,
    trusted: Path | None,
    force: bool,
    as_json: bool,
    **options: Any,
) -> None:
    """Install models of an archive, or of other systems.

    A network is a .onnx, .tflite, .keras or .h5 file of any operators that face networks are made
    of.  Layout, size and embedding length are read from it.  What is made of it must answer as the
    file itself when it is run (facekit-cli[convert]), and tell faces apart.

    Weights alone are deepface's .h5, facenet's frozen .pb or checkpoint folder, facenet-pytorch's
    .pt, SphereFace-20's .caffemodel and sphereface_pytorch's .pth, and .weights.h5 of a net that
    facekit draws.  Both need --as NAME, and neither TensorFlow nor PyTorch.

    A presentation attack detector is taken as it is, with its card beside it, and --as NAME.

    Over a model that is stored, or that facekit knows, --force is needed.  What changes is told:
    the thresholds before and after.

    What a file is, its content says.  Nothing in it is run, and every tensor must fit.

    \b
    Example: facekit models import models.tar
             facekit models import fas.onnx --as fas
             facekit models import models.tar --trusted key.pub
             facekit models import w600k_mbf.onnx --as mbf --preprocessing insightface
             facekit models import ediffiqa_tiny_jun2024.onnx --as ediffiqa --quality-range 0 1
             facekit models import mine.onnx --as mine --mean 127.5 --std 128 --color-order bgr
             facekit models import 20180402-114759-vggface2.pt --as vggface2
             facekit models import facenet512_weights.h5 --as f512 --license MIT
             facekit models import sphereface_model.caffemodel --as sphereface
             facekit models import 20180402-114759/ --as sandberg --crop margin --margin 44
    """
    from facekit.tasks.import_model import import_model, import_options

    imported = import_model(
        path,
        name=as_name,
        options=import_options(margin_px=margin, **options),
        trusted=trusted,
        force=force,
        reporter=TerminalReporter(),
    )
    print_files(imported, as_json=as_json)
