"""Entity tags of version chains (RFC 9110, sections 8.8.3 and 13.1.1).

A chain's tag is the number of its revision in quotes. It comes with every read of a template, and
goes back in `If-Match` when the chain is to be changed, so that nobody changes what they have not
seen.
"""

import re
from collections.abc import Container
from typing import Annotated

from fastapi import Depends, Header
from starlette.responses import Response

from app.errors import Refusal
from app.refusals.invalid import invalid_input
from app.refusals.members import InvalidField

_TAG = r'(?:W/)?"[\x21\x23-\x7e\x80-\xff]*"'
_TAGS = re.compile(rf"[ \t,]*{_TAG}(?:[ \t]*,[ \t,]*{_TAG})*[ \t,]*")
_ONE = re.compile(_TAG)
_REVISION = re.compile(r'"([1-9][0-9]{0,17})"')

_IfMatch = Annotated[
    str | None,
    Header(
        alias="If-Match",
        max_length=1000,
        description="The `ETag` of the version chain, as it was read.",
        examples=['"2"'],
    ),
]


def entity_tag(revision: int) -> str:
    """The tag of a chain's revision."""
    return f'"{revision}"'


def revisions_of(if_match: str) -> list[int] | None:
    """The revisions that an `If-Match` names; None for `*`, which any revision matches.

    Tags that are weak, or none of ours, name nothing: they never match. Refuses with
    `invalid_input` what is no list of tags.
    """
    if if_match.strip() == "*":
        return None
    if not _TAGS.fullmatch(if_match):
        raise invalid_input(
            [
                InvalidField(
                    location="header",
                    pointer="/If-Match",
                    rule="entity_tag",
                    detail='should be an entity tag in quotes, as `ETag` has it: "2"',
                )
            ]
        )
    named = (_REVISION.fullmatch(tag) for tag in _ONE.findall(if_match))
    return [int(match[1]) for match in named if match]


def tags_of(if_none_match: str | None) -> Container[str]:
    """The tags that an `If-None-Match` names, weak ones as if they were strong, as it compares.

    `*` names every one. What is no list of tags names none.
    """
    if if_none_match is None:
        return ()
    if if_none_match.strip() == "*":
        return _Every()
    return {tag.removeprefix("W/") for tag in _ONE.findall(if_none_match)}


class _Every:
    def __contains__(self, tag: object) -> bool:
        return True


async def _required(if_match: _IfMatch = None) -> list[int] | None:
    if if_match is None:
        raise Refusal("precondition_required")
    return revisions_of(if_match)


async def _optional(if_match: _IfMatch = None) -> list[int] | None:
    return None if if_match is None else revisions_of(if_match)


SeenRevisions = Annotated[list[int] | None, Depends(_required)]
"""The revisions of a chain that the caller has seen. Refuses with `precondition_required`."""

SeenRevisionsIfAny = Annotated[list[int] | None, Depends(_optional)]
"""The same, where the caller need not have seen any; None then too."""


def tell_revision(response: Response, revision: int | None) -> None:
    """Put the chain's tag on a response; None: there is no chain."""
    if revision is not None:
        response.headers["ETag"] = entity_tag(revision)


ETAG_HEADER = {
    "ETag": {
        "description": "The revision of the version chain, for `If-Match`.",
        "schema": {"type": "string", "examples": ['"2"']},
    }
}
"""What OpenAPI says of the tag; put under `headers` of a response."""
