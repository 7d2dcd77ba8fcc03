"""Templates over the wire: what authors send, and what they are answered."""

from typing import Annotated, Any, Literal, Self

from pydantic import ConfigDict, Discriminator, Field, StringConstraints, Tag, model_validator

from app.schemas.base import (
    Actor,
    FamilyKey,
    Reason,
    Sha256,
    Uuid,
    WireModel,
    with_example,
)
from app.schemas.pieces import Axes, Body, MediaType, Title
from app.schemas.templates import (
    CHANGES_EXAMPLE,
    PARAMETERS_EXAMPLE,
    TEMPLATE_EXAMPLE,
    PieceChange,
    Template,
)

MAX_PIECES = 10_000
MAX_EDITS = 1_000

Warnings = Annotated[
    list[Literal["unit_retired", "unit_superseded"]],
    Field(description="What became of pieces that it holds: `unit_superseded`, `unit_retired`."),
]

Variables = Annotated[
    list[str],
    Field(description="What its pieces ask for, as paths: `person.name`, `milestones[].due`."),
]
MayBeMissing = Annotated[
    list[str],
    Field(
        description="Of these, what valid data may leave out and no piece asks about before: the"
        " document of such an instance can't be made."
    ),
]

Role = Annotated[
    str,
    StringConstraints(pattern=r"^[a-z][a-z0-9_-]{0,62}$"),
    Field(description="What the piece is for in this template.", examples=["welcome"]),
]
Position = Annotated[int, Field(ge=1, le=MAX_PIECES, description="From 1.")]
PinnedKey = Annotated[
    str,
    StringConstraints(max_length=211, pattern=r"^tpl:[a-z0-9-]+:[a-z0-9-]+[/@]v[1-9][0-9]{0,8}$"),
    Field(
        description="A template's key, also with `@` for the slash.",
        examples=["tpl:file:status-report/v1"],
    ),
]
FamilyTitle = Annotated[Title, Field(description="The family's title; may be empty.")]
FamilyDescription = Annotated[
    str, Field(max_length=2000, description="What the family is for; may be empty.")
]
Parameters = Annotated[
    dict[str, Any] | None,
    Field(description="A JSON Schema (2020-12) that `data` has to satisfy; null: any data does."),
]
ParametersChanged = Annotated[
    bool, Field(description="Whether it judges data by another schema than the version before.")
]
ActingAs = Annotated[Actor | None, Field(description="Narrows the key's own.")]


class KnownPiece(WireModel):
    """A piece that is there, in a role."""

    model_config = with_example(
        {"role": "welcome", "unit_id": "c2b6bb7e-0b0e-4f0b-8a2f-5f1c0d6a7b11"}
    )

    role: Role
    unit_id: Uuid


class InlinePiece(WireModel):
    """A content in a role. A piece that is there is used; else an active one is made."""

    model_config = with_example(
        {
            "role": "executive_summary",
            "media_type": "text/markdown",
            "title": "Executive summary",
            "body": "Where we stand, what changed, what we ask.",
        }
    )

    role: Role
    media_type: MediaType
    title: Title
    body: Body
    axes: Axes = Field(default_factory=dict, description="Of a piece that is newly made.")


# Pydantic puts these into the locations of errors, among the names of the body's members: so they
# are what no name in a body can be (`app.refusals.validation`).
_UNIT = "\0unit"
_CONTENT = "\0content"


def _kind(value: Any) -> str:
    named = value.get("unit_id") if isinstance(value, dict) else getattr(value, "unit_id", None)
    return _CONTENT if named is None else _UNIT


PieceSpec = Annotated[
    Annotated[KnownPiece, Tag(_UNIT)] | Annotated[InlinePiece, Tag(_CONTENT)],
    Discriminator(_kind),
]


class Insert(WireModel):
    """Puts a piece where it shall stand; those from there on move down by one."""

    op: Literal["insert"]
    position: Position
    piece: PieceSpec


class Replace(WireModel):
    """Puts a piece in the place of another."""

    op: Literal["replace"]
    position: Position
    piece: PieceSpec


class Remove(WireModel):
    """Takes a piece out; those below it move up by one."""

    op: Literal["remove"]
    position: Position


class Move(WireModel):
    """Takes a piece out of its position and puts it where it shall stand afterwards."""

    op: Literal["move"]
    position: Position
    to: Position


Edit = Annotated[Insert | Replace | Remove | Move, Field(discriminator="op")]

_INLINE = {
    "role": "executive_summary",
    "media_type": "text/markdown",
    "title": "Executive summary",
    "body": "Where we stand, what changed, what we ask.",
}


class NewTemplate(WireModel):
    """A family and its first version."""

    model_config = with_example(
        {
            "family": "tpl:file:status-report",
            "title": "Status report",
            "description": "What a project tells its sponsors.",
            "pieces": [_INLINE],
            "parameters": PARAMETERS_EXAMPLE,
            "reason": "the first template",
        }
    )

    family: FamilyKey
    title: FamilyTitle = ""
    description: FamilyDescription = ""
    pieces: list[PieceSpec] = Field(min_length=1, max_length=MAX_PIECES)
    parameters: Parameters = None
    reason: Reason | None = None
    actor: ActingAs = None


def _only(given: str, left_out: str) -> dict[str, Any]:
    return {
        "required": [given],
        "properties": {given: {"type": "array"}, left_out: {"type": "null"}},
    }


