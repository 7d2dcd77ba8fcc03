"""One Pydantic model per refusal, discriminated by `code`, and what OpenAPI says about them."""

from collections.abc import Mapping
from functools import cache
from types import MappingProxyType
from typing import Any, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, create_model

from app.refusals import CATALOGUE
from app.refusals.spec import RefusalSpec

PROBLEM_MEDIA_TYPE = "application/problem+json"

_REQUEST_ID_EXAMPLE = "5b9a1f0c-6c1e-4b52-9d0e-2f8f4f6f7a10"


class Problem(BaseModel):
    """What every problem document carries (RFC 9457, and the factory's `code` and `request_id`)."""

    model_config = ConfigDict(extra="forbid")

    type: str = Field(description="The path of the page that explains the refusal.")
    title: str = Field(description="What the refusal means, always the same for a code.")
    status: int = Field(description="The HTTP status, once more.")
    detail: str = Field(description="What happened this time.")
    instance: str = Field(description="The path that was asked.")
    code: str = Field(description="The refusal's stable name.")
    request_id: UUID = Field(description="The request's id, in the logs and in `X-Request-ID`.")


def _model(spec: RefusalSpec) -> type[Problem]:
    fields: dict[str, Any] = {
        "type": (Literal[spec.page], Field(description="The page that explains it.")),
        "title": (Literal[spec.title], Field(description="What it means.")),
        "status": (Literal[spec.statuses], Field(description="The HTTP status, once more.")),
        "code": (Literal[spec.code], Field(description="The refusal's stable name.")),
    }
    for member in spec.members:
        default = ... if member.required else None
        fields[member.name] = (member.type, Field(default, description=member.meaning))
    name = "".join(word.capitalize() for word in spec.code.split("_")) + "Problem"
    return create_model(name, __base__=Problem, __doc__=spec.meaning, **fields)


PROBLEM_MODELS: Mapping[str, type[Problem]] = MappingProxyType(
    {code: _model(spec) for code, spec in CATALOGUE.items()}
)


def example(code: str, status: int | None = None) -> dict[str, Any]:
    """One problem document as this code gives it, without what only special cases add."""
    spec = CATALOGUE[code]
    return {
        "type": spec.page,
        "title": spec.title,
        "status": status or spec.status,
        "detail": spec.meaning,
        "instance": spec.asked,
        "code": code,
        "request_id": _REQUEST_ID_EXAMPLE,
        **{member.name: member.example for member in spec.members if not member.special},
    }


def schema_name(code: str) -> str:
    """The name of the refusal's schema in the OpenAPI document."""
    return PROBLEM_MODELS[code].__name__


def example_name(code: str, status: int) -> str:
    """The name of the refusal's example in the OpenAPI document."""
    return code if status == CATALOGUE[code].status else f"{code}_{status}"


def refusals(*codes: str) -> dict[int | str, dict[str, Any]]:
    """The `responses=` of an operation that can be refused with these codes.

    They are grouped by HTTP status. A code stands for its usual status; one of its others is asked
    for as `rolled_back:410`. `x-refusals` names the codes, so that lists can be merged.
    """
    by_status: dict[int, list[str]] = {}
    for word in codes:
        code, _, status = word.partition(":")
        listed = by_status.setdefault(int(status) if status else CATALOGUE[code].status, [])
        if code not in listed:
            listed.append(code)
    return {
        status: _response(tuple(listed), status) for status, listed in sorted(by_status.items())
    }


def merged(*responses: Mapping[int | str, dict[str, Any]]) -> dict[int | str, dict[str, Any]]:
    """Several `responses=` as one; where two speak of the same status, their refusals add up."""
    result: dict[int | str, dict[str, Any]] = {}
    for part in responses:
        for status, response in part.items():
            known = result.get(status)
            if known is None or "x-refusals" not in known or "x-refusals" not in response:
                result[status] = response
                continue
            codes = [*known["x-refusals"], *response["x-refusals"]]
            result.update(refusals(*(f"{code}:{status}" for code in codes)))
    return result


@cache
def _response(codes: tuple[str, ...], status: int) -> dict[str, Any]:
    references = {code: f"#/components/schemas/{schema_name(code)}" for code in codes}
    if len(codes) == 1:
        schema: dict[str, Any] = {"$ref": references[codes[0]]}
    else:
        schema = {
            "oneOf": [{"$ref": reference} for reference in references.values()],
            "discriminator": {"propertyName": "code", "mapping": references},
        }
    description = " · ".join(f"`{code}`: {CATALOGUE[code].title}" for code in codes)
    examples = {
        code: {"$ref": f"#/components/examples/{example_name(code, status)}"} for code in codes
    }
    response: dict[str, Any] = {
        "description": description,
        "content": {PROBLEM_MEDIA_TYPE: {"schema": schema, "examples": examples}},
        "x-refusals": list(codes),
    }
    if status == 503:
        response["headers"] = {
            "Retry-After": {
                "description": "Seconds to wait before the same request is sent again.",
                "schema": {"type": "integer"},
            }
        }
    return response
