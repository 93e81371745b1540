"""Enrolls and identifies people from Python, with a gallery."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

from facekit.api.arguments import (
    choice,
    names,
    optional_path,
    pipeline_request,
    threshold_choice,
)
from facekit.enums import FacePolicy, Metric, PersonRule, QualityGate, VectorType
from facekit.gallery.identify import OpenSetChoice
from facekit.reporter import SILENT, Reporter
from facekit.tasks import enroll as enroll_task
from facekit.tasks import gallery as gallery_task
from facekit.tasks import identify as identify_task
from facekit.tasks.enroll import Enrolled
from facekit.tasks.gallery import GalleryLocation, secret_source
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
from facekit.tasks.identify import Identified
from facekit.tasks.open_pipeline import PipelineRequest


class Gallery:
    """Known people in an SQLite file or in PostgreSQL; each call opens it anew.

        gallery = facekit.Gallery("people.db")
        gallery.enroll("Ada Lovelace", ["ada1.jpg", "ada2.jpg"])
        for photo in gallery.identify(["somebody.jpg"]).photos:
            print([face.name for face in photo.faces])  # None for an unknown face

    Every method raises StorageError where the gallery cannot be read, written or locked.
    """

    def __init__(
        self,
        url: str | Path | None = None,
        *,
        key_file: str | Path | None = None,
        passphrase: Callable[[], str | None] | None = None,
        model: str | Path | None = None,
        face: FacePolicy | str | None = None,
        request: PipelineRequest | None = None,
    ) -> None:
        """Stores the settings; nothing is opened yet.

        `url`: an SQLite file or postgresql://...; None means FACEKIT_GALLERY, else gallery.db in
        the user's data folder.  `key_file`, or else `passphrase`, a function that is called when
        needed: the secret of an encrypted gallery.  `model`, `face`, `request`: how photos become
        templates, see `verify`.
        """
        self._request = pipeline_request(model, face, request)
        secret = secret_source(optional_path(key_file), passphrase or (lambda: None))
        self._location = GalleryLocation(None if url is None else str(url), secret)

    def create(
        self, *, encrypt: bool = False, vector_type: VectorType | str = VectorType.FLOAT32
    ) -> GalleryStats:
        """Makes an empty gallery; `enroll` makes one too, of float32 and not encrypted.

        `vector_type`: "float16" takes half the space.  `encrypt`: encrypt the templates, but
        neither names nor times, with the key file or passphrase.  Raises UsageError if there is a
        gallery already, or no secret to encrypt with.
        """
        return gallery_task.init(
            self._location,
            encrypt=encrypt,
            vector_type=choice(VectorType, vector_type, "vector_type"),
        )

    def enroll(
        self,
        name: str,
        photos: Iterable[str | Path],
        *,
        quality: QualityGate | str = QualityGate.STANDARD,
        reporter: Reporter = SILENT,
    ) -> Enrolled:
        """Enrolls a person from photos, in one transaction.

        A missing gallery is made.  A photo that the person already has is skipped; a photo that
        cannot be used, or whose face is poorer than `quality` asks ("strict", "standard" or "off"),
        is a failure of the record.  Raises UsageError for an invalid name, and ModelMismatchError
        for another template space.
        """
        return enroll_task.enroll(
            name,
            names(photos),
            quality=choice(QualityGate, quality, "quality"),
            location=self._location,
            request=self._request,
            reporter=reporter,
        )

    def enroll_folder(
        self,
        folder: str | Path,
        *,
        quality: QualityGate | str = QualityGate.STANDARD,
        reporter: Reporter = SILENT,
    ) -> Enrolled:
        """Enrolls everybody of `folder`, which contains a folder named after each person.

        `quality`: as in `enroll`.
        """
        return enroll_task.enroll(
            data=Path(folder),
            quality=choice(QualityGate, quality, "quality"),
            location=self._location,
            request=self._request,
            reporter=reporter,
        )

    def identify(
        self,
        photos: Iterable[str | Path],
        *,
        threshold: float | None = None,
        metric: Metric | str = Metric.COSINE,
        min_similarity: float | None = None,
        fmr: float | str | None = None,
        fpir: float | None = None,
        min_margin: float | None = None,
        by: PersonRule | str = PersonRule.BEST,
        top: int = 5,
        reporter: Reporter = SILENT,
    ) -> Identified:
        """Names the people on each photo, with the `top` most similar people.

        `threshold`, `metric`, `min_similarity`, `fmr`: of one comparison, as in `verify`; `fpir`:
        share of unknown faces that are identified, 0..1, as predicted from the gallery's size.  At
        most one of them; without any, FPIR 0.01.  `min_margin`: the least margin between the first
        person and the second; a smaller one makes the face ambiguous, and None means the card's.
        `by`: compare with a person's best template, or
        with their mean.
        Raises UsageError, NoOperatingPointError, or ModelMismatchError for another template space.
        """
        return identify_task.identify(
            names(photos),
            location=self._location,
            request=self._request,
            threshold=OpenSetChoice(
                threshold_choice(threshold, metric, min_similarity, fmr), fpir, min_margin
            ),
            by=choice(PersonRule, by, "by"),
            top=top,
            reporter=reporter,
        )

    def stats(self) -> GalleryStats:
        """Returns the counts of people and templates, their model, and the size."""
        return gallery_task.stats(self._location)

    def people(self) -> ListedPeople:
        """Returns all people, sorted by name."""
        return gallery_task.people(self._location)

    def show(self, name: str) -> ShownPerson:
        """Returns a person with every template; `.person` is None if nobody has this name."""
        return gallery_task.show(self._location, name)

    def remove(self, name: str) -> Removed:
        """Removes a person and everybody merged into this one; `.found` is False if there is none.

        No byte of the templates stays in the gallery's files.
        """
        return gallery_task.remove(self._location, name)

    def rename(self, old: str, new: str) -> Renamed:
        """Gives a person another name; `.found` is False if nobody is called `old`.

        Raises UsageError if `new` is already used or not a valid name.
        """
        return gallery_task.rename(self._location, old, new)

    def merge(self, name: str, other: str) -> Merged:
        """Moves all templates of `other` to `name`, because both are one person.

        `other` is no longer listed; a photo that both have counts once.  `.absent` are names that
        nobody has; then nothing is done.  Raises UsageError if both names are equal.
        """
        return gallery_task.merge(self._location, name, other)

    def unmerge(self, name: str, other: str) -> Merged:
        """Undoes the latest merge of `other` into `name`: each gets back the previous templates.

        Raises UsageError if somebody else is called `other` now.
        """
        return gallery_task.unmerge(self._location, name, other)

    def check(self) -> CheckedGallery:
        """Reads everything in the gallery; `.faults` has one sentence for each fault."""
        return gallery_task.check(self._location)

    def recenter(self, *, reporter: Reporter = SILENT) -> Recentered:
        """Converts the templates to the mean embedding that the model's card has now.

        This is needed after `calibrate(write=True)`, and needs no photos.  Raises
        ModelMismatchError if more than the mean embedding differs.
        """
        return gallery_task.recenter(self._location, request=self._request, reporter=reporter)

    def rekey(
        self,
        *,
        key_file: str | Path | None = None,
        passphrase: Callable[[], str | None] | None = None,
    ) -> Rekeyed:
        """Encrypts every template anew.  Raises UsageError for a gallery that is not encrypted."""
        new = secret_source(optional_path(key_file), passphrase or (lambda: None))
        return gallery_task.rekey(self._location, new_secret=new)

    def export(
        self,
        output: str | Path,
        *,
        decrypt: bool = False,
        force: bool = False,
        reporter: Reporter = SILENT,
    ) -> ExportedGallery:
        """Writes all people to a JSON Lines file, which is not encrypted.

        Raises UsageError for an encrypted gallery without `decrypt`, and for an existing file
        without `force`.
        """
        return gallery_task.export(
            self._location, Path(output), decrypt=decrypt, force=force, reporter=reporter
        )

    def import_file(self, file: str | Path, *, reporter: Reporter = SILENT) -> ImportedGallery:
        """Enrolls all people of a file that `export` has written.

        Raises InputError for a damaged file, and ModelMismatchError for another template space.
        """
        return gallery_task.import_file(self._location, Path(file), reporter=reporter)

    def __repr__(self) -> str:
        from facekit.gallery.address import default_url, shown_url

        return f"Gallery({shown_url(self._location.url or default_url())!r})"
