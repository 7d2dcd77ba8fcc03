"""`/templates`, read: exact JSON, lists, differences, and what was current when."""

from typing import Any
from uuid import UUID, uuid4

import asyncpg
import pytest

from tests.support.authoring import (
    AUTHOR,
    AUTHORING,
    composition_digest_of,
    content,
    create_template,
    create_version,
    digest_of,
)
from tests.support.http import Service, problem
from tests.support.templates import open_gates

FAMILY = "tpl:wf:onboarding"


@pytest.fixture(autouse=True)
async def gates(owner: asyncpg.Connection) -> None:
    """The gates of authoring, open."""
    await open_gates(owner, *AUTHORING)


@pytest.fixture
async def two_versions(owner: asyncpg.Connection) -> tuple[str, str]:
    """a b c, and then c b d: the two collections."""
    first = await create_template(
        owner, FAMILY, [content(name, name, axes={"x": name}) for name in "abc"]
    )
    second = await create_version(
        owner, FAMILY, pieces=[content(name, name) for name in "cbd"], reason="next"
    )
    return first["template_collection_id"], second["template_collection_id"]


def digest(names: str) -> str:
    return composition_digest_of([(name, digest_of(content(name))) for name in names])


async def test_a_template_is_read_by_every_reference(
    service: Service, two_versions: tuple[str, str]
) -> None:
    first, second = two_versions
    answer = await service.viewer.get(f"/templates/{FAMILY}")
    assert answer.status_code == 200
    assert answer.headers["ETag"] == '"2"'
    document = answer.json()
    assert document == {
        "template_collection_id": second,
        "template_key": f"{FAMILY}/v2",
        "family": FAMILY,
        "version": "v2",
        "status": "current",
        "template_without_version": False,
        "title": "Onboarding",
        "description": "",
        "composition_digest": digest("cbd"),
        "piece_count": 3,
        "schema_digest": None,
        "parameters": None,
        "axes": {"x": {"unit_count": 2, "values": ["b", "c"]}},
        "supersedes": f"{FAMILY}/v1",
        "family_chain_length": 2,
        "digest_drift_from_previous": True,
        "marked_by": AUTHOR,
        "marked_at": document["marked_at"],
        "versioned_by": AUTHOR,
        "versioned_at": document["marked_at"],
        "reason": "next",
        "withdrawn_by": None,
        "withdrawn_at": None,
        "withdrawn_reason": None,
    }
    for reference in (second, second.upper(), f"{FAMILY}@v2"):
        same = await service.viewer.get(f"/templates/{reference}")
        assert (same.json(), same.headers["ETag"]) == (document, '"2"')
    older = (await service.viewer.get(f"/templates/{FAMILY}@v1")).json()
    assert older["template_collection_id"] == first
    assert (older["status"], older["supersedes"]) == ("superseded", None)
    assert older["digest_drift_from_previous"] is None


async def test_what_is_no_template_is_told_apart(
    service: Service, owner: asyncpg.Connection, two_versions: tuple[str, str]
) -> None:
    plain = uuid4()
    await owner.execute(
        """INSERT INTO iu_core.iu_piece_collection
                  (collection_id, created_at, collection_key, composition_digest)
           VALUES ($1, now(), 'col:notes', $2)""",
        plain,
        digest("abc"),
    )
    for tail in ("", "/pieces", f"/diff?against={FAMILY}"):
        for reference in (str(uuid4()), "tpl:no:such", f"{FAMILY}@v3", "anything"):
            answer = await service.viewer.get(f"/templates/{reference}{tail}")
            assert answer.status_code == 404
            assert answer.json() == problem(
                "template_collection_not_found",
                answer.headers["x-request-id"],
                f"/templates/{reference}{tail.partition('?')[0]}",
                template=reference,
            )
        answer = await service.viewer.get(f"/templates/{plain}{tail}")
        assert answer.status_code == 409
        assert answer.json() == problem(
            "template_not_marked",
            answer.headers["x-request-id"],
            f"/templates/{plain}{tail.partition('?')[0]}",
        )


async def test_a_family_tells_what_was_current_then(
    service: Service, owner: asyncpg.Connection, two_versions: tuple[str, str]
) -> None:
    for at, version in (("2025-05-01", 1), ("2025-05-03", 2)):
        await owner.execute(
            """UPDATE iu_core.iu_collection_template_current_log SET current_from = $1::text::date
                WHERE template_collection_id = $2""",
            at,
            UUID(two_versions[version - 1]),
        )
    await owner.execute(
        """INSERT INTO iu_core.iu_collection_template_current_log
                  (family_id, current_from, actor)
           SELECT family_id, '2025-05-05', 'test' FROM iu_core.iu_collection_template_family"""
    )
    zone = await owner.fetchval("SHOW timezone")
    assert zone in {"UTC", "Etc/UTC", "GMT"}

    async def then(at: str) -> Any:
        answer = await service.viewer.get(f"/templates/{FAMILY}", params={"at": at})
        document = answer.json()
        return document.get("version") or document["code"]

    assert await then("2025-04-30T23:59:59Z") == "template_collection_not_found"
    assert await then("2025-05-01T00:00:00Z") == "v1"
    assert await then("2025-05-03T01:59:59+02:00") == "v1"
    assert await then("2025-05-03T02:00:00+02:00") == "v2"
    assert await then("2025-05-04T23:59:59.999999Z") == "v2"
    assert await then("2025-05-05T00:00:00Z") == "template_collection_not_found"
    assert await then("2025-05-04") == "invalid_input"

    pinned = await service.viewer.get(f"/templates/{FAMILY}@v1?at=2025-05-04T00:00:00Z")
    assert pinned.status_code == 422
    assert pinned.json()["errors"] == [
        {
            "location": "query",
            "pointer": "/at",
            "rule": "family",
            "detail": "only of a family, such as tpl:wf:onboarding, is something current",
        }
    ]


