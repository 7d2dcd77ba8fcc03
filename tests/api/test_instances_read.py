"""`GET /instances…`: exact JSON, and who may read what."""

import hashlib
import json
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import httpx
import pytest

from tests.support.composing import Item, compose, compose_one
from tests.support.http import Service, client_of, make_key, problem
from tests.support.rollback import by_actor, edit
from tests.support.rows import one_row
from tests.support.templates import Template, make_template, open_gates

PRODUCER = "producer-bot"


@pytest.fixture
async def template(owner: asyncpg.Connection) -> Template:
    """The first version of a family; the gates of composing are open."""
    await open_gates(owner)
    return await make_template(owner)


@pytest.fixture
async def second(owner: asyncpg.Connection, template: Template) -> Template:
    """The second version, of other pieces."""
    return await make_template(owner, version=2, pieces=6)


def shown(item: Item, template: Template, answer: dict[str, Any]) -> dict[str, Any]:
    """An instance as lists show it."""
    return {
        "instance_collection_id": str(answer["instance_collection_id"]),
        "instance_key": f"tpl-inst:auto:{item.suffix}",
        "template_collection_id": str(template.collection_id),
        "template_key": template.key,
        "event_id": str(item.event_id),
        "event_type": "hr.employee.hired",
        "idempotency_key": answer["instance_collection_id"].hex,
        "actor": item.actor,
        "emit_mode": "live",
        "pieces_attached": template.pieces,
        "composition_digest": template.composition_digest,
        "digest_matches_template": True,
        "operation_id": None,
        "composed_at": in_z(answer["composed_at"]),
        "warnings": [],
    }


def filled(template: Template, data: str) -> dict[str, Any]:
    """What one instance is shown with beside that: data, given as RFC 8785 text, and digests."""
    data_digest = hashlib.sha256(data.encode()).hexdigest()
    product = f"{template.composition_digest}\n{data_digest}\n"
    return {
        "data": json.loads(data),
        "data_digest": data_digest,
        "product_digest": hashlib.sha256(product.encode()).hexdigest(),
        "axes": {},
    }


def in_z(moment: datetime) -> str:
    """RFC 3339 in UTC, as the service writes it."""
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


async def everything(client: httpx.AsyncClient, path: str, **filters: Any) -> list[dict[str, Any]]:
    """The items of all pages."""
    items: list[dict[str, Any]] = []
    while True:
        answer = await client.get(path, params=filters)
        assert answer.status_code == 200, answer.text
        page = answer.json()
        assert page.keys() == {"items", "next_page_token"}
        assert len(page["items"]) <= filters.get("limit", 50)
        items += page["items"]
        if page["next_page_token"] is None:
            return items
        filters["page_token"] = page["next_page_token"]


async def ids(client: httpx.AsyncClient, path: str = "/instances", **filters: Any) -> list[str]:
    """The instances of all pages."""
    return [item["instance_collection_id"] for item in await everything(client, path, **filters)]


async def test_an_instance_is_shown_with_its_data(
    service: Service, owner: asyncpg.Connection, template: Template
) -> None:
    item = Item(template.key, suffix="ada", actor=PRODUCER, data='{"n":1.5,"name":"Ada"}')
    answer = await compose_one(owner, item)
    read = await service.producer.get(f"/instances/{answer['instance_collection_id']}")
    assert read.status_code == 200
    assert item.data is not None
    assert read.json() == shown(item, template, answer) | filled(template, item.data)


async def test_the_location_of_a_composed_instance_leads_to_it(
    service: Service, template: Template
) -> None:
    order = {"event_id": str(uuid4()), "event_type": "t", "template": template.key, "data": {}}
    composed = await service.producer.post("/instances/from-event", json=order)
    read = await service.producer.get(composed.headers["location"])
    document = composed.json()
    del document["outcome"]
    assert read.json() == document | filled(template, "{}")


