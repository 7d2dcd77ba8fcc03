"""Refusals that are no fault of the request."""

from app.refusals.members import ReadinessCheck
from app.refusals.spec import Kind, Member, RefusalSpec

RETRY_AFTER_SECONDS = 1

_RETRY_AFTER = Member(
    "retry_after", int, "Seconds to wait; the `Retry-After` header says the same.", 1
)

UNAVAILABLE = (
    RefusalSpec(
        "overloaded",
        Kind.UNAVAILABLE,
        503,
        "There is too much going on",
        "The request waited as long as it may for its turn. Nothing was stored.",
        "Wait as `Retry-After` says, and send the same request again: with the same key nothing is"
        " composed twice.",
        (_RETRY_AFTER,),
    ),
    RefusalSpec(
        "database_unavailable",
        Kind.UNAVAILABLE,
        503,
        "The database does not answer",
        "The database can't be reached, or is not in the state that this program needs.",
        "Wait as `Retry-After` says, and send the same request again: with the same key nothing is"
        " composed twice. `GET /readyz` says what is wrong.",
        (
            _RETRY_AFTER,
            Member(
                "checks",
                list[ReadinessCheck],
                "Of `GET /readyz`: what was looked at.",
                [{"name": "database", "ok": False, "detail": "The database does not answer."}],
                required=False,
                special=True,
            ),
        ),
    ),
    RefusalSpec(
        "identity_keys_unavailable",
        Kind.UNAVAILABLE,
        503,
        "The identity provider's keys can't be had",
        "The token can't be checked, because the keys of its issuer could not be fetched.",
        "Wait as `Retry-After` says, and send the same request again, or use an API key.",
        (_RETRY_AFTER,),
    ),
    RefusalSpec(
        "audit_key_unavailable",
        Kind.UNAVAILABLE,
        503,
        "The key that heads and evidence are signed with can't be had",
        "No head of the audit log was exported, and no evidence given: the file with the service's"
        " signing key can't be read or made, or holds something else. The log says why.",
        "Have `FACTORY_AUDIT_KEY_FILE` name an Ed25519 key (PEM) that the service can read, or its"
        " data directory be one that it can write to.",
        (_RETRY_AFTER,),
    ),
    RefusalSpec(
        "vector_index_unavailable",
        Kind.UNAVAILABLE,
        503,
        "The vector index does not answer",
        "A snapshot looks at the vector index too, and that can't be read. No snapshot was taken.",
        "Wait as `Retry-After` says, and send the same request again. The log says what went wrong."
        " Where there is no vector index any more, start the service without"
        " `FACTORY_VECTOR_INDEX_URL`.",
        (_RETRY_AFTER,),
    ),
    RefusalSpec(
        "internal",
        Kind.INTERNAL,
        500,
        "Something went wrong here",
        "The request met a defect. The log has it under the request id.",
        "Report the request id to whoever runs the service. Sending the same request again composes"
        " nothing twice.",
    ),
)
