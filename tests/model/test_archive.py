from __future__ import annotations

import gzip
import io
import json
import resource
import tarfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from facekit.errors import ModelMismatchError, ModelMissingError, StorageError
from facekit.model import archive, installation, store
from facekit.model.archive import export_models, import_models
from tests.model.made_up_model import write_model, write_network

FILE, CARD = "toy/toy_float32.tflite", "toy/toy_float32.json"
Change = Callable[[tarfile.TarInfo], object]


@pytest.fixture
def stored(home: Path) -> Path:
    """A home with toy:float32, toy:int8 and other:float32."""
    for name, variant in (("toy", "float32"), ("toy", "int8"), ("other", "float32")):
        installation.install(name, partial(write_network, name=name, variant=variant))
    return home


@pytest.fixture
def fresh_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "fresh"
    monkeypatch.setenv("FACEKIT_HOME", str(folder))
    return folder


def write_tar(path: Path, members: dict[str, bytes], **changes: Change) -> Path:
    """A plain tar; a change by the member's name with / and . as _ alters its header."""
    with tarfile.open(path, "w") as tar:
        for name, content in members.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            if change := changes.get(name.replace("/", "_").replace(".", "_")):
                change(member)
            tar.addfile(member, io.BytesIO(content))
    return path


def toy_members(folder: Path) -> dict[str, bytes]:
    path = write_model(folder / "made")
    return {CARD: path.with_suffix(".json").read_bytes(), FILE: path.read_bytes()}


def nothing_imported(home: Path) -> bool:
    return not list((home / "models").iterdir())


