"""What a template file says: a family's first version, or the edits that make the next one.

The same models stand behind the seeds and behind `factory template create|version --from`.
docs/content-format.md is for people who write such files.
"""

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, StringConstraints

from app.schemas.base import FamilyKey, Reason, WireModel

#: Where the database's columns and the API's body limit end, which is the same for every client.
MAX_TITLE = 200
MAX_DESCRIPTION = 2000
MAX_PIECES = 10_000
NO_NUL = r"^[^\x00]*$"
ONE_LINE = r"^[^\x00-\x1f\x7f-\x9f]*$"


def _not_blank(text: str) -> str:
    if not text.strip():
        raise ValueError("should not be blank")
    return text


Role = Annotated[
    str,
    StringConstraints(pattern=r"^[a-z][a-z0-9_-]{0,62}$"),
    Field(description="What the piece is for in this template: `agenda`, `risks`."),
]
MediaType = Annotated[
    str,
    StringConstraints(
        max_length=100, pattern=r"^[a-z0-9][a-z0-9!#$&^_.+-]*/[a-z0-9][a-z0-9!#$&^_.+-]*$"
    ),
    Field(description="In lower case, without parameters: `text/markdown`."),
]
Title = Annotated[
    str,
    StringConstraints(min_length=1, max_length=MAX_TITLE, pattern=ONE_LINE),
    AfterValidator(_not_blank),
    Field(description="One line."),
]
AxisName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$")]
AxisValue = Annotated[str, StringConstraints(max_length=200, pattern=ONE_LINE)]
Position = Annotated[
    int,
    Field(ge=1, le=MAX_PIECES, description="Counted from 1, after the edits before this one."),
]
VersionName = Annotated[str, StringConstraints(pattern=r"^v[1-9][0-9]{0,8}$")]


class Piece(WireModel):
    """A piece of content and the role that it plays in the template."""

    role: Role
    title: Title
    media_type: MediaType = "text/markdown"
    body: Annotated[
        str, StringConstraints(min_length=1, pattern=NO_NUL), AfterValidator(_not_blank)
    ]
    axes: Annotated[
        dict[AxisName, AxisValue], Field(description="Facets of the piece, name to value.")
    ] = Field(default_factory=dict)


class Insert(WireModel):
    """Puts a new piece where it shall stand; those from there on move down by one."""

    op: Literal["insert"]
    position: Position
    piece: Piece


class Replace(WireModel):
    """Puts a new piece in the place of an old one."""

    op: Literal["replace"]
    position: Position
    piece: Piece


class Remove(WireModel):
    """Takes a piece out; those below it move up by one."""

    op: Literal["remove"]
    position: Position


class Move(WireModel):
    """Takes a piece from one position and puts it where it shall stand afterwards."""

    op: Literal["move"]
    position: Position
    to: Position


Edit = Annotated[Insert | Replace | Remove | Move, Field(discriminator="op")]


class CreateFile(WireModel):
    """A file that creates a family with its first version."""

    family: FamilyKey
    title: Title
    description: Annotated[
        str, StringConstraints(max_length=MAX_DESCRIPTION, pattern=NO_NUL), Field()
    ] = ""
    reason: Reason
    parameters: Annotated[
        dict[str, Any] | None, Field(description="A JSON Schema for the data of instances.")
    ] = None
    pieces: Annotated[list[Piece], Field(min_length=1, max_length=MAX_PIECES)]

    def request_body(self) -> dict[str, Any]:
        """Answer with the body of `POST /templates`."""
        return self.model_dump(mode="json", exclude=_left_out(self))


class VersionFile(WireModel):
    """A file that makes the next version of a family, by edits to its current one."""

    family: FamilyKey
    supersedes: Annotated[
        VersionName | None,
        Field(description="The version that the positions count in. Without it: any current one."),
    ] = None
    reason: Reason
    parameters: Annotated[
        dict[str, Any] | None,
        Field(
            description="Without them data is judged as by the version before; null: not at all."
        ),
    ] = None
    edits: Annotated[list[Edit], Field(min_length=1, max_length=MAX_PIECES)]

    def request_body(self) -> dict[str, Any]:
        """Answer with the body of `POST /templates/families/{family}/versions`.

        The family goes into the path and `supersedes` into the comparison with the current
        version, whose ETag is sent as If-Match.
        """
        return self.model_dump(mode="json", exclude={"family", "supersedes"} | _left_out(self))


TemplateFile = CreateFile | VersionFile


def _left_out(file: TemplateFile) -> set[str]:
    """`parameters`, where the file does not say any: null would say something else."""
    return {"parameters"} - file.model_fields_set
