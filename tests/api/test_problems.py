"""Refusals over HTTP, with their exact JSON."""

import asyncio
from collections.abc import AsyncIterator
from typing import Annotated, Any, Literal
from uuid import UUID

import httpx
import pytest
import structlog
from fastapi import APIRouter, FastAPI, HTTPException
from pydantic import Field
from starlette.responses import StreamingResponse

from app.errors import ContractError, Refusal
from app.http.route import FactoryRoute
from app.schemas.base import WireModel
from tests.api.throwaway import Echo, assert_problem, client_of, throwaway_app, wrong

EVENT = "0f3c1e6e-2b0e-4d0a-9d5a-4a0b8c7d6e5f"
NOT_A_UUID = "should be a UUID: 8-4-4-4-12 hex digits"


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    async with client_of(throwaway_app()) as client:
        yield client


def app_that(raises: BaseException) -> FastAPI:
    router = APIRouter(route_class=FactoryRoute)

    @router.get("/raises")
    async def fails() -> Echo:
        raise raises

    return throwaway_app(router)


# Fields.


async def test_everything_that_is_wrong_is_answered_at_once(client: httpx.AsyncClient) -> None:
    response = await client.post(
        "/things",
        json={
            "event_id": "{0f3c1e6e-2b0e-4d0a-9d5a-4a0b8c7d6e5f}",
            "suffix": "a\nb",
            "actor": "Upper",
            "dry_run": 1,
            "at": 1750000000,
            "address": {"floor": "3", "stairs": True},
            "data": [],
            "colour": "red",
        },
    )
    assert_problem(
        response,
        "invalid_input",
        instance="/things",
        errors=[
            wrong("body", "/event_id", "value_error", NOT_A_UUID),
            wrong(
                "body",
                "/suffix",
                "string_pattern_mismatch",
                r"should match pattern '^[^\x00-\x1f\x7f-\x9f]*$'",
            ),
            wrong(
                "body",
                "/actor",
                "string_pattern_mismatch",
                "should match pattern '^[a-z0-9][a-z0-9._:-]{0,127}$'",
            ),
            wrong("body", "/dry_run", "bool_type", "should be a valid boolean"),
            wrong(
                "body",
                "/at",
                "value_error",
                "should be a timestamp of RFC 3339, with its offset: 2025-06-01T12:00:00Z",
            ),
            wrong("body", "/address/city", "missing", "is missing"),
            wrong("body", "/address/floor", "int_type", "should be a valid integer"),
            wrong("body", "/address/stairs", "extra_forbidden", "there is no such field"),
            wrong("body", "/data", "dict_type", "should be an object"),
            wrong("body", "/colour", "extra_forbidden", "there is no such field"),
        ],
    )


async def test_what_is_right_is_taken(client: httpx.AsyncClient) -> None:
    sent = {
        "event_id": EVENT,
        "suffix": "Ünïcode ✓",
        "dry_run": False,
        "at": "2025-06-01T14:00:00+02:00",
        "address": {"city": "Hanoi", "floor": 3},
        "data": {"any": [1, 2.5, None]},
    }
    response = await client.post("/things", json=sent)
    assert (response.status_code, response.json()) == (
        201,
        {"received": {**sent, "at": "2025-06-01T12:00:00Z"}},
    )


class Cat(WireModel):
    meows: int


class Dog(WireModel):
    barks: int


class Kennel(WireModel):
    animals: list[Cat | Dog]
    food: Annotated[dict[str, int], Field(min_length=1)]


async def test_pointers_name_places_in_the_body_and_nothing_else() -> None:
    router = APIRouter(route_class=FactoryRoute)

    @router.post("/kennels")
    async def open_kennel(kennel: Kennel) -> Echo:
        return Echo(received=kennel.model_dump())

    async with client_of(throwaway_app(router)) as client:
        response = await client.post(
            "/kennels", json={"animals": [{"barks": 1}, {"barks": "2"}], "food": {"a/b": "x"}}
        )
    # Pydantic's own locations are ("animals", 1, "Cat", "meows"), which is no place in the body.
    assert [(error["pointer"], error["rule"]) for error in response.json()["errors"]] == [
        ("/animals/1/meows", "missing"),
        ("/animals/1/barks", "extra_forbidden"),
        ("/animals/1/barks", "int_type"),
        ("/food/a~1b", "int_type"),
    ]


