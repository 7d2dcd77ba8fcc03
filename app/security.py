"""Who is calling, and what they may do: scopes, actors, and the dependency that asks for both.

Who a credential belongs to is found out before anything else of a request is read
(`app.http.authentication`); here stands what follows from it. The rules are those of the design's
§11: scopes are cumulative, and the actor comes from the key; a request may only narrow it.
"""

import re
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from uuid import UUID

from fastapi import Request
from fastapi.openapi.models import HTTPBearer
from fastapi.security.base import SecurityBase

from app.errors import Refusal

_ACTOR = re.compile(r"[a-z0-9][a-z0-9._:-]{0,127}")
_PREFIX_ENDS = ("-", ":")

# Where the middleware leaves the caller for the dependency, in the ASGI scope.
CALLER_KEY = "factory.caller"


class Scope(StrEnum):
    """What a key reaches. Each scope contains those before it."""

    PRODUCER = "producer"
    """Composes as its own actors, and reads those actors' instances."""
    VIEWER = "viewer"
    """Reads everything."""
    OPERATOR = "operator"
    """Authors, opens gates, rolls back others."""
    ADMIN = "admin"
    """Manages keys, delivery, settings, retention and sealing."""

    def reaches(self, needed: "Scope") -> bool:
        """Whether this scope is enough where `needed` is asked for."""
        return _RANK[self] >= _RANK[needed]


_RANK = {scope: rank for rank, scope in enumerate(Scope)}


def is_actor(text: str) -> bool:
    """Whether a text is an actor's tag: `[a-z0-9][a-z0-9._:-]{0,127}`."""
    return _ACTOR.fullmatch(text) is not None


def is_own_actor(text: str) -> bool:
    """Whether a text can be the actor of a key itself.

    One that ends at `-` or `:` can't: in a list of actors it would read as a prefix.
    """
    return is_actor(text) and not text.endswith(_PREFIX_ENDS)


def is_actor_prefix(text: str) -> bool:
    """Whether a text can be a key's actor prefix: the start of a tag, up to a `-` or `:`."""
    return is_actor(text) and text.endswith(_PREFIX_ENDS)


@dataclass(frozen=True, slots=True)
class Caller:
    """Who sent a request: a key's or a token's owner, and the id of this one request.

    `principal` is who is accountable, `actor` the tag that the work is done under unless the
    request narrows it to another that the key allows.
    """

    principal: str
    scope: Scope
    actor: str
    actor_prefixes: tuple[str, ...]
    request_id: UUID

    def need(self, scope: Scope) -> None:
        """Refuses with `forbidden`, naming the scope, unless the caller's reaches it."""
        if not self.scope.reaches(scope):
            raise Refusal(
                "forbidden",
                f"This needs the scope {scope}, and the key has {self.scope}.",
                required_scope=str(scope),
            )

    def may_act_as(self, actor: str) -> bool:
        """Whether the actor is the key's own, or begins with one of its prefixes."""
        return actor == self.actor or actor.startswith(self.actor_prefixes)

    def act_as(self, actor: str | None) -> str:
        """The actor to work as: the key's own for None. Refuses with `actor_not_allowed`."""
        if actor is None:
            return self.actor
        if not self.may_act_as(actor):
            raise Refusal("actor_not_allowed", actor=actor)
        return actor

    @property
    def own_actors(self) -> str:
        """The actors that the caller may act as, as SQL takes them.

        Tags, and prefixes that end at `-` or `:`, joined by spaces (fn_iu_actor_matches).
        """
        return " ".join((self.actor, *self.actor_prefixes))

    @property
    def allowed_actors(self) -> str | None:
        """The actors whose work the caller may read, as SQL takes them; None: everyone's."""
        return None if self.scope.reaches(Scope.VIEWER) else self.own_actors


_BEARER = HTTPBearer(
    bearerFormat="pf_<key id>_<43 characters>, or a JWT where the service is set up for them",
    description="An API key, or an OAuth 2 bearer token.",
)


class RequireScope(SecurityBase):
    """The dependency that `require` makes. `scope` is what tests and documents read.

    It is the security scheme of the OpenAPI document as well: FastAPI solves dependencies anew for
    each request, and one is cheaper than two.
    """

    def __init__(self, scope: Scope) -> None:
        self.scope = scope
        self.scheme_name = "bearer"
        self.model = _BEARER

    async def __call__(self, request: Request) -> Caller:
        """The caller. Refuses with `unauthenticated` or `forbidden`."""
        caller = caller_of(request)
        if caller is None:
            raise Refusal("unauthenticated")
        caller.need(self.scope)
        return caller


@cache
def require(scope: Scope) -> RequireScope:
    """A dependency that gives the caller, and refuses one whose scope does not reach.

    Used as `caller: Annotated[Caller, Depends(require(Scope.OPERATOR))]`. It runs when the body
    has been read as JSON and before its fields are looked at.
    """
    return RequireScope(scope)


def caller_of(request: Request) -> Caller | None:
    """Who sent the request; None only at the addresses that answer without a key."""
    caller = request.scope.get(CALLER_KEY)
    return caller if isinstance(caller, Caller) else None
