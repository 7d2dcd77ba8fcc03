"""What hosts a service ends in order, shares what it can share, and says what is in its way."""

import json
import signal
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import httpx
import pytest

from app.db.schema_files import read_tree, root
from app.db.schema_state import LOCK_CLASS
from tests.cli.hosted import ask, beside, connection_to, held, received
from tests.embedded.helpers import copy_of, lives, postmaster, wait_until
from tests.packaging.programs import free_port
from tests.support.commands import COMMAND, Hosting, environment, factory, hosting

MIGRATION_LOCK = f"SELECT pg_advisory_xact_lock({LOCK_CLASS}, 0)"


def settings(data: Path, **changes: str) -> dict[str, str]:
    return environment(FACTORY_DATA_DIR=str(data), **{"FACTORY_PORT": "0"} | changes)


@pytest.fixture(scope="module")
def serving(ready: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hosting]:
    """A service that serves, with a log for machines."""
    directory = tmp_path_factory.mktemp("serving")
    env = settings(copy_of(ready, directory / "data"), FACTORY_LOG_FORMAT="json")
    with hosting("serve", "--json", env=env, cwd=directory) as program:
        program.document()
        yield program


def ended_in_order(program: Hosting, code: int) -> None:
    assert code == 0, str(program)
    assert program.out.endswith("Stopped.\n")
    assert "Traceback" not in program.err


def line_of(program_or_done_err: str) -> str:
    assert program_or_done_err.count("\n") == 1, program_or_done_err
    return program_or_done_err.rstrip("\n")


@pytest.mark.parametrize(
    ("command", "number"), [("serve", signal.SIGINT), ("evaluate", signal.SIGTERM)]
)
def test_a_signal_ends_it_in_order(
    data: Path, tmp_path: Path, command: str, number: signal.Signals
) -> None:
    with hosting(command, env=settings(data), cwd=tmp_path) as program:
        program.says("Ctrl-C stops")
        server = postmaster(data)
        ended_in_order(program, program.stop(number))
    assert not lives(server), "the program waits for the end of its server"
    assert not (data / "postgres" / "postmaster.pid").exists()


def test_killed_it_is_started_again_and_finds_its_data(data: Path, tmp_path: Path) -> None:
    order = ("instantiate", "tpl:wf:onboarding/v2", "--event-id", str(uuid4()), "--json")
    outcomes = []
    for number in (signal.SIGKILL, signal.SIGTERM):
        with hosting("evaluate", "--json", env=settings(data), cwd=tmp_path) as program:
            env = settings(data, FACTORY_URL=program.document()["url"])
            outcomes.append(factory(*order, env=env, cwd=tmp_path).document["outcome"])
            program.stop(number)
    assert outcomes == ["composed", "idempotent_replay"]


def test_two_programs_share_a_data_directory(data: Path, tmp_path: Path) -> None:
    with (
        hosting("evaluate", "--json", env=settings(data), cwd=tmp_path) as first,
        hosting("evaluate", "--json", env=settings(data), cwd=tmp_path) as second,
    ):
        urls = [program.document()["url"] for program in (first, second)]
        made = factory(
            "instantiate", "tpl:wf:onboarding/v2", "--json",
            env=settings(data, FACTORY_URL=urls[0]), cwd=tmp_path,
        ).document  # fmt: skip
        server = postmaster(data)

        assert first.stop() == 0
        assert lives(server), "the other one uses it"
        factory(
            "verify", made["instance_collection_id"],
            env=settings(data, FACTORY_URL=urls[1]), cwd=tmp_path,
        )  # fmt: skip

        assert second.stop() == 0
        assert not lives(server)


def test_two_programs_that_start_at_once_share_a_new_data_directory(
    new: Path, tmp_path: Path
) -> None:
    with (
        hosting("evaluate", "--json", env=settings(new), cwd=tmp_path) as first,
        hosting("evaluate", "--json", env=settings(new), cwd=tmp_path) as second,
    ):
        documents = [program.document() for program in (first, second)]
        listed = [
            factory("template", "list", "--json", env=settings(new, FACTORY_URL=one["url"]),
                    cwd=tmp_path).document
            for one in documents
        ]  # fmt: skip
        keys = factory(
            "key",
            "list",
            "--json",
            env=settings(new, FACTORY_URL=documents[0]["url"]),
            cwd=tmp_path,
        ).document
    assert len(listed[0]) == 6
    assert listed[0] == listed[1]
    made = [document["templates"]["made"] for document in documents]
    assert sorted(made[0] + made[1]) == sorted(one["template_key"] for one in listed[0])
    assert len(keys) == 1


