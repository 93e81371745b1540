"""Opens a gallery by its URL: FILE, sqlite:///FILE or postgresql://HOST/DATABASE."""

from __future__ import annotations

from facekit.enums import VectorType
from facekit.errors import UsageError
from facekit.gallery.address import is_postgres, shown_url, sqlite_path
from facekit.gallery.gallery import Gallery
from facekit.gallery.sqlite.encryption import Secret, SecretSource, no_secret
from facekit.gallery.sqlite.gallery import SqliteGallery, create_sqlite


def open_gallery(url: str, *, secret: SecretSource = no_secret, create: bool = False) -> Gallery:
    """Opens the gallery at `url`; `create` makes an empty, unencrypted gallery if none exists.

    Raises UsageError if the URL's scheme is not supported or a secret is needed and missing,
    MissingExtraError if a package for this gallery is not installed, and StorageError if the
    gallery cannot be opened, or is missing and `create` is False.
    """
    if is_postgres(url):
        from facekit.gallery.postgres.gallery import PostgresGallery, create_postgres

        if create:
            create_postgres(url)
        return PostgresGallery(url)
    path = sqlite_path(url)
    if create and not path.exists():
        create_sqlite(path)
    return SqliteGallery(path, secret=secret)


def init_gallery(url: str, *, vector_type: VectorType, secret: Secret | None) -> None:
    """Makes an empty gallery, which is encrypted if `secret` is not None.

    Raises UsageError if a gallery exists, if the URL's scheme is not supported, or if PostgreSQL
    does not support the options.  Raises MissingExtraError if a package for this gallery is not
    installed, and StorageError if the gallery cannot be written.
    """
    if is_postgres(url):
        from facekit.gallery.postgres.gallery import create_postgres

        if secret is not None or vector_type is not VectorType.FLOAT32:
            raise UsageError(
                "A gallery in PostgreSQL is searched by the server, which needs plain float32 "
                "vectors: leave --encrypt and --vector-type out, and encrypt the server's disk."
            )
        created = create_postgres(url)
    else:
        created = create_sqlite(sqlite_path(url), vector_type=vector_type, secret=secret)
    if not created:
        raise UsageError(f"There is a gallery already at {shown_url(url)}.")
