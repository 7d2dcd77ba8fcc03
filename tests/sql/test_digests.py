"""The worked examples of docs/digests.md are test vectors."""

import hashlib
import json
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from app.canonical_json import canonical_json
from tests.support.authoring import AUTHORING, create_template
from tests.support.composing import Item, compose_one
from tests.support.rows import one_row
from tests.support.templates import open_gates

DOCUMENT = Path(__file__).parents[2] / "docs" / "digests.md"


@dataclass(frozen=True)
class Example:
    """One worked example: what is digested, the command, and what comes out."""

    given: dict[str, Any]
    command: str
    digest: str


def examples() -> list[Example]:
    """The examples, as the document has them."""
    sections = DOCUMENT.read_text("utf-8").split("\n### ")[1:]
    found = []
    for section in sections:
        blocks = re.findall(r"```(\w*)\n(.*?)```", section, re.DOTALL)
        assert [language for language, _ in blocks] == ["json", "sh", ""]
        (_, given), (_, command), (_, digest) = blocks
        found.append(Example(json.loads(given), command, digest.strip()))
    return found


EXAMPLES = examples()
CONTENTS = [example for example in EXAMPLES if "body" in example.given]
COMPOSITIONS = [example for example in EXAMPLES if "pieces" in example.given]
COMPOSITION, DATA, PRODUCT, PARAMETERS = EXAMPLES[2:]


def test_the_document_has_an_example_of_everything_that_is_digested() -> None:
    assert [sorted(example.given) for example in EXAMPLES] == [
        ["body", "media_type", "title"],
        ["body", "media_type", "title"],
        ["pieces"],
        ["data"],
        ["composition", "data"],
        ["parameters"],
    ]


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.digest[:8])
def test_the_command_as_it_is_printed_gives_the_digest(example: Example) -> None:
    said = subprocess.run(
        ["sh", "-c", example.command], capture_output=True, text=True, check=True
    ).stdout
    assert said.split()[0] == example.digest


def lines(example: Example) -> list[tuple[str, str]]:
    """Roles and content digests of a composition; its contents are named by their number."""
    return [
        (piece["role"], CONTENTS[piece["content"] - 1].digest) for piece in example.given["pieces"]
    ]


def test_the_definitions_give_the_digests() -> None:
    for example in CONTENTS:
        media_type = example.given["media_type"].partition(";")[0].lower()
        text = f"{media_type}\n{example.given['title']}\n{example.given['body']}"
        assert hashlib.sha256(text.encode()).hexdigest() == example.digest
    for example in COMPOSITIONS:
        text = "".join(
            f"{position}\t{role}\t{digest}\n"
            for position, (role, digest) in enumerate(lines(example), start=1)
        )
        assert hashlib.sha256(text.encode()).hexdigest() == example.digest


async def test_the_database_gives_the_digests(unchanged_database: Any) -> None:
    owner = await asyncpg.connect(unchanged_database.owner_url)
    try:
        for example in CONTENTS:
            assert example.digest == await owner.fetchval(
                "SELECT iu_core.fn_iu_content_digest(iu_core.fn_iu_media_type($1), $2, $3)",
                example.given["media_type"],
                example.given["title"],
                example.given["body"],
            )
        for example in COMPOSITIONS:
            roles, digests = zip(*lines(example), strict=True)
            assert example.digest == await owner.fetchval(
                "SELECT iu_core.fn_iu_composition_digest($1, $2)", roles, digests
            )
    finally:
        await owner.close()


async def test_an_instance_of_the_examples_has_their_digests(
    owner: asyncpg.Connection, app_conn: asyncpg.Connection
) -> None:
    await open_gates(owner, *AUTHORING, "composer_enabled", "auto_instantiate_enabled")
    pieces = [
        {"role": piece["role"], **CONTENTS[piece["content"] - 1].given}
        for piece in COMPOSITION.given["pieces"]
    ]
    made = await create_template(
        app_conn, pieces=pieces, schema=canonical_json(PARAMETERS.given["parameters"])
    )
    assert made["status"] == "ok"
    asked = await one_row(app_conn, "SELECT schema_digest FROM iu_core.v_iu_template")
    assert asked["schema_digest"] == PARAMETERS.digest

    item = Item(
        "tpl:wf:onboarding",
        data=canonical_json(DATA.given["data"]),
        schema_digest=PARAMETERS.digest,
    )
    assert (await compose_one(app_conn, item))["status"] == "ok"
    row = await one_row(
        app_conn,
        "SELECT composition_digest, data_digest, product_digest FROM iu_core.v_iu_instance",
    )
    assert tuple(row) == (COMPOSITION.digest, DATA.digest, PRODUCT.digest)
    assert PRODUCT.given == {
        "composition": EXAMPLES.index(COMPOSITION) + 1,
        "data": EXAMPLES.index(DATA) + 1,
    }


async def test_media_types_are_normalised_or_none(unchanged_database: Any) -> None:
    expected = {
        "text/markdown": "text/markdown",
        " Text/HTML ;charset=utf-8;q=1": "text/html",
        "application/vnd.api+json": "application/vnd.api+json",
        "text": None,
        "text/": None,
        "/markdown": None,
        "text/mark down": None,
        "text/markdown\n": None,
        "текст/markdown": None,
        "TEXT/\N{KELVIN SIGN}": None,
        "text/" + "x" * 128: None,
        "": None,
    }
    owner = await asyncpg.connect(unchanged_database.owner_url)
    try:
        found = {
            given: await owner.fetchval("SELECT iu_core.fn_iu_media_type($1)", given)
            for given in expected
        }
    finally:
        await owner.close()
    assert found == expected
