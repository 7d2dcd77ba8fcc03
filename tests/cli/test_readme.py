"""The README's commands, copied as they stand, against a service as `make run` starts it."""

import json
import re
import subprocess
from pathlib import Path
from typing import Any

from tests.support.commands import ROOT, environment, hosting

README = (ROOT / "README.md").read_text(encoding="utf-8")


def block(language: str, containing: str) -> str:
    """The only code block of a language with some text in it."""
    blocks = re.findall(rf"^```{language}\n(.*?)^```$", README, re.DOTALL | re.MULTILINE)
    (found,) = [text for text in blocks if containing in text]
    return str(found)


def shell(command: str, cwd: Path) -> Any:
    """What a command prints, as JSON."""
    done = subprocess.run(
        ["sh", "-c", command], cwd=cwd, capture_output=True, text=True, timeout=60, check=True
    )
    return json.loads(done.stdout)


def test_the_first_curl_answers_the_instance_and_then_the_refusal(tmp_path: Path) -> None:
    env = environment(FACTORY_PORT="0", FACTORY_DATA_DIR="var")
    with hosting("evaluate", "--json", env=env, cwd=tmp_path) as program:
        url = program.document()["url"]
        curl = block("sh", "curl").replace("http://127.0.0.1:8000", url)
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
