"""Refusals about who is calling, and about the request itself."""

from uuid import UUID

from app.refusals.members import ERRORS_EXAMPLE, ITEMS, LINE, InvalidField
from app.refusals.spec import Kind, Member, RefusalSpec

CALLERS = (
    RefusalSpec(
        "unauthenticated",
        Kind.CALLER,
        401,
        "Who is calling is not known",
        "The request carries no key or token, or one that is unknown, expired or revoked.",
        "Send `Authorization: Bearer <key>` with a key that is in force. An admin makes one with"
        " `POST /api-keys`. With the embedded database the first one lies in the data directory,"
        " in `admin.key`.",
    ),
    RefusalSpec(
        "forbidden",
        Kind.CALLER,
        403,
        "The key's scope does not reach this far",
        "The caller is known, but the operation needs a wider scope than the key has.",
        "Use a key with the scope that `required_scope` names, or one above it.",
        (
            Member(
                "required_scope",
                str,
                "The narrowest scope that is enough.",
                "operator",
            ),
        ),
        asked="/gates/iu_core.composer_enabled",
    ),
    RefusalSpec(
        "actor_not_allowed",
        Kind.CALLER,
        403,
        "The actor is outside the key's reach",
        "The key may neither act as nor read the `actor` that was asked for. Where none is named,"
        " something of another actor's was asked for, such as the instance that the event composed"
        " before.",
        "Leave `actor` out, to act as the key's own, or name a tag within the key's prefixes. Where"
        " the instance is another actor's, ask somebody who may read it.",
        (
            Member("actor", str, "The actor that was asked for.", "billing-eu", required=False),
            ITEMS,
        ),
    ),
    RefusalSpec(
        "origin_not_allowed",
        Kind.CALLER,
        403,
        "Pages of this origin may not send this",
        "A browser asked whether a page of another origin may send a request (a CORS preflight),"
        " and it may not.",
        "Where `disallowed` names the origin, whoever runs the service adds it to"
        " `FACTORY_CORS_ORIGINS`. Methods and headers are those that the API uses: look in"
        " `/docs`.",
        (
            Member(
                "disallowed",
                list[str],
                "What is not allowed: `origin`, `method`, `headers` or `private-network`.",
                ["origin"],
            ),
        ),
        asked="/gates",
    ),
)

