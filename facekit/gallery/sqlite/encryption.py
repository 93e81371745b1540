"""Encrypts template vectors by AES-256-GCM; a passphrase or a key file unlocks the key.

A random data key encrypts the vectors.  The gallery stores the data key, encrypted under a key
derived from the secret (scrypt for a passphrase, HKDF for a key file).  Each vector is bound to its
gallery, person and photo: a vector that was moved to another person does not decrypt.
Names, photo hashes, boxes and times are not encrypted.
"""

from __future__ import annotations

import base64
import hashlib
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

from facekit.enums import VectorType
from facekit.errors import StorageError, UsageError
from facekit.gallery.sqlite.vectors import pack, unpack
from facekit.system.extras import require
from facekit.system.fields import Fields
from facekit.system.inputs import InputKind, parse_json, read_input
from facekit.types import Float32Array

_KEY_FILE = InputKind("a key file", UsageError, max_bytes=1_000_000)
_KEY_BYTES = 32
_NONCE_BYTES = 12  # 96 bits, as NIST SP 800-38D recommends; drawn at random for each vector
_SALT_BYTES = 16
_SEAL_BYTES = 16
_TAG_BYTES = 16
_SCRYPT = {"n": 2**15, "r": 8, "p": 3}
"""OWASP's advice on password storage for 32 MiB of memory, which a board has."""
_MOST_WORK = 16 * 2**15 * 8 * 3
_MOST_BYTES = 1 << 29  # scrypt takes 128 n r bytes of memory
_SHORTEST_KEY_FILE = 32


@dataclass(frozen=True, slots=True)
class Secret:
    """A passphrase or the content of a key file, which unlocks a gallery."""

    kind: str
    """ "passphrase" or "key-file"."""
    content: bytes

    def __repr__(self) -> str:
        return f"Secret({self.kind})"


SecretSource: TypeAlias = Callable[[], "Secret | None"]
"""Called only if a gallery is encrypted, because it may prompt a person."""


def no_secret() -> None:
    return None


def passphrase(text: str) -> Secret:
    """Makes a secret from a passphrase.  Raises UsageError if the passphrase is empty."""
    if not text:
        raise UsageError("An empty passphrase protects nothing.")
    return Secret("passphrase", text.encode())


def key_file(path: Path) -> Secret:
    """Reads a secret from a file.  Raises UsageError if the file is unreadable or too short."""
    content = read_input(path, _KEY_FILE)
    if len(content) < _SHORTEST_KEY_FILE:
        raise UsageError(
            f"Key file {path} has {len(content)} bytes; {_SHORTEST_KEY_FILE} random ones are "
            f"needed: head -c {_SHORTEST_KEY_FILE} /dev/urandom > {path}"
        )
    return Secret("key-file", content)


@dataclass(frozen=True, slots=True)
class AesGcmCodec:
    """Encrypts the bytes of a vector; stores nonce, ciphertext and tag."""

    vector_type: VectorType
    key: bytes

    def __repr__(self) -> str:
        return f"AesGcmCodec({self.vector_type})"

    def encode(self, vector: Float32Array, owner: bytes) -> bytes:
        nonce = os.urandom(_NONCE_BYTES)
        cipher = _aes_gcm(self.key)
        return nonce + bytes(cipher.encrypt(nonce, pack(vector, self.vector_type), owner))

    def decode(
        self, blobs: Sequence[bytes], owners: Sequence[bytes], dimension: int
    ) -> Float32Array:
        cipher = _aes_gcm(self.key)
        plain = [_decrypt(cipher, blob, owner) for blob, owner in zip(blobs, owners, strict=True)]
        return unpack(plain, self.vector_type, dimension)

    def seal(self, content: bytes) -> bytes:
        """Returns a code that only the key can make, RFC 7693's keyed BLAKE2b."""
        return hashlib.blake2b(
            content, key=self.key, digest_size=_SEAL_BYTES, person=b"facekit seal"
        ).digest()


def new_key(secret: Secret) -> tuple[bytes, dict[str, Any]]:
    """Returns a new data key, and the lock from which `unlock` gets it with the same secret.

    The lock is a dictionary for JSON.
    """
    key = os.urandom(_KEY_BYTES)
    salt, nonce = os.urandom(_SALT_BYTES), os.urandom(_NONCE_BYTES)
    lock: dict[str, Any] = {"kind": secret.kind, "salt": _text(salt), "nonce": _text(nonce)}
    if secret.kind == "passphrase":
        lock["scrypt"] = _SCRYPT
    locked = _aes_gcm(_derived(secret, lock)).encrypt(nonce, key, _LOCK_CONTEXT)
    return key, {**lock, "key": _text(locked)}


