"""`GET /instances/{id}/evidence`: one archive that proves an instance without the service."""

import hashlib
import io
import json
import zipfile
from typing import Any
from uuid import uuid4

import asyncpg
import httpx
import pytest

from app.evidence.verifying import verify
from app.signing import SigningKey, is_signed
from tests.support.audit import let_a_minute_pass, retire
from tests.support.databases import Database
from tests.support.http import Service, client_of, make_key, problem, running_service
from tests.support.letters import BODY, GATES, compose, first_letter, template
from tests.support.templates import open_gates

NOWHERE = "00000000-0000-4000-8000-000000000000"


@pytest.fixture(autouse=True)
async def gates(owner: asyncpg.Connection) -> None:
    """The gates of authoring and composing, open."""
    await open_gates(owner, *GATES)


@pytest.fixture
async def instance(service: Service, owner: asyncpg.Connection) -> str:
    """An instance whose run is sealed."""
    made = await first_letter(service)
    await seal(service, owner)
    return made


async def seal(service: Service, owner: asyncpg.Connection, minutes: int = 2) -> None:
    """Have all that was done by now sealed."""
    await let_a_minute_pass(owner, minutes)
    answer = await service.operator.post("/commands/runs/seal")
    assert answer.json()["complete"] is True, answer.text


async def read(service: Service, instance: str, **query: str) -> httpx.Response:
    answer = await service.producer.get(f"/instances/{instance}/evidence", params=query)
    assert answer.status_code == 200, answer.text
    return answer


def members_of(archive: bytes) -> dict[str, bytes]:
    """The members, as any program finds them."""
    with zipfile.ZipFile(io.BytesIO(archive)) as file:
        assert file.testzip() is None
        return {name: file.read(name) for name in file.namelist()}


def digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


async def test_an_archive_has_everything_that_the_instance_is_proven_by(
    service: Service, owner: asyncpg.Connection, instance: str
) -> None:
    answer = await read(service, instance)
    assert answer.headers["content-type"] == "application/zip"
    assert answer.headers["content-disposition"] == (
        f'attachment; filename="evidence-{instance}.zip"'
    )
    assert answer.headers["etag"] == f'"{digest(answer.content)}"'
    assert (await read(service, instance)).content == answer.content, "the same bytes again"

    members = members_of(answer.content)
    assert list(members) == [
        "README.txt",
        "SHA256SUMS",
        "audit/audit.pub",
        "audit/chain.txt",
        "audit/head.txt",
        "audit/instances.bin",
        "audit/run.json",
        "audit/segment.list",
        "audit/signed.sig",
        "audit/signed.txt",
        "composition.tsv",
        "data.json",
        "instance.json",
        "log.json",
        "product.txt",
        "statement.dsse.json",
        "statement.json",
        "version.json",
        "pieces/1-welcome.txt",
    ]
    shown = (await service.viewer.get(f"/instances/{instance}")).json()
    lineage = (await service.viewer.get(f"/instances/{instance}/lineage")).json()
    log = await owner.fetchrow(
        "SELECT batch_id, request_id, reference_id FROM iu_core.iu_auto_instantiate_event_log"
    )
    assert log is not None
    at = shown["composed_at"]
    assert members["pieces/1-welcome.txt"] == f"text/markdown\nWelcome\n{BODY}".encode()
    content = digest(members["pieces/1-welcome.txt"])
    assert members["composition.tsv"] == f"1\twelcome\t{content}\n".encode()
    assert digest(members["composition.tsv"]) == shown["composition_digest"]
    assert members["data.json"] == b'{"name":"Ada"}'
    assert digest(members["data.json"]) == shown["data_digest"]
    assert digest(members["product.txt"]) == shown["product_digest"]
    assert json.loads(members["instance.json"]) == {
        "instance_collection_id": instance,
        "instance_key": shown["instance_key"],
        "template_collection_id": shown["template_collection_id"],
        "template_key": "tpl:wf:letter/v1",
        "composed_at": at,
        "composition_digest": shown["composition_digest"],
        "lineage_digest": lineage["lineage_digest"],
        "data_digest": shown["data_digest"],
        "product_digest": shown["product_digest"],
    }
    assert json.loads(members["log.json"]) == {
        "instance_collection_id": instance,
        "event_id": shown["event_id"],
        "reference_id": str(log["reference_id"]),
        "template_collection_id": shown["template_collection_id"],
        "operation_id": None,
        "request_id": str(log["request_id"]),
        "batch_id": str(log["batch_id"]),
        "composed_at": at,
        "event_type": "t",
        "suffix": "ada",
        "actor": "producer-bot",
        "emit_mode": "live",
        "reason": "",
        "data_digest": shown["data_digest"],
        "warnings": [],
        "idempotency_key": instance.replace("-", ""),
    }
    read_template = (await service.viewer.get("/templates/tpl:wf:letter@v1")).json()
    version = json.loads(members["version.json"])
    (current,) = version.pop("current")
    assert current["until"] is None
    assert current["from"] <= at
    assert version == {
        "template_collection_id": shown["template_collection_id"],
        "template_key": "tpl:wf:letter/v1",
        "family": "tpl:wf:letter",
        "version": "v1",
        "status": "current",
        "supersedes": None,
        "composition_digest": shown["composition_digest"],
        "schema_digest": read_template["schema_digest"],
        "marked_by": "operator-bot",
        "marked_at": current["from"],
        "versioned_by": "operator-bot",
        "versioned_at": current["from"],
        "reason": "test",
        "withdrawn_by": None,
        "withdrawn_at": None,
        "withdrawn_reason": None,
    }
    run = json.loads(members["audit/run.json"])
    assert (run["command"], run["subject_id"]) == ("instantiate_from_event", str(log["batch_id"]))
    assert run["instances_digest"] == digest(members["audit/instances.bin"])
    hexed = {
        name: (json.loads(members["instance.json"])[name]).replace("-", "")
        for name in ("template_collection_id", "instance_collection_id")
    }
    assert members["audit/instances.bin"].hex() == (
        "00" * 48
        + hexed["template_collection_id"]
        + shown["composition_digest"]
        + hexed["instance_collection_id"]
        + shown["data_digest"]
    )
    line = f"{digest(members['audit/run.json'])}  {run['record_id']}"
    assert line in members["audit/segment.list"].decode().split("\n")
    segment = await owner.fetchrow("SELECT * FROM iu_core.iu_audit_segment")
    assert segment is not None
    assert digest(members["audit/segment.list"]) == segment["runs_digest"]
    assert digest(members["audit/head.txt"]) == segment["segment_digest"]
    assert members["audit/chain.txt"] == members["audit/signed.txt"] == members["audit/head.txt"]


