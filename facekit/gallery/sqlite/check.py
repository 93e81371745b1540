"""Checks an SQLite gallery: file, people, merges, vectors and caches."""

from __future__ import annotations

import stat
from collections.abc import Iterator
from itertools import islice

import numpy as np

from facekit.errors import StorageError
from facekit.gallery.search.cache import cache_path, read_cache
from facekit.gallery.search.codes import encoded
from facekit.gallery.search.exact import VectorTable
from facekit.gallery.sqlite.file import has_changes, log_path
from facekit.gallery.sqlite.search import stamp_of
from facekit.gallery.sqlite.session import SqliteSession
from facekit.template.match import require_unit

_ROWS_AT_ONCE = 10_000
_MOST_FAULTS = 20  # maximum number of reported faults of one kind


def faults(session: SqliteSession) -> list[str]:
    """Returns one sentence for each fault.

    Call the function within a transaction.  Raises sqlite3.Error if SQLite cannot read the file.
    """
    found = [*_file_faults(session), *_person_faults(session), *_merge_faults(session)]
    try:
        space = session.space()
        session.mean(space)
    except StorageError as error:
        return [*found, str(error)]
    if space is not None:
        found += _vector_faults(session, space.size)
        found += _cache_faults(session, space.size)
    return found


def _file_faults(session: SqliteSession) -> Iterator[str]:
    for (report,) in session.connection.execute(f"PRAGMA integrity_check({_MOST_FAULTS})"):
        if report != "ok":
            yield f"SQLite: {report}"
    for table, row, parent, _ in session.connection.execute("PRAGMA foreign_key_check"):
        yield f"Row {row} of {table} refers to a {parent} that is not there."
    odd = session.path.stat().st_size % session.one("PRAGMA page_size")
    # The log has whole pages, of which a full disk may have left a part in the file.
    if odd and not has_changes(log_path(session.path)):
        yield f"The file is truncated: {odd} bytes of its last page are left."
    mode = stat.S_IMODE(session.path.stat().st_mode)
    if mode & 0o077:
        yield f"The file's mode is {mode:04o}: others can read it. Use: chmod 600 {session.path}"


def _person_faults(session: SqliteSession) -> Iterator[str]:
    for table, number in (("person", "person_id"), ("merge", "other_id")):
        rows = session.connection.execute(f"SELECT {number}, name, seal FROM {table}")
        changed = (name for one, name, seal in rows if session.name_seal(one, name) != seal)
        for name in islice(changed, _MOST_FAULTS):
            yield f"The name {name!r} was changed or moved."
    for (name,) in session.connection.execute(
        "SELECT name FROM person WHERE person_id NOT IN (SELECT person_id FROM template) LIMIT ?",
        (_MOST_FAULTS,),
    ):
        yield f"{name} is enrolled without a template."


def _merge_faults(session: SqliteSession) -> Iterator[str]:
    for (name,) in session.connection.execute(
        "SELECT DISTINCT merge.name FROM moved_template JOIN merge USING (merge_id) "
        "LEFT JOIN template USING (template_id) WHERE template.template_id IS NULL AND "
        "moved_template.template_id NOT IN (SELECT template_id FROM spare_template) "
        "OR template.person_id <> merge.person_id LIMIT ?",
        (_MOST_FAULTS,),
    ):
        yield f"A template of {name}, who was merged into somebody, is not where it was moved to."


def _vector_faults(session: SqliteSession, dimension: int) -> Iterator[str]:
    rows = session.connection.execute(
        "SELECT name, person_id, photo, photo_sha256, vector "
        "FROM template JOIN person USING (person_id) UNION ALL "
        "SELECT name, other_id, photo, photo_sha256, vector "
        "FROM spare_template JOIN merge USING (merge_id)"
    )
    faulty = 0
    for name, person_id, photo, sha256, blob in rows:
        try:
            owner = session.owner(person_id, sha256)
            require_unit(session.codec.decode([blob], [owner], dimension))
        except (ValueError, TypeError) as error:
            yield f"The template of {name} from {photo}: {error}."
            faulty += 1
            if faulty == _MOST_FAULTS:
                return


def _cache_faults(session: SqliteSession, dimension: int) -> Iterator[str]:
    path = cache_path(session.path)
    cached = read_cache(path, stamp_of(session, dimension))  # removes an outdated cache
    if cached is None:
        return
    if session.lock:
        yield f"The gallery is encrypted, and {path} holds its vectors in the clear."
    last = session.one("SELECT coalesce(max(template_id), 0) FROM template")
    known = session.connection.execute(
        "SELECT template_id, person_id FROM template WHERE template_id <= ? ORDER BY template_id",
        (int(cached.template_ids[-1]),),
    ).fetchall()
    pairs = np.array(known, np.int64).reshape(-1, 2)
    if int(cached.template_ids[-1]) > last or not (
        np.array_equal(pairs[:, 0], cached.template_ids)
        and np.array_equal(pairs[:, 1], cached.person_ids)
    ):
        yield f"{path} does not hold the templates of the gallery: remove it."
    elif not session.lock and not _holds_the_vectors(session, cached, dimension):
        yield f"{path} is damaged: its vectors or codes are not those of the gallery. Remove it."


def _holds_the_vectors(session: SqliteSession, cached: VectorTable, dimension: int) -> bool:
    rows = session.connection.execute(
        "SELECT person_id, photo_sha256, vector FROM template WHERE template_id <= ? "
        "ORDER BY template_id",
        (int(cached.template_ids[-1]),),
    )
    start = 0
    while block := rows.fetchmany(_ROWS_AT_ONCE):
        blobs = [blob for *_, blob in block]
        owners = [session.owner(person_id, sha256) for person_id, sha256, _ in block]
        try:
            vectors = session.codec.decode(blobs, owners, dimension)
        except (ValueError, TypeError):  # the vector check reports this template
            return True
        part = slice(start, start + len(blobs))
        start = part.stop
        coded = encoded(vectors)
        kept = cached.codes
        if not np.array_equal(vectors, cached.vectors[part]):
            return False
        if kept is not None and not (
            np.array_equal(coded.codes, kept.codes[part])
            and np.array_equal(coded.scales, kept.scales[part])
            and coded.error <= kept.error
        ):
            return False
    return True