class Sit(WireModel):
    trick: Literal["sit"]


class Roll(WireModel):
    trick: Literal["roll"]


class Show(WireModel):
    tricks: list[Annotated[Sit | Roll, Field(discriminator="trick")]]


async def test_a_choice_is_explained_in_the_words_of_the_request() -> None:
    router = APIRouter(route_class=FactoryRoute)

    @router.post("/shows")
    async def put_on_show(show: Show) -> Echo:
        return Echo(received=show.model_dump())

    async with client_of(throwaway_app(router)) as client:
        response = await client.post("/shows", json={"tricks": [{"trick": "fly"}, {}, []]})
    assert response.json()["errors"] == [
        wrong("body", "/tricks/0", "union_tag_invalid", "'trick' should be one of 'sit', 'roll'"),
        wrong("body", "/tricks/1", "union_tag_not_found", "'trick' is missing"),
        wrong("body", "/tricks/2", "model_attributes_type", "should be an object"),
    ]


@pytest.mark.parametrize(
    ("at", "why"),
    [
        ("2025-06-01", "should be a timestamp of RFC 3339, with its offset: 2025-06-01T12:00:00Z"),
        (
            "2025-06-01T12:00:00",
            "should be a timestamp of RFC 3339, with its offset: 2025-06-01T12:00:00Z",
        ),
        ("0001-01-01T00:00:00+23:00", "lies outside the years 1 to 9999 in UTC"),
        ("9999-12-31T23:59:59-01:00", "lies outside the years 1 to 9999 in UTC"),
    ],
)
async def test_a_timestamp_has_an_offset_and_a_year(
    client: httpx.AsyncClient, at: str, why: str
) -> None:
    response = await client.post("/things", json={"event_id": EVENT, "at": at})
    assert response.json()["errors"] == [wrong("body", "/at", "value_error", why)]


@pytest.mark.parametrize(
    ("query", "errors"),
    [
        (
            "limit=201",
            [
                wrong(
                    "query",
                    "/limit",
                    "less_than_equal",
                    "should be less than or equal to 200",
                )
            ],
        ),
        (
            "limit=many&page_token=!",
            [
                wrong(
                    "query",
                    "/limit",
                    "int_parsing",
                    "should be a valid integer, unable to parse string as an integer",
                ),
                wrong(
                    "query",
                    "/page_token",
                    "string_pattern_mismatch",
                    "should match pattern '^[A-Za-z0-9_-]+$'",
                ),
            ],
        ),
    ],
)
async def test_parameters_of_the_query_are_pointed_to(
    client: httpx.AsyncClient, query: str, errors: list[dict[str, str]]
) -> None:
    response = await client.get(f"/things?{query}")
    assert_problem(response, "invalid_input", instance="/things", errors=errors)


async def test_a_page_has_fifty_by_default(client: httpx.AsyncClient) -> None:
    response = await client.get("/things")
    assert response.json() == {"received": {"limit": 50, "page_token": None}}


# Paths and methods.


@pytest.mark.parametrize(
    ("path", "instance"),
    [
        ("/nowhere", "/nowhere"),
        ("/things/", "/things/"),
        ("/things/a/b", "/things/a/b"),
        ("/things/tpl:wf:onboarding%2Fv2", "/things/tpl:wf:onboarding%2Fv2"),
        ("/né?x=1", "/n%C3%A9"),
    ],
)
async def test_a_wrong_path_says_so(client: httpx.AsyncClient, path: str, instance: str) -> None:
    response = await client.get(path)
    assert_problem(response, "route_not_found", instance=instance)


