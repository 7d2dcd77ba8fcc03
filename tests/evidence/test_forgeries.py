"""Who changes something and makes the lists anew is found by the formulas; who makes all of it anew
is found only with a key, or a head, that was kept elsewhere.
"""

import hashlib
import json
from collections.abc import Callable
from uuid import UUID

import pytest

from app.evidence.archive import pack, unpack
from app.evidence.making import make
from app.evidence.members import heads_in
from app.evidence.verifying import verify
from app.signing import SigningKey
from tests.support.evidence import (
    DATA,
    EVENT,
    INSTANCE,
    OTHER,
    RECORD,
    REFERENCE,
    Members,
    answer,
    edited,
    forged,
    head,
    sha256,
)

PIECE = "pieces/1-welcome.txt"


def change_a_piece(members: Members) -> None:
    members[PIECE] = members[PIECE].replace(b"Welcome", b"Be gone")


def change_the_composition_too(members: Members) -> None:
    before = sha256(members[PIECE])
    change_a_piece(members)
    members["composition.tsv"] = members["composition.tsv"].replace(
        before.encode(), sha256(members[PIECE]).encode()
    )


def change_what_names_the_composition_too(members: Members) -> None:
    before = sha256(members["composition.tsv"])
    change_the_composition_too(members)
    after = sha256(members["composition.tsv"])
    for name in ("instance.json", "version.json", "product.txt"):
        members[name] = members[name].replace(before.encode(), after.encode())
    product = sha256(members["product.txt"])
    members["instance.json"] = edited(members["instance.json"], product_digest=product)


def change_the_instances_too(members: Members) -> None:
    before = bytes.fromhex(sha256(members["composition.tsv"]))
    change_what_names_the_composition_too(members)
    after = bytes.fromhex(sha256(members["composition.tsv"]))
    members["audit/instances.bin"] = members["audit/instances.bin"].replace(before, after)


def change_the_run_too(members: Members) -> None:
    before = sha256(members["audit/instances.bin"])
    change_the_instances_too(members)
    after = sha256(members["audit/instances.bin"])
    members["audit/run.json"] = members["audit/run.json"].replace(before.encode(), after.encode())


def change_the_list_too(members: Members) -> None:
    before = sha256(members["audit/run.json"])
    change_the_run_too(members)
    after = sha256(members["audit/run.json"])
    members["audit/segment.list"] = members["audit/segment.list"].replace(
        before.encode(), after.encode()
    )


def change_the_heads_too(members: Members) -> None:
    change_the_list_too(members)
    listed, previous, heads = sha256(members["audit/segment.list"]), "0" * 64, []
    for number, _ in enumerate(heads_in(members["audit/chain.txt"]), start=7):
        heads.append(head(number, 2, listed if number == 7 else "cd" * 32, previous).encode())
        previous = sha256(heads[-1])
    members["audit/chain.txt"] = b"".join(heads)
    members["audit/head.txt"], members["audit/signed.txt"] = heads[0], heads[-1]


BY_STEPS: dict[Callable[[Members], None], set[tuple[str, str]]] = {
    change_a_piece: {("piece_differs", PIECE)},
    change_the_composition_too: {
        ("composition_differs", "instance.json composition_digest"),
        ("composition_differs", "instance.json lineage_digest"),
        ("composition_differs", "version.json composition_digest"),
    },
    change_what_names_the_composition_too: {
        ("instances_differ", f"audit/instances.bin instance {INSTANCE}")
    },
    change_the_instances_too: {("instances_differ", "audit/instances.bin")},
    change_the_run_too: {("run_unlisted", f"run {RECORD}")},
    change_the_list_too: {("segment_edited", "segment 7")},
}


@pytest.mark.parametrize("change", BY_STEPS, ids=lambda step: step.__name__)
def test_however_far_somebody_goes_the_next_formula_does_not_come_out(
    archive: bytes, key: SigningKey, change: Callable[[Members], None]
) -> None:
    """Also with the factory's own key, so that no signature helps."""
    found = verify(forged(archive, key, change), key=key.public_key)
    assert {(finding.kind, finding.subject) for finding in found.findings} == BY_STEPS[change]


def test_who_writes_all_of_it_anew_with_a_key_of_their_own_is_found_by_what_was_kept_elsewhere(
    archive: bytes, key: SigningKey, foreign: SigningKey
) -> None:
    """By nothing in the archive: that agrees with itself."""

    def change(members: Members) -> None:
        change_the_heads_too(members)
        members["audit/signed.sig"] = foreign.sign(members["audit/signed.txt"])
        members["audit/audit.pub"] = foreign.public_key.encode()

    forgery = forged(archive, foreign, change)
    assert verify(forgery).holds
    kept = sha256(unpack(archive)["audit/signed.txt"])
    assert verify(archive, head=kept).holds
    assert {(f.kind, f.subject) for f in verify(forgery, head=kept).findings} == {
        ("head_missing", f"head {kept}")
    }
    assert {(f.kind, f.subject) for f in verify(forgery, key=key.public_key).findings} == {
        ("key_differs", "audit/audit.pub"),
        ("signature_wrong", "audit/signed.sig"),
        ("signature_wrong", "statement.dsse.json"),
    }


