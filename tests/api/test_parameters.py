"""Templates that ask for data, over HTTP: authored, composed from, refused."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import asyncpg
import httpx
import pytest

from app.refusals import CATALOGUE
from app.refusals.unavailable import RETRY_AFTER_SECONDS
from app.services.judging import TRIES
from tests.support.authoring import AUTHORING, composition_digest_of, content, digest_of
from tests.support.databases import Database
from tests.support.http import Service, problem, running_service
from tests.support.interleaving import wait_until
from tests.support.mutation import take_out
from tests.support.operations import counted, items, reached, start
from tests.support.parameters import (
    DATED,
    LENIENT,
    NAMED,
    digest_of_schema,
    errors_in,
    publish_asking,
)
from tests.support.proxy import ProxiedDatabase, Proxy, proxied
from tests.support.templates import close_gates, open_gates

COMPOSE = "/instances/from-event"
ATOMIC = "/instances/bulk?atomic=true"
FAMILY = "tpl:wf:onboarding"
VERSIONS = f"/templates/families/{FAMILY}/versions"
MANY = "fn_iu_auto_instantiate_many"
ANY: dict[str, str] = {"If-Match": "*"}

WAITING = """
    SELECT count(*) FROM pg_stat_activity
     WHERE datname = current_database() AND application_name = 'product-factory'
       AND wait_event_type = 'Lock'
"""


@pytest.fixture(autouse=True)
async def gates(owner: asyncpg.Connection) -> None:
    """The gates of authoring and composing, open."""
    await open_gates(owner, *AUTHORING, "composer_enabled", "auto_instantiate_enabled")


@pytest.fixture
async def named(owner: asyncpg.Connection) -> str:
    """tpl:wf:onboarding/v1, which asks for a name."""
    return await publish_asking(owner, NAMED)


@pytest.fixture
async def proxy(database: Database) -> AsyncIterator[Proxy]:
    """A way to the test's database on which statements are counted."""
    async with proxied(database) as proxy:
        yield proxy


@pytest.fixture
async def far(
    database: Database, owner: asyncpg.Connection, proxy: Proxy
) -> AsyncIterator[Service]:
    """The application, by way of the proxy."""
    behind = ProxiedDatabase(name=database.name, server=database.server, proxy=proxy)
    async with running_service(behind, owner) as running:
        yield running


def order(data: dict[str, Any], template: str = FAMILY, **members: Any) -> dict[str, Any]:
    """A request for one instance."""
    return {
        "event_id": str(uuid4()),
        "event_type": "employee.hired",
        "template": template,
        "data": data,
        **members,
    }


async def composed(service: Service, data: dict[str, Any], **members: Any) -> httpx.Response:
    """The answer to a producer who composes with data."""
    return await service.producer.post(COMPOSE, json=order(data, **members))


def refused_data(
    answer: httpx.Response, path: str, document: dict[str, Any], data: dict[str, Any], **more: Any
) -> dict[str, Any]:
    """The whole problem of data that does not satisfy a schema."""
    document = {
        "template_key": f"{FAMILY}/v1",
        "schema_digest": digest_of_schema(document),
        "errors": errors_in(document, json.dumps(data)),
        **more,
    }
    expected: dict[str, Any] = problem(
        "payload_invalid", answer.headers["x-request-id"], path, **document
    )
    return expected


async def instances(owner: asyncpg.Connection) -> int:
    """How many instances there are."""
    count: int = await owner.fetchval("SELECT count(*) FROM iu_core.iu_auto_instantiate_event_log")
    return count


@pytest.mark.usefixtures("named")
async def test_data_is_refused_with_everything_that_is_wrong_and_its_place(
    service: Service, owner: asyncpg.Connection
) -> None:
    data = {"name": 7, "starts": "2026-03-02"}
    for _ in range(2):
        answer = await composed(service, data)
        assert answer.status_code == 422
        assert answer.json() == refused_data(answer, COMPOSE, NAMED, data)
    assert [error["pointer"] for error in answer.json()["errors"]] == ["/data/name"]
    assert await instances(owner) == 0