async def test_a_wrong_method_names_every_method_of_the_path(client: httpx.AsyncClient) -> None:
    response = await client.patch("/things")
    assert_problem(
        response,
        "method_not_allowed",
        instance="/things",
        allowed=["GET", "HEAD", "POST", "OPTIONS"],
    )
    assert response.headers["allow"] == "GET, HEAD, POST, OPTIONS"


async def test_options_tell_the_methods_of_the_path(client: httpx.AsyncClient) -> None:
    response = await client.options("/things/a")
    assert (response.status_code, response.headers["allow"], response.content) == (
        204,
        "GET, HEAD, PUT, OPTIONS",
        b"",
    )


async def test_options_of_a_wrong_path_say_so(client: httpx.AsyncClient) -> None:
    assert_problem(await client.options("/nowhere"), "route_not_found", instance="/nowhere")


async def test_head_is_get_without_the_body(client: httpx.AsyncClient) -> None:
    got, head = await client.get("/things/a"), await client.head("/things/a")
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["content-length"] == got.headers["content-length"] == str(len(got.content))


async def test_head_of_what_has_no_get_is_a_wrong_method(client: httpx.AsyncClient) -> None:
    response = await client.head("/bulk")
    assert (response.status_code, response.headers["allow"]) == (405, "POST, OPTIONS")


# Accept.


@pytest.mark.parametrize(
    "accept",
    [
        "text/html",
        "text/*, image/png",
        "application/json;q=0, application/problem+json;q=0",
        "application/*;q=0, */*;q=0",
        "application/xml;q=0.9, text/plain",
    ],
)
async def test_json_ruled_out_is_not_acceptable(client: httpx.AsyncClient, accept: str) -> None:
    response = await client.get("/things/a", headers={"accept": accept})
    assert_problem(
        response,
        "not_acceptable",
        instance="/things/a",
        available=["application/json", "application/problem+json"],
    )


@pytest.mark.parametrize(
    "accept",
    [
        "",
        "*/*",
        "application/*",
        "text/html, application/xhtml+xml, */*;q=0.8",
        "Application/JSON; charset=utf-8",
        "application/problem+json",
        "*/*;q=0, application/json",
        "application/json;q=nonsense",
    ],
)
async def test_whatever_lets_json_through_is_answered(
    client: httpx.AsyncClient, accept: str
) -> None:
    response = await client.get("/things/a", headers={"accept": accept})
    assert (response.status_code, response.json()) == (200, {"received": "a"})


# What operations raise.


async def test_a_refusal_carries_the_members_of_its_code() -> None:
    refusal = Refusal(
        "idempotency_conflict",
        fields=["data", "event_type"],
        instance_collection_id=UUID(EVENT),
    )
    async with client_of(app_that(refusal)) as client:
        response = await client.get("/raises")
    assert_problem(
        response,
        "idempotency_conflict",
        instance="/raises",
        fields=["data", "event_type"],
        instance_collection_id=EVENT,
    )


async def test_a_refusal_may_have_another_of_its_statuses() -> None:
    async with client_of(app_that(Refusal("rolled_back", "Gone.", status=410))) as client:
        response = await client.get("/raises")
    assert_problem(response, "rolled_back", status=410, detail="Gone.", instance="/raises")


async def test_not_now_says_when() -> None:
    async with client_of(app_that(Refusal("overloaded", retry_after=7))) as client:
        response = await client.get("/raises")
    assert_problem(response, "overloaded", instance="/raises", retry_after=7)
    assert response.headers["retry-after"] == "7"


async def test_an_unknown_caller_is_told_how_to_identify() -> None:
    async with client_of(app_that(Refusal("unauthenticated"))) as client:
        response = await client.get("/raises")
    assert_problem(response, "unauthenticated", instance="/raises")
    assert response.headers["www-authenticate"] == "Bearer"


async def test_what_the_framework_cannot_read_is_a_400() -> None:
    async with client_of(app_that(HTTPException(400, "Unreadable."))) as client:
        response = await client.get("/raises")
    assert_problem(
        response,
        "invalid_input",
        status=400,
        instance="/raises",
        detail="Unreadable.",
        errors=[],
    )


