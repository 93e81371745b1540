"""Packs models with their cards into one .tar, for a machine that cannot build or fetch them.

    <name>/<name>_<variant>.tflite    or .onnx
    <name>/<name>_<variant>.json
    .signature.json                   if it is signed, see signature.py

Equal models give equal bytes.  An archive may come from an unknown source.  Name, type and size of
every member and the SHA-256 of every file are therefore checked before any model is installed.
"""

from __future__ import annotations

import gzip
import re
import tarfile
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import IO

from facekit.errors import ModelMismatchError
from facekit.model.checksum import sha256_of
from facekit.model.installation import install, storage_errors, write_card
from facekit.model.replacement import replacements, require_allowed
from facekit.model.signature import SIGNATURE, require_signed, signed
from facekit.model.store import (
    CARD_SUFFIX,
    InstalledModel,
    card_for_store,
    home,
    load_checked,
    paths_of,
    stored_variants,
    variant_path,
)
from facekit.model.tar import Member, write_tar
from facekit.model.trial import require_tried
from facekit.model.variants import MODEL_SUFFIXES, file_name
from facekit.model.workspace import workspace
from facekit.system.fields import PLAIN_NAME
from facekit.system.inputs import InputKind, open_input, reading

MAX_MEMBERS = 200
MAX_BYTES = {**dict.fromkeys(MODEL_SUFFIXES, 1 << 30), CARD_SUFFIX: 4 << 20}
MAX_TOTAL_BYTES = 4 << 30
_ARCHIVE = InputKind(
    "a .tar or .tar.gz of models", ModelMismatchError, max_bytes=MAX_TOTAL_BYTES + (1 << 20)
)

_MEMBER = re.compile(f"({PLAIN_NAME.pattern})/({PLAIN_NAME.pattern})")
_NOT_IMPORTED = "Nothing was imported."
_CHUNK_BYTES = 1 << 20


def export_models(
    names: Sequence[str], output: Path, *, sign: Path | None = None
) -> tuple[InstalledModel, ...]:
    """Writes models to a .tar or .tar.gz, signed with the private key in the file `sign`.

    "name" stands for all stored variants of a model, "name:variant" for one variant.  A model that
    is named by a path gets the file name that the store requires.
    Raises ModelMissingError if there is no such model, ModelMismatchError if a card does not
    describe its file or two files are the same variant, the errors of `signed`, and StorageError if
    the archive cannot be written.
    """
    paths = sorted({path for name in names for path in _files_of(name)})
    models = tuple(load_checked(path, read_all=True) for path in paths)
    with storage_errors(), tempfile.TemporaryDirectory(prefix="facekit-export-") as folder:
        members: list[Member] = []
        files: dict[str, str] = {}
        for model in models:
            stored = card_for_store(model.card)
            card = Path(folder) / stored.file_name
            if card.with_suffix(CARD_SUFFIX).exists():
                raise ModelMismatchError(
                    f"Two of the files are {stored.name}:{stored.variant}. Export one of them."
                )
            write_card(card, stored)
            named = Path(stored.name) / stored.file_name
            written = card.with_suffix(CARD_SUFFIX)
            members.append(Member(str(named.with_suffix(CARD_SUFFIX)), written))
            members.append(Member(str(named), model.path))
            files |= {members[-2].name: sha256_of(written), members[-1].name: stored.file_sha256}
        if sign is not None:
            signature = Path(folder) / SIGNATURE
            signature.write_bytes(signed(files, sign))
            members.append(Member(SIGNATURE, signature))
        write_tar(members, output)
    return models


def import_models(
    archive: Path,
    *,
    trusted: Path | None = None,
    force: bool = False,
    on_wait: Callable[[], None] | None = None,
    on_replaced: Callable[[str], object] = lambda _: None,
    on_signed: Callable[[str], object] = lambda _: None,
) -> tuple[InstalledModel, ...]:
    """Checks the whole archive, then installs its models.

    Other stored variants of these models are kept.  `trusted` is the file of a public key, whose
    owner must have signed the archive; None means that a signature is not looked at.
    `on_wait` is called once for each lock that another process holds, `on_replaced`, with the
    change in words, for each model that is replaced, and `on_signed`, with the SHA-256 of the
    trusted public key, if it has signed the archive.  Raises ModelMismatchError for any content
    that `export_models` does not write, UsageError if a known model would change (see
    facekit.model.replacement) and `force` is False, and StorageError if the store cannot be
    written.
    """
    with storage_errors(), workspace(home(), "_import", on_wait=on_wait) as folder:
        _unpack(archive, folder)
        signed_by = _take_signature(archive, folder, trusted)
        unpacked = [_check_variants(path, archive) for path in sorted(folder.iterdir())]
        if not unpacked:
            raise ModelMismatchError(f"{archive} holds no model. {_NOT_IMPORTED}")
        replaced = replacements(model.card for variants in unpacked for model in variants)
        require_allowed(replaced, force=force)
        require_tried({m.path: m.card.file_sha256 for variants in unpacked for m in variants})
        for variants in unpacked:
            install(variants[0].card.name, partial(_move, variants), on_wait=on_wait)
        for change in map(str, replaced):
            on_replaced(change)
    if signed_by is not None:
        on_signed(signed_by)
    return tuple(
        load_checked(variant_path(card.name, card_for_store(card).variant))
        for variants in unpacked
        for card in (model.card for model in variants)
    )


