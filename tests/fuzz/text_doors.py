"""Doors of what users write by hand: pair lists, settings, keys."""

from __future__ import annotations

import base64
import json
import os
import re
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from random import Random

import click
import numpy as np
from PIL import Image

from facekit.cli.commands.benchmark import benchmark
from facekit.cli.commands.evaluate import eval_lfw
from facekit.conversion.quantize.histograms import activation_histograms
from facekit.conversion.quantize.quantizer import quantize_file
from facekit.conversion.quantize.range_rules import compute_ranges
from facekit.conversion.quantize.recipe import read_recipe
from facekit.conversion.vela.run import run_vela
from facekit.conversion.vela.target import read_target
from facekit.enums import RangeRule
from facekit.errors import AcceleratorError, InputError
from facekit.evaluation.protocols.data_set import open_data_set
from facekit.evaluation.protocols.groups import read_groups
from facekit.evaluation.protocols.plan import open_plan
from facekit.gallery.sqlite.encryption import key_file, new_key, unlock
from facekit.model.defaults import default_model
from facekit.model.signature import require_signed, signed
from facekit.system.configs import CONFIGS
from facekit.training.config_file import read_config
from tests.fuzz.door import Door, Refused, Use, run_command
from tests.fuzz.forks import use_forks
from tests.fuzz.model_doors import TINY
from tests.fuzz.mutate import changed_bytes, changed_json
from tests.networks.tiny_embedder import SPEC, write_embedder
from tests.photo.picture_samples import encoded, smooth_pixels

_PEOPLE = {"Ada": 3, "Eve É": 2}
"""People with the number of their photos."""
_CELLS = (
    *("", " ", "-", ".", "..", "a.png", "Ada/Ada_0001.jpg", "/dev/zero", "\0", "é", "\ud800"),
    *("x" * 300, "x/" * 3000, "0", "1", "10000", "yes", "TRUE", "2", "1e9", '"', "'", "same", "a"),
    *("=1+1", "a.npz", "https://x/a.png", "person_a", "Ada", "9" * 5000, "\u2028", "\r"),
)
_SETTINGS = (
    *("0", "-1", "1", "2.5", "inf", "-inf", "nan", "1e999", "9" * 400, "0x7fffffffffffffff"),
    *("true", '""', '"x"', r'"\u0000"', '"a,b"', '"\U0001f600"', "''", '"../x"', '"/dev/zero"'),
    *("[]", "{}", "[1, 2]", '["a", 1]', "[[]]", '{a = "b"}', "1979-05-27", "07:32:00", '"64"'),
    *("1979-05-27T07:32:00Z", "[" * 9000, '["x", "x"]', '["\\u0000"]', "[inf]", '"Performance"'),
)


