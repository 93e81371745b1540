"""Doors of models: the card beside a file, and archives of models with their cards."""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from random import Random

from PIL import Image

from facekit.errors import FacekitError
from facekit.model.archive import export_models, import_models
from facekit.model.card import read_card, space_of
from facekit.tasks.models import info
from tests.fuzz.door import Door, Use, run_command
from tests.fuzz.forks import use_forks
from tests.fuzz.mutate import changed_bytes, changed_json, of_gzip, of_tar
from tests.networks.tiny_embedder import write_embedder
from tests.photo.picture_samples import encoded, smooth_pixels

TINY = Path(__file__).parents[1] / "data" / "tiny" / "float32.tflite"
_EXAMPLE = Path(__file__).parents[2] / "facekit" / "model" / "card.example.json"


def card_seeds() -> Mapping[str, list[bytes]]:
    """A card with little in it, and one in which every member has a value."""
    with tempfile.TemporaryDirectory() as folder:
        made = write_embedder(Path(folder), TINY.read_bytes())
        plain = made.path.with_suffix(".json").read_bytes()
    full, members = json.loads(_EXAMPLE.read_bytes()), json.loads(plain)
    calibration = full["calibration"]
    for one in (calibration, *calibration["others"]):
        one["embedding_mean"] = None
        one["space"] = None
    members["calibration"] = {**calibration, "others": []}
    members["tools"] = {**full["tools"], "vela estimate": "14.69 ms"}
    return {".json": [plain, json.dumps(members).encode()]}


def _changed_description(content: bytes, others: Sequence[bytes], random: Random) -> bytes:
    """Another value anywhere but in what ties the card to its file."""
    before = json.loads(content)
    after = json.loads(changed_json(content, others, random))
    for name in ("file_name", "file_sha256", "file_size_bytes", "schema_version"):
        after[name] = before[name]
    return json.dumps(after).encode()


def _open_cards(folder: Path) -> Use:
    os.environ["FACEKIT_HOME"] = str(folder / "home")
    use_forks()
    model = write_embedder(folder, TINY.read_bytes())
    card_path = model.path.with_suffix(".json")
    crop = folder / "crop.png"
    crop.write_bytes(encoded(Image.fromarray(smooth_pixels()).resize((16, 16)), "PNG"))
    random = Random(16)

    def use(path: Path) -> str:
        shutil.copyfile(path, card_path)
        card = read_card(card_path)
        json.dumps([card.to_dict(), card.npu_milliseconds], allow_nan=False)
        if card.crop is not None:
            space_of(card, detector=None)
        json.dumps(info(str(model.path)).to_dict(), allow_nan=False)
        name = str(model.path)
        command: tuple[str, ...]
        match random.randrange(6):
            case 0:
                command = ("models", "info", name)
            case 1:
                command = ("models", "card", name, "--json")
            case 2:
                command = ("inspect", name)
            case 3:
                command = ("models", "list")
            case _:
                given = random.choice((("--threshold", "0.5"), ("--fmr", "1e-3"), ()))
                photos = (str(crop), str(crop))
                command = ("verify", *photos, "--no-detect", "--model", name, "--offline", *given)
        run_command(*command)
        return ""

    return use


def archive_seeds() -> Mapping[str, list[bytes]]:
    """A .tar and a .tar.gz of a small model."""
    with tempfile.TemporaryDirectory() as folder:
        model = write_embedder(Path(folder), TINY.read_bytes())
        archive = Path(folder) / "models.tar"
        export_models([str(model.path)], archive)
        content = archive.read_bytes()
    return {".tar": [content], ".tar.gz": [gzip.compress(content, mtime=0)]}


def _repair(members: dict[str, bytes]) -> None:
    """Ties each card to the file beside it again."""
    for name, content in list(members.items()):
        model = name.removesuffix(".json") + ".tflite"
        if name.endswith(".json") and model in members:
            try:
                card = json.loads(content)
                card["file_sha256"] = hashlib.sha256(members[model]).hexdigest()
                card["file_size_bytes"] = len(members[model])
                members[name] = json.dumps(card).encode()
            except (ValueError, TypeError):
                continue


def _changed_card(content: bytes, others: Sequence[bytes], random: Random) -> bytes:
    """Another value in a card; a network, whose own door has its own inputs, stays as it is."""
    return _changed_description(content, others, random) if content[:1] == b"{" else content


def _open_archives(folder: Path) -> Use:
    home = folder / "home"
    os.environ["FACEKIT_HOME"] = str(home)
    use_forks()

    def use(path: Path) -> None:
        try:
            import_models(path, force=True)
        except FacekitError:
            left = [one for one in home.glob("models/**/*") if one.suffix in (".tflite", ".onnx")]
            assert not left, f"refused, and {left} is installed"
            raise
        finally:
            shutil.rmtree(home / "models", ignore_errors=True)

    return use


_changed_tar = of_tar(_changed_card, _changed_card, changed_bytes, repair=_repair)
CARDS = Door(
    card_seeds,
    {".json": (changed_bytes, changed_json, *10 * (_changed_description,))},
    _open_cards,
)
ARCHIVES = Door(
    archive_seeds,
    {
        ".tar": (changed_bytes, changed_bytes, _changed_tar, _changed_tar),
        ".tar.gz": (changed_bytes, of_gzip(changed_bytes), of_gzip(_changed_tar)),
    },
    _open_archives,
)
