"""The explanations of refusals, over the wire."""

from typing import Any

from pydantic import Field

from app.refusals.spec import Kind, RefusalSpec
from app.schemas.base import WireModel


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

    type: str = Field(description="The path of this explanation.")
    code: str
    kind: Kind
    title: str
    statuses: list[ExplainedStatus] = Field(description="The usual one first.")
    meaning: str
    remedy: str
    members: list[ExplainedMember]

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
        )


class ExplainedProblems(WireModel):
    """Every refusal that this service can answer."""

    problems: list[ExplainedProblem]
