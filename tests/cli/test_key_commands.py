"""`factory key …`, against a service; and where the command line finds its key."""

import re
from pathlib import Path

from app.security import Scope
from tests.cli.conftest import Cli, admin_key

CREATE = ("key", "create", "--principal", "anna@example.org", "--actor", "anna")


def test_a_key_is_made_shown_once_listed_and_revoked(service: Cli) -> None:
    lines = service(*CREATE, "--scope", "viewer", "--days", "1").out.splitlines()
    shown = dict(re.split(r"  +", line, maxsplit=1) for line in lines if "  " in line)
    assert lines[-1] == "The secret is shown this once."
    assert shown["scope"] == "viewer"
    assert shown["state"] == "in_force"
    assert re.fullmatch(r"pf_[0-9a-f]{12}_[\w-]{43}", shown["secret"])

    anna = service.with_key(shown["secret"])
    assert len(anna.json("gate", "list")) == 11

    listed = service("key", "list").out
    assert listed.splitlines()[0].split() == ["key", "id", "state", "scope", "actor", "principal"]
    assert re.search(rf"{shown['key id']} +in_force +viewer +anna +anna@example\.org", listed)
    assert shown["secret"] not in listed

    key_id = shown["key id"]
    assert service("key", "revoke", key_id).out == f"The key {key_id} is revoked.\n"
    states = {key["key_id"]: key["state"] for key in service.json("key", "list")}
    assert states[key_id] == "revoked"
    assert anna.refusal("gate", "list", code=3) == [
        "unauthenticated: The key or token is unknown, malformed, expired or revoked.",
        "  What helps: use a key that is in force, in FACTORY_API_KEY; an admin makes one: factory"
        " key create. With the embedded database the first one lies in admin.key in the data"
        " directory",
    ]


def test_documents_for_programs(service: Cli) -> None:
    made = service.json(
        *CREATE, "--scope", "admin", "--actor-prefix", "anna-", "--actor-prefix", "anna:"
    )
    assert (made["scope"], made["actor_prefixes"]) == ("admin", ["anna-", "anna:"])
    assert made["expires_at"] is None
    revoked = service.json("key", "revoke", made["key_id"])
    assert (revoked["state"], "secret" in revoked) == ("revoked", False)


def test_every_mistake_in_a_key_is_told_at_once(service: Cli) -> None:
    assert service.refusal(
        "key", "create", "--principal", "", "--actor", "Anna", "--actor-prefix", "x", code=2
    ) == [
        "invalid_input: A field is missing, malformed or unknown: `errors` lists everything that"
        " is wrong, with its place and what would be right.",
        "  /principal: should have at least 1 character",
        "  /actor: should match pattern '^[a-z0-9][a-z0-9._:-]{0,127}$'",
        "  /actor_prefixes/0: should be the start of an actor's tag, and end at - or :",
        "  What helps: Correct what `errors` lists, and send the request again.",
    ]


def test_the_scopes_to_choose_from_are_all_there_are(service: Cli) -> None:
    for scope in Scope:
        service.json(*CREATE, "--scope", scope)
    refused = service(*CREATE, "--scope", "x", code=2).usage_error
    assert refused.endswith(
        " Invalid value for '--scope': 'x' is not one of 'producer', 'viewer', 'operator', 'admin'."
    )


def test_a_key_that_is_not_there(service: Cli) -> None:
    assert service.refusal("key", "revoke", "0123456789ab", code=4)[1] == "  key_id: 0123456789ab"


def test_without_a_key_it_is_said_where_one_was_looked_for(service: Cli, tmp_path: Path) -> None:
    lost = Cli(
        service.url, tmp_path, service.env | {"FACTORY_DATA_DIR": str(tmp_path / "elsewhere")}
    )
    done = lost("gate", "list", code=3)
    assert (done.out, done.err) == (
        "",
        "There is no API key: set FACTORY_API_KEY. (Without it the one in"
        f" {tmp_path}/elsewhere/admin.key is used, and that can't be read: No such file or"
        " directory.)\n",
    )


def test_the_key_of_this_machine_is_not_sent_to_another(service: Cli) -> None:
    done = service.at("http://factory.example:8000")("gate", "list", code=3)
    path = Path(service.env["FACTORY_DATA_DIR"]) / "admin.key"
    assert done.err == (
        "There is no API key for http://factory.example:8000: set FACTORY_API_KEY. (The one in"
        f" {path} is sent to this machine only.)\n"
    )


def test_what_no_header_can_carry_is_no_key_and_is_not_shown(service: Cli) -> None:
    for secret in ("pf_ü", "pf_a\nb", "pf_a b"):
        refused = service.with_key(secret)
        assert refused.refusal("gate", "list", code=3)[0].startswith("unauthenticated: ")
        assert secret not in refused("gate", "list", code=3).err


def test_no_proxy_leads_to_this_machine(service: Cli) -> None:
    misled = service.env | {"http_proxy": "http://127.0.0.1:9", "HTTP_PROXY": "http://127.0.0.1:9"}
    assert len(Cli(service.url, service.directory, misled).json("gate", "list")) == 11


def test_the_admin_key_is_for_its_owner_only(service: Cli) -> None:
    path = Path(service.env["FACTORY_DATA_DIR"]) / "admin.key"
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700
    assert re.fullmatch(r"pf_[0-9a-f]{12}_[\w-]{43}", admin_key(service))