async def test_an_instance_of_no_event_is_shown_without_one(
    service: Service, owner: asyncpg.Connection, template: Template
) -> None:
    instance, digest = uuid4(), template.composition_digest
    at = datetime(2025, 6, 1, 12, 0, tzinfo=UTC)
    await owner.execute(
        "INSERT INTO iu_core.iu_piece_collection VALUES ($1, $2, true, 'tpl-inst:manual:1', $3)",
        instance,
        at,
        digest,
    )
    await owner.execute(
        "INSERT INTO iu_core.iu_collection_template_instance_lineage VALUES ($1, $2, $3, $4)",
        instance,
        template.collection_id,
        at,
        digest,
    )
    expected: dict[str, Any] = {
        "instance_collection_id": str(instance),
        "instance_key": "tpl-inst:manual:1",
        "template_collection_id": str(template.collection_id),
        "template_key": template.key,
        "event_id": None,
        "event_type": None,
        "idempotency_key": None,
        "actor": None,
        "emit_mode": None,
        "pieces_attached": 5,
        "composition_digest": digest,
        "digest_matches_template": True,
        "operation_id": None,
        "composed_at": "2025-06-01T12:00:00Z",
        "warnings": [],
    }
    assert (await service.viewer.get("/instances")).json()["items"] == [expected]
    path = f"/instances/{instance}"
    of_the_event = dict.fromkeys(("data", "data_digest", "product_digest"))
    assert (await service.viewer.get(path)).json() == expected | of_the_event | {"axes": {}}
    verified = (await service.viewer.get(f"{path}/verify")).json()
    assert (verified["holds"], verified["data_digest"]) == (True, None)
    refused = await service.producer.get(path)
    assert refused.json() == problem("actor_not_allowed", refused.headers["x-request-id"], path)
    assert await ids(service.producer) == []


async def test_unknown_instances_and_ids_that_are_none(
    service: Service, owner: asyncpg.Connection, template: Template
) -> None:
    for unknown in (uuid4(), template.collection_id):
        for tail in ("", "/pieces", "/lineage", "/verify"):
            path = f"/instances/{unknown}{tail}"
            answer = await service.producer.get(path)
            assert answer.status_code == 404
            request_id = answer.headers["x-request-id"]
            assert answer.json() == problem("instance_not_found", request_id, path)
    wrong = await service.producer.get("/instances/tpl-inst:auto:ada")
    assert wrong.status_code == 422
    assert [error["pointer"] for error in wrong.json()["errors"]] == ["/instance_id"]


async def test_a_rolled_back_instance_is_gone_and_says_why(
    service: Service, owner: asyncpg.Connection, template: Template
) -> None:
    composed = await compose_one(owner, Item(template.key, actor=PRODUCER))
    await by_actor(owner, PRODUCER, reason="wrong list")
    buried = await one_row(owner, "SELECT * FROM iu_core.iu_instance_tombstone")
    for tail in ("", "/pieces", "/lineage", "/verify"):
        path = f"/instances/{composed['instance_collection_id']}{tail}"
        answer = await service.producer.get(path)
        assert answer.status_code == 410
        assert answer.json() == problem(
            "rolled_back",
            answer.headers["x-request-id"],
            path,
            rolled_back_at=buried["rolled_back_at"].isoformat().replace("+00:00", "Z"),
            rolled_back_by="ops-anna",
            reason="wrong list",
            operation_id=str(buried["rollback_operation_id"]),
        ) | {"status": 410}
    assert await ids(service.viewer) == []


async def test_the_last_rollback_is_told_when_there_were_several(
    service: Service, owner: asyncpg.Connection, template: Template
) -> None:
    item = Item(template.key, actor=PRODUCER)
    for reason in ("first", "second"):
        composed = await compose_one(owner, item)
        await by_actor(owner, PRODUCER, reason=reason, release_keys=True)
    path = f"/instances/{composed['instance_collection_id']}"
    assert (await service.producer.get(path)).json()["reason"] == "second"
    await compose_one(owner, item)
    assert (await service.producer.get(path)).status_code == 200


