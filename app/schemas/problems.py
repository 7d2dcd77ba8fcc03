"""The explanations of refusals, over the wire."""

from typing import Any

from pydantic import Field

from app.refusals import CATALOGUE
from app.refusals.models import example
from app.refusals.spec import Kind, RefusalSpec
from app.schemas.base import WireModel, with_example

_EXAMPLE: dict[str, Any] = {
    "type": "/problems/too_deep",
    "code": "too_deep",
    "kind": "input",
    "title": CATALOGUE["too_deep"].title,
    "statuses": [{"status": 422, "when": ""}],
    "meaning": CATALOGUE["too_deep"].meaning,
    "remedy": CATALOGUE["too_deep"].remedy,
    "members": [
        {
            "name": "limit",
            "meaning": CATALOGUE["too_deep"].members[0].meaning,
            "always": True,
            "example": 32,
        }
    ],
    "example": example("too_deep"),
}


class ExplainedMember(WireModel):
    """A member that a problem carries beside the common ones."""

    name: str
    meaning: str
    always: bool = Field(description="Whether every problem with this code carries it.")
    example: Any


class ExplainedStatus(WireModel):
    """An HTTP status that a refusal is answered with."""

    status: int
    when: str = Field(description="When it is this one; empty for the usual status.")


class ExplainedProblem(WireModel):
    """What a refusal means, and what helps."""

    model_config = with_example(_EXAMPLE)

    type: str = Field(description="The path of this explanation.")
    code: str
    kind: Kind
    title: str
    statuses: list[ExplainedStatus] = Field(description="The usual one first.")
    meaning: str
    remedy: str
    members: list[ExplainedMember]
    example: dict[str, Any] = Field(
        description="A whole problem document, without what only special cases add."
    )

    @classmethod
    def of(cls, spec: RefusalSpec) -> "ExplainedProblem":
        """The explanation of one entry of the catalogue."""
        statuses = {spec.status: "", **spec.other_statuses}
        return cls(
            type=spec.page,
            code=spec.code,
            kind=spec.kind,
            title=spec.title,
            statuses=[
                ExplainedStatus(status=status, when=when) for status, when in statuses.items()
            ],
            meaning=spec.meaning,
            remedy=spec.remedy,
            members=[
                ExplainedMember(
                    name=member.name,
                    meaning=member.meaning,
                    always=member.required,
                    example=member.example,
                )
                for member in spec.members
            ],
            example=example(spec.code),
        )


class ExplainedProblems(WireModel):
    """Every refusal that this service can answer."""

    model_config = with_example({"problems": [_EXAMPLE]})

    problems: list[ExplainedProblem]