@pytest.mark.usefixtures("named")
async def test_no_data_is_refused_where_something_is_asked_for(service: Service) -> None:
    sent = order({})
    del sent["data"]
    answer = await service.producer.post(COMPOSE, json=sent)
    assert answer.json() == refused_data(answer, COMPOSE, NAMED, {})


@pytest.mark.usefixtures("named")
async def test_a_refusal_does_not_consume_the_key(service: Service) -> None:
    sent = order({"name": 7})
    assert (await service.producer.post(COMPOSE, json=sent)).status_code == 422
    answer = await service.producer.post(COMPOSE, json=sent | {"data": {"name": "Ada"}})
    assert (answer.status_code, answer.json()["outcome"]) == (201, "composed")
    again = await service.producer.post(COMPOSE, json=sent | {"data": {"name": "Ada"}})
    assert (again.status_code, again.json()["outcome"]) == (200, "idempotent_replay")


@pytest.mark.usefixtures("named")
async def test_a_dry_run_tells_what_is_wrong_with_the_data(service: Service) -> None:
    wrong = (await composed(service, {"name": 7}, emit_mode="dry_run")).json()
    assert (wrong["outcome"], wrong["would_be"]) == ("dry_run", "refused")
    assert wrong["refusal"] == {
        "code": "payload_invalid",
        "detail": CATALOGUE["payload_invalid"].meaning,
        "members": {
            "template_key": f"{FAMILY}/v1",
            "schema_digest": digest_of_schema(NAMED),
            "errors": errors_in(NAMED, '{"name":7}'),
        },
    }
    right = (await composed(service, {"name": "Ada"}, emit_mode="dry_run")).json()
    assert (right["would_be"], right["refusal"]) == ("composed", None)


@pytest.mark.usefixtures("named")
async def test_what_a_template_asks_for_is_learnt_from_its_first_answer(
    far: Service, proxy: Proxy
) -> None:
    assert (await composed(far, {"name": "Ada"})).status_code == 201
    assert proxy.sent(MANY) == 2, "nothing was known of the template"
    for number in range(3, 6):
        data = {"name": "Ada"} if number % 2 else {"name": 7}
        await composed(far, data)
        assert proxy.sent(MANY) == number
    assert proxy.sent("v_iu_template_schema") == 1


async def test_a_template_that_asks_for_nothing_costs_nothing(
    far: Service, owner: asyncpg.Connection, proxy: Proxy
) -> None:
    await publish_asking(owner, None)
    for number in range(1, 4):
        assert (await composed(far, {"name": 7})).status_code == 201
        assert proxy.sent(MANY) == number
    assert proxy.sent("v_iu_template_schema") == 0


@pytest.mark.usefixtures("named")
async def test_many_who_meet_a_schema_for_the_first_time_have_it_read_once(
    far: Service, proxy: Proxy
) -> None:
    answers = await asyncio.gather(*(composed(far, {"name": "Ada"}) for _ in range(64)))
    assert {answer.status_code for answer in answers} == {201}
    assert proxy.sent("v_iu_template_schema") == 1


@pytest.mark.usefixtures("named")
async def test_a_new_version_judges_from_then_on_and_a_pinned_one_as_before(
    far: Service, owner: asyncpg.Connection, proxy: Proxy
) -> None:
    for template in (FAMILY, f"{FAMILY}/v1"):
        assert (await composed(far, {"name": "Ada"}, template=template)).status_code == 201
    await publish_asking(owner, DATED)
    sent = proxy.sent(MANY)
    answer = await composed(far, {"name": "Ada"})
    assert answer.json() == refused_data(
        answer, COMPOSE, DATED, {"name": "Ada"}, template_key=f"{FAMILY}/v2"
    )
    assert proxy.sent(MANY) == sent + 2
    assert (await composed(far, {"starts": "2026-03-02"})).status_code == 201
    pinned = await composed(far, {"name": "Ada"}, template=f"{FAMILY}@v1")
    assert (pinned.status_code, pinned.json()["template_key"]) == (201, f"{FAMILY}/v1")
    await publish_asking(owner, None)
    assert (await composed(far, {"name": 7})).status_code == 201


