"""JWT bearer tokens of an identity provider: an alternative to API keys (design, §11).

Checked are the signature (asymmetric algorithms only), issuer, audience and times. The scope and
the actor are claims whose names are settings; `actor_prefixes`, a list, may be there too. A token
of the highest of several scopes counts as that.
"""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

import jwt

from app.errors import Refusal
from app.jwt_keys import ALGORITHMS, KeySource
from app.security import Caller, Scope, is_actor_prefix, is_own_actor
from app.settings import Settings

_LONGEST_TOKEN = 8192
_LEEWAY_S = 30
_MOST_PREFIXES = 64
_LONGEST_SUBJECT = 200


class TokenVerifier:
    """Answers who sends a token. Takes where the keys come from, and what a token must say."""

    def __init__(
        self,
        keys: KeySource,
        *,
        issuer: str,
        audience: str,
        scope_claim: str = "scope",
        actor_claim: str = "sub",
    ) -> None:
        self._keys = keys
        self._issuer = issuer
        self._audience = audience
        self._scope_claim = scope_claim
        self._actor_claim = actor_claim

    async def caller(self, token: str, request_id: UUID) -> Caller:
        """The caller whom the token belongs to. Refuses with `unauthenticated`.

        Also refuses with `identity_keys_unavailable` where the keys can't be had.
        """
        return self._caller(await self._claims(token), request_id)

    async def _claims(self, token: str) -> Mapping[str, Any]:
        if len(token) > _LONGEST_TOKEN:
            raise _refused("The token is too long.")
        try:
            header = jwt.get_unverified_header(token)
        except (jwt.PyJWTError, ValueError, RecursionError) as error:
            raise _refused("The key or token is malformed.") from error
        algorithm = header.get("alg")
        if not isinstance(algorithm, str) or algorithm not in ALGORITHMS:
            raise _refused("The token is not signed in a way that is taken here.")
        key = await self._keys.key(header.get("kid"), algorithm)
        if key is None:
            raise _refused("The token is signed with a key that the issuer does not publish.")
        try:
            return jwt.decode(
                token,
                key=key,
                algorithms=[algorithm],
                issuer=self._issuer,
                audience=self._audience,
                leeway=_LEEWAY_S,
                options={
                    "require": ["exp", "iss", "aud", "sub"],
                    "enforce_minimum_key_length": True,
                },
            )
        except (jwt.PyJWTError, ValueError, TypeError, RecursionError) as error:
            raise _refused(
                "The token's signature, issuer, audience or times are not right."
            ) from error

    def _caller(self, claims: Mapping[str, Any], request_id: UUID) -> Caller:
        actor = claims.get(self._actor_claim)
        if not isinstance(actor, str) or not is_own_actor(actor):
            raise _refused(f"The token's claim {self._actor_claim!r} is no actor's tag.")
        prefixes = claims.get("actor_prefixes", [])
        if (
            not isinstance(prefixes, list)
            or len(prefixes) > _MOST_PREFIXES
            or not all(isinstance(prefix, str) and is_actor_prefix(prefix) for prefix in prefixes)
        ):
            raise _refused("The token's claim 'actor_prefixes' is no list of actor prefixes.")
        subject: str = claims["sub"]
        if len(subject) > _LONGEST_SUBJECT or not subject.isprintable():
            raise _refused("The token's subject can't be recorded.")
        return Caller(
            principal=f"jwt:{subject}",
            scope=self._scope(claims.get(self._scope_claim)),
            actor=actor,
            actor_prefixes=tuple(prefixes),
            request_id=request_id,
        )

    def _scope(self, claimed: object) -> Scope:
        words = claimed.split() if isinstance(claimed, str) else claimed
        if not isinstance(words, list):
            words = []
        scopes = [scope for scope in Scope if str(scope) in words]
        if not scopes:
            raise _refused(f"The token's claim {self._scope_claim!r} names none of the scopes.")
        return scopes[-1]


def token_verifier(settings: Settings) -> TokenVerifier | None:
    """The verifier that the settings ask for; None where tokens are not taken."""
    if not settings.jwt_enabled or not settings.jwt_issuer or not settings.jwt_audience:
        return None
    return TokenVerifier(
        KeySource(url=settings.jwt_jwks_url, file=settings.jwt_jwks_file),
        issuer=settings.jwt_issuer,
        audience=settings.jwt_audience,
        scope_claim=settings.jwt_scope_claim,
        actor_claim=settings.jwt_actor_claim,
    )


def _refused(detail: str) -> Refusal:
    return Refusal(
        "unauthenticated", detail, headers={"WWW-Authenticate": 'Bearer error="invalid_token"'}
    )