@pytest.mark.parametrize(
    "error",
    [
        RuntimeError("password=hunter2"),
        ContractError("a function answered 'surprise', which is no refusal"),
        FileNotFoundError(2, "No such file", "/etc/secret"),
        HTTPException(418, "a teapot"),
    ],
    ids=["any exception", "a broken contract", "a missing file", "an unknown status"],
)
async def test_what_nobody_expected_is_internal_and_tells_nothing(error: Exception) -> None:
    with structlog.testing.capture_logs() as logs:
        async with client_of(app_that(error)) as client:
            response = await client.get("/raises")
    assert_problem(response, "internal", instance="/raises")
    (logged,) = [line for line in logs if line["event"] == "unexpected_exception"]
    assert (logged["log_level"], logged["exc_info"]) == ("error", error)


async def test_a_defect_after_the_response_began_cuts_the_connection() -> None:
    router = APIRouter(route_class=FactoryRoute)

    @router.get("/half", response_model=None)
    async def half() -> StreamingResponse:
        async def content() -> AsyncIterator[bytes]:
            yield b"half"
            raise RuntimeError("the other half")

        return StreamingResponse(content())

    async with client_of(throwaway_app(router)) as client:
        with pytest.raises(RuntimeError, match="the other half"):
            await client.get("/half")


async def test_a_client_that_goes_away_while_it_sends_is_no_defect() -> None:
    app = throwaway_app()
    messages: list[dict[str, Any]] = [
        {"type": "http.request", "body": b"{", "more_body": True},
        {"type": "http.disconnect"},
    ]
    sent: list[Any] = []

    async def receive() -> dict[str, Any]:
        return messages.pop(0)

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {
        "type": "http",
        "method": "POST",
        "path": "/things",
        "raw_path": b"/things",
        "query_string": b"",
        "headers": [(b"content-type", b"application/json")],
    }
    with structlog.testing.capture_logs() as logs:
        await app(scope, receive, send)
    assert sent == []
    assert [line["event"] for line in logs] == ["client_gone", "request"]
    assert logs[1]["status"] == 499


# Request ids, CORS, metrics.


async def test_a_clients_own_request_id_is_logged_and_never_used(
    client: httpx.AsyncClient,
) -> None:
    theirs = "11111111-1111-4111-8111-111111111111"
    with structlog.testing.capture_logs() as logs:
        first = await client.get("/nowhere", headers={"x-request-id": theirs})
        second = await client.get("/nowhere", headers={"x-request-id": theirs})
    ours = [response.headers["x-request-id"] for response in (first, second)]
    assert len({theirs, *ours}) == 3
    assert [response.json()["request_id"] for response in (first, second)] == ours
    assert [line["client_request_id"] for line in logs] == [theirs, theirs]


async def test_a_request_id_that_would_forge_log_lines_is_not_logged(
    client: httpx.AsyncClient,
) -> None:
    with structlog.testing.capture_logs() as logs:
        await client.get("/things/a", headers={"x-request-id": "a\nlevel=error"})
        await client.get("/things/a", headers={"x-request-id": "x" * 201})
    assert all("client_request_id" not in line for line in logs)


async def test_the_access_log_names_route_status_and_code(client: httpx.AsyncClient) -> None:
    with structlog.testing.capture_logs() as logs:
        await client.get("/things/secret-name")
        await client.patch("/things/secret-name")
        await client.get("/nowhere/secret-name")
    known = [
        {name: line.get(name) for name in ("event", "method", "route", "status", "code")}
        for line in logs
    ]
    assert known == [
        {
            "event": "request",
            "method": "GET",
            "route": "/things/{name}",
            "status": 200,
            "code": None,
        },
        {
            "event": "request",
            "method": "PATCH",
            "route": "/things/{name}",
            "status": 405,
            "code": "method_not_allowed",
        },
        {
            "event": "request",
            "method": "GET",
            "route": None,
            "status": 404,
            "code": "route_not_found",
        },
    ]