def unlock(text: str, secret: Secret | None, where: str) -> bytes:
    """Returns the data key that is stored in a lock, which is JSON from `new_key`.

    Raises UsageError if `secret` is None, and StorageError if it is not the secret of the lock, or
    if the lock is damaged or asks for more work than 16 times that of a new one.
    """
    if secret is None:
        raise UsageError(
            f"{where} is encrypted: pass --key-file, or set FACEKIT_GALLERY_PASSPHRASE."
        )
    try:
        lock = _parse_lock(Fields(parse_json(text), "lock"))
    except (ValueError, RecursionError) as error:
        raise StorageError(
            f"{where} is damaged: its lock cannot be read: {error}. Restore a copy."
        ) from error
    if secret.kind != lock["kind"]:
        raise StorageError(f"{where} is locked with a {lock['kind']}. Received: a {secret.kind}")
    try:
        derived = _derived(secret, lock)
        return _decrypt(
            _aes_gcm(derived), _bytes(lock["nonce"]) + _bytes(lock["key"]), _LOCK_CONTEXT
        )
    except ValueError as error:
        raise StorageError(f"{where}: this {secret.kind} does not unlock it.") from error


_LOCK_CONTEXT = b"facekit gallery data key"


def _parse_lock(fields: Fields) -> dict[str, Any]:
    """Returns the members of a lock.  Raises ValueError for one that `new_key` does not make."""
    kind = fields.text("kind")
    if kind not in ("passphrase", "key-file"):
        raise ValueError(f"a passphrase or a key-file needed. Received: {kind!r}")
    lock: dict[str, Any] = {"kind": kind}
    for name, length in (
        ("salt", _SALT_BYTES),
        ("nonce", _NONCE_BYTES),
        ("key", _KEY_BYTES + _TAG_BYTES),
    ):
        lock[name] = fields.text(name)
        if len(_bytes(lock[name])) != length:
            raise ValueError(f"{name} must have {length} bytes")
    if kind == "passphrase":
        work = fields.part("scrypt")
        n, r, p = (work.integer(name) for name in ("n", "r", "p"))
        is_bounded = 2 <= n <= 2**19 and 1 <= r <= 64 and 1 <= p <= 64
        if not is_bounded or n & (n - 1) or n * r * p > _MOST_WORK or 128 * n * r > _MOST_BYTES:
            raise ValueError(f"scrypt with n={n}, r={r}, p={p} is not allowed")
        lock["scrypt"] = {"n": n, "r": r, "p": p}
    return lock


def _derived(secret: Secret, lock: Mapping[str, Any]) -> bytes:
    salt = _bytes(lock["salt"])
    if secret.kind == "passphrase":
        scrypt = _module("hazmat.primitives.kdf.scrypt").Scrypt
        return bytes(scrypt(salt=salt, length=_KEY_BYTES, **lock["scrypt"]).derive(secret.content))
    hashes = _module("hazmat.primitives.hashes")
    hkdf = _module("hazmat.primitives.kdf.hkdf").HKDF
    derive = hkdf(algorithm=hashes.SHA256(), length=_KEY_BYTES, salt=salt, info=_LOCK_CONTEXT)
    return bytes(derive.derive(secret.content))


def _decrypt(cipher: Any, sealed: bytes, owner: bytes) -> bytes:
    """Decrypts a vector; raises ValueError for another key or owner, or for a changed byte."""
    invalid = _module("exceptions").InvalidTag
    try:
        return bytes(cipher.decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], owner))
    except invalid as error:
        raise ValueError("a vector does not decrypt: it was changed or moved") from error


def _aes_gcm(key: bytes) -> Any:
    return _module("hazmat.primitives.ciphers.aead").AESGCM(key)


def _module(name: str) -> Any:
    return require(f"cryptography.{name}", extra="encrypt", needed_for="An encrypted gallery")


def _text(content: bytes) -> str:
    return base64.b64encode(content).decode()


def _bytes(text: str) -> bytes:
    return base64.b64decode(text, validate=True)
