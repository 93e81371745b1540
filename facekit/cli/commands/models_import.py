"""facekit models import"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from facekit.cli.options import EnumChoice, json_option
from facekit.cli.render.output import emit_json, note
from facekit.enums import Architecture, CropRule, Flip, Preprocessing
from facekit.errors import ModelMissingError, UsageError

if TYPE_CHECKING:
    from facekit.convert.import_weights import Imported
    from facekit.model.store import InstalledModel
    from facekit.types import CropSpec


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
    "rule",
    type=EnumChoice(CropRule),
    help="From face to crop.  [default: the graph's usual rule]",
)
@click.option(
    "--margin",
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
def import_command(path: Path, name: str | None, as_json: bool, **options: Any) -> None:
    """Install the models of an archive, or weights that other systems have trained.

    Weights need --as NAME and TensorFlow (facekit-cli[host]): deepface's .h5, facenet's frozen
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
    if not path.exists():
        raise ModelMissingError(f"There is no file {path}.")
    if is_archive(path):
        given = [key for key, value in {"name": name, **options}.items() if value]
        if given:
            raise UsageError(
                f"{path} is an archive: its models have names and cards. Leave --as and the "
                "options that say how weights are used away."
            )
        _import_archive(path, as_json=as_json)
        return
    if name is None:
        raise UsageError(f"{path} is no archive of models. Weights need a name: --as NAME.")
    imported = _import_weights(path, name, **options)
    if as_json:
        emit_json(_payload(imported))
    else:
        click.echo(imported.model.path)


def is_archive(path: Path) -> bool:
    """Whether it is a .tar or .tar.gz, by its content; an empty file counts as a broken one.

    Raises ModelMissingError for a file that may not be read.
    """
    if path.is_dir():
        return False
    try:
        with path.open("rb") as file:
            head = file.read(512)
    except OSError as error:
        raise ModelMissingError(f"{path} cannot be read: {error.strerror}.") from error
    return head[:2] == b"\x1f\x8b" or head[257:262] == b"ustar" or not head


def _import_archive(path: Path, *, as_json: bool) -> None:
    from facekit.cli.ensure import waiting
    from facekit.model.archive import import_models

    imported = import_models(path, on_wait=waiting("these models"))
    _emit_paths(path.name, imported, as_json=as_json)


def _import_weights(
    path: Path,
    name: str,
    *,
    architecture: Architecture | None,
    preprocessing: Preprocessing | None,
    rule: CropRule | None,
    margin: float | None,
    flip: Flip | None,
    licence: str | None,
    force: bool,
) -> Imported:
    from dataclasses import replace

    from facekit.cli.ensure import require_host, waiting
    from facekit.model import installation, store

    require_host(f"Importing {path.name}")
    from facekit.convert.import_weights import NOT_STATED, Said, import_weights, require_free_name

    require_free_name(name, path)
    earlier = store.stored_variants(name)
    if earlier and not force:
        raise UsageError(
            f"There is a model {name} already ({', '.join(earlier)}). Take another name with "
            "--as, or pass --force to replace it."
        )
    said = Said(
        architecture=architecture,
        preprocessing=preprocessing,
        crop=_crop(rule, margin),
        flip=flip,
        licence=licence or NOT_STATED,
    )
    made: list[Imported] = []

    def build(folder: Path) -> None:
        made.append(import_weights(path, name, said, folder, progress=note))

    installation.install(name, build, on_wait=waiting(name))
    for variant in earlier:  # made of other weights
        if variant != store.DEFAULT_VARIANT:
            installation.remove(f"{name}:{variant}")
    note(
        f"{name} has no threshold yet: pass --threshold to verify, or measure one: "
        f"facekit calibrate --model {name}"
    )
    return replace(made[0], model=store.find(f"{name}:{store.DEFAULT_VARIANT}"))


def _crop(rule: CropRule | None, margin: float | None) -> CropSpec | None:
    """None where the graph's usual crop is meant."""
    from facekit.enums import ResizeFilter
    from facekit.types import CropSpec

    if margin is not None and rule is not CropRule.MARGIN:
        raise UsageError("--margin is for --crop margin.")
    if rule is None:
        return None
    if rule is CropRule.MARGIN and margin is None:
        raise UsageError("--crop margin needs --margin PX; facenet's nets were trained with 32.")
    return CropSpec(rule, margin or 0.0, ResizeFilter.BILINEAR)


def _payload(imported: Imported) -> dict[str, Any]:
    card = imported.model.card
    return {
        "name": card.name,
        "paths": [str(imported.model.path)],
        "format": imported.format.title,
        "architecture": card.architecture,
        "embedding_size": card.embedding_size,
        "flip": card.flip.value,
        "source_sha256": card.source.sha256,
        "licence": card.source.licence,
        "ignored_tensors": list(imported.ignored),
    }


def _emit_paths(name: str, models: Sequence[InstalledModel], *, as_json: bool) -> None:
    paths = [str(model.path) for model in models]
    if as_json:
        emit_json({"name": name, "paths": paths})
    else:
        for path in paths:
            click.echo(path)
