"""A template with placeholders, and instances of it to be read as documents."""

from typing import Any
from uuid import uuid4

from tests.support.http import Service

GATES = (
    "composer_enabled",
    "auto_instantiate_enabled",
    "template_authoring_enabled",
    "piece_write_enabled",
)
"""Those of authoring and composing."""

SCHEMA: dict[str, Any] = {
    "type": "object",
    "required": ["name"],
    "properties": {"name": {"type": "string"}, "note": {"type": "string"}},
    "additionalProperties": False,
}
BODY = "# Welcome, {{ name }}\n\nWe are glad.\n{% if note %}\n> {{ note }}\n{% endif %}"


def piece(body: str = BODY, role: str = "welcome") -> dict[str, Any]:
    """A piece of a template."""
    return {"role": role, "media_type": "text/markdown", "title": "Welcome", "body": body}


def template(*pieces: dict[str, Any], parameters: Any = SCHEMA) -> dict[str, Any]:
    """A family with its first version."""
    return {
        "family": "tpl:wf:letter",
        "title": "Letter",
        "pieces": list(pieces or (piece(),)),
        "parameters": parameters,
        "reason": "test",
    }


async def first_letter(service: Service) -> str:
    """The template is made, and an instance of it; answers with the id of that."""
    made = await service.operator.post("/templates", json=template())
    assert made.status_code == 201, made.text
    return await compose(service, {"name": "Ada"})


async def compose(service: Service, data: dict[str, Any], **event: str) -> str:
    """The id of a new instance."""
    order = {
        "event_id": str(uuid4()),
        "event_type": "t",
        "template": "tpl:wf:letter",
        "suffix": "ada",
        "data": data,
        **event,
    }
    answer = await service.producer.post("/instances/from-event", json=order)
    assert answer.status_code == 201, answer.text
    made: str = answer.json()["instance_collection_id"]
    return made
