"""A gallery: opened, looked at, changed, moved and checked."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from facekit.enums import VectorType
from facekit.errors import MissingExtraError, UsageError
from facekit.gallery import transfer
from facekit.gallery.address import default_url
from facekit.gallery.gallery import Gallery
from facekit.gallery.open import init_gallery
from facekit.gallery.open import open_gallery as open_at
from facekit.gallery.sqlite import encryption
from facekit.gallery.sqlite.encryption import SecretSource, no_secret
from facekit.gallery.sqlite.gallery import SqliteGallery
from facekit.reporter import SILENT, Reporter
from facekit.system.files import require_free
from facekit.tasks.gallery_results import (
    CheckedGallery,
    ExportedGallery,
    GalleryStats,
    ImportedGallery,
    ListedPeople,
    Merged,
    Recentered,
    Rekeyed,
    Removed,
    Renamed,
    ShownPerson,
)

if TYPE_CHECKING:  # who looks at a gallery needs neither OpenCV nor a network
    from facekit.tasks.open_pipeline import PipelineRequest


@dataclass(frozen=True, slots=True)
class GalleryLocation:
    """Which gallery, and what unlocks it."""

    url: str | None = None
    """an SQLite file or postgresql://...; None: FACEKIT_GALLERY, else gallery.db in the user's
    data folder"""
    secret: SecretSource = no_secret
    """asked where the gallery is encrypted, and only there"""


def secret_source(
    key_file: Path | None = None, passphrase: Callable[[], str | None] = no_secret
) -> SecretSource:
    """A key file's secret where there is one, else a passphrase, asked for when it is needed.

    The source raises UsageError for a key file that cannot be one, and an empty passphrase.
    """

    def secret() -> encryption.Secret | None:
        if key_file is not None:
            return encryption.key_file(key_file)
        text = passphrase()
        return None if text is None else encryption.passphrase(text)

    return secret


def open_gallery(location: GalleryLocation, *, create: bool = False) -> Gallery:
    """To be used as a context manager; `create`: an empty one, not encrypted, where there is none.

    Raises StorageError, and UsageError where a secret is needed and not given.
    """
    return open_at(location.url or default_url(), secret=location.secret, create=create)


def refresh_index(gallery: Gallery, *, reporter: Reporter = SILENT) -> None:
    """After many have been enrolled; without the package every search is exact, and slower."""
    try:
        if gallery.refresh_index(reporter=reporter):
            reporter.note("the approximate index has been rebuilt")
    except MissingExtraError as error:
        reporter.note(str(error))


def init(
    location: GalleryLocation,
    *,
    encrypt: bool = False,
    vector_type: VectorType = VectorType.FLOAT32,
) -> GalleryStats:
    """Makes an empty gallery; encrypted with the location's secret where `encrypt` says so.

    Raises UsageError where there is one already, or no secret, and StorageError.
    """
    secret = location.secret() if encrypt else None
    if encrypt and secret is None:
        raise UsageError("An encrypted gallery needs a key file or a passphrase.")
    url = location.url or default_url()
    init_gallery(url, vector_type=vector_type, secret=secret)
    return stats(GalleryLocation(url, lambda: secret))


def stats(location: GalleryLocation) -> GalleryStats:
    """How many people and templates, of which model, in how much room.  Raises StorageError."""
    with open_gallery(location) as gallery:
        return GalleryStats(gallery.info())


def people(location: GalleryLocation) -> ListedPeople:
    """Everybody who is enrolled, by name.  Raises StorageError."""
    with open_gallery(location) as gallery:
        return ListedPeople(tuple(gallery.people()))


def show(location: GalleryLocation, name: str) -> ShownPerson:
    """A person with every template; nothing of one whom nobody enrolled.  Raises StorageError."""
    with open_gallery(location) as gallery:
        person, space = gallery.person(name), gallery.info().space
        templates = tuple(template for _, template in gallery.templates(name))
        return ShownPerson(name, person, space, templates, tuple(gallery.merges(name)))


def remove(location: GalleryLocation, name: str) -> Removed:
    """Forgets a person, and whoever was merged into them.  Raises StorageError."""
    with open_gallery(location) as gallery:
        return Removed(name, gallery.remove(name))


def rename(location: GalleryLocation, old: str, new: str) -> Renamed:
    """Raises UsageError where `new` is taken or is no name, StorageError."""
    with open_gallery(location) as gallery:
        return Renamed(old, new, gallery.rename(old, new))


def merge(location: GalleryLocation, name: str, other: str) -> Merged:
    """Files all templates of `other` under `name`; `other` disappears, until `unmerge`.

    A photo that both have counts once.  Raises UsageError where both are one, StorageError.
    """
    with open_gallery(location) as gallery:
        done = gallery.merge(name, other)
        absent = [one for one in (name, other) if done is None and gallery.person(one) is None]
        return Merged(name, other, done, tuple(absent))


def unmerge(location: GalleryLocation, name: str, other: str) -> Merged:
    """Undoes the latest merge of `other` into `name`: each has again what each had.

    What was enrolled under `name` since then stays there.  Raises UsageError where somebody else
    is called `other` meanwhile, StorageError.
    """
    with open_gallery(location) as gallery:
        done = gallery.unmerge(name, other)
        absent = (name,) if done is None and gallery.person(name) is None else ()
        return Merged(name, other, done, absent)


def check(location: GalleryLocation) -> CheckedGallery:
    """Reads everything and says what is wrong.  Raises StorageError where it cannot be read."""
    with open_gallery(location) as gallery:
        faults, recall = gallery.check(), gallery.recall_at_1()
        return CheckedGallery(gallery.info(), tuple(faults), recall)


def rekey(location: GalleryLocation, *, new_secret: SecretSource) -> Rekeyed:
    """Encrypts every template anew under another secret.

    Raises UsageError where the gallery is not an encrypted file or no secret is given,
    StorageError.
    """
    with open_gallery(location) as gallery:
        if not isinstance(gallery, SqliteGallery):
            raise UsageError("Only a gallery in an SQLite file can be encrypted.")
        secret = new_secret()
        if secret is None:
            raise UsageError("A new key file or passphrase is needed.")
        gallery.rekey(secret)
        info = gallery.info()
        return Rekeyed(info.url, info.template_count)


def recenter(
    location: GalleryLocation,
    *,
    request: PipelineRequest | None = None,
    reporter: Reporter = SILENT,
) -> Recentered:
    """Brings the templates over to the mean embedding that the model's card has now.

    `request`: the model and crop rule of those who were enrolled.  Raises ModelMismatchError,
    which names the field, where more than the mean embedding differs, and what opening the
    pipeline and the gallery raise.
    """
    from facekit.tasks.open_pipeline import PipelineRequest, open_pipeline

    pipeline = open_pipeline(request or PipelineRequest(), reporter=reporter)
    with open_gallery(location) as gallery:
        mean = pipeline.model.card.calibration.embedding_mean
        changed = gallery.recenter(mean, pipeline.space, reporter=reporter)
        refresh_index(gallery, reporter=reporter)
        info = gallery.info()
        space = pipeline.space
        return Recentered(info.url, space.model, space.model_sha256, info.template_count, changed)


def export(
    location: GalleryLocation,
    output: Path,
    *,
    decrypt: bool = False,
    force: bool = False,
    reporter: Reporter = SILENT,
) -> ExportedGallery:
    """Writes everybody to a JSON Lines file, mode 0600 and not encrypted.

    Raises UsageError for an encrypted gallery without `decrypt` and a file that exists without
    `force`, StorageError.
    """
    require_free(output, force=force)
    with open_gallery(location) as gallery:
        info = gallery.info()
        if info.encrypted and not decrypt:
            raise UsageError("An export is not encrypted; pass --decrypt if that is meant.")
        count = transfer.export_gallery(gallery, output, reporter=reporter)
        merges = len(gallery.merges())
    reporter.note(f"{output} holds {transfer.CONTAINS}")
    if merges:
        reporter.note(
            f"{output} does not say who was merged ({merges}): there it cannot be undone."
        )
    return ExportedGallery(info.url, output, count)


def import_file(
    location: GalleryLocation, file: Path, *, reporter: Reporter = SILENT
) -> ImportedGallery:
    """Enrolls everybody in a file that `export` has written; the gallery is made where needed.

    Raises InputError for a file that is damaged or none of ours, ModelMismatchError, StorageError.
    """
    with open_gallery(location, create=True) as gallery:
        added, total = transfer.import_gallery(gallery, file, reporter=reporter)
        refresh_index(gallery, reporter=reporter)
        return ImportedGallery(gallery.info().url, file, total, added)