@pytest.mark.parametrize("name", ["models.tar", "models.tar.gz", "models.tgz"])
def test_models_move_to_another_machine(
    stored: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    output = tmp_path / name
    exported = export_models(["toy", "other"], output)
    monkeypatch.setenv("FACEKIT_HOME", str(tmp_path / "fresh"))
    imported = import_models(output)
    assert [model.path.name for model in imported] == [model.path.name for model in exported]
    assert store.stored_names() == ("other", "toy")
    assert store.find("toy:int8").path.read_bytes().endswith(b"int8")


@pytest.mark.parametrize("name", ["a.tar", "a.tar.gz"])
def test_the_same_models_give_the_same_bytes(stored: Path, tmp_path: Path, name: str) -> None:
    export_models(["toy", "other"], tmp_path / name)
    first = (tmp_path / name).read_bytes()
    store.find("toy").path.touch()
    export_models(["other", "toy", "toy:int8"], tmp_path / name)
    assert (tmp_path / name).read_bytes() == first


def test_one_variant_alone(stored: Path, tmp_path: Path) -> None:
    export_models(["toy:int8"], tmp_path / "a.tar")
    with tarfile.open(tmp_path / "a.tar") as tar:
        assert tar.getnames() == ["toy/toy_int8.json", "toy/toy_int8.tflite"]


def test_importing_keeps_the_other_variants(
    stored: Path, tmp_path: Path, fresh_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FACEKIT_HOME", str(stored))
    export_models(["toy:int8"], tmp_path / "a.tar")
    monkeypatch.setenv("FACEKIT_HOME", str(fresh_home))
    installation.install("toy", lambda folder: write_model(folder, content=b"own"))
    import_models(tmp_path / "a.tar")
    assert store.stored_variants("toy") == ("float32", "int8")


def test_export_checks_before_it_writes(stored: Path, tmp_path: Path) -> None:
    store.find("toy").path.write_bytes(b"damaged")
    with pytest.raises(ModelMismatchError):
        export_models(["other", "toy"], tmp_path / "a.tar")
    with pytest.raises(ModelMissingError):
        export_models(["nothing"], tmp_path / "a.tar")
    assert not (tmp_path / "a.tar").exists()


def test_export_into_no_folder(stored: Path, tmp_path: Path) -> None:
    with pytest.raises(StorageError, match=r"Cannot write .*a\.tar: No such file"):
        export_models(["toy"], tmp_path / "nowhere" / "a.tar")


@pytest.mark.parametrize(
    "name",
    [
        "/toy/toy_float32.tflite",
        "../toy/toy_float32.tflite",
        "toy/../../x.tflite",
        "toy/../x.tflite",
        "toy//x.tflite",
        "./toy/x.tflite",
        "..\\x/x.tflite",
        "C:\\toy/x.tflite",
        "toy\\x.tflite",
        ".toy/x.tflite",
        "toy/.x.tflite",
        "x.tflite",
        "toy/a/x.tflite",
        "toy/x.py",
        "toy/x",
        "toy/x.tflite\n",
        "toy/x.TFLITE",
    ],
)
def test_a_name_that_is_not_ours_is_refused(tmp_path: Path, home: Path, name: str) -> None:
    members = {**toy_members(tmp_path), name: b"x"}
    with pytest.raises(ModelMismatchError, match=r"member .* is not called NAME/FILE"):
        import_models(write_tar(tmp_path / "a.tar", members))
    assert nothing_imported(home)
    assert {path.name for path in tmp_path.iterdir()} == {"a.tar", "home", "made"}


KINDS = {
    "symlink": tarfile.SYMTYPE,
    "hard link": tarfile.LNKTYPE,
    "device": tarfile.CHRTYPE,
    "block device": tarfile.BLKTYPE,
    "pipe": tarfile.FIFOTYPE,
    "folder": tarfile.DIRTYPE,
    "sparse": tarfile.GNUTYPE_SPARSE,
}


@pytest.mark.parametrize("kind", KINDS)
def test_only_regular_files_are_taken(tmp_path: Path, home: Path, kind: str) -> None:
    def change(member: tarfile.TarInfo) -> None:
        member.type, member.linkname, member.size = KINDS[kind], "/etc/passwd", 0

    members = {**toy_members(tmp_path), "toy/x.tflite": b""}
    with pytest.raises(ModelMismatchError):
        import_models(write_tar(tmp_path / "a.tar", members, toy_x_tflite=change))
    assert nothing_imported(home)


def test_a_member_that_is_too_large_is_refused_before_it_is_read(
    tmp_path: Path, home: Path
) -> None:
    member = tarfile.TarInfo(CARD)
    member.size = archive.MAX_BYTES[".json"] + 1
    path = tmp_path / "a.tar"
    path.write_bytes(member.tobuf())
    with pytest.raises(ModelMismatchError, match="4194305 bytes; 1 to 4194304 are allowed"):
        import_models(path)
    assert nothing_imported(home)


@pytest.mark.parametrize(("limit", "value"), [("MAX_MEMBERS", 1), ("MAX_TOTAL_BYTES", 100)])
def test_all_members_together_are_limited(
    tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch, limit: str, value: int
) -> None:
    monkeypatch.setattr(archive, limit, value)
    with pytest.raises(ModelMismatchError, match="bytes in all"):
        import_models(write_tar(tmp_path / "a.tar", toy_members(tmp_path)))
    assert nothing_imported(home)


def test_a_header_that_unpacks_to_gigabytes_is_refused(tmp_path: Path, home: Path) -> None:
    """A PAX header is read into memory as a whole; here 1 GB of zeros in a 1 MB file."""
    header = tarfile.TarInfo("x")
    header.type, header.size = tarfile.XHDTYPE, 1 << 30
    path = tmp_path / "a.tar.gz"
    with gzip.open(path, "wb", compresslevel=1) as file:
        file.write(header.tobuf())
        for _ in range(8):
            file.write(bytes(1 << 20))
    with pytest.raises(ModelMismatchError, match="header of more than a megabyte"):
        import_models(path)


def test_a_member_twice_is_refused(tmp_path: Path, home: Path) -> None:
    members = toy_members(tmp_path)
    path = tmp_path / "a.tar"
    with tarfile.open(path, "w") as tar:
        for name in (CARD, FILE, FILE):
            member = tarfile.TarInfo(name)
            member.size = len(members[name])
            tar.addfile(member, io.BytesIO(members[name]))
    with pytest.raises(ModelMismatchError, match="is there twice"):
        import_models(path)
    assert nothing_imported(home)


def without(name: str) -> Callable[[dict[str, bytes]], object]:
    return lambda members: members.pop(name)


def with_card(**changes: object) -> Callable[[dict[str, bytes]], object]:
    def change(members: dict[str, bytes]) -> None:
        members[CARD] = json.dumps({**json.loads(members[CARD]), **changes}).encode()

    return change


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (without(CARD), r"No card toy_float32\.json"),
        (without(FILE), r"a card without its toy_float32\.tflite"),
        (lambda members: members.update({FILE: b"NOT a network"}), "sha256 .* needed, received"),
        (lambda members: members.update({FILE: b"longer than before"}), "13 bytes needed"),
        (lambda members: members.update({CARD: b"{}"}), "schema_version is missing"),
        (lambda members: members.update({CARD: b"\0"}), "cannot be read"),
        (with_card(name="other"), "its card is that of other"),
        (with_card(file_name="x.tflite"), r"file name x\.tflite needed"),
        (with_card(file_sha256="0" * 64), "sha256 0000"),
    ],
)
def test_a_card_and_its_file_belong_together(
    tmp_path: Path, home: Path, change: Callable[[dict[str, bytes]], object], said: str
) -> None:
    members = toy_members(tmp_path)
    change(members)
    with pytest.raises(ModelMismatchError, match=said):
        import_models(write_tar(tmp_path / "a.tar", members))
    assert nothing_imported(home)


