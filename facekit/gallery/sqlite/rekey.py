"""Another key for an encrypted SQLite gallery."""

from __future__ import annotations

import json

from facekit.errors import UsageError
from facekit.gallery.sqlite.encryption import AesGcmCodec, Secret, new_key
from facekit.gallery.sqlite.session import SqliteSession

_NEXT_VECTOR = {
    "template": """
SELECT template_id, person_id, photo_sha256, vector FROM template
WHERE template_id > ? ORDER BY template_id LIMIT 1
""",
    "spare_template": """
SELECT template_id, other_id, photo_sha256, vector FROM spare_template JOIN merge USING (merge_id)
WHERE template_id > ? ORDER BY template_id LIMIT 1
""",
}


def reencrypt(session: SqliteSession, secret: Secret) -> None:
    """A new data key under `secret`; every vector is encrypted anew, all or none.

    What the old key opens is still in the log and in free pages.  Raises UsageError where the
    gallery is not encrypted.
    """
    if not isinstance(session.codec, AesGcmCodec):
        raise UsageError(
            f"Gallery {session.path} is not encrypted. Make one with facekit gallery init "
            "--encrypt, and bring the people over with gallery export and gallery import."
        )
    key, lock = new_key(secret)
    fresh = AesGcmCodec(session.codec.plain, key)
    with session.writing():
        model = session.model()
        for table, next_vector in _NEXT_VECTOR.items():
            last = 0
            while row := session.connection.execute(next_vector, (last,)).fetchone():
                assert model is not None  # a template refers to it
                last, person_id, sha256, blob = row
                owner = session.owner(person_id, sha256)
                vector = session.decoded([blob], [owner], model.dimension)[0]
                session.connection.execute(
                    f"UPDATE {table} SET vector = ? WHERE template_id = ?",
                    (fresh.encode(vector, owner), last),
                )
        session.set_meta("lock", json.dumps(lock))
    session.codec, session.lock = fresh, json.dumps(lock)
