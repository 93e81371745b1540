"""facekit bundle"""

from __future__ import annotations

from pathlib import Path

import click

from facekit.cli.command import Command
from facekit.cli.options import (
    json_option,
    offline_option,
)
from facekit.cli.output_options import force_option, output_file
from facekit.cli.render.output import emit_json
from facekit.cli.render.table import Column, labeled, number, table
from facekit.cli.terminal import TerminalReporter
from facekit.cli.types import FILE, FOLDER, Words


@click.command(cls=Command, basic="target bsp output detector models force json")
@click.argument("model", required=False)
@click.option(
    "--target",
    metavar="TARGET",
    type=Words(["imx93", "imx8mp", "imx95", "imx943", "ethos-u85", "cpu"]),
    required=True,
    help="What it is for, a board: a Vela file and int8 for imx93 and ethos-u85, uint8 and int8 "
    "for imx8mp, int8 for imx95 and imx943, float32 for cpu.",
)
@click.option(
    "--bsp",
    metavar="BSP",
    type=Words(["6.1", "6.6", "6.12", "6.18.2", "6.18.20"]),
    help="NXP's board support package on the board, by its kernel.",
    show_default="the newest that takes the files",
)
@output_file("The archive: .tar.gz, .tgz or .tar.", required=True)
@click.option(
    "--detector",
    metavar="NAME",
    help="What finds faces: mtcnn, on the CPU, or yunet, on the NPU.",
    show_default="what the model's card names",
)
@click.option(
    "--models",
    type=FOLDER,
    help="Folder of models that facekit convert wrote; searched before the store.",
)
@click.option(
    "--cpu-variant", metavar="VARIANT", help="Which file the CPU runs: float32, float16, int8."
)
@click.option(
    "--npu-model",
    type=FILE,
    help="The model's file for the NPU, compiled by yourself: by neutron-converter or by Vela.",
)
@click.option("--npu-detector", type=FILE, help="The same for the detector.")
@click.option(
    "--npu-compiler",
    metavar="VERSION",
    help="What compiled them: the version that the compiler's --version prints.",
)
@click.option(
    "--wheel",
    type=FILE,
    help="A wheel of facekit to put in.",
    show_default="one is made",
)
@force_option("a file that exists")
@offline_option
@json_option
def bundle(
    model: str | None,
    target: str,
    output: Path,
    detector: str | None,
    models: Path | None,
    cpu_variant: str | None,
    bsp: str | None,
    npu_model: Path | None,
    npu_detector: Path | None,
    npu_compiler: str | None,
    wheel: Path | None,
    force: bool,
    as_json: bool,
) -> None:
    """Pack all that a board needs into one archive.

    Models, cards, thresholds, facekit, scripts and a README.

    The same models and the same facekit give the same bytes.

    \b
    Example: facekit convert --int8 --vela imx93 -o out
             facekit bundle --target imx93 --models out -o facekit-imx93.tar.gz
             facekit bundle sface --detector yunet --target imx93 --models out -o b.tar.gz
             facekit bundle sface --target imx95 --npu-model neutron.tflite -o b.tar.gz
             facekit verify a.jpg b.jpg --bundle facekit-imx93
    """
    from facekit.tasks import bundle as task

    made = task.bundle(
        model,
        target=target,
        output=output,
        detector=detector,
        models=models,
        cpu_variant=cpu_variant,
        bsp=bsp,
        npu_model=npu_model,
        npu_detector=npu_detector,
        npu_compiler=npu_compiler,
        wheel=wheel,
        force=force,
        reporter=TerminalReporter(),
    )
    if as_json:
        emit_json(made.to_dict())
        return
    files = [(one.name, one.variant, f"{one.file_size_bytes / 1e6:.1f}") for one in made.cards]
    archive = [("archive", str(made.path)), ("size", f"{made.path.stat().st_size / 1e6:.1f} MB")]
    board, compiled = made.bundle.board, made.bundle.compiled
    if board.bsp is not None:
        archive.append(("BSP", board.bsp))
    if board.delegate is not None:
        runtime = "" if board.runtime is None else f" with {board.runtime.value}"
        archive.append(("delegate", f"{board.delegate}{runtime}"))
    if compiled is not None:
        stated = f"by {compiled.compiler} {compiled.version or 'of an unknown version'}"
        archive.append(("compiled", stated))
    columns = (Column("MODEL"), Column("VARIANT"), number("MB"))
    click.echo("\n".join(labeled([*archive, ("wheel", made.wheel)])))
    click.echo("\n".join(["", *table(columns, files)]))