async def test_a_producer_reads_its_own_actors_instances_and_a_viewer_all(
    service: Service, owner: asyncpg.Connection, template: Template
) -> None:
    actors = (PRODUCER, "producer-eu", "producers", "viewer-bot", "producer_x")
    answers = await compose(owner, *(Item(template.key, actor=actor) for actor in actors))
    instance = {
        actor: str(answer["instance_collection_id"])
        for actor, answer in zip(actors, answers, strict=True)
    }
    own = {instance[PRODUCER], instance["producer-eu"]}
    assert set(await ids(service.producer)) == own
    assert set(await ids(service.viewer)) == set(instance.values())

    for actor in actors:
        allowed = instance[actor] in own
        for tail in ("", "/pieces", "/lineage", "/verify"):
            path = f"/instances/{instance[actor]}{tail}"
            assert (await service.viewer.get(path)).status_code == 200
            answer = await service.producer.get(path)
            if allowed:
                assert answer.status_code == 200
            else:
                request_id = answer.headers["x-request-id"]
                assert answer.json() == problem("actor_not_allowed", request_id, path)

    assert await ids(service.producer, actor="producer-eu") == [instance["producer-eu"]]
    others = await service.producer.get("/instances", params={"actor": "viewer-bot"})
    assert others.json() == problem(
        "actor_not_allowed", others.headers["x-request-id"], "/instances", actor="viewer-bot"
    )


async def test_a_producer_does_not_learn_of_anothers_rollback(
    service: Service, owner: asyncpg.Connection, template: Template
) -> None:
    composed = await compose_one(owner, Item(template.key, actor="viewer-bot"))
    await by_actor(owner, "viewer-bot")
    path = f"/instances/{composed['instance_collection_id']}"
    assert (await service.producer.get(path)).json()["code"] == "actor_not_allowed"
    assert (await service.viewer.get(path)).json()["code"] == "rolled_back"


async def test_lists_are_newest_first_in_pages_that_hang_together(
    service: Service, owner: asyncpg.Connection, template: Template
) -> None:
    # One call composes at one time: only the id tells its instances apart.
    batches = [
        await compose(owner, *(Item(template.key, actor=PRODUCER) for _ in range(4)))
        for _ in range(3)
    ]
    expected = [
        str(each)
        for batch in reversed(batches)
        for each in sorted((answer["instance_collection_id"] for answer in batch), reverse=True)
    ]
    for client in (service.producer, service.viewer):
        for limit in (1, 4, 5, 12, 200):
            assert await ids(client, limit=limit) == expected


@pytest.mark.parametrize(
    ("path", "pinned"),
    [
        ("/instances", False),
        ("/instances?family=tpl:wf:onboarding", False),
        ("/instances?template=tpl:wf:onboarding", True),
        ("/instances?template=tpl:wf:onboarding&family=tpl:wf:onboarding", True),
        ("/templates/tpl:wf:onboarding/instances", True),
        ("/observability/events", False),
        ("/observability/events?template=tpl:wf:onboarding", True),
    ],
)
async def test_who_is_under_way_when_a_version_is_published_goes_on(
    service: Service,
    owner: asyncpg.Connection,
    template: Template,
    path: str,
    pinned: bool,
) -> None:
    async def composed(version: Template) -> str:
        return str((await compose_one(owner, Item(version.key)))["instance_collection_id"])

    def shown_ids(page: dict[str, Any]) -> list[str]:
        return [item["instance_collection_id"] for item in page["items"]]

    older, newer = await composed(template), await composed(template)
    url = httpx.URL(path).copy_add_param("limit", "1")
    page = (await service.viewer.get(url)).json()
    latest = await composed(await make_template(owner, version=2))

    rest = await service.viewer.get(url.copy_add_param("page_token", page["next_page_token"]))

    assert rest.status_code == 200, rest.text
    assert shown_ids(page) + shown_ids(rest.json()) == [newer, older]
    assert rest.json()["next_page_token"] is None
    again = (await service.viewer.get(path)).json()
    assert shown_ids(again) == ([latest] if pinned else [latest, newer, older])


