"""Signatures that anybody can check without the service: Ed25519 (RFC 8032), over plain bytes.

openssl pkeyutl -verify -pubin -inkey audit.pub -rawin -in head.txt -sigfile head.sig
"""

import os
import tempfile
from pathlib import Path
from typing import Final

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)

ALGORITHM: Final = "Ed25519"


class SigningKey:
    """A private key. `public_key` is its public half, as PEM."""

    def __init__(self, key: Ed25519PrivateKey) -> None:
        self._key = key

    @classmethod
    def kept_in(cls, path: Path) -> "SigningKey":
        """The key in a PEM file (PKCS #8), made with it, for its owner only, where there is none.

        Of programs that start at once one makes it. Raises OSError where the file can't be read or
        written, ValueError where it holds something else.
        """
        if not path.exists():
            _make(path)
        key = load_pem_private_key(path.read_bytes(), password=None)
        if not isinstance(key, Ed25519PrivateKey):
            raise ValueError(f"{path} holds no {ALGORITHM} key")  # noqa: TRY004 - of what was read
        return cls(key)

    @property
    def public_key(self) -> str:
        """What others check signatures with."""
        pem = self._key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        return pem.decode("ascii")

    def sign(self, message: bytes) -> bytes:
        """The signature of a message, 64 bytes."""
        return self._key.sign(message)


def is_signed(message: bytes, signature: bytes, public_key: str) -> bool:
    """Whether a message was signed with the private half of a public key (PEM).

    Raises ValueError where that is no Ed25519 key.
    """
    try:
        _read(public_key).verify(signature, message)
    except InvalidSignature:
        return False
    return True


def same_key(one: str, other: str) -> bool:
    """Whether two public keys (PEM) are the same. Raises ValueError where one is no Ed25519 key."""
    return _read(one).public_bytes_raw() == _read(other).public_bytes_raw()


def _read(public_key: str) -> Ed25519PublicKey:
    try:
        key = load_pem_public_key(public_key.encode("ascii", "replace"))
    except (ValueError, UnsupportedAlgorithm) as error:
        # Not in the library's words, which are about libraries.
        raise ValueError(f"no {ALGORITHM} key") from error
    if not isinstance(key, Ed25519PublicKey):
        raise ValueError(f"no {ALGORITHM} key")  # noqa: TRY004 - of what was read
    return key


def _make(path: Path) -> None:
    pem = Ed25519PrivateKey.generate().private_bytes(
        Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
    )
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    own = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(pem)
            os.fsync(file.fileno())
        # Whole or not at all; and the key that somebody else has made meanwhile stays.
        os.link(own, path)
    except FileExistsError:
        pass
    finally:
        own.unlink(missing_ok=True)