def _take_signature(archive: Path, folder: Path, trusted: Path | None) -> str | None:
    """Removes the signature from the unpacked archive, after a check by the key `trusted`.

    Returns the SHA-256 of that key, None without one.
    """
    signature, signed_by = folder / SIGNATURE, None
    if trusted is not None:
        paths = [path for path in folder.rglob("*") if path.is_file() and path != signature]
        files = {str(path.relative_to(folder)): sha256_of(path) for path in paths}
        signed_by = require_signed(archive, signature, files, trusted)
    signature.unlink(missing_ok=True)
    return signed_by


def _files_of(name: str) -> tuple[Path, ...]:
    """Returns the files of a model; "name" means every stored variant, not only the default one."""
    paths = paths_of(name)
    if ":" in name or not PLAIN_NAME.fullmatch(name) or name.endswith(MODEL_SUFFIXES):
        return paths
    return tuple(variant_path(name, variant) for variant in stored_variants(name))


def _unpack(archive: Path, folder: Path) -> None:
    """Extracts every member into `folder`.

    Raises ModelMismatchError, which names the archive and, if there is one, the invalid member.
    """
    count = total_bytes = 0
    with _open_tar(archive) as tar:
        for member in tar:
            suffix = Path(member.name).suffix
            count, total_bytes = count + 1, total_bytes + member.size
            if member.type not in (tarfile.REGTYPE, tarfile.AREGTYPE):
                problem = "is not a regular file"
            elif (
                member.name != SIGNATURE and not _MEMBER.fullmatch(member.name)
            ) or suffix not in MAX_BYTES:
                problem = f"is not called NAME/FILE and one of {', '.join(MAX_BYTES)}"
            elif not 0 < member.size <= MAX_BYTES[suffix]:
                problem = f"has {member.size} bytes; 1 to {MAX_BYTES[suffix]} are allowed"
            elif count > MAX_MEMBERS or total_bytes > MAX_TOTAL_BYTES:
                problem = f"is beyond {MAX_MEMBERS} files or {MAX_TOTAL_BYTES} bytes in all"
            elif (folder / member.name).exists():
                problem = "is there twice"
            else:
                content = tar.extractfile(member)
                assert content is not None  # because the member is a regular file
                _write(content, folder / member.name, archive)
                continue
            raise ModelMismatchError(
                f"{archive}: member {member.name!r} {problem}. {_NOT_IMPORTED}"
            )


def _write(content: IO[bytes], path: Path, archive: Path) -> None:
    """Writes a member to `path`.  Raises StorageError if that fails, ModelMismatchError if reading
    does."""
    with storage_errors():
        path.parent.mkdir(exist_ok=True)
        with path.open("xb") as file:
            while chunk := _next_chunk(content, archive):
                file.write(chunk)


def _next_chunk(content: IO[bytes], archive: Path) -> bytes:
    with reading(_ARCHIVE, archive):
        return content.read(_CHUNK_BYTES)


@contextmanager
def _open_tar(archive: Path) -> Iterator[tarfile.TarFile]:
    """Opens and yields an archive.

    Raises ModelMismatchError if the file cannot be read or is damaged.
    """
    with open_input(archive, _ARCHIVE) as file:
        zipped = file.read(2) == b"\x1f\x8b"
        file.seek(0)
        with tarfile.open(fileobj=_Gzip(fileobj=file) if zipped else file, mode="r:") as tar:
            yield tar


class _Gzip(gzip.GzipFile):
    """A gzip reader that refuses the huge single read that a forged member header can request."""

    def read(self, size: int | None = -1) -> bytes:
        if size is None or not 0 <= size <= _CHUNK_BYTES:
            raise tarfile.ReadError("a header of more than a megabyte")
        return super().read(size)


def _check_variants(folder: Path, archive: Path) -> tuple[InstalledModel, ...]:
    """Returns the models in one folder of the archive.

    Raises ModelMismatchError if a file has no card, a card has no file or describes another file,
    or the card's name differs from the folder's.
    """
    checked = []
    for path in sorted(set(map(_model_file, folder.iterdir()))):
        if not path.exists():
            raise ModelMismatchError(f"{archive}: a card without its {path.name}. {_NOT_IMPORTED}")
        try:
            model = load_checked(path, read_all=True)
        except ModelMismatchError as error:
            raise ModelMismatchError(f"{archive}: {error} {_NOT_IMPORTED}") from error
        if model.card.name != folder.name:
            raise ModelMismatchError(
                f"{archive}: {path.name} lies in the folder {folder.name}, but its card is that of "
                f"{model.card.name}. {_NOT_IMPORTED}"
            )
        checked.append(model)
    return tuple(checked)


def _model_file(path: Path) -> Path:
    """Returns the path itself if it is a model file, or the model file beside a card."""
    name = path.parent.name
    for suffix in MODEL_SUFFIXES:
        if path.with_suffix(suffix).exists():
            return path.with_suffix(suffix)
    return path.with_name(file_name(name, path.stem.removeprefix(f"{name}_")))


def _move(models: Sequence[InstalledModel], into: Path) -> None:
    """Moves the model files into `into` under the store's names, and writes their cards."""
    for model in models:
        stored = card_for_store(model.card)
        model.path.rename(into / stored.file_name)
        write_card(into / stored.file_name, stored)