def test_a_port_that_is_taken_is_one_line(serving: Hosting, new: Path, tmp_path: Path) -> None:
    url = serving.document()["url"]
    port = url.rpartition(":")[2]
    for command in ("serve", "evaluate"):
        done = factory(command, env=settings(new, FACTORY_PORT=port), cwd=tmp_path, code=1)
        assert (done.out, line_of(done.err)) == (
            "",
            f"Port {port} on 127.0.0.1 is taken: stop what listens there, or set FACTORY_PORT"
            " to another one.",
        )
    assert not new.exists(), "nothing was begun"
    assert httpx.get(f"{url}/livez", trust_env=False).status_code == 200


def test_of_two_programs_that_want_a_port_at_once_one_is_told(new: Path, tmp_path: Path) -> None:
    port = str(free_port())
    env = settings(new, FACTORY_PORT=port)
    with (
        hosting("evaluate", "--json", env=env, cwd=tmp_path) as first,
        hosting("evaluate", "--json", env=env, cwd=tmp_path) as second,
    ):
        wait_until(
            lambda: any(program.process.poll() is not None for program in (first, second)),
            "the end of one of them",
        )
        told, other = sorted((first, second), key=lambda program: program.process.poll() is None)
        assert told.wait() == 1
        assert line_of(told.err).startswith(f"Port {port} on 127.0.0.1 is taken: ")
        assert other.document()["url"] == f"http://127.0.0.1:{port}"


@pytest.mark.parametrize(
    ("host", "said"),
    [
        ("192.0.2.1", "FACTORY_HOST 192.0.2.1 is no address of this machine ("),
        ("no.such.host.invalid", "FACTORY_HOST no.such.host.invalid is no address of this machine"),
    ],
)
def test_an_address_that_is_not_ours_is_one_line(
    new: Path, tmp_path: Path, host: str, said: str
) -> None:
    done = factory("serve", env=settings(new, FACTORY_HOST=host), cwd=tmp_path, code=1)
    assert line_of(done.err).startswith(said)
    assert not new.exists(), "nothing was begun"


def test_data_of_another_postgresql_is_one_line(data: Path, tmp_path: Path) -> None:
    version = data / "postgres" / "PG_VERSION"
    major = version.read_text().strip()
    version.write_text("14\n")
    for command in ("evaluate", "migrate"):
        done = factory(command, env=settings(data), cwd=tmp_path, code=1)
        assert line_of(done.err) == (
            f"The data in {data}/postgres is PostgreSQL 14's and this is PostgreSQL {major}: dump"
            " it with PostgreSQL 14 (pg_dumpall) and load it into a new FACTORY_DATA_DIR, or set"
            " FACTORY_DATABASE_URL to a running server."
        )


def test_a_new_database_is_not_migrated_by_serving(new: Path, tmp_path: Path) -> None:
    done = factory("serve", env=settings(new), cwd=tmp_path, code=1)
    assert line_of(done.err) == "The database is new: run `factory migrate` first."
    making = ("key", "create", "--first", "--principal", "me", "--actor", "me")
    done = factory(*making, env=settings(new), cwd=tmp_path, code=1)
    assert line_of(done.err) == "The database is new: run `factory migrate` first."

    assert factory("migrate", env=settings(new), cwd=tmp_path).out.startswith("The database is at")
    secret = factory(*making, env=settings(new), cwd=tmp_path).out.strip()
    with hosting("serve", "--json", env=settings(new), cwd=tmp_path) as program:
        env = settings(new, FACTORY_URL=program.document()["url"], FACTORY_API_KEY=secret)
        refused = factory("gate", "list", env=env, cwd=tmp_path, code=3)
    assert "required_scope: viewer" in refused.err


