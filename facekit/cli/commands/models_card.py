"""facekit models card"""

from __future__ import annotations

from pathlib import Path

import click

from facekit.cli.command import Command
from facekit.cli.options import (
    EnumChoice,
    json_option,
)
from facekit.cli.output_options import force_option, output_file
from facekit.cli.render.models import print_card
from facekit.enums import PadSystem, Preprocessing
from facekit.errors import UsageError


@click.command("card", cls=Command, basic="draft preprocessing pad output force json")
@click.argument("model", metavar="MODEL")
@click.option("--draft", is_flag=True, help="Make a card to fill in for MODEL.")
@click.option(
    "--preprocessing",
    type=EnumChoice(Preprocessing),
    help="With --draft: fill in how the network is fed, as this system does it.",
)
@click.option(
    "--pad",
    type=EnumChoice(PadSystem),
    help="With --draft: the network is a presentation attack detector, of this system.",
)
@output_file("With --draft: write it here, beside MODEL as its name with .json.")
@force_option("a card that exists")
@json_option
def card_command(
    model: str,
    draft: bool,
    preprocessing: Preprocessing | None,
    pad: PadSystem | None,
    output: Path | None,
    force: bool,
    as_json: bool,
) -> None:
    """Show a model's card, or make one to fill in.

    A card that is shown is checked against its file.

    A model file with its card beside it is used by its path, wherever --model is asked for.
    What the file tells is filled in: its size and sha256, the size of its input, the length of
    its embedding.  What is null is to be filled in.  The card is described by
    facekit/model/card.schema.json and docs/how-to/own-network.md.

    \b
    Example: facekit models card mine.onnx --draft --preprocessing insightface -o mine.json
             facekit models card mine.onnx
             facekit models card fas.onnx --draft --pad minifasnet-v2 -o fas.json
             facekit verify a.jpg b.jpg --model mine.onnx --threshold 0.4
    """
    from facekit.tasks import model_card as task

    if draft:
        made = task.card_draft(
            Path(model), preprocessing=preprocessing, pad=pad, output=output, force=force
        )
    elif (preprocessing, pad, output) != (None, None, None) or force:
        raise UsageError("--preprocessing, --pad, -o and --force are for --draft.")
    else:
        made = task.card(model)
    print_card(made, as_json=as_json)