def _written(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def pair_seeds() -> Mapping[str, list[bytes]]:
    """Lists for verify, for evaluations as CSV and in LFW's format, and tables of groups."""
    lines = ("Ada/Ada_0001.jpg,Ada/Ada_0002.jpg", '"Eve É/Eve É_0001.jpg",Ada/Ada_0003.jpg')
    named = [f"{lines[0]},1,Ada,Ada", f"{lines[1]},no,Eve É,Ada"]
    matched, other = "Ada\t1\t2", "Ada\t{}\tEve É\t{}"
    folds = (other.format(1, 1), "Eve É\t1\t2", other.format(2, 2))
    texts = {
        ".list": ("\n".join(lines), "\r\n".join(("a,b", *lines, ""))),
        ".csv": (f"a,b,same\n{lines[0]},1\n", "\n".join(("a,b,same,person_a,person_b", *named))),
        ".groups": ("person,group\nAda,x\nEve É,y\n", f"a,b,group\n{lines[0]},x\n{lines[1]},x\n"),
        ".txt": (f"1\n{matched}\n{folds[0]}\n", "\n".join(("2\t1", matched, *folds))),
    }
    return {suffix: list(map(_written, several)) for suffix, several in texts.items()}


def _changed_cell(content: bytes, others: Sequence[bytes], random: Random) -> bytes:
    """Another text between two commas, tabs or ends of lines; or another such sign."""
    parts = re.split("([,\t\n])", content.decode())
    at = random.randrange(len(parts))
    parts[at] = random.choice((*_CELLS, *parts)) if at % 2 == 0 else random.choice(",\t\n;\r")
    return _written("".join(parts))


def _open_pairs(folder: Path) -> Use:
    os.environ["FACEKIT_HOME"] = str(folder / "home")
    use_forks()
    model = write_embedder(folder, TINY.read_bytes()).path
    crop = encoded(Image.fromarray(smooth_pixels()).resize((16, 16)), "PNG")
    for name, count in _PEOPLE.items():
        (folder / name).mkdir()
        for number in range(1, 1 + count):
            (folder / name / f"{name}_{number:04d}.jpg").write_bytes(crop)
    os.chdir(folder)

    def use(path: Path) -> str:
        if path.suffix == ".list":
            options = ("--no-detect", "--model", model, "--min-similarity", "0.5", "--workers", "1")
            return run_command("verify", "--pairs", path, *options, "--offline", "--json")
        if path.suffix == ".groups":
            groups = read_groups(path)
            assert groups.group_of
            photos = open_data_set(folder, protocol="folders").pair_list.photos
            with suppress(InputError):  # the second table has one group
                groups.notes(photos, groups.assigned(photos))
            return ""
        plan = open_plan(open_data_set(path, photos_dir=folder), data=folder, limit=1)
        joined = plan.pair_list.joined(plan.pair_list.only_fold(1))
        assert plan.photos
        assert joined.published_as is None
        return ""

    return use


def setting_seeds() -> Mapping[str, list[bytes]]:
    """All that ships in configs/, and the user's choice of a model."""
    kinds = {"targets": ".target.toml", "train": ".train.toml", "eval-lfw": ".eval.toml"}
    kinds |= {"benchmark": ".bench.toml", "recipes": ".recipe.json"}
    shipped = {
        suffix: [path.read_bytes() for path in sorted((CONFIGS / folder).iterdir())]
        for folder, suffix in kinds.items()
    }
    return {**shipped, ".user.toml": [b'model = "sface"\n', b"# none\n"]}


def _changed_setting(content: bytes, others: Sequence[bytes], random: Random) -> bytes:
    """Another value, another key, or another setting's line in a TOML text."""
    lines = content.decode().splitlines()
    settings = [number for number, line in enumerate(lines) if re.match("[^#=]+=", line)]
    at = random.choice(settings or [0])
    key, _, value = lines[at].partition("=")
    match random.randrange(8):
        case 0:
            value = random.choice(random.choice(others).decode().splitlines())
            lines.insert(random.randrange(len(lines) + 1), value)
        case 1:
            del lines[at]
        case 2:
            lines[at] = f"{random.choice((key + '.x', 'x', '', key.upper(), 'é'))} = {value}"
        case 3:
            lines.insert(at, f"[{key.strip()}{random.choice(('', '.x', '.' * 2, '.x' * 900))}]")
        case _:
            lines[at] = f"{key}= {random.choice(_SETTINGS)}"
    return _written("\n".join(lines))


def _open_settings(folder: Path) -> Use:
    os.environ["FACEKIT_HOME"] = str(folder / "home")
    os.environ["XDG_CONFIG_HOME"] = str(folder)
    user = folder / "facekit" / "config.toml"
    user.parent.mkdir()
    network = TINY.read_bytes()
    pixels = np.random.default_rng(4).integers(0, 256, (8, 16, 16, 3), dtype=np.uint8)
    ranges = compute_ranges(activation_histograms(network, SPEC, pixels), RangeRule.MINMAX)

    def parse(command: click.Command, path: Path) -> None:
        try:
            command.make_context(str(command.name), ["--config", str(path)])
        except click.ClickException as error:
            raise Refused(error.format_message()) from error

    def use(path: Path) -> None:
        name = str(path)
        match path.suffixes[-2]:
            case ".target":
                _prepare_vela(folder / "tiny.tflite", name)
            case ".train":
                json.dumps(read_config(name, {}).to_dict(), allow_nan=False)
            case ".eval":
                parse(eval_lfw, path)
            case ".bench":
                parse(benchmark, path)
            case ".user":
                user.write_bytes(path.read_bytes())
                default_model()
            case _:
                recipe = read_recipe(name)
                found = ranges if recipe.needs_ranges else {}
                quantize_file(network, SPEC, recipe, found)
                recipe.with_integer_outputs.to_json()

    return use


def _prepare_vela(model: Path, name: str) -> None:
    """Does all that comes before the compiler, which takes seconds: a program that fails is run."""
    target = read_target(name).with_memory(sram=1)
    python, sys.executable = sys.executable, "/bin/false"
    try:
        with suppress(AcceleratorError), run_vela(model, target):
            raise AssertionError("nothing can have been compiled")
    finally:
        sys.executable = python


_FILES = {"a/a_float32.tflite": "0" * 64}


def _private_key(number: int) -> bytes:
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import ed25519

    return ed25519.Ed25519PrivateKey.from_private_bytes(bytes([number]) * 32).private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


def _public_key(private: bytes) -> bytes:
    from cryptography.hazmat.primitives import serialization

    public = serialization.load_pem_private_key(private, password=None).public_key()
    return public.public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )


