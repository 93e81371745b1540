"""facekit convert"""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from facekit.cli.options import DEFAULT_MODEL, EnumChoice, json_option
from facekit.cli.render.conversion import (
    bar,
    calibration_crops,
    calibration_options,
    float32_model,
    print_drift,
)
from facekit.cli.render.output import emit_json, note
from facekit.enums import Architecture
from facekit.errors import UsageError

if TYPE_CHECKING:
    from facekit.convert.conversion import Converted

_RECIPES = {
    "float16": "weight_only_wf16_afp32",
    "int8": "static_wi8_ai8",
    "uint8": "static_wi8_ai8_iu8",
}


@click.command()
@click.argument("model", default=DEFAULT_MODEL)
@click.option("--float32", is_flag=True, help="The float32 file (also where no flag is given).")
@click.option("--float16", is_flag=True, help="Weights of 16 bits, half the size.")
@click.option("--int8", is_flag=True, help="All integers; int8 pixels in, float32 out.")
@click.option("--uint8-input", "uint8", is_flag=True, help="The same with uint8 pixels in.")
@click.option(
    "--vela",
    "target_names",
    multiple=True,
    is_flag=False,
    flag_value="imx93",
    metavar="[TARGET]",
    help="Compile the file with uint8 input for an NPU: imx93 where no target is named.",
)
@calibration_options
@click.option("--arch", type=EnumChoice(Architecture), help="A Keras file's graph.")
@click.option(
    "--like",
    metavar="NAME",
    help="Registry model whose preprocessing and crop a Keras file's weights share.  "
    "[default: the graph's authors']",
)
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder to write to.",
)
@click.option("--install", is_flag=True, help="Put the variants into the store, for --model.")
@click.option("--force", is_flag=True, help="Replace files that exist.")
@json_option
def convert(
    model: str,
    float32: bool,
    float16: bool,
    int8: bool,
    uint8: bool,
    target_names: tuple[str, ...],
    calibration: Path | None,
    rule: str | None,
    arch: Architecture | None,
    like: str | None,
    output: Path | None,
    install: bool,
    force: bool,
    as_json: bool,
    **options: Any,
) -> None:
    """Convert a model to float32, float16 and integer LiteRT files, and for i.MX NPUs.

    MODEL is a registry name, a card or .tflite file, or a Keras file (with --arch).  Each file
    gets its card; integer files are measured against float32.

    \b
    Example: facekit convert --int8 --vela -o out/
             facekit convert mine.keras --arch inception-resnet-v1 --int8 -o out/
             facekit convert --int8 --install
             facekit verify a.jpg b.jpg --model facenet512-casia:int8
    """
    from facekit.convert.conversion import Wanted
    from facekit.convert.conversion import convert as convert_files
    from facekit.convert.quantize.recipe import read_recipe
    from facekit.convert.vela.target import read_target
    from facekit.enums import RangeRule

    if output is None and not install:
        raise UsageError("Say where the files shall go: -o FOLDER, or --install for the store.")
    if target_names and output is None:
        raise UsageError("--vela needs -o FOLDER: the store holds models for this machine.")
    targets = tuple(map(read_target, target_names))
    flags = {"float16": float16, "int8": int8, "uint8": uint8 or bool(targets)}
    recipes = tuple(read_recipe(_RECIPES[name]) for name, wanted in flags.items() if wanted)
    wanted = Wanted(recipes, float32=float32 or not recipes, targets=targets)
    with ExitStack() as stack:
        source = float32_model(model, stack, arch=arch, like=like)
        crops = calibration_crops(source, calibration, **options)
        folder = output or Path(stack.enter_context(_temporary_folder()))
        converted = convert_files(
            source,
            wanted,
            folder,
            crops=crops,
            rule=RangeRule(rule) if rule else None,
            force=force,
            note=note,
            progress=bar,
        )
        if install:
            converted = _installed(source.card.name, converted)
    if as_json:
        emit_json({"files": [_payload(one) for one in converted]})
        return
    for one in converted:
        click.echo(f"{one.path}  {one.card.file_size_bytes / 1e6:.1f} MB")
        if one.drift is not None:
            print_drift(one.drift)
        if one.compiled is not None:
            report = one.compiled.report
            click.echo(
                f"  {report.npu_share:.1%} of the operators on the NPU, "
                f"{report.estimate.milliseconds:.2f} ms estimated at "
                f"{report.estimate.dram_gb_per_s:.2f} GB/s DRAM "
                f"({report.estimate.system_config})"
            )


def _temporary_folder() -> Any:
    import tempfile

    return tempfile.TemporaryDirectory(prefix="facekit-install-")


def _installed(name: str, converted: tuple[Converted, ...]) -> tuple[Converted, ...]:
    """The same files in the store; what is there for an accelerator stays where it is."""
    import shutil
    from dataclasses import replace

    from facekit.cli.ensure import waiting
    from facekit.model.installation import install
    from facekit.model.store import CARD_SUFFIX, variant_path

    here = [one for one in converted if one.compiled is None]

    def copy(folder: Path) -> None:
        for one in here:
            for path in (one.path, one.path.with_suffix(CARD_SUFFIX)):
                shutil.copyfile(path, folder / path.name)

    install(name, copy, on_wait=waiting(name))
    note(f"installed: {', '.join(f'{name}:{one.card.variant}' for one in here)}")
    return tuple(
        replace(one, path=variant_path(name, one.card.variant)) if one in here else one
        for one in converted
    )


def _payload(one: Converted) -> dict[str, Any]:
    from facekit.convert.vela.compile import report_payload

    compiled = one.compiled
    return {
        "path": str(one.path),
        "variant": one.card.variant,
        "sha256": one.card.file_sha256,
        "size_bytes": one.card.file_size_bytes,
        "input_formula": one.card.quantisation.input_formula,
        "drift": one.drift and one.drift.as_dict(),
        "vela": compiled and report_payload(compiled.report, compiled.comparisons),
    }