async def test_templates_are_listed_by_family_and_number(
    service: Service, owner: asyncpg.Connection, two_versions: tuple[str, str]
) -> None:
    for number in range(3, 11):
        await create_version(owner, FAMILY, pieces=[content(f"piece {number}", "a")])
    await create_template(owner, "tpl:file:report", [content("r", "r")])
    await owner.execute(
        """UPDATE iu_core.iu_collection_template_registry SET template_key = 'tpl:zz:late/v4'
            WHERE template_key = 'tpl:file:report/v1'"""
    )
    await owner.execute("DELETE FROM iu_core.iu_collection_template_current_log")
    await owner.execute(
        """DELETE FROM iu_core.iu_collection_template_version AS v
            USING iu_core.iu_collection_template_family AS f
            WHERE f.family_id = v.family_id AND f.family_key = 'tpl:file:report'"""
    )

    async def listed(**params: Any) -> list[str]:
        keys: list[str] = []
        token: str | None = None
        while True:
            page = {**params, "limit": 4} | ({"page_token": token} if token else {})
            answer = await service.viewer.get("/templates", params=page)
            assert answer.status_code == 200
            keys += [template["template_key"] for template in answer.json()["items"]]
            token = answer.json()["next_page_token"]
            if token is None:
                return keys

    chain = [f"{FAMILY}/v{number}" for number in range(1, 11)]
    assert await listed() == [*chain, "tpl:zz:late/v4"]
    assert await listed(family=FAMILY) == chain
    assert await listed(status="current") == chain[-1:]
    assert await listed(status="superseded") == chain[:-1]
    assert await listed(status="withdrawn") == []
    assert await listed(status="unversioned") == ["tpl:zz:late/v4"]
    unversioned = await service.viewer.get("/templates/tpl:zz:late@v4")
    assert "ETag" not in unversioned.headers
    document = unversioned.json()
    assert (document["status"], document["template_without_version"]) == (None, True)


async def test_the_pieces_of_a_template_come_in_order_page_by_page(
    service: Service, two_versions: tuple[str, str]
) -> None:
    first, _ = two_versions
    whole = (await service.viewer.get(f"/templates/{first}/pieces")).json()
    assert whole == {
        "items": [
            {
                "position": position,
                "role": name,
                "unit_id": whole["items"][position - 1]["unit_id"],
                "content_digest": digest_of(content(name)),
                "media_type": "text/markdown",
                "title": name,
                "life": "active",
                "body": name,
            }
            for position, name in enumerate("abc", start=1)
        ],
        "next_page_token": None,
    }
    page = (await service.viewer.get(f"/templates/{first}/pieces?limit=2")).json()
    assert page["items"] == whole["items"][:2]
    rest = await service.viewer.get(
        f"/templates/{first}/pieces", params={"page_token": page["next_page_token"]}
    )
    assert rest.json() == {"items": whole["items"][2:], "next_page_token": None}
    other = await service.viewer.get(
        f"/templates/{FAMILY}/pieces", params={"page_token": page["next_page_token"]}
    )
    assert (other.status_code, other.json()["errors"][0]["pointer"]) == (422, "/page_token")


async def test_the_pieces_of_a_family_stay_those_of_the_version_that_a_walk_began_with(
    service: Service, owner: asyncpg.Connection, two_versions: tuple[str, str]
) -> None:
    path = f"/templates/{FAMILY}/pieces"
    whole = (await service.viewer.get(path)).json()["items"]
    page = (await service.viewer.get(path, params={"limit": 1})).json()
    await create_version(owner, FAMILY, pieces=[content("new", "new")])

    rest = await service.viewer.get(path, params={"page_token": page["next_page_token"]})

    assert page["items"] + rest.json()["items"] == whole
    assert [piece["role"] for piece in (await service.viewer.get(path)).json()["items"]] == ["new"]


async def test_two_templates_are_compared(service: Service, two_versions: tuple[str, str]) -> None:
    first, second = two_versions
    answer = await service.viewer.get(
        f"/templates/{FAMILY}/diff", params={"against": f"{FAMILY}/v1"}
    )
    assert answer.status_code == 200
    document = answer.json()

    def placed(position: int, name: str) -> dict[str, Any]:
        sides = [side for change in document["changes"] for side in change.values()]
        units = [side["unit_id"] for side in sides if type(side) is dict and side["title"] == name]
        return {
            "position": position,
            "unit_id": units[0],
            "content_digest": digest_of(content(name)),
            "media_type": "text/markdown",
            "title": name,
            "life": "active",
        }

    assert document == {
        "template": {
            "template_collection_id": second,
            "template_key": f"{FAMILY}/v2",
            "composition_digest": digest("cbd"),
            "piece_count": 3,
            "schema_digest": None,
        },
        "against": {
            "template_collection_id": first,
            "template_key": f"{FAMILY}/v1",
            "composition_digest": digest("abc"),
            "piece_count": 3,
            "schema_digest": None,
        },
        "same": False,
        "parameters_changed": False,
        "changes": [
            {"change": "removed", "role": "a", "before": placed(1, "a"), "after": None},
            {"change": "moved", "role": "b", "before": placed(2, "b"), "after": placed(2, "b")},
            {"change": "added", "role": "d", "before": None, "after": placed(3, "d")},
        ],
    }
    same = (await service.viewer.get(f"/templates/{first}/diff?against={first}")).json()
    assert (same["same"], same["changes"]) == (True, [])