INPUTS = (
    RefusalSpec(
        "invalid_input",
        Kind.INPUT,
        422,
        "The request is not well formed",
        "A field is missing, malformed or unknown: `errors` lists everything that is wrong, with"
        " its place and what would be right.",
        "Correct what `errors` lists, and send the request again.",
        (
            Member(
                "errors",
                list[InvalidField],
                "Everything that is wrong, in the order of the request.",
                ERRORS_EXAMPLE,
                required=False,
            ),
            Member(
                "errors_omitted",
                int,
                "How many more there are, when they are too many to list.",
                12,
                required=False,
                special=True,
            ),
            ITEMS,
        ),
        {400: "the body, or the address, can't be parsed at all."},
    ),
    RefusalSpec(
        "invalid_emit_mode",
        Kind.INPUT,
        422,
        "There is no such emit mode",
        "`emit_mode` is neither `dry_run` nor `live`.",
        "Send `dry_run` to see what would come out, or `live` to compose.",
        (
            Member("emit_mode", str, "The mode that was asked for.", "shadow", required=False),
            ITEMS,
        ),
    ),
    RefusalSpec(
        "payload_invalid",
        Kind.INPUT,
        422,
        "The data is not what is asked for",
        "`data` does not satisfy the parameter schema of the template that would be composed from,"
        " or the schema of the event's type: `errors` lists what is wrong, with its place and what"
        " would be right.",
        "Correct what `errors` lists, and send the request again. `GET /templates/{ref}` shows the"
        " schema as `parameters`, `GET /event-types/{type}` as `data_schema`. Where a family was"
        " named, a new version may ask for other data than the one before.",
        (
            Member(
                "errors",
                list[InvalidField],
                "What is wrong with the data. The pointers lead into the request.",
                [
                    {
                        "location": "body",
                        "pointer": "/data/starts",
                        "rule": "format",
                        "detail": "should be a date",
                    }
                ],
            ),
            Member(
                "template_key",
                str,
                "The template that asks for it.",
                "tpl:wf:onboarding/v2",
                required=False,
            ),
            Member(
                "schema_digest",
                str,
                "The digest of its schema.",
                "9f86d081" * 8,
                required=False,
            ),
            Member(
                "event_type",
                str,
                "The event's type, where it asks for it.",
                "employee.hired",
                required=False,
                special=True,
            ),
            ITEMS,
        ),
    ),
    RefusalSpec(
        "idempotency_conflict",
        Kind.INPUT,
        422,
        "The key is known with other content",
        "The same event, template and suffix were composed before, or the same `Idempotency-Key`"
        " came before, with other `fields`. The original is untouched.",
        "Send the original fields to get the original result again, or another event id, suffix or"
        " `Idempotency-Key` to do something else.",
        (
            Member("fields", list[str], "The fields that differ from the original.", ["data"]),
            Member(
                "idempotency_key",
                str,
                "The key that both requests have, the same bits as the instance's id.",
                "0f3c1e6e2b0e4d0a9d5a4a0b8c7d6e5f",
                required=False,
            ),
            Member(
                "instance_collection_id",
                UUID,
                "The original instance.",
                "0f3c1e6e-2b0e-4d0a-9d5a-4a0b8c7d6e5f",
                required=False,
            ),
            Member(
                "operation_id",
                UUID,
                "The original operation, where an `Idempotency-Key` came before.",
                "0f3c1e6e-2b0e-4d0a-9d5a-4a0b8c7d6e5f",
                required=False,
                special=True,
            ),
            ITEMS,
        ),
    ),
    RefusalSpec(
        "too_large",
        Kind.INPUT,
        413,
        "The request is larger than allowed",
        "A size limit is exceeded: `counted` says of what, `limit` how much is allowed.",
        "Send less at once: a smaller body, fewer items, fewer actors or a narrower selection.",
        (
            Member("limit", int, "The most that is allowed.", 1_048_576),
            Member("counted", str, "What was counted.", "bytes of the body"),
            LINE,
        ),
    ),
    RefusalSpec(
        "too_deep",
        Kind.INPUT,
        422,
        "The JSON is nested too deeply",
        "Objects and arrays lie within each other deeper than `limit` levels.",
        "Flatten the document.",
        (Member("limit", int, "The deepest nesting that is allowed.", 32), LINE),
    ),
    RefusalSpec(
        "unsupported_media_type",
        Kind.INPUT,
        415,
        "The body's media type is not taken here",
        "The `Content-Type` is missing or is none that the operation reads, or the body is"
        " compressed.",
        "Send one of the `supported` types, in UTF-8 and without `Content-Encoding`. curl declares"
        " a form unless it is told `-H 'Content-Type: application/json'`.",
        (Member("supported", list[str], "The media types that are taken.", ["application/json"]),),
    ),
    RefusalSpec(
        "not_acceptable",
        Kind.INPUT,
        406,
        "None of the accepted media types can be answered",
        "The `Accept` header rules out everything that the operation can answer.",
        "Accept one of the `available` types, or leave the header out.",
        (
            Member(
                "available", list[str], "The media types that are answered.", ["application/json"]
            ),
        ),
    ),
    RefusalSpec(
        "method_not_allowed",
        Kind.INPUT,
        405,
        "The path does not know this method",
        "There is something at this path, but not for this method.",
        "Use one of the `allowed` methods; the `Allow` header names them too.",
        (Member("allowed", list[str], "The methods that the path knows.", ["GET", "HEAD"]),),
    ),
)
