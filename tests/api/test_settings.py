"""`/settings`: exact JSON."""

from typing import Any

import httpx

from tests.support.http import Service, problem

UNKNOWN_TYPES = "iu_core.unknown_event_types"
LIVE_ROUTES = "iu_core.delivery_live_routes"


def refusal(response: httpx.Response, code: str, **members: Any) -> Any:
    """The problem document that a response must be."""
    request_id = response.headers["x-request-id"]
    return problem(code, request_id, response.request.url.path, **members)


async def test_the_two_settings_and_their_defaults(service: Service) -> None:
    document = (await service.viewer.get("/settings")).json()
    assert all(setting.pop("changed_at").endswith("Z") for setting in document["items"])
    assert document == {
        "items": [
            {
                "setting": LIVE_ROUTES,
                "value": [],
                "changed_by": "iu-core-migration",
                "reason": "no live route by default",
            },
            {
                "setting": UNKNOWN_TYPES,
                "value": "inert",
                "changed_by": "iu-core-migration",
                "reason": "unknown types are stored, and start nothing",
            },
        ],
        "next_page_token": None,
    }
    first = (await service.viewer.get("/settings", params={"limit": 1})).json()
    rest = await service.viewer.get("/settings", params={"page_token": first["next_page_token"]})
    assert [setting["setting"] for setting in rest.json()["items"]] == [UNKNOWN_TYPES]


async def test_setting_is_noted_in_the_history_and_setting_the_same_again_is_not(
    service: Service,
) -> None:
    order = {"value": "refuse", "reason": "strict intake", "actor": "admin-anna"}
    answer = await service.admin.put("/settings/unknown_event_types", json=order)
    assert answer.status_code == 200
    document = answer.json()
    assert document.pop("changed_at").endswith("Z")
    expected = {
        "setting": UNKNOWN_TYPES,
        "value": "refuse",
        "changed_by": "admin-anna",
        "reason": "strict intake",
        "changed": True,
        "draining": False,
    }
    assert document == expected
    again = await service.admin.put(
        f"/settings/{UNKNOWN_TYPES}", json={"value": "refuse", "reason": "once more"}
    )
    assert again.json() | {"changed_at": None} == expected | {"changed": False, "changed_at": None}

    history = (await service.viewer.get("/settings/unknown_event_types/history")).json()
    assert history["next_page_token"] is None
    (entry,) = history["items"]
    assert entry.pop("occurred_at").endswith("Z")
    assert entry == {
        "history_id": entry["history_id"],
        "setting": UNKNOWN_TYPES,
        "action": "set",
        "actor": "admin-anna",
        "principal": entry["principal"],
        "reason": "strict intake",
        "request_id": entry["request_id"],
        "details": {"before": "inert", "after": "refuse"},
    }
    assert entry["principal"].startswith("admin-")


async def test_the_live_routes_are_a_list_of_different_names(service: Service) -> None:
    path = "/settings/delivery_live_routes"
    answer = await service.admin.put(path, json={"value": ["crm", "erp"], "reason": "x"})
    assert answer.json()["value"] == ["crm", "erp"]
    for value in ("refuse", ["crm", "crm"]):
        refused = await service.admin.put(path, json={"value": value, "reason": "x"})
        assert refused.json() == refusal(
            refused,
            "invalid_input",
            errors=[
                {
                    "location": "body",
                    "pointer": "/value",
                    "rule": "value",
                    "detail": "should be a list of at most 1000 different names of routes,"
                    " each one line of 1 to 200 characters",
                }
            ],
        )
    hostile: tuple[object, ...] = (
        [""],
        ["x" * 201],
        ["a\nb"],
        [1],
        [None],
        {"a": 1},
        None,
        1,
        "loud",
    )
    for wrong in hostile:
        refused = await service.admin.put(path, json={"value": wrong, "reason": "x"})
        assert (refused.status_code, refused.json()["code"]) == (422, "invalid_input"), wrong
    assert (await service.viewer.get("/settings")).json()["items"][0]["value"] == ["crm", "erp"]


async def test_the_types_setting_takes_its_two_words_only(service: Service) -> None:
    answer = await service.admin.put(
        "/settings/unknown_event_types", json={"value": ["crm"], "reason": "x"}
    )
    assert answer.json() == refusal(
        answer,
        "invalid_input",
        errors=[
            {
                "location": "body",
                "pointer": "/value",
                "rule": "value",
                "detail": 'should be "refuse" or "inert"',
            }
        ],
    )


async def test_what_is_no_setting(service: Service) -> None:
    """A gate is none: it has a history and guards of its own."""
    for key in ("colour", "iu_core.composer_enabled"):
        full = key if key.startswith("iu_core.") else f"iu_core.{key}"
        for method, path, body in (
            ("PUT", f"/settings/{key}", {"value": "inert", "reason": "x"}),
            ("GET", f"/settings/{key}/history", None),
        ):
            answer = await service.admin.request(method, path, json=body)
            assert answer.json() == refusal(answer, "setting_not_found", setting=full)


async def test_the_actor_is_one_that_the_key_may_use(service: Service) -> None:
    answer = await service.admin.put(
        "/settings/unknown_event_types",
        json={"value": "refuse", "reason": "x", "actor": "operator-anna"},
    )
    assert answer.json() == refusal(answer, "actor_not_allowed", actor="operator-anna")
