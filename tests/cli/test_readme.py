"""The README's commands, copied as they stand, against a service as `make run` starts it."""

import asyncio
import json
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.cli.test_audit_commands import AHEAD, owner_does
from tests.support.commands import ROOT, environment, hosting

README = (ROOT / "README.md").read_text(encoding="utf-8")


def block(language: str, containing: str) -> str:
    """The only code block of a language with some text in it."""
    blocks = re.findall(rf"^```{language}\n(.*?)^```$", README, re.DOTALL | re.MULTILINE)
    (found,) = [text for text in blocks if containing in text]
    return str(found)


def installed(command: str) -> str:
    """With the program of these tests in the place of the checkout's."""
    return command.replace(".venv/bin/factory", f"{shlex.quote(sys.executable)} -m app.cli")


def shell(command: str, cwd: Path) -> Any:
    """What a command prints, as JSON."""
    done = subprocess.run(
        ["sh", "-c", command], cwd=cwd, capture_output=True, text=True, timeout=60, check=True
    )
    return json.loads(done.stdout)


def documents(command: str, cwd: Path) -> list[Any]:
    """The JSON documents that commands print one after the other."""
    done = subprocess.run(
        ["sh", "-c", command], cwd=cwd, capture_output=True, text=True, timeout=60, check=True
    )
    decoder, found, rest = json.JSONDecoder(), [], done.stdout
    while rest.strip():
        document, end = decoder.raw_decode(rest)
        found.append(document)
        rest = rest[end:].lstrip()
    return found


def proves(commands: str, cwd: Path, url: str) -> None:
    """Each ends with the exit code 0."""
    done = subprocess.run(
        ["sh", "-ec", commands],
        cwd=cwd,
        env=environment(FACTORY_DATA_DIR="var", FACTORY_URL=url),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_an_event_is_sent_and_its_product_is_read(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "examples", tmp_path / "examples")
    env = environment(FACTORY_PORT="0", FACTORY_DATA_DIR="var")
    with hosting("evaluate", "--json", env=env, cwd=tmp_path) as program:
        url = program.document()["url"]

        def as_shown(containing: str) -> str:
            return block("sh", containing).replace("http://127.0.0.1:8000", url)

        auth, json_type = as_shown("employee-hired.json").splitlines()[0].split(" json=")
        variables = f"{auth}; json={json_type}\n"
        _, route, taken = documents(as_shown("employee-hired.json"), tmp_path)
        assert [
            (result["route_id"], result["outcome"], result["template"], result["suffix"])
            for result in taken["results"]
        ] == [(route["route_id"], "composed", "tpl:wf:onboarding/v3", "hire-4711")]
        (source,) = documents(variables + as_shown("event-sources/github"), tmp_path)
        assert (source["name"], source["signature"]) == ("github", "github")
        subprocess.run(
            ["sh", "-c", variables + as_shown("onboarding.pdf")],
            cwd=tmp_path,
            timeout=60,
            check=True,
        )
        page = (tmp_path / "onboarding.html").read_text("utf-8")
        assert "Amara Okafor" in page
        assert (tmp_path / "onboarding.pdf").read_bytes().startswith(b"%PDF-")

        instance, _, _ = as_shown("onboarding.pdf").partition("\ncurl")
        check, _, rest = installed(block("sh", "factory check")).partition("\n")
        proves(check, tmp_path, url)
        # Which is a finding of its own.
        asyncio.run(owner_does(tmp_path / "var", AHEAD))
        proves(f"{variables}{instance}\n{rest}", tmp_path, url)


def test_the_first_curl_answers_the_instance_and_then_the_refusal(tmp_path: Path) -> None:
    env = environment(FACTORY_PORT="0", FACTORY_DATA_DIR="var")
    with hosting("evaluate", "--json", env=env, cwd=tmp_path) as program:
        url = program.document()["url"]
        curl = block("sh", "from-event").replace("http://127.0.0.1:8000", url)
        shown = json.loads(block("json", '"composed"'))

        composed = shell(curl, tmp_path)
        varies = {"template_collection_id", "composed_at"}
        for name in set(shown) - varies - {"instance_collection_id", "idempotency_key"}:
            assert composed[name] == shown[name], name
        assert set(composed) == set(shown)
        assert shell(curl, tmp_path) == composed | {"outcome": "idempotent_replay"}

        admin = (tmp_path / "var" / "admin.key").read_text().strip()
        closing = f"curl -sS -X POST {url}/gates/close-all -H 'Authorization: Bearer {admin}'"
        assert shell(closing, tmp_path)["draining"] is False
        refused = shell(curl.replace("ada-lovelace", "grace-hopper"), tmp_path)
        refusal = json.loads(block("json", "live_gate_closed"))
        assert refused | {"request_id": ""} == refusal | {"request_id": ""}
