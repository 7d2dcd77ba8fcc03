"""What all documents on the wire have in common: strict models, and the small types they share.

The grammars are those of 2-design §3. Lengths that the design leaves open are bounded here, since
an index entry in PostgreSQL is bounded too.
"""

import re
from datetime import UTC, datetime
from typing import Annotated, Any
from uuid import UUID

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    GetCoreSchemaHandler,
    StringConstraints,
)
from pydantic_core import CoreSchema

# Unicode's category Cc. In a pattern of JSON Schema it means the same as here.
CONTROL_CHARACTERS = r"\x00-\x1f\x7f-\x9f"
NO_CONTROL_CHARACTERS = rf"^[^{CONTROL_CHARACTERS}]*$"

# What may stand between two slashes of a path.
PATH_SEGMENT = rf"^[^/{CONTROL_CHARACTERS}]+$"

MAX_PAGE = 200
DEFAULT_PAGE = 50

_LEAVES = frozenset({"str", "int", "float", "bool"})
_UUID = re.compile(r"[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}")
_RFC3339 = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)")


def _make_leaves_strict(node: Any) -> None:
    if isinstance(node, dict):
        # A node of the schema names its type; a model's fields are a mapping, with any names.
        is_schema = isinstance(node.get("type"), str)
        if is_schema and node["type"] in _LEAVES:
            node["strict"] = True
        for key, value in node.items():
            if not (is_schema and key in {"metadata", "serialization"}):
                _make_leaves_strict(value)
    elif isinstance(node, list | tuple):
        for value in node:
            _make_leaves_strict(value)


class WireModel(BaseModel):
    """A JSON document, in or out: unknown fields are refused, and JSON's types are kept.

    A number is no text, `1` is no `true` and `"1"` is no number, as opposed to Pydantic's habits.
    UUIDs, timestamps and enums are read from their text, since JSON has no types for them.
    """

    model_config = ConfigDict(
        extra="forbid", frozen=True, validate_default=False, ser_json_inf_nan="null"
    )

    @classmethod
    def __get_pydantic_core_schema__(
        cls, source: type[BaseModel], handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        """Make the leaves strict. The model's own `strict` would refuse a UUID's text too."""
        schema = handler(source)
        _make_leaves_strict(schema)
        return schema


class QueryModel(BaseModel):
    """The parameters of a query, as `Annotated[Model, Query()]`: unknown names are refused.

    Values arrive as text here, so Pydantic's reading of numbers from text is wanted.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)


def with_example(example: dict[str, Any]) -> ConfigDict:
    """The `model_config` of a model with one example, for the OpenAPI document."""
    return ConfigDict(json_schema_extra={"example": example})


def is_timestamp(value: Any) -> Any:
    """The value, if it is a point in time or the text of one (RFC 3339); else raises ValueError."""
    if isinstance(value, datetime) or (isinstance(value, str) and _RFC3339.fullmatch(value)):
        return value
    raise ValueError("should be a timestamp of RFC 3339, with its offset: 2025-06-01T12:00:00Z")


def _is_uuid(value: Any) -> Any:
    if isinstance(value, UUID) or (isinstance(value, str) and _UUID.fullmatch(value)):
        return value
    raise ValueError("should be a UUID: 8-4-4-4-12 hex digits")


def as_utc(value: datetime) -> datetime:
    """The point in time, in UTC; raises ValueError where UTC has no year for it."""
    try:
        return value.astimezone(UTC)
    except OverflowError as error:
        raise ValueError("lies outside the years 1 to 9999 in UTC") from error


Timestamp = Annotated[
    AwareDatetime,
    BeforeValidator(is_timestamp),
    AfterValidator(as_utc),
    Field(
        description="RFC 3339, in UTC.",
        json_schema_extra={"format": "date-time", "example": "2025-06-01T12:00:00Z"},
    ),
]
"""A point in time. Taken with any offset, answered in UTC."""

Uuid = Annotated[
    UUID,
    BeforeValidator(_is_uuid),
    Field(json_schema_extra={"example": "0f3c1e6e-2b0e-4d0a-9d5a-4a0b8c7d6e5f"}),
]
"""A UUID in its usual form; Pydantic alone would also take braces, `urn:uuid:` and bare digits."""

Actor = Annotated[
    str,
    StringConstraints(pattern=r"^[a-z0-9][a-z0-9._:-]{0,127}$"),
    Field(description="The tag under which something is done.", examples=["iu-core-25000x-bulk"]),
]

Suffix = Annotated[
    str,
    StringConstraints(max_length=200, pattern=NO_CONTROL_CHARACTERS),
    Field(
        description="Tells the instances of one event and template apart; may be empty.",
        examples=["25000x-bulk-wf-001"],
    ),
]

FamilyKey = Annotated[
    str,
    StringConstraints(max_length=200, pattern=r"^tpl:[a-z0-9-]+:[a-z0-9-]+$"),
    Field(description="A template family.", examples=["tpl:wf:onboarding"]),
]

_UUID_TEXT = "[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}"


def _reference_pattern(before_version: str) -> str:
    family = "tpl:[a-z0-9-]+:[a-z0-9-]+"
    return rf"^({_UUID_TEXT}|{family}({before_version}v[1-9][0-9]{{0,8}})?)$"


# The pattern of a reference is told and not enforced: one that is malformed is refused where
# references are looked up, in the words of that place.
TemplateReference = Annotated[
    str,
    StringConstraints(min_length=1, max_length=250, pattern=NO_CONTROL_CHARACTERS),
    Field(
        description="A template: the collection's UUID, a pinned key (`tpl:wf:onboarding/v2`, or"
        " `tpl:wf:onboarding@v2`), or a family, which stands for its current version.",
        examples=["tpl:wf:onboarding/v2"],
        json_schema_extra={"pattern": _reference_pattern("[/@]")},
    ),
]

TemplateInPath = Annotated[
    str,
    StringConstraints(min_length=1, max_length=250, pattern=PATH_SEGMENT),
    Field(
        description="A template: the collection's UUID, a pinned key with `@` for its slash, which"
        " can't stand in a path (`tpl:wf:onboarding@v2`), or a family, which stands for its"
        " current version.",
        examples=["tpl:wf:onboarding@v2"],
        json_schema_extra={"pattern": _reference_pattern("@")},
    ),
]

EventType = Annotated[
    str,
    StringConstraints(min_length=1, max_length=200, pattern=NO_CONTROL_CHARACTERS),
    Field(description="The event's type.", examples=["employee.hired"]),
]

Reason = Annotated[
    str,
    StringConstraints(min_length=1, max_length=500, pattern=NO_CONTROL_CHARACTERS),
    Field(description="Why, in one line, for the history.", examples=["monthly status reports"]),
]

Sha256 = Annotated[
    str,
    StringConstraints(pattern=r"^[0-9a-f]{64}$"),
    Field(description="A SHA-256 digest, 64 lower-case hex digits."),
]

PageToken = Annotated[
    str,
    StringConstraints(min_length=1, max_length=1000, pattern=r"^[A-Za-z0-9_-]+$"),
    Field(description="From `next_page_token` of the page before. Opaque."),
]

PageLimit = Annotated[
    int, Field(ge=1, le=MAX_PAGE, description=f"How many; {DEFAULT_PAGE} when left out.")
]


class Page(QueryModel):
    """The parameters that every list has."""

    limit: PageLimit = DEFAULT_PAGE
    page_token: PageToken | None = None


OutboundDraining = Annotated[
    bool,
    Field(
        description="Of a change of what may leave: waiting for transactions that go by what was"
        " before took too long and was cut off; some may go on. Ask again to wait again."
    ),
]