def test_what_somebody_took_away_is_said_with_its_remedy(data: Path, tmp_path: Path) -> None:
    with beside(data) as server:
        ask(server, "DROP FUNCTION iu_core.fn_iu_gate_lease")
        done = factory("serve", env=settings(data), cwd=tmp_path, code=1)
    assert "fn_iu_gate_lease" in done.err
    assert done.err.endswith(
        "run `factory migrate --again`, which creates and grants everything anew.\n"
    )
    assert "Traceback" not in done.err
    again = factory("migrate", "--again", "--json", env=settings(data), cwd=tmp_path).document
    assert again.keys() == {"revision", "revisions_run", "installed", "removed"}
    assert again["revisions_run"] == again["removed"] == []
    everything = sorted(file.path for file in read_tree(root()).files)
    assert sorted(again["installed"]) == everything
    assert factory("migrate", "--again", env=settings(data), cwd=tmp_path).out == (
        f"The database is at revision {again['revision']}: 0 revisions run,"
        f" {len(everything)} functions and views installed, 0 removed.\n"
    )
    with hosting("serve", "--json", env=settings(data), cwd=tmp_path) as program:
        program.document()


def test_a_signal_while_the_database_is_being_made(new: Path, tmp_path: Path) -> None:
    with hosting("evaluate", env=settings(new), cwd=tmp_path) as program:
        wait_until((new / "postgres.new").exists, "initdb")
        ended_in_order(program, program.stop(signal.SIGINT))
    with hosting("evaluate", "--json", env=settings(new), cwd=tmp_path) as program:
        assert len(program.document()["templates"]["made"]) == 6


def test_a_signal_while_it_migrates(new: Path, tmp_path: Path) -> None:
    factory("bootstrap", env=settings(new), cwd=tmp_path)
    with beside(new) as server, held(server.url("postgres", "factory"), MIGRATION_LOCK) as holder:
        with hosting("evaluate", env=settings(new), cwd=tmp_path) as program:
            wait_until(holder.somebody_waits, "the migration")
            ended_in_order(program, program.stop(signal.SIGINT))
        with hosting("migrate", env=settings(new), cwd=tmp_path) as program:
            wait_until(holder.somebody_waits, "the migration")
            assert program.stop(signal.SIGTERM) == 128 + signal.SIGTERM
            assert program.out == ""
            assert line_of(program.err) == "Interrupted (SIGTERM)."
        assert not holder.somebody_waits(), "nobody is left"
        assert ask(server, "SELECT to_regclass('iu_core.information_unit')") is None


def test_a_signal_while_it_loads_the_examples(new: Path, tmp_path: Path) -> None:
    factory("migrate", env=settings(new), cwd=tmp_path)
    pieces = "LOCK TABLE iu_core.information_unit IN ACCESS EXCLUSIVE MODE"
    with beside(new) as server, held(server.url("postgres", "factory"), pieces) as holder:
        with hosting("evaluate", env=settings(new), cwd=tmp_path) as program:
            wait_until(holder.somebody_waits, "the first piece")
            ended_in_order(program, program.stop(signal.SIGTERM))
        wait_until(lambda: not holder.somebody_waits(), "nobody is left")
    with hosting("evaluate", "--json", env=settings(new), cwd=tmp_path) as program:
        assert len(program.document()["templates"]["made"]) == 6