async def never_satisfied(owner: asyncpg.Connection) -> None:
    """Have the orchestrator ask for another judge, whatever the data was judged by."""
    judged = "(p_schema_digests[i.ordinal] = i.schema_digest) IS NOT TRUE"
    await take_out(owner, "fn_iu_compose_data", judged, "true")
    judged = "(p_schema_digests[u.ordinal] = u.schema_digest) IS TRUE AS is_judged"
    await take_out(owner, "fn_iu_compose_data", judged, "false AS is_judged")


@pytest.mark.usefixtures("named")
@pytest.mark.parametrize(
    ("path", "function"), [(COMPOSE, MANY), (ATOMIC, "fn_iu_auto_instantiate_atomic")]
)
async def test_who_is_never_judged_right_is_told_to_come_back(
    far: Service, owner: asyncpg.Connection, proxy: Proxy, path: str, function: str
) -> None:
    await never_satisfied(owner)
    one = order({"name": "Ada"})
    answer = await far.producer.post(path, json=one if path == COMPOSE else [one])
    assert answer.status_code == 503
    assert answer.headers["retry-after"] == str(RETRY_AFTER_SECONDS)
    assert answer.json() == problem(
        "overloaded",
        answer.headers["x-request-id"],
        path.partition("?")[0],
        detail="The template asked for other data each time that it was judged."
        " Nothing was stored.",
        retry_after=RETRY_AFTER_SECONDS,
    )
    assert proxy.sent(function) == TRIES
    assert await instances(owner) == 0
    assert not await owner.fetchval(
        "SELECT count(*) FROM iu_core.iu_command_record WHERE outcome <> 'done'"
    )


@pytest.mark.usefixtures("named")
async def test_an_atomic_bulk_lists_every_item_with_wrong_data(
    far: Service, owner: asyncpg.Connection, proxy: Proxy
) -> None:
    orders = [order({"name": "Ada"}), order({"name": 7}), order({}), order({"n": 1})]
    answer = await far.producer.post(ATOMIC, json=orders)
    assert answer.status_code == 422
    schema = {"template_key": f"{FAMILY}/v1", "schema_digest": digest_of_schema(NAMED)}
    assert answer.json() == refused_data(
        answer,
        "/instances/bulk",
        NAMED,
        {"name": 7},
        items=[
            {
                "ordinal": ordinal,
                "code": "payload_invalid",
                **schema,
                "errors": errors_in(NAMED, json.dumps(orders[ordinal - 1]["data"])),
            }
            for ordinal in (2, 3, 4)
        ],
    )
    assert proxy.sent("fn_iu_auto_instantiate_atomic") == 1, "asked before, once for all"
    assert await instances(owner) == 0
    right = await far.producer.post(ATOMIC, json=orders[:1])
    assert (right.status_code, right.json()["composed"]) == (201, 1)


@pytest.mark.usefixtures("named")
async def test_an_atomic_bulk_is_judged_by_the_version_that_is_published_before_it(
    service: Service, owner: asyncpg.Connection, observer: asyncpg.Connection
) -> None:
    """It asks which schema, waits for the family's lock, and finds another version under it."""
    orders = [order({"name": "Ada", "starts": "2026-03-02"}), order({"name": "Ada"})]
    publishing = owner.transaction()
    await publishing.start()
    await publish_asking(owner, DATED)
    async with asyncio.TaskGroup() as group:
        sending = group.create_task(service.producer.post(ATOMIC, json=orders))

        async def waits() -> bool:
            return bool(await observer.fetchval(WAITING))

        await wait_until(waits, "the bulk waits for the author")
        await publishing.commit()
    answer = sending.result()
    assert answer.json()["code"] == "payload_invalid"
    assert [(item["ordinal"], item["template_key"]) for item in answer.json()["items"]] == [
        (2, f"{FAMILY}/v2")
    ]
    assert await instances(owner) == 0