async def test_the_statement_is_over_all_of_it_and_signed(
    service: Service, owner: asyncpg.Connection, database: Database, instance: str
) -> None:
    members = members_of((await read(service, instance)).content)
    statement = json.loads(members["statement.json"])
    unlisted = {"SHA256SUMS", "statement.json", "statement.dsse.json"}
    run = json.loads(members["audit/run.json"])
    shown = (await service.viewer.get(f"/instances/{instance}")).json()
    head = {"segment_no": 1, "segment_digest": digest(members["audit/head.txt"])}
    named = ("composed_at", "composition_digest", "data_digest", "product_digest")
    assert statement == {
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [
            {"name": name, "digest": {"sha256": digest(members[name])}}
            for name in members
            if name not in unlisted
        ],
        "predicateType": "urn:product-factory:evidence:v1",
        "predicate": {
            "instance_collection_id": instance,
            "template_key": "tpl:wf:letter/v1",
            **{name: shown[name] for name in named},
            "current_at_composing": True,
            "proven_by": "run",
            "run": {
                "record_id": run["record_id"],
                "sha256": digest(members["audit/run.json"]),
                "instances_digest": run["instances_digest"],
            },
            "segment": {**head, "runs_digest": digest(members["audit/segment.list"])},
            "signed_head": head,
        },
    }
    assert members["SHA256SUMS"].decode() == "".join(
        f"{digest(members[name])}  {name}\n" for name in members if name != "SHA256SUMS"
    )
    key = SigningKey.kept_in(database.data_dir / "audit.key").public_key
    assert members["audit/audit.pub"].decode() == key
    assert is_signed(members["audit/signed.txt"], members["audit/signed.sig"], key)
    assert verify((await read(service, instance)).content, key=key).holds