def key_seeds() -> Mapping[str, list[bytes]]:
    """A gallery's key, the two halves of a pair of keys, and a signature by it."""
    import tempfile

    private = _private_key(1)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "key"
        path.write_bytes(private)
        signature = signed(_FILES, path)
    return {
        ".key": [bytes(range(32))],
        ".private.pem": [private, _private_key(2)],
        ".public.pem": [_public_key(private)],
        ".signature.json": [signature],
    }


def _changed_der(content: bytes, others: Sequence[bytes], random: Random) -> bytes:
    """Changes what a PEM file holds, or what it says that it holds."""
    begin, *lines, end = content.decode().splitlines()
    der = base64.b64decode("".join(lines))
    if random.random() < 0.3:
        kinds = ("PUBLIC KEY", "PRIVATE KEY", "ENCRYPTED PRIVATE KEY", "EC PRIVATE KEY")
        kind = random.choice((*kinds, "RSA PRIVATE KEY", "OPENSSH PRIVATE KEY", "DSA PRIVATE KEY"))
        begin, end = f"-----BEGIN {kind}-----", f"-----END {kind}-----"
    else:
        der = changed_bytes(der, [der], random)
    return "\n".join((begin, base64.b64encode(der).decode(), end, "")).encode()


def _open_keys(folder: Path) -> Use:
    seeds = key_seeds()
    for suffix, (content, *_) in seeds.items():
        (folder / f"right{suffix}").write_bytes(content)
    public, signature = folder / "right.public.pem", folder / "right.signature.json"
    data_key, lock = new_key(key_file(folder / "right.key"))
    archive = folder / "models.tar"

    def use(path: Path) -> None:
        match "".join(path.suffixes):
            case ".key":
                assert unlock(json.dumps(lock), key_file(path), "Gallery x") == data_key
                assert path.read_bytes() in seeds[".key"], "another key unlocks it"
            case ".private.pem":
                signed(_FILES, path)
            case ".public.pem":
                require_signed(archive, signature, _FILES, path)
            case _:
                require_signed(archive, path, _FILES, public)

    return use


PAIRS = Door(
    pair_seeds,
    dict.fromkeys(
        (".list", ".csv", ".txt", ".groups"), (changed_bytes, _changed_cell, _changed_cell)
    ),
    _open_pairs,
)
SETTINGS = Door(
    setting_seeds,
    {
        suffix: (
            changed_bytes,
            *4 * (changed_json if suffix.endswith("json") else _changed_setting,),
        )
        for suffix in setting_seeds()
    },
    _open_settings,
)
KEYS = Door(
    key_seeds,
    {
        ".key": (changed_bytes,),
        ".private.pem": (changed_bytes, _changed_der, _changed_der),
        ".public.pem": (changed_bytes, _changed_der, _changed_der),
        ".signature.json": (changed_bytes, changed_json),
    },
    _open_keys,
)
