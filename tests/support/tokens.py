"""An identity provider for tests: keys, what it publishes of them, and tokens."""

import base64
import hashlib
import hmac
import json
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

ISSUER = "https://id.example"
AUDIENCE = "product-factory"


def segment(value: bytes) -> str:
    """Base64url without padding, as the parts of a token are written."""
    return base64.urlsafe_b64encode(value).decode().rstrip("=")


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A private key with an id and the algorithm that it signs with."""

    key_id: str
    algorithm: str
    private: Any

    @classmethod
    def rsa(cls, key_id: str = "rsa-1", algorithm: str = "RS256") -> "SigningKey":
        """A new RSA key."""
        private = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        return cls(key_id, algorithm, private)

    @classmethod
    def ec(cls, key_id: str = "ec-1") -> "SigningKey":
        """A new key on P-256."""
        return cls(key_id, "ES256", ec.generate_private_key(ec.SECP256R1()))

    def published(self, **members: Any) -> dict[str, Any]:
        """The public part, as a JWK."""
        algorithm = jwt.get_algorithm_by_name(self.algorithm)
        document: dict[str, Any] = json.loads(algorithm.to_jwk(self.private.public_key()))
        document.pop("key_ops", None)
        return document | {"kid": self.key_id, "use": "sig", "alg": self.algorithm} | members

    def token(self, *, headers: dict[str, Any] | None = None, **claims: Any) -> str:
        """A token with these claims beside the usual ones; what is None is left out."""
        now = int(time.time())
        everything = {
            "iss": ISSUER,
            "aud": AUDIENCE,
            "sub": "anna",
            "iat": now,
            "exp": now + 300,
            "scope": "openid operator",
        } | claims
        payload = {name: value for name, value in everything.items() if value is not None}
        members = {"kid": self.key_id, "typ": "JWT"} | (headers or {})
        # Not jwt.encode's own checks of claims: what is wrong must get as far as the factory.
        return jwt.PyJWS().encode(
            json.dumps(payload).encode(),
            self.private,
            self.algorithm,
            {name: value for name, value in members.items() if value is not None},
        )

    def signed_with_the_public_key(self, **claims: Any) -> str:
        """A token signed with HS256, the public key being the secret: the classic confusion."""
        payload = self.token(**claims).split(".")[1]
        pem = self.private.public_key().public_bytes(
            Encoding.PEM, PublicFormat.SubjectPublicKeyInfo
        )
        header = {"alg": "HS256", "kid": self.key_id, "typ": "JWT"}
        signed = f"{segment(json.dumps(header).encode())}.{payload}"
        return f"{signed}.{segment(hmac.digest(pem, signed.encode(), hashlib.sha256))}"


def write_keys(file: Path, *keys: dict[str, Any]) -> Path:
    """Publish keys in a file."""
    file.write_text(json.dumps({"keys": list(keys)}), encoding="utf-8")
    return file
