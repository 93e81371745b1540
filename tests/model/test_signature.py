"""Signed archives: imported with the right key, refused with another, unsigned or changed."""

from __future__ import annotations

import io
import json
import stat
import subprocess
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from facekit.cli import cli
from facekit.errors import ModelMismatchError, UsageError
from facekit.model.archive import export_models, import_models
from facekit.model.store import stored_names
from tests.model.made_up_model import write_network
from tests.schemas import require_schema

ed25519 = pytest.importorskip(
    "cryptography.hazmat.primitives.asymmetric.ed25519",
    reason="no cryptography: pip install '.[encrypt]'",
)
from cryptography.hazmat.primitives import serialization  # noqa: E402  # after importorskip

PEM = serialization.Encoding.PEM


def key_pair(folder: Path, name: str, kind: Any = ed25519.Ed25519PrivateKey) -> tuple[Path, Path]:
    """NAME.pem and NAME.pub, as `openssl genpkey` and `openssl pkey -pubout` write them."""
    key = kind.generate()
    private, public = folder / f"{name}.pem", folder / f"{name}.pub"
    pkcs8, plain = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    private.write_bytes(key.private_bytes(PEM, pkcs8, plain))
    x509 = serialization.PublicFormat.SubjectPublicKeyInfo
    public.write_bytes(key.public_key().public_bytes(PEM, x509))
    return private, public


@pytest.fixture
def keys(tmp_path: Path) -> tuple[Path, Path]:
    return key_pair(tmp_path, "mine")


@pytest.fixture
def archive(home: Path, tmp_path: Path, keys: tuple[Path, Path]) -> Path:
    """toy:float32 and toy:int8, signed; the store is empty."""
    made = [write_network(tmp_path / "made", variant=one) for one in ("float32", "int8")]
    export_models(list(map(str, made)), tmp_path / "a.tar", sign=keys[0])
    return tmp_path / "a.tar"


Members = dict[str, bytes]


def repacked(archive: Path, change: Callable[[Members], object]) -> Path:
    """The archive with other members, packed by Python's tarfile."""
    with tarfile.open(archive) as tar:
        members = {one.name: tar.extractfile(one).read() for one in tar}  # type: ignore[union-attr]  # regular files
    change(members)
    output = archive.with_name("changed.tar")
    with tarfile.open(output, "w") as tar:
        for name, content in members.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return output


def run(*arguments: object) -> Result:
    return CliRunner().invoke(cli, [*map(str, arguments)])


def require_schema_of(command: str, done: Result) -> dict[str, Any]:
    assert done.exit_code == 0, done.stderr
    payload: dict[str, Any] = json.loads(done.stdout)
    require_schema(command, payload)
    return payload


def test_a_signed_archive_is_imported_by_its_signers_public_key(
    home: Path, tmp_path: Path, keys: tuple[Path, Path]
) -> None:
    made = write_network(tmp_path / "made")
    archive = tmp_path / "a.tar.gz"
    assert run("models", "export", made, "-o", archive, "--sign", keys[0]).exit_code == 0
    done = run("models", "import", archive, "--trusted", keys[1])
    assert done.exit_code == 0, done.stderr
    assert stored_names() == ("toy",)
    assert not list(home.rglob(".signature.json"))


def test_the_keys_that_facekit_makes_sign_and_name_the_signer(home: Path, tmp_path: Path) -> None:
    made, archive = write_network(tmp_path / "made"), tmp_path / "a.tar"
    private, public = tmp_path / "mine.pem", tmp_path / "mine.pub"
    told = require_schema_of("models key", run("models", "key", "-o", private, "--json"))
    assert told["public_key"] == str(public)
    assert (stat.S_IMODE(private.stat().st_mode), public.stat().st_mode & 0o222) == (0o600, 0o200)
    assert run("models", "export", made, "-o", archive, "--sign", private).exit_code == 0
    for trusted, signer in (((), None), (("--trusted", public), told["public_key_sha256"])):
        done = run("models", "import", archive, *trusted, "--force", "--json")
        assert require_schema_of("models import", done)["signed_by"] == signer
    derived = ("openssl", "pkey", "-in", str(private), "-pubout")
    assert subprocess.run(derived, check=True, capture_output=True).stdout == public.read_bytes()


def test_neither_half_of_a_pair_of_keys_is_replaced(tmp_path: Path) -> None:
    private, public = tmp_path / "mine.pem", tmp_path / "mine.pub"
    public.write_text("of somebody")
    assert run("models", "key", "-o", private).exit_code == 2
    assert run("models", "key", "-o", tmp_path / "other.pub").exit_code == 2
    assert [path.name for path in tmp_path.iterdir()] == ["mine.pub"]
    assert public.read_text() == "of somebody"
    assert run("models", "key", "-o", private, "--force").exit_code == 0
    first = private.read_bytes()
    assert run("models", "key", "-o", private, "--force").exit_code == 0
    assert private.read_bytes() != first


def test_without_a_key_a_signed_archive_is_imported_as_any(home: Path, archive: Path) -> None:
    assert [model.card.variant for model in import_models(archive)] == ["float32", "int8"]


def test_the_order_of_the_members_is_not_signed(
    home: Path, archive: Path, keys: tuple[Path, Path]
) -> None:
    def reverse(members: Members) -> None:
        turned = list(reversed(members.items()))
        members.clear()
        members.update(turned)

    import_models(repacked(archive, reverse), trusted=keys[1])