async def test_a_page_token_belongs_to_its_list(
    service: Service, owner: asyncpg.Connection, template: Template
) -> None:
    await compose(owner, *(Item(template.key, actor=PRODUCER) for _ in range(3)))
    token = (await service.viewer.get("/instances?limit=1")).json()["next_page_token"]
    path = f"/instances/{(await ids(service.viewer))[0]}/pieces"
    for elsewhere in ("/instances?actor=producer-bot", f"{path}?limit=1", "/observability/events?"):
        answer = await service.viewer.get(f"{elsewhere}&page_token={token}")
        assert answer.status_code == 422
        assert [error["pointer"] for error in answer.json()["errors"]] == ["/page_token"]


async def test_filters(
    service: Service, owner: asyncpg.Connection, template: Template, second: Template
) -> None:
    operation = uuid4()
    items = [
        Item(template.key, suffix="a", actor="hr-anna"),
        Item(second.key, suffix="b", actor="hr-anna"),
        Item(second.family, suffix="c", actor="hr-bob"),
    ]
    answers = [
        (await compose(owner, item, operation_id=operation if item.suffix == "b" else None))[0]
        for item in items
    ]
    a, b, c = (str(answer["instance_collection_id"]) for answer in answers)
    times = [answer["composed_at"] for answer in answers]
    await edit(owner, UUID(c), template)

    for filters, expected in [
        ({"template": template.key}, [a]),
        ({"template": "tpl:wf:onboarding@v2"}, [c, b]),
        ({"template": str(second.collection_id)}, [c, b]),
        ({"template": "tpl:wf:onboarding"}, [c, b]),
        ({"family": "tpl:wf:onboarding"}, [c, b, a]),
        ({"family": "tpl:wf:onboarding", "version": "v1"}, [a]),
        ({"version": "v2"}, [c, b]),
        ({"version": "v9"}, []),
        ({"template": template.key, "version": "v2"}, []),
        ({"actor": "hr-anna"}, [b, a]),
        ({"actor": "hr-anna", "template": template.key}, [a]),
        ({"actor": "nobody"}, []),
        ({"event_id": str(items[1].event_id)}, [b]),
        ({"event_id": str(items[1].event_id), "actor": "hr-bob"}, []),
        ({"operation_id": str(operation)}, [b]),
        ({"composed_from": in_z(times[1])}, [c, b]),
        ({"composed_to": in_z(times[1])}, [a]),
        ({"composed_from": in_z(times[1]), "composed_to": in_z(times[2])}, [b]),
        ({"composed_from": in_z(times[2] + timedelta(days=1))}, []),
        ({"digest_state": "diverges"}, [c]),
        ({"digest_state": "matches"}, [b, a]),
        ({"digest_state": "diverges", "actor": "hr-bob"}, [c]),
        ({"digest_state": "diverges", "actor": "hr-anna"}, []),
    ]:
        for limit in (1, 50):
            assert await ids(service.viewer, limit=limit, **filters) == expected, filters


@pytest.mark.parametrize(
    ("filters", "code", "members"),
    [
        (
            {"template": "tpl:wf:none/v1"},
            "template_collection_not_found",
            {"template": "tpl:wf:none/v1"},
        ),
        ({"template": "nonsense"}, "template_collection_not_found", {"template": "nonsense"}),
        ({"family": "tpl:wf:none"}, "template_family_not_found", {"family": "tpl:wf:none"}),
        (
            {"family": "tpl:wf:onboarding", "version": "v9"},
            "template_collection_not_found",
            {"template": "tpl:wf:onboarding/v9"},
        ),
    ],
)
async def test_filters_that_name_nothing_are_refused(
    service: Service,
    template: Template,
    filters: dict[str, str],
    code: str,
    members: dict[str, Any],
) -> None:
    answer = await service.viewer.get("/instances", params=filters)
    assert answer.status_code == 404
    assert answer.json() == problem(code, answer.headers["x-request-id"], "/instances", **members)


async def test_a_collection_that_is_no_template_is_told_from_one_that_is_not_there(
    service: Service, owner: asyncpg.Connection, template: Template
) -> None:
    instance = (await compose_one(owner, Item(template.key)))["instance_collection_id"]
    for path in (f"/instances?template={instance}", f"/templates/{instance}/instances"):
        answer = await service.viewer.get(path)
        assert answer.status_code == 409
        assert answer.json() == problem(
            "template_not_marked", answer.headers["x-request-id"], path.partition("?")[0]
        )


