"""Making an archive of what is stored, signed."""

from collections.abc import Mapping
from typing import Any

from app.evidence.archive import ordered, pack
from app.evidence.members import (
    DSSE,
    KEY,
    README,
    SIGNATURE,
    SIGNED,
    STATEMENT,
    SUMS,
    sha256,
    stored_members,
    sums_text,
)
from app.evidence.readme import readme_text
from app.evidence.statement import envelope, signed_text, statement_text
from app.signing import SigningKey


def make(found: Mapping[str, Any], key: SigningKey) -> bytes:
    """The archive of what fn_iu_evidence answers; the same bytes for the same answer and key.

    Raises ValueError or KeyError where something in the answer is not even readable.
    """
    members = stored_members(found)
    members[SIGNATURE] = key.sign(members[SIGNED])
    members[KEY] = key.public_key.encode()
    members[README] = readme_text(found["proven_by"], of_an_event=found["log"] is not None)
    return pack(completed(members, found["proven_by"], key))


def completed(members: Mapping[str, bytes], proven_by: str, key: SigningKey) -> dict[str, bytes]:
    """The members with a statement over them, its envelope, and the list of their digests."""
    done = dict(members)
    statement = done[STATEMENT] = statement_text(done, proven_by)
    done[DSSE] = envelope(statement, key.sign(signed_text(statement)), key.public_key)
    listed = [name for name in ordered(done) if name != SUMS]
    done[SUMS] = sums_text({name: sha256(done[name]) for name in listed}, listed)
    return done
