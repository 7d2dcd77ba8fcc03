"""The bodies of raw webhooks: kept as they came, since that is what was signed.

An operation takes one as `Webhook` and is marked with `@raw_webhook`.
"""

from typing import Annotated, Any

from fastapi import Body
from fastapi.openapi.models import Example
from pydantic import PlainValidator
from starlette.requests import Request

from app.errors import Refusal
from app.events.cloudevent import is_json_type
from app.events.webhook import RawWebhook
from app.http.route import readable_type, reads, whole_body
from app.strict_json import JSON

_EXAMPLES: dict[str, Example] = {
    "github": {"value": {"action": "opened", "issue": {"number": 1, "title": "It works"}}}
}

Webhook = Annotated[
    RawWebhook,
    PlainValidator(lambda webhook: webhook, json_schema_input_type=Any),
    Body(description="The sender's own JSON.", openapi_examples=_EXAMPLES),
]


async def _read(request: Request) -> RawWebhook:
    media_type = readable_type(request)
    if media_type is None or not is_json_type(media_type):
        raise Refusal("unsupported_media_type", supported=[JSON])
    headers: dict[str, list[str]] = {}
    for name, value in request.headers.items():
        headers.setdefault(name.lower(), []).append(value)
    return RawWebhook(headers, await whole_body(request))


raw_webhook = reads(_read)
"""Mark an operation as one that takes a raw webhook, of 1 MiB."""