async def test_metrics_count_by_route_and_code_with_bounded_labels() -> None:
    app = throwaway_app()
    async with client_of(app) as client:
        for number in range(3):
            await client.get(f"/things/{number}")
            await client.get(f"/nowhere/{number}")
            await client.request(f"METHOD{number}", "/things")
    exposition, _ = app.state.metrics.exposition("")
    lines = exposition.decode().splitlines()
    counted = [line for line in lines if line.startswith("factory_http_requests_total")]
    assert counted == [
        'factory_http_requests_total{method="GET",route="/things/{name}",status="200"} 3.0',
        'factory_http_requests_total{method="GET",route="unmatched",status="404"} 3.0',
        'factory_http_requests_total{method="OTHER",route="/things",status="405"} 3.0',
    ]
    assert 'factory_refusals_total{code="route_not_found"} 3.0' in lines
    assert 'factory_http_request_duration_seconds_count{route="/things/{name}"} 3.0' in lines


async def test_browsers_of_the_named_origins_can_read_refusals_too() -> None:
    app = throwaway_app(cors_origins=("https://console.example",))
    async with client_of(app) as client:
        refused = await client.get("/nowhere", headers={"origin": "https://console.example"})
        stranger = await client.get("/nowhere", headers={"origin": "https://other.example"})
    assert_problem(refused, "route_not_found", instance="/nowhere")
    assert refused.headers["access-control-allow-origin"] == "https://console.example"
    assert "X-Request-ID" in refused.headers["access-control-expose-headers"]
    assert "access-control-allow-origin" not in stranger.headers


@pytest.mark.parametrize(
    ("asked", "disallowed"),
    [
        ({"origin": "https://other.example"}, ["origin"]),
        ({"access-control-request-method": "PATCH"}, ["method"]),
        ({"access-control-request-headers": "Cookie"}, ["headers"]),
        (
            {
                "origin": "https://other.example",
                "access-control-request-method": "PATCH",
                "access-control-request-headers": "If-Match, X-Other",
            },
            ["origin", "method", "headers"],
        ),
    ],
)
async def test_a_preflight_that_is_refused_is_a_problem(
    asked: dict[str, str], disallowed: list[str]
) -> None:
    allowed = {
        "origin": "https://console.example",
        "access-control-request-method": "POST",
        "access-control-request-headers": "Authorization, If-Match",
    }
    app = throwaway_app(cors_origins=("https://console.example",))
    async with client_of(app) as client:
        granted = await client.options("/things", headers=allowed)
        refused = await client.options("/things", headers=allowed | asked)
    assert granted.status_code == 200
    assert granted.headers["access-control-allow-origin"] == "https://console.example"
    assert_problem(refused, "origin_not_allowed", instance="/things", disallowed=disallowed)
    assert ("access-control-allow-origin" in refused.headers) is ("origin" not in disallowed)
    assert "Origin" in refused.headers["vary"]


async def test_any_origin_may_be_let_in() -> None:
    async with client_of(throwaway_app(cors_origins=("*",))) as client:
        read = await client.get("/things/a", headers={"origin": "https://other.example"})
    assert read.headers["access-control-allow-origin"] == "*"
    assert "access-control-allow-credentials" not in read.headers


async def test_browsers_get_no_permission_by_default(client: httpx.AsyncClient) -> None:
    response = await client.get("/things/a", headers={"origin": "https://console.example"})
    assert "access-control-allow-origin" not in response.headers


async def test_requests_at_once_keep_their_own_ids(client: httpx.AsyncClient) -> None:
    responses = await asyncio.gather(*(client.get(f"/nowhere/{n}") for n in range(20)))
    for number, response in enumerate(responses):
        assert_problem(response, "route_not_found", instance=f"/nowhere/{number}")
    assert len({response.headers["x-request-id"] for response in responses}) == 20