@pytest.mark.parametrize(
    ("query", "pointers"),
    [
        ("limit=0", ["/limit"]),
        ("limit=201", ["/limit"]),
        ("page_token=nonsense", ["/page_token"]),
        ("actor=Not%20An%20Actor", ["/actor"]),
        ("composed_from=yesterday&event_id=1", ["/composed_from", "/event_id"]),
        ("version=2&family=onboarding", ["/family", "/version"]),
        ("digest_state=perhaps", ["/digest_state"]),
        ("colour=red", ["/colour"]),
    ],
)
async def test_malformed_filters_are_all_named_at_once(
    service: Service, query: str, pointers: list[str]
) -> None:
    answer = await service.producer.get(f"/instances?{query}")
    assert answer.status_code == 422
    assert answer.json()["code"] == "invalid_input"
    assert sorted(error["pointer"] for error in answer.json()["errors"]) == pointers


async def test_a_templates_instances_by_every_form_of_its_reference(
    service: Service, owner: asyncpg.Connection, template: Template, second: Template
) -> None:
    item = Item(second.key, suffix="b")
    await compose_one(owner, Item(template.key, suffix="a"))
    answer = await compose_one(owner, item)
    for reference in (second.collection_id, "tpl:wf:onboarding@v2", "tpl:wf:onboarding"):
        read = await service.viewer.get(f"/templates/{reference}/instances")
        assert read.json() == {"items": [shown(item, second, answer)], "next_page_token": None}
    assert await ids(service.viewer, "/templates/tpl:wf:onboarding/instances", actor="x") == []

    path = "/templates/tpl:wf:none/instances"
    missing = await service.viewer.get(path)
    assert missing.json() == problem(
        "template_collection_not_found",
        missing.headers["x-request-id"],
        path,
        template="tpl:wf:none",
    )
    refused = await service.producer.get(path)
    assert (refused.status_code, refused.json()["code"]) == (403, "forbidden")


async def test_pieces_come_in_order_with_their_content(
    service: Service, owner: asyncpg.Connection, template: Template
) -> None:
    composed = await compose_one(owner, Item(template.key, actor=PRODUCER))
    units = await owner.fetch(
        """SELECT p.position, u.unit_id, u.content_digest, u.title
             FROM iu_core.iu_composition_piece AS p JOIN iu_core.information_unit AS u
               ON u.unit_id = p.unit_id ORDER BY p.position"""
    )
    expected = [
        {
            "position": unit["position"],
            "role": "part",
            "unit_id": str(unit["unit_id"]),
            "content_digest": unit["content_digest"],
            "media_type": "text/markdown",
            "title": unit["title"],
            "body": unit["title"],
        }
        for unit in units
    ]
    path = f"/instances/{composed['instance_collection_id']}/pieces"
    for limit in (1, 2, 5, 50):
        assert await everything(service.producer, path, limit=limit) == expected


async def test_lineage_tells_template_chain_event_and_digests(
    service: Service, owner: asyncpg.Connection, template: Template, second: Template
) -> None:
    item = Item(template.key, suffix="ada", actor=PRODUCER, reason="new hire")
    composed = await compose_one(owner, item)
    read = await service.producer.get(f"/instances/{composed['instance_collection_id']}/lineage")
    assert read.json() == {
        "instance_collection_id": str(composed["instance_collection_id"]),
        "instance_key": "tpl-inst:auto:ada",
        "composed_at": in_z(composed["composed_at"]),
        "template_collection_id": str(template.collection_id),
        "template_key": template.key,
        "family": "tpl:wf:onboarding",
        "version": "v1",
        "status": "superseded",
        "supersedes": None,
        "current_template_key": second.key,
        "composition_digest": template.composition_digest,
        "lineage_digest": template.composition_digest,
        "template_digest": template.composition_digest,
        "digest_matches_template": True,
        "event_id": str(item.event_id),
        "event_type": "hr.employee.hired",
        "suffix": "ada",
        "idempotency_key": composed["instance_collection_id"].hex,
        "actor": PRODUCER,
        "emit_mode": "live",
        "reason": "new hire",
        "operation_id": None,
    }


