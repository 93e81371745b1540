"""Signs an archive of models with Ed25519 (RFC 8032), and checks its signature.

    .signature.json   {"schema_version": 1, "public_key": "...", "signature": "..."}, both in hex

The signed message is the text of `_message`: name and SHA-256 of each of the other members.  Keys
are PEM files of PKCS #8 and X.509, as `openssl genpkey -algorithm ed25519` makes them.  The public
key in an archive only tells who might have signed it; the one that counts is the user's own.
`new_key_pair` makes the same files without openssl.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NoReturn

from facekit.errors import ModelMismatchError, UsageError
from facekit.system.extras import require
from facekit.system.fields import Fields
from facekit.system.inputs import InputKind, parse_json, read_input, reading

SIGNATURE = ".signature.json"
"""Name of the member."""
SCHEMA_VERSION = 1
_CONTEXT = "facekit models archive 1"
_PRIVATE = InputKind("a private key of Ed25519 in PEM", UsageError, max_bytes=1_000_000)
_PUBLIC = InputKind("a public key of Ed25519 in PEM", UsageError, max_bytes=1_000_000)
_SIGNED = InputKind("the signature of an archive", ModelMismatchError, max_bytes=1_000_000)


def new_key_pair() -> tuple[bytes, bytes, str]:
    """Returns a new private key and its public key, both in PEM, and `key_sha256` of the latter.

    Raises MissingExtraError if cryptography is not installed.
    """
    serialization, ed25519 = _keys()
    private = ed25519.Ed25519PrivateKey.generate()
    pem = serialization.Encoding.PEM
    secret = private.private_bytes(
        pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    public = private.public_key()
    content = public.public_bytes(pem, serialization.PublicFormat.SubjectPublicKeyInfo)
    return secret, content, key_sha256(public)


def key_sha256(public: Any) -> str:
    """Returns the SHA-256 of a public key's 32 bytes (RFC 8032) in hexadecimal, which names it."""
    return hashlib.sha256(public.public_bytes_raw()).hexdigest()


def signed(files: Mapping[str, str], key: Path) -> bytes:
    """Returns the content of the member, for the members `files` with their SHA-256.

    `key` is the file of a private key.  Equal files and keys give equal bytes.  Raises UsageError
    for another file, and MissingExtraError if cryptography is not installed.
    """
    content = read_input(key, _PRIVATE)
    serialization, ed25519 = _keys()
    with reading(_PRIVATE, key):
        private = serialization.load_pem_private_key(content, password=None)
        if not isinstance(private, ed25519.Ed25519PrivateKey):
            raise ValueError("it is a key of another kind")
    whole = {
        "schema_version": SCHEMA_VERSION,
        "public_key": private.public_key().public_bytes_raw().hex(),
        "signature": private.sign(_message(files)).hex(),
    }
    return json.dumps(whole, indent=1).encode() + b"\n"


def require_signed(archive: Path, member: Path, files: Mapping[str, str], key: Path) -> str:
    """Checks that the key's owner signed exactly these files; returns the key's `key_sha256`.

    `member` is the unpacked signature of `archive`, which need not exist, and `key` the file of the
    trusted public key.  Raises ModelMismatchError if the archive is not signed, or signed by
    another key, or for other files; UsageError if `key` is not a public key.
    """
    content = read_input(key, _PUBLIC)
    serialization, ed25519 = _keys()
    with reading(_PUBLIC, key):
        public = serialization.load_pem_public_key(content)
        if not isinstance(public, ed25519.Ed25519PublicKey):
            raise ValueError("it is a key of another kind")
    trusted = public.public_bytes_raw().hex()
    if not member.exists():
        _refuse(archive, f"is not signed, and a signature by {key} is needed")
    with reading(_SIGNED, f"{archive}: {SIGNATURE}"):
        fields = Fields(parse_json(read_input(member, _SIGNED)), "signature")
        fields.require_version(SCHEMA_VERSION)
        signature, signer = bytes.fromhex(fields.text("signature")), fields.text("public_key")
    if signer != trusted:
        _refuse(archive, f"is signed by the key {signer[:64]}, and {key} is {trusted}")
    try:
        public.verify(signature, _message(files))
    except _module("exceptions").InvalidSignature:
        _refuse(archive, f"was changed after it was signed by {key}")
    return key_sha256(public)


def _message(files: Mapping[str, str]) -> bytes:
    """Returns what is signed: a first line that no other use of a key has, then a line a file."""
    return "\n".join([_CONTEXT, *(f"{files[name]}  {name}" for name in sorted(files)), ""]).encode()


def _refuse(archive: Path, why: str) -> NoReturn:
    raise ModelMismatchError(f"{archive} {why}. Nothing was imported.")


def _keys() -> tuple[Any, Any]:
    primitives = "hazmat.primitives"
    return _module(f"{primitives}.serialization"), _module(f"{primitives}.asymmetric.ed25519")


def _module(name: str) -> Any:
    needed_for = "Signing archives, and checking signatures,"
    return require(f"cryptography.{name}", extra="encrypt", needed_for=needed_for)
