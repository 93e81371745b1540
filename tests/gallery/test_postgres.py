"""What only a server can do, or do wrong: writers at once, killed clients, index and recall."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from facekit.enums import PersonRule, VectorType
from facekit.errors import StorageError, UsageError
from facekit.gallery.open import init_gallery, open_gallery
from facekit.gallery.postgres import schema as postgres_schema
from facekit.gallery.postgres.gallery import PostgresGallery, create_postgres
from facekit.gallery.sqlite.encryption import passphrase
from facekit.template.space import mean_sha256_of
from tests.gallery.enrolling_process import A_ROUND, kill_while_enrolling, start
from tests.gallery.made_up import SIZE, SPACE, face_of, templates

psycopg = pytest.importorskip("psycopg", reason="pip install '.[postgres]'")


def counts(url: str) -> dict[str, int]:
    with open_gallery(url) as gallery:
        assert gallery.check() == []
        return {person.name: person.template_count for person in gallery.people()}


def test_four_enrolling_processes_lose_and_double_nothing(postgres_url: str) -> None:
    """All make the gallery, bind the model and enroll: half of the people by two of them."""
    processes = [start(postgres_url, first, first + 50) for first in (0, 25, 50, 75)]
    for process in processes:
        _, errors = process.communicate()
        assert process.returncode == 0, errors
    assert counts(postgres_url) == {f"P{number}": 3 for number in range(125)}


def test_kill_9_leaves_whole_people(postgres_url: str, tmp_path: Path) -> None:
    told: list[str] = []
    for turn in range(5):
        told += kill_while_enrolling(
            postgres_url, turn * A_ROUND, 0.1 * turn, tmp_path / "told.txt"
        )
        found = counts(postgres_url)
        assert set(told) <= set(found)
        assert len(found) <= len(told) + turn + 1
        assert set(found.values()) == {3}


def test_the_index_is_used_and_finds_what_is_nearest(postgres_url: str) -> None:
    create_postgres(postgres_url)
    with PostgresGallery(postgres_url) as gallery:
        for person in range(400):
            gallery.add(f"P{person}", templates(person, 2), SPACE)
        recall = gallery.recall_at_1()
        assert recall is not None
        assert recall >= 0.99
        (found,) = gallery.rank(face_of(7, 9)[None], SPACE, rule=PersonRule.BEST, top=5)
        assert found[0].name == "P7"
        assert len({candidate.name for candidate in found}) == 5
    query = "[" + ",".join(map(str, face_of(7, 9))) + "]"
    with psycopg.connect(postgres_url) as connection:
        connection.execute("SET LOCAL enable_seqscan = off")
        plan = connection.execute(
            "EXPLAIN SELECT person_id FROM facekit_gallery.template "
            "ORDER BY embedding <=> %s::vector LIMIT 5",
            (query,),
        ).fetchall()
    assert "template_embedding" in str(plan)


def test_templates_that_were_changed_do_not_hide_those_that_are_there(postgres_url: str) -> None:
    create_postgres(postgres_url)
    with PostgresGallery(postgres_url) as gallery:
        gallery.add("Ada", templates(1, 30), SPACE)
        gallery.add("Byron", templates(2, 30), SPACE)
        gallery._connection.execute("SET enable_seqscan = off")
        for turn in range(500):  # each change leaves dead entries in the index, until VACUUM
            gallery._connection.execute(
                "UPDATE facekit_gallery.template SET photo_sha256 = %s || photo", (f"{turn}-",)
            )
        assert gallery.recall_at_1() == 1.0


DAMAGES = {
    "a vector, times 100": "UPDATE template SET embedding = (SELECT array_agg(one * -100)::vector "
    "FROM unnest(embedding::real[]) AS one) WHERE person_id = 1",
    "a vector, one number": "UPDATE template SET embedding = (SELECT array_agg(CASE place WHEN 7 "
    "THEN one + 1e-6 ELSE one END ORDER BY place)::vector FROM unnest(embedding::real[]) "
    "WITH ORDINALITY AS numbers (one, place)) WHERE person_id = 1",
    "a vector of another person": "UPDATE template SET embedding = (SELECT embedding FROM template "
    "WHERE template_id = 4) WHERE person_id = 1",
    "persons of templates exchanged": "UPDATE template SET person_id = 3 - person_id",
    "names exchanged": "UPDATE person SET name = CASE name WHEN 'Ada' THEN 'Eve ' ELSE 'Ada' END",
    "another space": "UPDATE space SET description = replace(description, 'abab', 'abac')",
    "another gallery's content": "UPDATE meta SET value = 'other' WHERE key = 'gallery_id'",
}


@pytest.mark.parametrize("rule", PersonRule)
@pytest.mark.parametrize("damage", DAMAGES)
def test_damage_on_the_server_makes_nobody_known(
    postgres_url: str, damage: str, rule: PersonRule
) -> None:
    create_postgres(postgres_url)
    with PostgresGallery(postgres_url) as gallery:
        gallery.add("Ada", templates(1), SPACE)
        gallery.add("Eve", templates(2), SPACE)
        gallery._connection.execute("SET search_path TO facekit_gallery, public")
        gallery._connection.execute(DAMAGES[damage])
    with PostgresGallery(postgres_url) as gallery:
        for query in (face_of(1, 9), -face_of(1, 9)):
            with pytest.raises(StorageError, match="damaged"):
                gallery.rank(query[None], SPACE, rule=rule, top=2)
        assert gallery.check()


def test_vectors_that_were_changed_are_neither_exported_nor_moved_nor_recentered(
    postgres_url: str,
) -> None:
    """Each would give them a checksum of their own."""
    create_postgres(postgres_url)
    mean = np.full(SIZE, 0.01, np.float32)
    moved = replace(SPACE, mean_sha256=mean_sha256_of(mean))
    with PostgresGallery(postgres_url) as gallery:
        gallery.add("Ada", templates(1), SPACE)
        gallery.add("Eve", templates(2), SPACE)
        gallery._connection.execute(
            "UPDATE facekit_gallery.template SET embedding = ('[' || repeat('0,', 63) || '1]')"
            "::vector"
        )
        for use in (
            lambda: list(gallery.templates()),
            lambda: gallery.merge("Ada", "Eve"),
            lambda: gallery.recenter(mean, moved),
        ):
            with pytest.raises(StorageError, match="another checksum"):
                use()


@pytest.mark.parametrize("content", ["mean || '\\x00000000'", "'\\x00'"])
def test_a_mean_that_was_changed_recenters_nothing(postgres_url: str, content: str) -> None:
    create_postgres(postgres_url)
    mean = np.full(SIZE, 0.01, np.float32)
    space = replace(SPACE, mean_sha256=mean_sha256_of(mean))
    with PostgresGallery(postgres_url) as gallery:
        gallery.add("Ada", templates(1), space, mean=mean)
        gallery._connection.execute(f"UPDATE facekit_gallery.space SET mean = {content}")
        with pytest.raises(StorageError, match="mean embedding was changed"):
            gallery.recenter(None, SPACE)
        assert "its mean embedding was changed" in gallery.check()[0]


def test_a_person_without_a_seal_gets_none_by_being_enrolled(postgres_url: str) -> None:
    create_postgres(postgres_url)
    with PostgresGallery(postgres_url) as gallery:
        gallery.add("Ada", templates(1), SPACE)
        gallery._connection.execute("UPDATE facekit_gallery.person SET seal = ''")
        with pytest.raises(StorageError, match="'Ada' was changed or moved"):
            gallery.add("Ada", templates(1, 4), SPACE)
        assert gallery.check() == ["The name 'Ada' was changed or moved."]


def test_what_is_wrong_is_found(postgres_url: str) -> None:
    create_postgres(postgres_url)
    with PostgresGallery(postgres_url) as gallery:
        gallery.add("Ada", templates(1), SPACE)
        with psycopg.connect(postgres_url) as connection:
            connection.execute("SET search_path TO facekit_gallery, public")
            connection.execute(
                "INSERT INTO person (name, seal, enrolled_at) VALUES ('Eve', '', '')"
            )
            connection.execute(
                "UPDATE template SET embedding = embedding + embedding WHERE photo = '1_2.jpg'"
            )
            connection.execute("CREATE TABLE songs (title text)")
            connection.execute(
                "CREATE TRIGGER twice BEFORE UPDATE ON person FOR EACH ROW "
                "EXECUTE FUNCTION suppress_redundant_updates_trigger()"
            )
            connection.execute("CREATE RULE nothing AS ON DELETE TO person DO INSTEAD NOTHING")
        assert gallery.check() == [
            "'songs' in the schema facekit_gallery is not facekit's.",
            "'twice' in the schema facekit_gallery is not facekit's.",
            "'nothing' in the schema facekit_gallery is not facekit's.",
            "The name 'Eve' was changed or moved.",
            "Eve is enrolled without a template.",
            "The template of Ada from 1_2.jpg: a vector has another checksum: it was changed or "
            "moved.",
        ]


def test_a_server_that_is_not_there_is_a_storage_error_without_the_password() -> None:
    url = "postgresql://ada:geheim@localhost:1/faces?connect_timeout=2"
    with pytest.raises(StorageError) as caught:
        PostgresGallery(url)
    assert "geheim" not in str(caught.value)
    assert "ada@localhost:1/faces" in str(caught.value)


def test_no_gallery_in_the_database(postgres_url: str) -> None:
    with pytest.raises(StorageError, match="facekit enroll and facekit gallery init"):
        PostgresGallery(postgres_url)


def test_a_newer_gallery_is_refused(postgres_url: str) -> None:
    create_postgres(postgres_url)
    with psycopg.connect(postgres_url) as connection:
        connection.execute(
            "UPDATE facekit_gallery.meta SET value = '9' WHERE key = 'schema_version'"
        )
    with pytest.raises(StorageError, match="schema version 9"):
        PostgresGallery(postgres_url)


def test_a_gallery_without_checksums_says_to_enroll_again(postgres_url: str) -> None:
    create_postgres(postgres_url)
    with psycopg.connect(postgres_url) as connection:
        connection.execute(
            "UPDATE facekit_gallery.meta SET value = '3' WHERE key = 'schema_version'"
        )
    with pytest.raises(StorageError, match=r"schema version 3.*Enroll the photos again"):
        PostgresGallery(postgres_url)


def test_a_migration_keeps_the_people(postgres_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    create_postgres(postgres_url)
    with PostgresGallery(postgres_url) as gallery:
        gallery.add("Ada", templates(1), SPACE)
    step = "ALTER TABLE facekit_gallery.person ADD COLUMN note text DEFAULT ''"
    monkeypatch.setattr(postgres_schema, "MIGRATIONS", (*postgres_schema.MIGRATIONS, step))
    with PostgresGallery(postgres_url) as gallery:
        assert gallery.info().schema_version == len(postgres_schema.MIGRATIONS)
        assert gallery.person("Ada") is not None


def test_what_the_server_cannot_do_is_refused(postgres_url: str) -> None:
    with pytest.raises(UsageError, match="--encrypt"):
        init_gallery(postgres_url, vector_type=VectorType.FLOAT32, secret=passphrase("x"))
    with pytest.raises(UsageError, match="--vector-type"):
        init_gallery(postgres_url, vector_type=VectorType.FLOAT16, secret=None)