def test_who_comes_before_it_is_up_is_answered_when_it_is(data: Path, tmp_path: Path) -> None:
    port = str(free_port())
    with beside(data) as server, held(server.url("postgres", "factory"), MIGRATION_LOCK) as holder:
        env = settings(data, FACTORY_PORT=port)
        with hosting("evaluate", "--json", env=env, cwd=tmp_path) as program:
            wait_until(holder.somebody_waits, "the migration")
            with connection_to(f"http://127.0.0.1:{port}") as early:
                early.sendall(b"GET /livez HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
                holder.let_go()
                assert received(early).startswith(b"HTTP/1.1 200 OK\r\n")
            program.document()


def test_open_connections_do_not_keep_it_from_ending(data: Path, tmp_path: Path) -> None:
    with hosting("serve", "--json", env=settings(data), cwd=tmp_path) as program:
        url = program.document()["url"]
        with (
            httpx.Client(base_url=url, trust_env=False) as keeping,
            connection_to(url),
            connection_to(url) as slow,
        ):
            assert keeping.get("/livez").status_code == 200
            slow.sendall(b"POST /instances/from-event HTTP/1.1\r\nHost: x\r\nContent-")
            assert program.stop() == 0
    assert "cut short" not in program.err


HALF_A_REQUEST = (
    b"POST /instances/from-event HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
    b"Authorization: Bearer %s\r\nContent-Length: 100\r\n\r\n{"
)


def hurried(shutdown: float, longest: float) -> tuple[str, ...]:
    return (*COMMAND[:2], "tests.cli.hurried", str(shutdown), str(longest))


def half_a_request(data: Path) -> bytes:
    return HALF_A_REQUEST % (data / "admin.key").read_bytes().strip()


def test_a_request_that_never_ends_is_ended(data: Path, tmp_path: Path) -> None:
    with (
        hosting(
            "serve", "--json", env=settings(data), cwd=tmp_path, command=hurried(1, 60)
        ) as program,
        connection_to(program.document()["url"]) as slow,
    ):
        slow.sendall(half_a_request(data))
        assert program.stop() == 0
        head, _, body = received(slow).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 503 Service Unavailable\r\n")
    assert b"\r\nretry-after: 1\r\n" in head
    problem = json.loads(body)
    assert (problem["code"], problem["retry_after"]) == ("overloaded", 1)
    assert problem["detail"].startswith("The service stopped before this request was done; ")
    assert "Traceback" not in program.err


def test_a_second_signal_does_not_wait_for_requests(data: Path, tmp_path: Path) -> None:
    with hosting("serve", env=settings(data), cwd=tmp_path, command=hurried(600, 600)) as program:
        program.says("Ctrl-C stops")
        url = next(word for word in program.out.split() if word.startswith("http://"))
        with connection_to(url) as slow:
            slow.sendall(half_a_request(data))
            program.process.send_signal(signal.SIGINT)
            wait_until(
                lambda: "Waiting for connections to close" in program.err, "the first signal"
            )
            ended_in_order(program, program.stop(signal.SIGINT))
    assert "The service was cut short, with requests under way." in program.err


def test_a_transaction_that_does_not_end_is_cut_short(data: Path, tmp_path: Path) -> None:
    with (
        beside(data) as server,
        held(
            server.url("postgres", "factory"),
            "LOCK TABLE iu_core.iu_piece_collection IN ACCESS EXCLUSIVE MODE",
        ) as holder,
        hosting(
            "serve", "--json", env=settings(data), cwd=tmp_path, command=hurried(0.1, 0.5)
        ) as program,
    ):
        key = (data / "admin.key").read_text().strip()
        with connection_to(program.document()["url"]) as waiting:
            waiting.sendall(
                b"GET /observability/integrity HTTP/1.1\r\nHost: x\r\n"
                b"Authorization: Bearer %s\r\n\r\n" % key.encode()
            )
            wait_until(holder.somebody_waits, "the check")
            assert program.stop() == 0
        assert "Traceback" not in program.err, program.err
        wait_until(lambda: not holder.somebody_waits(), "the end of its transaction")


def test_what_is_no_http_is_answered_with_a_problem(serving: Hosting) -> None:
    with connection_to(serving.document()["url"]) as connection:
        connection.sendall(b"\x16\x03\x01\x02\x00 this is TLS\r\n\r\n")
        head, _, body = received(connection).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 400 Bad Request\r\n")
    assert b"content-type: application/problem+json" in head
    assert json.loads(body)["code"] == "invalid_input"


def test_its_log_is_for_machines_where_it_is_asked_for(serving: Hosting) -> None:
    httpx.get(serving.document()["url"] + "/livez", trust_env=False)
    wait_until(lambda: "/livez" in serving.err and serving.err.endswith("\n"), "the request")
    lines = [json.loads(line) for line in serving.err.splitlines()]
    assert "/livez" in [line.get("route") for line in lines if line["event"] == "request"]


def test_it_is_reached_from_this_machine_only(serving: Hosting) -> None:
    url = serving.document()["url"]
    assert url.startswith("http://127.0.0.1:")
    port = int(url.rpartition(":")[2])
    sockets = [
        line.split()
        for name in ("tcp", "tcp6")
        for line in Path(f"/proc/{serving.process.pid}/net/{name}").read_text().splitlines()[1:]
    ]
    listening = [words[1] for words in sockets if words[3] == "0A"]
    assert [one for one in listening if one.endswith(f":{port:04X}")] == [f"0100007F:{port:04X}"]


def test_serving_is_told_to_a_program_in_a_document(serving: Hosting) -> None:
    document = serving.document()
    assert document.keys() == {"url", "admin_key_file"}
    assert Path(document["admin_key_file"]).name == "admin.key"