def test_who_has_the_key_too_is_found_by_a_head_that_was_kept_elsewhere(
    archive: bytes, key: SigningKey
) -> None:
    def change(members: Members) -> None:
        change_the_heads_too(members)
        members["audit/signed.sig"] = key.sign(members["audit/signed.txt"])

    forgery = forged(archive, key, change)
    assert verify(forgery, key=key.public_key).holds
    kept = sha256(unpack(archive)["audit/signed.txt"])
    (finding,) = verify(forgery, head=kept, key=key.public_key).findings
    assert (finding.kind, finding.subject) == ("head_missing", f"head {kept}")


def test_who_has_no_key_is_found_by_the_signatures(
    archive: bytes, key: SigningKey, foreign: SigningKey
) -> None:
    """With the factory's own public key in the archive, nobody else's signature holds."""
    found = verify(forged(archive, foreign, change_the_heads_too))
    assert {(f.kind, f.subject) for f in found.findings} == {
        ("signature_wrong", "audit/signed.sig"),
        ("signature_wrong", "statement.dsse.json"),
    }


@pytest.mark.parametrize("proven_by", ["older_than_runs", "run_retired"])
def test_a_head_does_not_prove_what_only_the_signature_says(
    archive: bytes, key: SigningKey, proven_by: str
) -> None:
    """Who has the key can say of any document that its run was retired."""
    told = {**answer(), "proven_by": proven_by, "instances": None}
    run = json.loads(told["run"]) | {"command": "migrate_database", "subject_id": str(UUID(int=0))}
    if proven_by == "run_retired":
        told["run"] = None
    else:
        told["run"] = json.dumps(run)
        told["list"] = f"{sha256(told['run'])}  {RECORD}\n"
        told["chain"] = head(7, 1, sha256(told["list"]), "0" * 64)
    made = make(told, key)
    assert verify(made, key=key.public_key).holds
    kept = sha256(unpack(made)["audit/signed.txt"])
    (finding,) = verify(made, head=kept, key=key.public_key).findings
    assert (finding.kind, finding.actual) == ("run_missing", proven_by)


MOVED = str(UUID(hashlib.md5(f"{EVENT}:{REFERENCE}:ada:".encode()).hexdigest()))