_NEITHER: dict[str, Any] = {
    "required": ["parameters"],
    "properties": {"edits": {"type": "null"}, "pieces": {"type": "null"}},
}


_NEW_VERSION: dict[str, Any] = {
    "example": {
        "edits": [{"op": "insert", "position": 1, "piece": _INLINE}],
        "reason": "readers with one minute",
    },
    "oneOf": [_only("edits", "pieces"), _only("pieces", "edits"), _NEITHER],
}


class NewVersion(WireModel):
    """A family's next version: edits to the current one's pieces, or all of its own.

    With `parameters` alone the pieces stay; without them data is judged as by the current version.
    """

    model_config = ConfigDict(json_schema_extra=_NEW_VERSION)

    edits: list[Edit] | None = Field(
        None,
        min_length=1,
        max_length=MAX_EDITS,
        description="One after the other; positions count in the list as the edit before left it.",
    )
    pieces: list[PieceSpec] | None = Field(None, min_length=1, max_length=MAX_PIECES)
    parameters: Parameters = None
    dry_run: bool = Field(False, description="Only tells what would come out.")
    reason: Reason | None = None
    actor: ActingAs = None

    @model_validator(mode="after")
    def _either(self) -> Self:
        neither = self.edits is None and self.pieces is None
        both = self.edits is not None and self.pieces is not None
        if both or (neither and self.keeps_parameters):
            raise ValueError("should have either `edits` or `pieces`")
        return self

    @property
    def keeps_parameters(self) -> bool:
        """Whether data is judged as by the current version: null is something else."""
        return "parameters" not in self.model_fields_set


class MarkTemplate(WireModel):
    """A plain collection that is to be a template, and the key that it gets."""

    model_config = with_example(
        {
            "collection_id": "7a0e3c1e-2b0e-4d0a-9d5a-4a0b8c7d6e5f",
            "template_key": "tpl:file:status-report/v1",
            "reason": "it was one all along",
        }
    )

    collection_id: Uuid
    template_key: PinnedKey
    parameters: Parameters = None
    reason: Reason | None = None
    actor: ActingAs = None


class RegisterVersion(WireModel):
    """What is said of a template that gets its place in the chain."""

    model_config = with_example({"title": "Status report", "reason": "the chain begins"})

    title: Title = Field("", description="The family's, when this is its first version.")
    description: FamilyDescription = ""
    reason: Reason | None = None
    actor: ActingAs = None


class WithdrawTemplate(WireModel):
    """Why a version is withdrawn."""

    model_config = with_example({"reason": "it names the wrong building"})

    reason: Reason
    actor: ActingAs = None


class AuthoredTemplate(Template):
    """A template after it was made, marked, registered."""

    model_config = with_example(
        {
            **TEMPLATE_EXAMPLE,
            "warnings": [],
            "variables": ["name", "starts"],
            "may_be_missing": [],
        }
    )

    warnings: Warnings
    variables: Variables
    may_be_missing: MayBeMissing


class PublishedVersion(Template):
    """A version that was made, and what is different in it."""

    model_config = with_example(
        {
            **TEMPLATE_EXAMPLE,
            "outcome": "published",
            "changes": CHANGES_EXAMPLE,
            "parameters_changed": False,
            "warnings": [],
            "variables": ["name", "starts"],
            "may_be_missing": [],
        }
    )

    outcome: Literal["published"]
    changes: list[PieceChange] = Field(description="From the version that was current before.")
    parameters_changed: ParametersChanged
    warnings: Warnings
    variables: Variables
    may_be_missing: MayBeMissing


class WouldBeVersion(WireModel):
    """What the next version would be."""

    template_key: str
    version: str
    composition_digest: Sha256
    piece_count: int
    schema_digest: Sha256 | None
    supersedes: str | None


class VersionDryRun(WireModel):
    """What making the next version would come to. Nothing was written."""

    model_config = with_example(
        {
            "outcome": "dry_run",
            "would_be": {
                "template_key": "tpl:file:status-report/v2",
                "version": "v2",
                "composition_digest": "9f86d081" * 8,
                "piece_count": 6,
                "schema_digest": "6b86b273" * 8,
                "supersedes": "tpl:file:status-report/v1",
            },
            "changes": CHANGES_EXAMPLE,
            "parameters_changed": False,
            "warnings": [],
            "variables": ["name", "starts"],
            "may_be_missing": [],
        }
    )

    outcome: Literal["dry_run"]
    would_be: WouldBeVersion
    changes: list[PieceChange] = Field(description="From the current version.")
    parameters_changed: ParametersChanged
    warnings: Warnings
    variables: Variables
    may_be_missing: MayBeMissing


class WithdrawnTemplate(Template):
    """A version that was withdrawn, and what is current instead."""

    model_config = with_example(
        {
            **TEMPLATE_EXAMPLE,
            "status": "withdrawn",
            "family_chain_length": 1,
            "withdrawn_by": "author-anna",
            "withdrawn_at": "2025-06-02T12:00:00Z",
            "withdrawn_reason": "it names the wrong building",
            "current": "tpl:wf:onboarding/v1",
            "warnings": [],
        }
    )

    current: str | None = Field(description="The family's current version; null: it has none.")
    warnings: Warnings