def test_one_bad_model_keeps_the_good_one_out(tmp_path: Path, home: Path) -> None:
    members = {**toy_members(tmp_path), "bad/bad_float32.tflite": b"x"}
    with pytest.raises(ModelMismatchError, match="Nothing was imported"):
        import_models(write_tar(tmp_path / "a.tar", members))
    assert nothing_imported(home)


@pytest.mark.parametrize(
    "content", [b"", b"text", b"\x1f\x8b", b"PK\3\4", bytes(10240), gzip.compress(b"text", mtime=0)]
)
def test_what_is_no_archive_is_refused(tmp_path: Path, home: Path, content: bytes) -> None:
    path = tmp_path / "a.tar"
    path.write_bytes(content)
    with pytest.raises(ModelMismatchError, match=r"a\.tar"):
        import_models(path)


def test_thousands_of_long_names_are_refused(tmp_path: Path, home: Path) -> None:
    """tarfile calls itself for each header that holds a long name."""
    name = tarfile.TarInfo("././@LongLink")
    name.type, name.size = tarfile.GNUTYPE_LONGNAME, 200
    header = name.tobuf(tarfile.GNU_FORMAT) + b"x" * 200 + bytes(312)
    path = tmp_path / "a.tar"
    path.write_bytes(header * 3_000 + bytes(10240))
    with pytest.raises(ModelMismatchError, match=r"a\.tar cannot be read as .*: it is nested too"):
        import_models(path)
    assert nothing_imported(home)


def test_a_full_disk_is_no_fault_of_the_archive(tmp_path: Path, home: Path) -> None:
    path = write_tar(tmp_path / "a.tar", toy_members(tmp_path))
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (5, hard))
    try:
        with pytest.raises(StorageError, match="File too large"):
            import_models(path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert nothing_imported(home)


def test_an_archive_that_is_not_there(tmp_path: Path, home: Path) -> None:
    with pytest.raises(ModelMismatchError, match=r"a\.tar cannot be read: No such file"):
        import_models(tmp_path / "a.tar")


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data(), zipped=st.booleans())
def test_damage_anywhere_is_refused_or_harmless(
    tmp_path: Path, home: Path, data: st.DataObject, zipped: bool
) -> None:
    """Whatever bytes are changed or cut off: an error of ours, or models as exported."""
    path = write_tar(tmp_path / "a.tar", toy_members(tmp_path))
    content = bytearray(path.read_bytes())
    if zipped:
        content = bytearray(gzip.compress(bytes(content), mtime=0))
    for _ in range(data.draw(st.integers(0, 3))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path.write_bytes(content[: data.draw(st.integers(0, len(content)))])
    try:
        (imported,) = import_models(path)
    except ModelMismatchError:
        return
    assert imported.path.read_bytes() == b"not a network"
