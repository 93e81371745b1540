"""A gallery in PostgreSQL with pgvector: many writers, an HNSW index, searched by the server."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from facekit.enums import PersonRule, VectorType
from facekit.errors import UsageError
from facekit.gallery.address import shown_url
from facekit.gallery.merge import Merge
from facekit.gallery.postgres import merge as merging
from facekit.gallery.postgres import schema as postgres_schema
from facekit.gallery.postgres import search as searching
from facekit.gallery.postgres import space as postgres_space
from facekit.gallery.postgres.check import faults, recall_at_1
from facekit.gallery.postgres.schema import SCHEMA
from facekit.gallery.postgres.seals import read_seals
from facekit.gallery.postgres.space import vector_text
from facekit.gallery.records import (
    Candidate,
    GalleryInfo,
    Person,
    Template,
    checked_name,
    now_utc,
    require_mean,
    require_members,
)
from facekit.reporter import SILENT, Reporter
from facekit.template.space import TemplateSpace
from facekit.types import Float32Array


def create_postgres(url: str) -> bool:
    """Makes the tables; returns False if they exist.  Raises MissingExtraError or StorageError."""
    connection = postgres_schema.connect(url)
    with postgres_schema.translated(url), connection:
        return postgres_schema.create(
            connection, {"gallery_id": str(uuid.uuid4()), "created_at": now_utc()}
        )


class PostgresGallery:
    """A gallery on a PostgreSQL server: see gallery.Gallery.

    An object has one connection and is not thread-safe; many processes may use one gallery.
    """

    def __init__(self, url: str) -> None:
        """Connects to the server.  Raises MissingExtraError or StorageError."""
        self._url = url
        self._connection = postgres_schema.connect(url)
        try:
            with postgres_schema.translated(url):
                self._schema_version = postgres_schema.bring_up(self._connection, url)
                self._seals = read_seals(self._connection, f"Gallery {shown_url(url)}")
        except BaseException:
            self._connection.close()
            raise

    def __enter__(self) -> PostgresGallery:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    def close(self) -> None:
        self._connection.close()

    def info(self) -> GalleryInfo:
        with self._reading():
            return GalleryInfo(
                url=shown_url(self._url),
                schema_version=self._schema_version,
                space=postgres_space.read_space(self._connection, self._seals),
                vector_type=VectorType.FLOAT32,
                encrypted=False,
                people_count=self._one(f"SELECT count(*) FROM {SCHEMA}.person"),
                template_count=self._one(f"SELECT count(*) FROM {SCHEMA}.template"),
                size_bytes=self._one(
                    f"SELECT sum(pg_total_relation_size(c.oid)) FROM pg_class c "
                    f"WHERE relnamespace = '{SCHEMA}'::regnamespace AND relkind = 'r'"
                ),
            )

    def people(self) -> list[Person]:
        with self._reading():
            return [self._person(*row) for row in self._rows(_PEOPLE + _GROUPED + " ORDER BY name")]

    def person(self, name: str) -> Person | None:
        with self._reading():
            rows = self._rows(_PEOPLE + "WHERE name = %s " + _GROUPED, name)
            return self._person(*rows[0]) if rows else None

    def templates(self, name: str | None = None) -> Iterator[tuple[str, Template]]:
        with self._reading(), self._connection.cursor(name="templates") as cursor:
            query = _TEMPLATES + ("" if name is None else "WHERE name = %s ")
            cursor.execute(
                query + "ORDER BY person_id, template_id", None if name is None else (name,)
            )
            for person_id, stored_name, name_seal, content, seal, *of_template in cursor:
                photo, sha256, x1, y1, x2, y2, score, time = of_template
                person = self._seals.name(person_id, stored_name, name_seal)
                vector = self._seals.vector(content, person_id, sha256, seal)
                box = None if x1 is None else (x1, y1, x2, y2)
                yield person, Template(photo, sha256, box, score, time, vector)

    def photo_hashes(self, name: str) -> frozenset[str]:
        with self._reading():
            rows = self._rows(
                f"SELECT photo_sha256 FROM {SCHEMA}.template JOIN {SCHEMA}.person "
                "USING (person_id) WHERE name = %s",
                name,
            )
            return frozenset(sha256 for (sha256,) in rows)

    def mean(self) -> Float32Array | None:
        with self._reading():
            space = postgres_space.read_space(self._connection, self._seals)
            return postgres_space.read_mean(self._connection, self._seals, space)

    def add(
        self,
        name: str,
        templates: Sequence[Template],
        space: TemplateSpace,
        *,
        mean: Float32Array | None = None,
    ) -> int:
        if not templates:
            raise ValueError("A person is enrolled with at least one template.")
        require_members(templates, space, mean)
        name = checked_name(name)
        with self._transaction():
            postgres_space.bind(self._connection, space, mean, seals=self._seals)
            # The update locks the row, so that nobody removes the person before the commit.  xmax
            # is 0 in a row that was just inserted, which no transaction has locked or updated.
            ((person_id, seal, is_new),) = self._rows(
                f"INSERT INTO {SCHEMA}.person (name, seal, enrolled_at) VALUES (%s, '', %s) "
                "ON CONFLICT (name) DO UPDATE SET name = EXCLUDED.name "
                "RETURNING person_id, seal, xmax = 0",
                *(name, now_utc()),
            )
            if is_new:
                self._name(person_id, name)
            else:
                self._seals.name(person_id, name, seal)
            return sum(self._insert(person_id, template) for template in templates)

    def recenter(
        self, mean: Float32Array | None, space: TemplateSpace, *, reporter: Reporter = SILENT
    ) -> int:
        require_mean(mean, space)
        with self._transaction():
            count = postgres_space.recenter(
                self._connection, space, mean, seals=self._seals, reporter=reporter
            )
        if count:
            self._vacuum()
        return count

    def remove(self, name: str) -> int:
        with self._transaction():
            rows = self._rows(
                f"SELECT person_id FROM {SCHEMA}.person WHERE name = %s FOR UPDATE", name
            )
            if not rows:
                return 0
            removed = self._connection.execute(
                f"DELETE FROM {SCHEMA}.template WHERE person_id = %s", rows[0]
            ).rowcount
            self._connection.execute(f"DELETE FROM {SCHEMA}.person WHERE person_id = %s", rows[0])
        self._vacuum()
        return int(removed)

    def rename(self, old: str, new: str) -> bool:
        new = checked_name(new)
        unique_violation = postgres_schema.psycopg().errors.UniqueViolation
        with self._transaction():
            rows = self._rows(
                f"SELECT person_id, name, seal FROM {SCHEMA}.person WHERE name = %s FOR UPDATE", old
            )
            if not rows:
                return False
            self._seals.name(*rows[0])
            try:
                self._name(rows[0][0], new)
            except unique_violation as error:
                raise UsageError(
                    f"{new} is enrolled already: two people cannot share a name."
                ) from error
        return True

    def merge(self, name: str, other: str) -> Merge | None:
        with self._transaction():
            return merging.merge(self._connection, self._seals, name, other)

    def unmerge(self, name: str, other: str) -> Merge | None:
        with self._transaction():
            return merging.unmerge(self._connection, self._seals, name, other)

    def merges(self, name: str | None = None) -> list[Merge]:
        with self._reading():
            return merging.merges(self._connection, self._seals, name)

    def rank(
        self, queries: Float32Array, space: TemplateSpace, *, rule: PersonRule, top: int
    ) -> list[list[Candidate]]:
        with self._reading():
            own = postgres_space.read_space(self._connection, self._seals)
            if own is None:
                return [[] for _ in queries]
            own.require_same(space, where=self._seals.where)
            return [
                searching.rank(self._connection, self._seals, query, rule=rule, top=top)
                for query in queries
            ]

    def check(self) -> list[str]:
        with self._reading():
            return faults(self._connection, self._seals)

    def recall_at_1(self) -> float | None:
        """Compares the index with exact search; see postgres/check.py."""
        with self._reading():
            return recall_at_1(self._connection)

    def refresh_index(self, *, reporter: Reporter = SILENT) -> bool:
        """Returns False, because the server updates the index itself."""
        return False

    def _person(
        self, person_id: int, name: str, seal: bytes, template_count: int, enrolled_at: str
    ) -> Person:
        return Person(self._seals.name(person_id, name, seal), template_count, enrolled_at)

    def _name(self, person_id: int, name: str) -> None:
        self._connection.execute(
            f"UPDATE {SCHEMA}.person SET name = %s, seal = %s WHERE person_id = %s",
            (name, self._seals.of_name(person_id, name), person_id),
        )

    def _insert(self, person_id: int, template: Template) -> int:
        return int(
            self._connection.execute(
                f"INSERT INTO {SCHEMA}.template (person_id, space_id, photo, photo_sha256, "
                "x1, y1, x2, y2, score, enrolled_at, embedding, seal) "
                "VALUES (%s, 1, %s, %s, %s, %s, %s, %s, %s, %s, %s::vector, %s) "
                "ON CONFLICT (person_id, photo_sha256) DO NOTHING",
                (
                    *(person_id, template.photo, template.photo_sha256),
                    *(template.box_xyxy or (None,) * 4),
                    *(template.score, template.enrolled_at, vector_text(template.vector)),
                    self._seals.of_vector(template.vector, person_id, template.photo_sha256),
                ),
            ).rowcount
        )

    def _vacuum(self) -> None:
        with postgres_schema.translated(self._url):
            for table in ("template", "spare_template"):  # not within a transaction
                self._connection.execute(f"VACUUM {SCHEMA}.{table}")

    def _one(self, query: str) -> int:
        return int(self._rows(query)[0][0])

    def _rows(self, query: str, *values: Any) -> list[Any]:
        return list(self._connection.execute(query, values or None).fetchall())

    @contextmanager
    def _reading(self) -> Iterator[None]:
        """Lets all reads in this context use one state, within a transaction its state."""
        outermost = self._connection.info.transaction_status.name == "IDLE"
        with self._transaction():
            if outermost:
                self._connection.execute(
                    "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY"
                )
            yield

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        with postgres_schema.translated(self._url), self._connection.transaction():
            yield


_PEOPLE = f"""
SELECT person_id, name, person.seal, count(template_id), person.enrolled_at
FROM {SCHEMA}.person LEFT JOIN {SCHEMA}.template USING (person_id)
"""
_GROUPED = "GROUP BY person_id"
_TEMPLATES = f"""
SELECT person_id, name, person.seal, vector_send(embedding), template.seal,
    photo, photo_sha256, x1, y1, x2, y2, score, template.enrolled_at
FROM {SCHEMA}.template JOIN {SCHEMA}.person USING (person_id)
"""