def test_the_same_key_and_models_give_the_same_bytes(
    archive: Path, tmp_path: Path, keys: tuple[Path, Path]
) -> None:
    made = sorted(map(str, (tmp_path / "made").glob("*.tflite")))
    export_models(made, tmp_path / "again.tar", sign=keys[0])
    assert (tmp_path / "again.tar").read_bytes() == archive.read_bytes()


def test_openssl_agrees_with_the_signature(
    archive: Path, tmp_path: Path, keys: tuple[Path, Path]
) -> None:
    """The message is written here by hand, as the module's documentation has it."""
    with tarfile.open(archive) as tar:
        tar.extractall(tmp_path / "out", filter="data")
    signature = json.loads((tmp_path / "out" / ".signature.json").read_bytes())["signature"]
    (tmp_path / "signature").write_bytes(bytes.fromhex(signature))
    sums = subprocess.run(
        "sha256sum toy/*.json toy/*.tflite | LC_ALL=C sort -k 2",
        shell=True,
        cwd=tmp_path / "out",
        check=True,
        capture_output=True,
    ).stdout
    (tmp_path / "message").write_bytes(b"facekit models archive 1\n" + sums)
    verify = "openssl pkeyutl -verify -rawin -pubin -inkey mine.pub -in message -sigfile signature"
    subprocess.run(verify.split(), cwd=tmp_path, check=True)


def changed_card(members: Members) -> None:
    card = members["toy/toy_int8.json"]
    members["toy/toy_int8.json"] = card.replace(b'"license": "MIT"', b'"license": "all"')
    assert members["toy/toy_int8.json"] != card


def replaced_signature(**changes: object) -> Callable[[Members], None]:
    def change(members: Members) -> None:
        whole = {**json.loads(members[".signature.json"]), **changes}
        members[".signature.json"] = json.dumps(whole).encode()

    return change


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda members: members.pop(".signature.json"), "is not signed"),
        (changed_card, "was changed after it was signed"),
        (lambda members: members.pop("toy/toy_int8.tflite"), "was changed after it was signed"),
        (replaced_signature(signature="00" * 64), "was changed after it was signed"),
        (replaced_signature(signature="00"), "was changed after it was signed"),
        (replaced_signature(signature="no hex"), "cannot be read as the signature"),
        (replaced_signature(signature=3), "cannot be read as the signature"),
        (replaced_signature(schema_version=2), "cannot be read as the signature"),
        (replaced_signature(public_key="00" * 32), "is signed by the key 0000"),
        (lambda m: m.update({".signature.json": b"[" * 9999}), "cannot be read as the signature"),
        (lambda m: m.update({".signature.json": b" " * 1_000_001}), "more than the 1 MB"),
    ],
)
def test_what_is_not_as_it_was_signed_is_refused(
    home: Path,
    archive: Path,
    keys: tuple[Path, Path],
    change: Callable[[Members], object],
    said: str,
) -> None:
    with pytest.raises(ModelMismatchError, match=said):
        import_models(repacked(archive, change), trusted=keys[1])
    assert not stored_names()


def test_a_file_that_was_added_is_refused(
    home: Path, archive: Path, keys: tuple[Path, Path]
) -> None:
    def add(members: Members) -> None:
        members["too/too_float32.tflite"] = members["toy/toy_float32.tflite"]

    with pytest.raises(ModelMismatchError, match="was changed after it was signed"):
        import_models(repacked(archive, add), trusted=keys[1])


def test_another_signer_is_refused_by_name(home: Path, archive: Path, tmp_path: Path) -> None:
    _, other = key_pair(tmp_path, "other")
    done = run("models", "import", archive, "--trusted", other)
    assert done.exit_code == 5
    assert "is signed by the key" in done.stderr
    assert not stored_names()


@pytest.mark.parametrize("which", ["other kind", "the other half", "text", "missing", "device"])
def test_what_is_no_key_is_said(
    home: Path, archive: Path, tmp_path: Path, keys: tuple[Path, Path], which: str
) -> None:
    from cryptography.hazmat.primitives.asymmetric import x25519

    (tmp_path / "text").write_text("no key")
    of_another = key_pair(tmp_path, "x", x25519.X25519PrivateKey)
    files = {
        "other kind": of_another,
        "the other half": (keys[1], keys[0]),
        "text": (tmp_path / "text",) * 2,
        "missing": (tmp_path / "none",) * 2,
        "device": (Path("/dev/zero"),) * 2,
    }[which]
    with pytest.raises(UsageError, match=r"private key of Ed25519|No such file"):
        export_models([str(tmp_path / "made/toy_int8.tflite")], tmp_path / "b.tar", sign=files[0])
    with pytest.raises(UsageError, match=r"public key of Ed25519|No such file"):
        import_models(archive, trusted=files[1])
    assert not (tmp_path / "b.tar").exists()
    assert not stored_names()


def test_weights_have_no_signature(home: Path, data: Path, keys: tuple[Path, Path]) -> None:
    file = data / "tiny" / "float32.tflite"
    done = run("models", "import", file, "--as", "x", "--trusted", keys[1])
    assert done.exit_code == 2
    assert "--trusted is for archives" in done.stderr


@pytest.mark.parametrize("name", [".signature.json", "signature.json/a.json"])
def test_a_signature_is_no_model(archive: Path, name: str) -> None:
    """Alone it holds nothing to import, and a folder of its name is none."""

    def alone(members: Members) -> None:
        content = members[".signature.json"]
        members.clear()
        members[name] = content

    with pytest.raises(ModelMismatchError, match="Nothing was imported"):
        import_models(repacked(archive, alone))
