"""Whose rows a caller may see: the actors that it is allowed, as a condition of a query."""

from sqlalchemy import ColumnElement, or_


def is_allowed(actor: ColumnElement[str], allowed_actors: str) -> ColumnElement[bool]:
    """The same as fn_iu_actor_matches, which a view's reader may not call.

    `allowed_actors` are tags, and prefixes that end at `-` or `:`, joined by spaces.
    """
    return or_(
        *(
            actor.startswith(allowed, autoescape=True) if _is_prefix(allowed) else actor == allowed
            for allowed in allowed_actors.split()
        )
    )


def only_actor(allowed_actors: str | None) -> str | None:
    """The one actor that a caller may read, for whom there is an index; None: several, or all."""
    if allowed_actors is None or " " in allowed_actors or _is_prefix(allowed_actors):
        return None
    return allowed_actors


def _is_prefix(allowed: str) -> bool:
    return allowed.endswith(("-", ":"))