async def test_verify_computes_the_digests_again(
    service: Service, owner: asyncpg.Connection, template: Template, second: Template
) -> None:
    composed = await compose_one(owner, Item(template.key, actor=PRODUCER))
    instance = composed["instance_collection_id"]
    digest = template.composition_digest
    path = f"/instances/{instance}/verify"
    sound = {
        "instance_collection_id": str(instance),
        "holds": True,
        "pieces": 5,
        "composition_digest": digest,
        "recomputed_digest": digest,
        "template_digest": digest,
        "lineage_digest": digest,
        "data_digest": composed_data_digest(),
        "recomputed_data_digest": composed_data_digest(),
        "findings": [],
    }
    assert (await service.producer.get(path)).json() == sound

    await edit(owner, instance, second)
    assert (await service.producer.get(path)).json() == sound | {
        "holds": False,
        "pieces": 6,
        "composition_digest": second.composition_digest,
        "recomputed_digest": second.composition_digest,
        "findings": [
            {
                "kind": "instance_diverges",
                "subject": f"instance {instance}",
                "expected": digest,
                "actual": second.composition_digest,
            }
        ],
    }


def composed_data_digest() -> str:
    """SHA-256 of `{}`."""
    return "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"


async def test_an_orphan_is_in_no_list_and_verify_names_it_to_a_viewer(
    service: Service, owner: asyncpg.Connection, template: Template
) -> None:
    composed = await compose_one(owner, Item(template.key, actor=PRODUCER))
    await owner.execute("DELETE FROM iu_core.iu_collection_template_instance_lineage")
    path = f"/instances/{composed['instance_collection_id']}"
    assert await ids(service.viewer) == []
    assert (await service.viewer.get(path)).json()["code"] == "instance_not_found"
    document = (await service.viewer.get(f"{path}/verify")).json()
    assert document["holds"] is False
    assert [finding["kind"] for finding in document["findings"]] == ["orphan_instance"]
    assert (document["template_digest"], document["data_digest"]) == (None, None)
    refused = await service.producer.get(f"{path}/verify")
    assert refused.json()["code"] == "actor_not_allowed", "nobody knows whose it was"


async def test_what_was_tampered_with_is_still_shown(
    service: Service, owner: asyncpg.Connection, template: Template
) -> None:
    composed = await compose_one(owner, Item(template.key, actor=PRODUCER))
    await owner.execute("DELETE FROM iu_core.iu_composition_piece")
    await owner.execute(
        "UPDATE iu_core.iu_auto_instantiate_event_log"
        "   SET template_collection_id = gen_random_uuid(), data = '[1]'"
    )
    (seen,) = (await service.producer.get("/instances", params={"actor": PRODUCER})).json()["items"]
    assert (seen["template_key"], seen["digest_matches_template"]) == (None, False)
    path = f"/instances/{composed['instance_collection_id']}"
    assert (await service.producer.get(path)).json()["data"] == [1]
    assert (await service.producer.get(f"{path}/pieces")).json()["items"] == []
    assert (await service.producer.get(f"{path}/verify")).json()["recomputed_digest"] is None


async def test_a_key_with_one_actor_and_no_prefix_reads_that_actor_alone(
    service: Service, owner: asyncpg.Connection, template: Template
) -> None:
    key = await make_key(owner, "producer", actor="billing")
    await owner.execute(
        "UPDATE iu_core.iu_api_key SET actor_prefixes = '{}' WHERE actor = 'billing'"
    )
    answers = await compose(
        owner, Item(template.key, actor="billing"), Item(template.key, actor="billing2")
    )
    async with client_of(service.app, key) as billing:
        assert await ids(billing) == [str(answers[0]["instance_collection_id"])]
        assert await ids(billing, actor="billing") == [str(answers[0]["instance_collection_id"])]
