"""The two settings that are no gates, over the wire."""

from typing import Annotated, Any, Literal

from pydantic import Field, StringConstraints

from app.schemas.base import (
    NO_CONTROL_CHARACTERS,
    Actor,
    OutboundDraining,
    Reason,
    Timestamp,
    Uuid,
    WireModel,
    with_example,
)

_RouteName = Annotated[
    str, StringConstraints(min_length=1, max_length=200, pattern=NO_CONTROL_CHARACTERS)
]

SettingValue = Annotated[
    Literal["refuse", "inert"] | Annotated[list[_RouteName], Field(max_length=1000)],
    Field(
        description="Of `iu_core.unknown_event_types`: `refuse` or `inert`. Of"
        " `iu_core.delivery_live_routes`: a list of different names of routes."
    ),
]

_SETTING = {
    "setting": "iu_core.unknown_event_types",
    "value": "refuse",
    "changed_at": "2025-06-01T12:00:00Z",
    "changed_by": "ops-anna",
    "reason": "strict intake from now on",
}

_HISTORY = {
    "history_id": 43,
    "setting": "iu_core.unknown_event_types",
    "action": "set",
    "actor": "ops-anna",
    "principal": "anna@example.org",
    "reason": "strict intake from now on",
    "request_id": "5b9a1f0c-6c1e-4b52-9d0e-2f8f4f6f7a10",
    "occurred_at": "2025-06-01T12:00:00Z",
    "details": {"before": "inert", "after": "refuse"},
}


class Setting(WireModel):
    """One of the two settings, and who set it last, when and why."""

    model_config = with_example(_SETTING)

    setting: str = Field(description="The setting's key.")
    value: SettingValue
    changed_at: Timestamp
    changed_by: str
    reason: str


class SettingPage(WireModel):
    """The settings, sorted by key."""

    model_config = with_example({"items": [_SETTING], "next_page_token": None})

    items: list[Setting]
    next_page_token: str | None


class SetSetting(WireModel):
    """Sets a setting."""

    model_config = with_example({"value": "refuse", "reason": "strict intake from now on"})

    value: SettingValue
    reason: Reason
    actor: Actor | None = Field(default=None, description="Left out: the key's own.")


class SettingSet(Setting):
    """A setting, after it was set."""

    model_config = with_example({**_SETTING, "changed": True, "draining": False})

    changed: bool = Field(description="False when it was so before.")
    draining: OutboundDraining


class SettingChange(WireModel):
    """One entry of a setting's history."""

    model_config = with_example(_HISTORY)

    history_id: int
    setting: str
    action: Literal["set"]
    actor: str
    principal: str
    reason: str
    request_id: Uuid | None
    occurred_at: Timestamp
    details: dict[str, Any]


class SettingHistoryPage(WireModel):
    """A setting's history, the newest first."""

    model_config = with_example({"items": [_HISTORY], "next_page_token": None})

    items: list[SettingChange]
    next_page_token: str | None