async def test_the_chain_goes_to_the_head_with_which_its_segment_was_exported(
    service: Service, owner: asyncpg.Connection, instance: str
) -> None:
    """Later heads do not change it; it goes to one of them where that is asked for."""
    before = (await read(service, instance)).content
    for minutes in (4, 6):
        await compose(service, {"name": "Grace"})
        await seal(service, owner, minutes)
    first = (await service.admin.post("/commands/runs/export")).json()
    assert first["segment_no"] == 3
    archive = (await read(service, instance)).content
    members = members_of(archive)
    assert members["audit/signed.txt"].decode() == first["head"]
    assert members["audit/chain.txt"].decode().startswith(members["audit/head.txt"].decode())
    assert members["audit/chain.txt"].count(b"\nprevious_sha256 ") == 3
    assert verify(archive, head=first["segment_digest"]).holds

    await compose(service, {"name": "Joan"})
    await seal(service, owner, 8)
    second = (await service.admin.post("/commands/runs/export")).json()
    assert (await read(service, instance)).content == archive
    with_second = (await read(service, instance, head=second["segment_digest"])).content
    assert verify(with_second, head=second["segment_digest"]).holds
    assert verify(with_second, head=first["segment_digest"]).holds
    assert [
        (f.kind, f.subject) for f in verify(archive, head=second["segment_digest"]).findings
    ] == [("head_missing", f"head {second['segment_digest']}")]
    own = digest(members_of(before)["audit/head.txt"])
    assert (await read(service, instance, head=own)).content == before


async def test_a_chain_that_would_be_too_long_ends_where_it_begins(
    service: Service, owner: asyncpg.Connection, instance: str
) -> None:
    own = (await read(service, instance)).content
    far = "UPDATE iu_core.iu_audit_segment SET exported_at = now(), exported_by = $1"
    await owner.execute(
        """INSERT INTO iu_core.iu_audit_segment
                  (segment_no, last_record_id, first_at, last_at, sealed_at, runs, runs_digest,
                   previous_digest, segment_digest, sealed_by, sealed_runs)
           SELECT n, gen_random_uuid(), now(), now(), now(), 1, repeat('0', 64), repeat('0', 64),
                  encode(sha256(n::text::bytea), 'hex'), 'fixture', ''
             FROM generate_series(2, 20001) AS n"""
    )
    await owner.execute(far, uuid4())
    assert (await read(service, instance)).content == own
    path = f"/instances/{instance}/evidence"
    answer = await service.producer.get(path, params={"head": digest(b"20001")})
    assert answer.json() == problem("head_not_reached", answer.headers["x-request-id"], path)
    within = await service.producer.get(path, params={"head": digest(b"20000")})
    found = {one["kind"] for one in within.json()["findings"]}
    assert found == {"segment_unlinked"}, "it goes there, through what is no chain"


async def test_a_head_that_the_chain_does_not_lead_to_is_refused(
    service: Service, owner: asyncpg.Connection, instance: str
) -> None:
    earlier = digest(members_of((await read(service, instance)).content)["audit/head.txt"])
    later = await compose(service, {"name": "Grace"})
    await seal(service, owner, 4)
    for head in (earlier, "0" * 64):
        path = f"/instances/{later}/evidence"
        answer = await service.producer.get(path, params={"head": head})
        assert answer.json() == problem("head_not_reached", answer.headers["x-request-id"], path)


async def test_what_composed_many_at_once_proves_each_and_those_that_were_taken_back(
    service: Service, owner: asyncpg.Connection
) -> None:
    made = await service.operator.post("/templates", json=template())
    assert made.status_code == 201
    orders = [
        {
            "event_id": str(uuid4()),
            "event_type": "t",
            "template": "tpl:wf:letter",
            "data": {"name": name},
        }
        for name in ("Ada", "Grace", "Joan")
    ]
    answer = await service.producer.post("/instances/bulk?atomic=true", json=orders)
    assert answer.is_success, answer.text
    ids = [item["instance_collection_id"] for item in answer.json()["items"]]
    await seal(service, owner)
    order = {"selectors": {"event_id": orders[1]["event_id"]}}
    plan = (await service.operator.post("/rollback/plan", json=order)).json()
    order |= {name: plan[name] for name in ("plan_digest", "planned_at")}
    gone = await service.operator.post("/rollback/apply", json={**order, "reason": "a test"})
    assert gone.is_success, gone.text
    left = {row["instance_collection_id"] for row in await listed(service)}
    assert left == {ids[0], ids[2]}
    for instance in left:
        archive = (await read(service, instance)).content
        entries = members_of(archive)["audit/instances.bin"]
        assert len(entries) == 48 * 5
        assert all(one.replace("-", "") in entries.hex() for one in ids)
        assert verify(archive).holds


async def listed(service: Service) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = (await service.viewer.get("/instances")).json()["items"]
    return items


