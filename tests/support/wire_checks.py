"""What schemathesis looks at beside its own checks; it loads this module by its name.

Its own check of accepted data knows only statuses. Here it is looked at more closely: when what
fits the schema is refused as `invalid_input`, it must be by a rule that no schema can tell.
"""

import json
from typing import Any

import schemathesis

from app.refusals import CATALOGUE

AnyCase = schemathesis.Case[Any]

# Rules and places: several fields at once, what the database holds, or JSON itself.
BEYOND_SCHEMAS = {
    "page_token": "it belongs to one list with one set of filters",
    "family": "only a family is asked what was current then",
    "position": "it depends on how many pieces there are",
    "secret": "what it may be depends on the kind of signature",
    "expression": "no schema knows the grammar of CEL",
    "endpoint": "no schema knows where a URL leads",
    "/endpoint": "or what is one",
    "reference": "no schema knows a URI reference from another text",
    "value": "what a setting may be depends on which one it is",
    "surface": "what there is depends on the snapshots",
    "order": "of two snapshots one was taken before the other",
    "duplicate_key": "a list of texts may name one surface twice",
    "entity_tag": "schemathesis writes null in a header as a text",
    "control_character": "the names in free data have none",
    "nul_character": "PostgreSQL can't store it in free data",
    "lone_surrogate": "it is no character",
    "integer_not_exact": "a double can't hold it",
    "number_out_of_range": "a double can't hold it",
}
SEVERAL_FIELDS = (
    "should be later than composed_from",
    "should be later than received_from",
    "should be later than written_from",
    "should have either header or expression",
    "should be whsec_ and the Base64 of 24 to 64 bytes",
    "should be a URI reference (RFC 3986), with all else percent-encoded",
    "should be application/json, or end with +json: data fills templates",
    "goes with atomic=true: an operation passes the gates as they are",
)

# The headers that some responses have and others have not.
TOLD = ("Location", "ETag", "Idempotent-Replayed", "Retry-After")


@schemathesis.serializer("application/x-ndjson")
def one_on_each_line(
    ctx: schemathesis.SerializationContext,
    value: Any,
) -> bytes:
    """The items of an array, one on a line; what is no array is a line by itself."""
    items = value if isinstance(value, list) else [value]
    return b"".join(json.dumps(item).encode() + b"\n" for item in items)


@schemathesis.check
def headers_are_documented(
    ctx: schemathesis.CheckContext,
    response: schemathesis.Response,
    case: AnyCase,
) -> None:
    """A header that tells something is in the document, with its response."""
    documented = case.operation.definition.raw["responses"].get(str(response.status_code), {})
    for name in TOLD:
        if name.lower() in response.headers and case.method == case.operation.method.upper():
            assert name in documented.get("headers", {}), f"{name} is not documented"


@schemathesis.check
def refusals_are_as_documented(
    ctx: schemathesis.CheckContext,
    response: schemathesis.Response,
    case: AnyCase,
) -> None:
    """A refusal is a problem document that agrees with the catalogue and with its response."""
    if response.status_code < 400:
        return
    assert response.headers["content-type"] == ["application/problem+json"]
    document = response.json()
    spec = CATALOGUE[document["code"]]
    assert document["status"] == response.status_code
    assert response.status_code in spec.statuses
    assert document["type"] == spec.page
    assert document["title"] == spec.title
    assert [document["request_id"]] == response.headers["x-request-id"]
    if spec.code == "invalid_input" and case.meta and case.meta.generation.mode.is_positive:
        told = [error for error in document["errors"] if not _is_beyond_schemas(error, case.body)]
        assert not told, f"the schema allows this, but it is refused: {told}"


def _is_beyond_schemas(error: dict[str, str], body: Any) -> bool:
    if {error["rule"], error["pointer"]} & BEYOND_SCHEMAS.keys() or (
        error["detail"] in SEVERAL_FIELDS
    ):
        return True
    # To JSON Schema 1.0 is an integer; here it is none.
    value = _at(error["pointer"], body)
    return error["rule"] == "int_type" and isinstance(value, float) and value.is_integer()


def _at(pointer: str, document: Any) -> Any:
    for token in pointer.split("/")[1:]:
        if isinstance(document, list):
            document = document[int(token)]
        elif isinstance(document, dict):
            document = document.get(token)
    return document