CHANGES: dict[str, tuple[Callable[[Members], None], set[tuple[str, str]]]] = {
    "another's data": (
        lambda m: m.update({"data.json": DATA.replace("Zoë", "Eve").encode()}),
        {("data_differ", "data.json")},
    ),
    "data in another form": (
        lambda m: m.update({"data.json": m["data.json"] + b"\n"}),
        {("data_differ", "data.json"), ("unreadable", "data.json")},
    ),
    "another product": (
        lambda m: m.update({"product.txt": b"x"}),
        {("product_differs", "product.txt")},
    ),
    "another product digest": (
        lambda m: m.update({"instance.json": edited(m["instance.json"], product_digest="x")}),
        {("product_differs", "instance.json product_digest")},
    ),
    "another event": (
        lambda m: m.update({"log.json": edited(m["log.json"], event_id=OTHER)}),
        {
            ("identity_differs", "instance.json instance_collection_id"),
            ("identity_differs", "log.json idempotency_key"),
        },
    ),
    "an event with a colon moved": (
        lambda m: m.update(
            {
                "instance.json": edited(
                    m["instance.json"], instance_collection_id=MOVED, instance_key="moved"
                ),
                "log.json": edited(
                    m["log.json"],
                    event_id=f"{EVENT}:{REFERENCE}",
                    reference_id="ada",
                    suffix="",
                    instance_collection_id=MOVED,
                    idempotency_key=MOVED.replace("-", ""),
                ),
            }
        ),
        {
            ("unreadable", "log.json event_id"),
            ("unreadable", "log.json reference_id"),
            ("instances_differ", f"audit/instances.bin instance {MOVED}"),
        },
    ),
    "another actor": (
        lambda m: m.update({"log.json": edited(m["log.json"], actor="eve")}),
        {("facts_differ", "audit/run.json actor")},
    ),
    "another call": (
        lambda m: m.update({"log.json": edited(m["log.json"], batch_id=OTHER)}),
        {("facts_differ", "audit/run.json subject_id")},
    ),
    "another time": (
        lambda m: m.update(
            {
                name: edited(m[name], composed_at="2026-03-01T00:00:00.000000Z")
                for name in ("instance.json", "log.json")
            }
        ),
        {("facts_differ", "audit/run.json last_at")},
    ),
    "another template": (
        lambda m: m.update(
            {
                name: edited(m[name], template_collection_id=OTHER)
                for name in ("instance.json", "log.json", "version.json")
            }
        ),
        {("instances_differ", f"audit/instances.bin instance {INSTANCE}")},
    ),
    "another version's key": (
        lambda m: m.update({"version.json": edited(m["version.json"], template_key="tpl:a:b/v1")}),
        {("facts_differ", "version.json template_key")},
    ),
    "a run that was refused": (
        lambda m: m.update(
            {
                "audit/run.json": json.dumps(
                    json.loads(m["audit/run.json"]) | {"outcome": "r"}
                ).encode()
            }
        ),
        {("facts_differ", "audit/run.json outcome"), ("run_unlisted", f"run {RECORD}")},
    ),
    "a run of more": (
        lambda m: m.update(
            {
                "audit/run.json": json.dumps(
                    json.loads(m["audit/run.json"]) | {"counts": {"composed": 3}}
                ).encode()
            }
        ),
        {("instances_differ", "audit/instances.bin entries"), ("run_unlisted", f"run {RECORD}")},
    ),
    "a longer list": (
        lambda m: m.update({"audit/segment.list": m["audit/segment.list"] + b"x\n"}),
        {("segment_edited", "segment 7"), ("segment_edited", "audit/segment.list lines")},
    ),
    "a head left out": (
        lambda m: m.update(
            {
                "audit/chain.txt": b"".join(
                    one for n, one in enumerate(heads_in(m["audit/chain.txt"])) if n != 1
                )
            }
        ),
        {("segment_unlinked", "segment 9")},
    ),
    "the chain without its beginning": (
        lambda m: m.update({"audit/chain.txt": b"".join(heads_in(m["audit/chain.txt"])[1:])}),
        {("segment_unlinked", "audit/chain.txt begins")},
    ),
    "the chain without its end": (
        lambda m: m.update({"audit/chain.txt": b"".join(heads_in(m["audit/chain.txt"])[:-1])}),
        {("segment_unlinked", "audit/chain.txt ends")},
    ),
    "half a head": (
        lambda m: m.update({"audit/chain.txt": m["audit/chain.txt"][:-20]}),
        {("unreadable", "audit/chain.txt")},
    ),
    "a head that another was signed for": (
        lambda m: m.update({"audit/signed.txt": m["audit/head.txt"]}),
        {
            ("segment_unlinked", "audit/chain.txt ends"),
            ("signature_wrong", "audit/signed.sig"),
        },
    ),
    "positions that are left out": (
        lambda m: m.update({"composition.tsv": m["composition.tsv"].replace(b"\n3\t", b"\n4\t")}),
        {
            ("unreadable", "composition.tsv"),
            ("composition_differs", "instance.json composition_digest"),
            ("composition_differs", "instance.json lineage_digest"),
            ("composition_differs", "version.json composition_digest"),
        },
    ),
}


@pytest.mark.parametrize("change", CHANGES)
def test_what_was_changed_and_signed_again_is_named_by_its_formula(
    archive: bytes, key: SigningKey, change: str
) -> None:
    """By the factory itself, even: lists and signatures are all in order."""
    how, expected = CHANGES[change]
    found = verify(forged(archive, key, how), key=key.public_key)
    assert {(f.kind, f.subject) for f in found.findings} == expected


def test_an_instance_is_not_taken_for_one_of_another_template(key: SigningKey) -> None:
    """Its 48 bytes are there, but under another template than the archive says."""
    told = answer()
    entries = bytes.fromhex(told["instances"])
    under = bytes(48) + UUID(OTHER).bytes + bytes(32) + entries[96:]
    told["instances"] = (entries[:96] + under).hex()
    run = json.loads(told["run"])
    told["run"] = json.dumps(run | {"instances_digest": sha256(entries[:96] + under)})
    subjects = {(f.kind, f.subject) for f in verify(make(told, key)).findings}
    assert ("instances_differ", f"audit/instances.bin instance {INSTANCE}") in subjects


@pytest.mark.parametrize(
    ("said", "finding"),
    [
        ({"composed_at": "2020"}, ("statement_differs", "statement.json composed_at")),
        ({"proven_by": "luck"}, ("statement_differs", "statement.json proven_by")),
        ({"more": 1}, ("statement_differs", "statement.json more")),
        (
            {"current_at_composing": False},
            ("statement_differs", "statement.json current_at_composing"),
        ),
    ],
)
def test_a_statement_that_says_something_else_is_named(
    archive: bytes, key: SigningKey, said: dict[str, object], finding: tuple[str, str]
) -> None:
    members = unpack(archive)
    predicate = json.loads(members["statement.json"])["predicate"]
    members["statement.json"] = edited(members["statement.json"], predicate={**predicate, **said})
    found = {(f.kind, f.subject) for f in verify(pack(members)).findings}
    assert finding in found
    assert {
        ("member_changed", "statement.json"),
        ("signature_wrong", "statement.dsse.json"),
    } <= found