async def test_a_version_that_was_superseded_tells_until_when_it_was_current(
    service: Service, owner: asyncpg.Connection, instance: str
) -> None:
    etag = (await service.viewer.get("/templates/tpl:wf:letter")).headers["etag"]
    edit = {"op": "replace", "position": 1, "piece": {**template()["pieces"][0], "body": "Hello."}}
    answer = await service.operator.post(
        "/templates/families/tpl:wf:letter/versions",
        headers={"If-Match": etag},
        json={"reason": "shorter", "edits": [edit]},
    )
    assert answer.status_code == 201, answer.text
    old = json.loads(members_of((await read(service, instance)).content)["version.json"])
    assert old["status"] == "superseded"
    later = await compose(service, {"name": "Ada"}, template="tpl:wf:letter/v1")
    newer = await compose(service, {"name": "Ada"})
    await seal(service, owner, 4)
    members = members_of((await read(service, newer)).content)
    new = json.loads(members["version.json"])
    assert old["current"][0]["until"] == new["current"][0]["from"]
    assert new["template_key"] == "tpl:wf:letter/v2"
    for made, current in ((instance, True), (later, False), (newer, True)):
        statement = members_of((await read(service, made)).content)["statement.json"]
        assert json.loads(statement)["predicate"]["current_at_composing"] is current


async def test_what_is_not_sealed_yet_is_refused_and_what_helps_is_said(
    service: Service, owner: asyncpg.Connection
) -> None:
    instance = await first_letter(service)
    path = f"/instances/{instance}/evidence"
    answer = await service.producer.get(path)
    assert answer.json() == problem("evidence_not_sealed", answer.headers["x-request-id"], path)
    await seal(service, owner)
    assert verify((await read(service, instance)).content).holds


async def test_an_instance_that_was_rolled_back_or_never_was_has_no_evidence(
    service: Service, instance: str
) -> None:
    path = f"/instances/{NOWHERE}/evidence"
    answer = await service.producer.get(path)
    assert answer.json() == problem("instance_not_found", answer.headers["x-request-id"], path)
    order = {"actor": "producer-bot", "dry_run": False}
    await service.operator.post("/rollback/by-actor", json=order)
    answer = await service.producer.get(f"/instances/{instance}/evidence")
    assert (answer.status_code, answer.json()["code"]) == (410, "rolled_back")


async def test_a_producer_proves_its_own_and_a_viewer_every_instance(
    service: Service, owner: asyncpg.Connection, instance: str
) -> None:
    archive = (await read(service, instance)).content
    assert (await service.viewer.get(f"/instances/{instance}/evidence")).content == archive
    other = await make_key(owner, "producer", "other-bot", ("other-",))
    path = f"/instances/{instance}/evidence"
    async with client_of(service.app, other) as stranger:
        answer = await stranger.get(path)
    assert answer.json() == problem("actor_not_allowed", answer.headers["x-request-id"], path)
    assert (await service.anonymous.get(path)).status_code == 401


async def test_who_has_it_already_is_told_so(service: Service, instance: str) -> None:
    first = await read(service, instance)
    again = await service.producer.get(
        f"/instances/{instance}/evidence", headers={"If-None-Match": first.headers["etag"]}
    )
    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["etag"] == first.headers["etag"]
    other = await service.producer.get(
        f"/instances/{instance}/evidence", headers={"Accept": "application/json"}
    )
    assert other.json()["code"] == "not_acceptable"


async def test_reading_evidence_changes_nothing(
    service: Service, owner: asyncpg.Connection, instance: str
) -> None:
    count = "SELECT count(*) FROM iu_core.iu_command_record"
    before = await owner.fetchval(count)
    await read(service, instance)
    assert await owner.fetchval(count) == before


