"""Opens, lists, changes, moves and checks a gallery."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from facekit.enums import VectorType
from facekit.errors import MissingExtraError, ModelError, NoOperatingPointError, UsageError
from facekit.gallery import transfer
from facekit.gallery.address import default_url
from facekit.gallery.gallery import Gallery
from facekit.gallery.identify import default_threshold
from facekit.gallery.lookalikes import Lookalikes, find_lookalikes
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

_MOST_COMPARED = 50_000  # templates that `check` compares with each other


@dataclass(frozen=True, slots=True)
class GalleryLocation:
    """The URL of a gallery, and the source of its secret."""

    url: str | None = None
    """An SQLite file or postgresql://...; None means FACEKIT_GALLERY, else gallery.db in the
    user's data folder."""
    secret: SecretSource = no_secret
    """Returns the secret; called only if the gallery is encrypted."""


def secret_source(
    key_file: Path | None = None, passphrase: Callable[[], str | None] = no_secret
) -> SecretSource:
    """Returns a source of the secret: a key file, else a passphrase that is requested when needed.

    The source raises UsageError for an invalid key file or an empty passphrase.  It can be pickled
    if `passphrase` can be.
    """
    return partial(_secret, key_file, passphrase)


def _secret(
    key_file: Path | None, passphrase: Callable[[], str | None]
) -> encryption.Secret | None:
    if key_file is not None:
        return encryption.key_file(key_file)
    text = passphrase()
    return None if text is None else encryption.passphrase(text)


def open_gallery(location: GalleryLocation, *, create: bool = False) -> Gallery:
    """Opens a gallery; use the result as a context manager.

    `create`: make an empty gallery, not encrypted, if there is none.  Raises StorageError if it
    cannot be opened, and UsageError if a secret is needed and missing.
    """
    return open_at(location.url or default_url(), secret=location.secret, create=create)


def refresh_index(gallery: Gallery, *, reporter: Reporter = SILENT) -> None:
    """Updates the search index after many enrollments.

    Without the package for it, every search is exact, and slower.
    """
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
    """Makes an empty gallery; with `encrypt`, encrypted with the location's secret.

    Raises UsageError if there is a gallery already or no secret, and StorageError if it cannot be
    written.
    """
    secret = location.secret() if encrypt else None
    if encrypt and secret is None:
        raise UsageError("An encrypted gallery needs a key file or a passphrase.")
    url = location.url or default_url()
    init_gallery(url, vector_type=vector_type, secret=secret)
    return stats(GalleryLocation(url, lambda: secret))


def stats(location: GalleryLocation) -> GalleryStats:
    """Returns the counts of people and templates, their model, and the size.

    Raises StorageError if the gallery cannot be read.
    """
    with open_gallery(location) as gallery:
        return GalleryStats(gallery.info())


def people(location: GalleryLocation) -> ListedPeople:
    """Returns all people, sorted by name.  Raises StorageError if the gallery cannot be read."""
    with open_gallery(location) as gallery:
        return ListedPeople(tuple(gallery.people()))


def show(location: GalleryLocation, name: str) -> ShownPerson:
    """Returns a person with every template; the result is empty if nobody has this name.

    Raises StorageError if the gallery cannot be read.
    """
    with open_gallery(location) as gallery:
        person, space = gallery.person(name), gallery.info().space
        templates = tuple(template for _, template in gallery.templates(name))
        return ShownPerson(name, person, space, templates, tuple(gallery.merges(name)))


def remove(location: GalleryLocation, name: str) -> Removed:
    """Removes a person, and everybody who was merged into this person.

    Raises StorageError if the gallery cannot be written.
    """
    with open_gallery(location) as gallery:
        return Removed(name, gallery.remove(name))


def rename(location: GalleryLocation, old: str, new: str) -> Renamed:
    """Renames a person.

    Raises UsageError if `new` is already used or not a valid name, and StorageError if the gallery
    cannot be written.
    """
    with open_gallery(location) as gallery:
        return Renamed(old, new, gallery.rename(old, new))


def merge(location: GalleryLocation, name: str, other: str) -> Merged:
    """Moves all templates of `other` to `name`; `other` disappears, until `unmerge`.

    A photo that both have counts once.  Raises UsageError if both names are equal, and StorageError
    if the gallery cannot be written.
    """
    with open_gallery(location) as gallery:
        done = gallery.merge(name, other)
        absent = [one for one in (name, other) if done is None and gallery.person(one) is None]
        return Merged(name, other, done, tuple(absent))


def unmerge(location: GalleryLocation, name: str, other: str) -> Merged:
    """Undoes the latest merge of `other` into `name`: each person gets back the previous templates.

    Templates that were enrolled under `name` after the merge remain there.  Raises UsageError if
    somebody else is called `other` now, and StorageError if the gallery cannot be written.
    """
    with open_gallery(location) as gallery:
        done = gallery.unmerge(name, other)
        absent = (name,) if done is None and gallery.person(name) is None else ()
        return Merged(name, other, done, absent)


def check(location: GalleryLocation) -> CheckedGallery:
    """Reads everything in the gallery; returns its faults, and the people who may be one person.

    Raises StorageError if the gallery cannot be read.
    """
    with open_gallery(location) as gallery:
        faults, recall = gallery.check(), gallery.recall_at_1()
        lookalikes = None if faults else _lookalikes(gallery)
        return CheckedGallery(gallery.info(), tuple(faults), recall, lookalikes)


def _lookalikes(gallery: Gallery) -> tuple[Lookalikes, ...] | None:
    """Returns None if the gallery is too large, or if no stored model says which people are."""
    from facekit.model.store import find

    info = gallery.info()
    if info.space is None or info.template_count > _MOST_COMPARED:
        return None
    try:
        calibration = find(info.space.model).card.calibration
        if info.space.detector is not None:
            calibration = calibration.for_detector(info.space.detector.name)
        threshold = default_threshold(
            calibration, info.space, comparisons=info.template_count
        ).similarity
    except (ModelError, NoOperatingPointError):
        return None
    return tuple(find_lookalikes(gallery, info.space, threshold_similarity=threshold))


def rekey(location: GalleryLocation, *, new_secret: SecretSource) -> Rekeyed:
    """Encrypts every template anew with another secret.

    Raises UsageError if the gallery is not an encrypted file or no secret is given, and
    StorageError if it cannot be written.
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
    """Converts the templates to the mean embedding that the model's card has now.

    `request`: model and crop rule with which the people were enrolled.  Raises ModelMismatchError,
    which names the field, if more than the mean embedding differs, and the errors of opening the
    pipeline and the gallery.
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
    """Writes all people to a JSON Lines file, mode 0600 and not encrypted.

    Raises UsageError for an encrypted gallery without `decrypt` or an existing file without
    `force`, and StorageError if a file cannot be read or written.
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
    """Enrolls all people of a file that `export` has written; makes a missing gallery.

    Raises InputError for a file that is damaged or of another format, ModelMismatchError if its
    templates are of another model, and StorageError if the gallery cannot be written.
    """
    with open_gallery(location, create=True) as gallery:
        added, total = transfer.import_gallery(gallery, file, reporter=reporter)
        refresh_index(gallery, reporter=reporter)
        return ImportedGallery(gallery.info().url, file, total, added)