@pytest.mark.usefixtures("named")
async def test_an_operation_judges_anew_what_was_frozen_for_another_version(
    service: Service, owner: asyncpg.Connection
) -> None:
    await close_gates(owner)
    both = {"name": "Ada", "starts": "2026-03-02"}
    data = [both, {"name": "Ada"}, {"starts": "2026-03-02"}, {}, both]
    orders = [order(one) for one in data]
    orders.append(order({"name": "Ada"}, template=f"{FAMILY}/v1"))
    orders.append(order({"name": 7}, template=f"{FAMILY}/v1"))
    started = await start(service.producer, orders)
    await reached(service.producer, started, "halted")
    frozen = await owner.fetch(
        """SELECT schema_digest, data_errors IS NULL AS is_right
             FROM iu_core.iu_operation_item ORDER BY ordinal"""
    )
    named = digest_of_schema(NAMED)
    assert [tuple(row) for row in frozen] == [
        (named, True),
        (named, True),
        (named, False),
        (None, True),
        (named, True),
        (named, True),
        (named, False),
    ]
    await open_gates(owner, *AUTHORING, "composer_enabled", "auto_instantiate_enabled")
    await publish_asking(owner, DATED)
    path = f"/operations/{started['operation_id']}/resume"
    assert (await service.producer.post(path, json={"reason": "test"})).status_code == 200
    done = await reached(service.producer, started, "completed")
    assert counted(done) == {"composed": 4, "refused": 3}
    told = {
        item["ordinal"]: item["details"]
        for item in await items(service.producer, done, outcome="refused")
    }

    def asked(document: dict[str, Any], version: str, wrong: str) -> dict[str, Any]:
        return {
            "template_key": f"{FAMILY}/{version}",
            "schema_digest": digest_of_schema(document),
            "errors": errors_in(document, wrong),
        }

    assert told == {
        2: asked(DATED, "v2", '{"name":"Ada"}'),
        4: asked(DATED, "v2", "{}"),
        7: asked(NAMED, "v1", '{"name":7}'),
    }
    assert await instances(owner) == 4


@pytest.mark.usefixtures("named")
async def test_the_same_bulk_again_is_the_same_operation_whatever_is_asked_for_by_then(
    service: Service, owner: asyncpg.Connection
) -> None:
    orders = [order({"name": "Ada"})]
    key = {"Idempotency-Key": "hires of March"}
    started = await start(service.producer, orders, **key)
    await publish_asking(owner, DATED)
    again = await start(service.producer, orders, **key)
    assert again["operation_id"] == started["operation_id"]


async def test_a_family_is_made_that_asks_for_data(service: Service) -> None:
    sent = {"family": FAMILY, "pieces": [content("a", "a")], "parameters": NAMED}
    made = await service.operator.post("/templates", json=sent)
    assert made.status_code == 201
    assert made.json()["schema_digest"] == digest_of_schema(NAMED)
    assert "parameters" not in made.json()
    read = (await service.viewer.get(f"/templates/{FAMILY}")).json()
    assert read.pop("parameters") == NAMED
    told: dict[str, list[str]] = {"warnings": [], "variables": [], "may_be_missing": []}
    assert read | told == made.json()
    (listed,) = (await service.viewer.get("/templates")).json()["items"]
    assert listed == read


async def test_parameters_that_are_no_schema_are_refused_with_their_place(
    service: Service, owner: asyncpg.Connection
) -> None:
    flawed = {"type": "object", "properties": {"name": {"type": "text"}}}
    family = {"family": FAMILY, "pieces": [content("a", "a")]}
    await service.operator.post("/templates", json=family)
    requests: list[tuple[str, dict[str, Any]]] = [
        ("/templates", family | {"family": "tpl:wf:other"}),
        (VERSIONS, {"edits": [{"op": "remove", "position": 1}]}),
        ("/templates/mark", {"collection_id": str(uuid4()), "template_key": f"{FAMILY}/v7"}),
    ]
    for path, sent in requests:
        answer = await service.operator.post(path, json=sent | {"parameters": flawed}, headers=ANY)
        (error,) = answer.json()["errors"]
        assert (answer.status_code, answer.json()["code"]) == (422, "invalid_input")
        assert (error["location"], error["pointer"]) == ("body", "/parameters/properties/name/type")
        answer = await service.operator.post(path, json=sent | {"parameters": True}, headers=ANY)
        (error,) = answer.json()["errors"]
        assert error["pointer"] == "/parameters"
    assert not await owner.fetchval("SELECT count(*) FROM iu_core.iu_template_schema")


