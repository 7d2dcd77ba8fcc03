"""API keys: the wrappers of their functions, and reads of their view."""

from dataclasses import dataclass

from app.db.engine import Database


@dataclass(frozen=True, slots=True)
class KeyInForce:
    """A key that is neither revoked nor expired. `seconds_left` is None when it never expires."""

    key_sha256: bytes
    principal: str
    scope: str
    actor: str
    actor_prefixes: tuple[str, ...]
    seconds_left: float | None


async def look_up(database: Database, key_id: str) -> KeyInForce | None:
    """The key with this id, or None when there is none in force (fn_iu_api_key_lookup)."""
    rows = await database.fetch("SELECT * FROM iu_core.fn_iu_api_key_lookup($1)", key_id)
    if not rows:
        return None
    row = rows[0]
    return KeyInForce(
        key_sha256=row["key_sha256"],
        principal=row["principal"],
        scope=row["scope"],
        actor=row["actor"],
        actor_prefixes=tuple(row["actor_prefixes"]),
        seconds_left=row["seconds_left"],
    )