@pytest.mark.parametrize(
    ("change", "finding"),
    [
        ("UPDATE iu_core.information_unit SET body = 'else'", "piece_differs"),
        (
            'UPDATE iu_core.iu_auto_instantiate_event_log SET data = \'{"name":"Eve"}\'',
            "data_differ",
        ),
        (
            "UPDATE iu_core.iu_auto_instantiate_event_log SET data_digest = repeat('0', 64)",
            "instances_differ",
        ),
        ("UPDATE iu_core.iu_auto_instantiate_event_log SET suffix = 'x'", "identity_differs"),
        ("UPDATE iu_core.iu_command_record SET principal = 'else'", "run_unlisted"),
        ("UPDATE iu_core.iu_audit_segment SET sealed_runs = sealed_runs || 'x'", "segment_edited"),
        ("UPDATE iu_core.iu_audit_segment SET sealed_by = E'a\\nb'", "unreadable"),
        (
            "DELETE FROM iu_core.iu_command_record WHERE instances_digest IS NOT NULL",
            "instance_unrecorded",
        ),
    ],
)
async def test_there_is_no_evidence_of_what_was_changed(
    service: Service, owner: asyncpg.Connection, instance: str, change: str, finding: str
) -> None:
    await owner.execute(change)
    path = f"/instances/{instance}/evidence"
    answer = await service.producer.get(path)
    document = answer.json()
    assert finding in [found["kind"] for found in document["findings"]]
    assert document == problem(
        "evidence_inconsistent",
        answer.headers["x-request-id"],
        path,
        findings=document["findings"],
    )


async def test_of_a_retired_run_the_evidence_says_so(
    service: Service, owner: asyncpg.Connection, instance: str
) -> None:
    before = members_of((await read(service, instance)).content)
    await service.admin.post("/commands/runs/export")
    await retire(owner, 1)
    archive = (await read(service, instance)).content
    members = members_of(archive)
    assert before.keys() - members.keys() == {"audit/run.json", "audit/instances.bin"}
    assert members["audit/head.txt"] == before["audit/head.txt"]
    assert "WAS RETIRED" in members["README.txt"].decode()
    found = verify(archive)
    assert found.holds
    assert (found.predicate["proven_by"], found.predicate["run"]) == ("run_retired", None)


async def test_of_an_instance_that_is_older_than_runs_the_evidence_says_so(
    service: Service, owner: asyncpg.Connection
) -> None:
    instance = await first_letter(service)
    await owner.execute("UPDATE iu_core.iu_auto_instantiate_event_log SET batch_id = NULL")
    path = f"/instances/{instance}/evidence"
    answer = await service.producer.get(path)
    assert answer.json()["code"] == "evidence_inconsistent", "nothing is excused for being old"
    await owner.execute(
        """INSERT INTO iu_core.iu_command_record
                  (subject_id, first_at, last_at, command, outcome, code, actor, details)
           VALUES ('00000000-0000-0000-0000-000000000000', now(), now(), 'migrate_database',
                   'done', 'ok', 'iu-core-migration', '{"instances": 1}')"""
    )
    assert (await service.producer.get(path)).json()["code"] == "evidence_not_sealed"
    await seal(service, owner)
    archive = (await read(service, instance)).content
    members = members_of(archive)
    assert "audit/instances.bin" not in members
    assert json.loads(members["audit/run.json"])["command"] == "migrate_database"
    assert "OLDER THAN THE FACTORY'S RECORD OF RUNS" in members["README.txt"].decode()
    found = verify(archive)
    assert found.holds
    assert found.predicate["proven_by"] == "older_than_runs"


async def test_an_instance_of_no_event_has_no_data_and_no_log(
    service: Service, owner: asyncpg.Connection, instance: str
) -> None:
    await owner.execute("DELETE FROM iu_core.iu_auto_instantiate_event_log")
    await owner.execute(
        """INSERT INTO iu_core.iu_command_record
                  (subject_id, first_at, last_at, command, outcome, code, actor, details)
           VALUES ('00000000-0000-0000-0000-000000000000', now(), now(), 'migrate_database',
                   'done', 'ok', 'iu-core-migration', '{"instances": 1}')"""
    )
    await seal(service, owner, 4)
    answer = await service.viewer.get(f"/instances/{instance}/evidence")
    members = members_of(answer.content)
    assert not members.keys() & {"data.json", "log.json", "product.txt"}
    found = verify(answer.content)
    assert found.holds
    assert (found.predicate["data_digest"], found.predicate["proven_by"]) == (
        None,
        "older_than_runs",
    )


async def test_without_a_key_there_is_no_evidence(
    database: Database, owner: asyncpg.Connection
) -> None:
    database.data_dir.mkdir(parents=True, exist_ok=True)
    no_key = database.data_dir / "no.key"
    no_key.write_text("none")
    async with running_service(database, owner, audit_key_file=no_key) as service:
        instance = await first_letter(service)
        await seal(service, owner)
        answer = await service.producer.get(f"/instances/{instance}/evidence")
        assert (answer.status_code, answer.json()["code"]) == (503, "audit_key_unavailable")