async def test_a_next_version_keeps_changes_or_drops_the_parameters(service: Service) -> None:
    pieces = [content(name, name) for name in "abcd"]
    await service.operator.post("/templates", json={"family": FAMILY, "pieces": pieces})
    remove = {"edits": [{"op": "remove", "position": 1}]}
    versions: list[tuple[dict[str, Any], dict[str, Any] | None, bool]] = [
        ({"parameters": NAMED}, NAMED, True),
        (remove, NAMED, False),
        (remove | {"parameters": DATED}, DATED, True),
        ({"parameters": LENIENT}, LENIENT, True),
        ({"parameters": None}, None, True),
        (remove, None, False),
    ]
    for sent, document, changed in versions:
        digest = None if document is None else digest_of_schema(document)
        tried = await service.operator.post(VERSIONS, json=sent | {"dry_run": True}, headers=ANY)
        assert tried.status_code == 200
        assert tried.json()["parameters_changed"] == changed
        assert tried.json()["would_be"]["schema_digest"] == digest
        made = await service.operator.post(VERSIONS, json=sent, headers=ANY)
        assert made.status_code == 201, made.text
        assert made.json()["parameters_changed"] == changed
        assert made.json()["schema_digest"] == digest
        assert (made.json()["changes"] != []) == ("edits" in sent)
        read = (await service.viewer.get(f"/templates/{FAMILY}")).json()
        assert (read["parameters"], read["schema_digest"]) == (document, digest)

    for sent in ({"parameters": None}, {"pieces": [content("d", "d")]}):
        answer = await service.operator.post(VERSIONS, json=sent, headers=ANY)
        assert answer.json() == problem(
            "no_change", answer.headers["x-request-id"], VERSIONS, template_key=f"{FAMILY}/v7"
        )
    answer = await service.operator.post(VERSIONS, json={}, headers=ANY)
    assert [error["detail"] for error in answer.json()["errors"]] == [
        "should have either `edits` or `pieces`"
    ]


async def test_a_comparison_tells_whether_data_is_judged_by_another_schema(
    service: Service, owner: asyncpg.Connection
) -> None:
    for document in (NAMED, DATED, None):
        await publish_asking(owner, document)
    digest = composition_digest_of(
        [(name, digest_of(content(f"{FAMILY} {name}"))) for name in ("one", "two")]
    )

    async def compared(one: str, other: str) -> dict[str, Any]:
        path = f"/templates/{FAMILY}@{one}/diff?against={FAMILY}@{other}"
        document: dict[str, Any] = (await service.viewer.get(path)).json()
        for side in ("template", "against"):
            del document[side]["template_collection_id"]
        return document

    def side(version: str, document: dict[str, Any] | None) -> dict[str, Any]:
        return {
            "template_key": f"{FAMILY}/{version}",
            "composition_digest": digest,
            "piece_count": 2,
            "schema_digest": None if document is None else digest_of_schema(document),
        }

    assert await compared("v2", "v1") == {
        "template": side("v2", DATED),
        "against": side("v1", NAMED),
        "same": True,
        "parameters_changed": True,
        "changes": [],
    }
    assert (await compared("v3", "v2"))["parameters_changed"] is True
    assert (await compared("v1", "v1"))["parameters_changed"] is False


async def test_a_collection_is_marked_with_parameters(
    service: Service, owner: asyncpg.Connection
) -> None:
    await publish_asking(owner, None)
    plain = await owner.fetchval(
        """INSERT INTO iu_core.iu_piece_collection (created_at, collection_key, composition_digest)
           SELECT now(), 'col:notes', composition_digest FROM iu_core.iu_composition
        RETURNING collection_id::text"""
    )
    sent = {
        "collection_id": plain,
        "template_key": "tpl:file:notes/v1",
        "parameters": NAMED,
    }
    marked = await service.operator.post("/templates/mark", json=sent)
    assert (marked.status_code, marked.json()["schema_digest"]) == (201, digest_of_schema(NAMED))
    read = await service.viewer.get(f"/templates/{plain}")
    assert read.json()["parameters"] == NAMED
    answer = await composed(service, {"name": 7}, template=plain)
    assert answer.json() == refused_data(
        answer, COMPOSE, NAMED, {"name": 7}, template_key="tpl:file:notes/v1"
    )
