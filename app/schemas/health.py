"""Health, over the wire."""

from typing import Literal

from pydantic import Field

from app.refusals.members import ReadinessCheck
from app.schemas.base import WireModel, with_example


class Alive(WireModel):
    """The process answers."""

    model_config = with_example({"status": "alive"})

    status: Literal["alive"] = "alive"


class Ready(WireModel):
    """The process answers, and so does everything that it needs."""

    model_config = with_example(
        {
            "status": "ready",
            "checks": [
                {"name": "database", "ok": True, "detail": "It answers."},
                {"name": "schema", "ok": True, "detail": "It is as this program needs it."},
            ],
        }
    )

    status: Literal["ready"] = "ready"
    checks: list[ReadinessCheck] = Field(description="What was looked at.")
