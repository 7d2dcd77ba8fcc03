"""Judging the data of instances by the schemas of their templates.

It is the orchestrator that decides, in its order and under its locks (fn_iu_compose_data). What is
found here goes along with each item, and by which schema it was found. Where that is not the one of
the version that would be composed from, because another was published meanwhile or nothing was
known of the template yet, nothing is decided: the item is answered `data_unjudged` with the right
schema, is judged by that, and is sent again.

So a process remembers which schema a reference asked for when it was last heard of, and most items
are judged right at the first time, without a question to the database. Nobody need tell it of a new
version.
"""

import asyncio
import json
from collections import OrderedDict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from app.db import templates as db
from app.db.engine import Database
from app.db.limits import BULK
from app.errors import ContractError, Refusal
from app.json_schema import FlawedSchemaError, Schema, compile_schema
from app.refusals.invalid import invalid_input
from app.refusals.members import InvalidField
from app.refusals.unavailable import RETRY_AFTER_SECONDS

UNJUDGED = "data_unjudged"
"""The status of an item that is to be judged by the schema in its details, and sent again."""

TRIES = 3
"""How often an item is sent at most. At first nothing may be known of its template; each time after
that, another schema was published meanwhile."""

_MOST_SCHEMAS = 256
_MOST_REFERENCES = 4096

Kept = TypeVar("Kept")


@dataclass(frozen=True, slots=True)
class Judgement:
    """By which schema data was judged, and what was wrong with it.

    `data_errors` are `{"errors": [...]}` as JSON text; None: nothing is wrong. Without
    `schema_digest` it was not judged.
    """

    schema_digest: str | None = None
    data_errors: str | None = None


def judgement(schema: Schema | None, data: Any) -> Judgement:
    """What the schema says of data; None: nothing is known to judge by.

    Of `{}` the orchestrator knows by itself. A thread would not give others their turns meanwhile,
    for the validator holds the interpreter's lock; a MiB takes it about 10 ms.
    """
    if schema is None or data == {}:
        return Judgement()
    return Judgement(schema.digest, data_errors(schema, data))


def data_errors(schema: Schema, data: Any) -> str | None:
    """What is wrong with data, as `Judgement` has it."""
    errors = [error.model_dump(exclude_none=True) for error in schema.errors(data)]
    return json.dumps({"errors": errors}, ensure_ascii=False) if errors else None


def checked_schema(document: Any, pointer: str) -> Schema:
    """The schema that an author sent, at that place of the body.

    Refuses with `invalid_input` what is none, or what could take too long.
    """
    try:
        return compile_schema(document)
    except FlawedSchemaError as error:
        raise invalid_input(
            [
                InvalidField(
                    location="body",
                    pointer=pointer + flaw.pointer,
                    rule=flaw.rule,
                    detail=flaw.detail,
                )
                for flaw in error.flaws
            ]
        ) from error


def payload_invalid(errors: Sequence[InvalidField], template: Mapping[str, Any]) -> Refusal:
    """The refusal of data that a template does not take; `template` is its row."""
    return Refusal(
        "payload_invalid",
        errors=[error.model_dump(exclude_none=True) for error in errors],
        template_key=template["template_key"],
        schema_digest=template["schema_digest"],
    )


class Schemas:
    """The schemas of templates, each compiled once. One for a process."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._compiled: OrderedDict[str, Schema] = OrderedDict()
        self._reading: dict[str, asyncio.Task[Schema]] = {}
        self._expected: OrderedDict[str, str] = OrderedDict()

    async def expected(self, reference: str) -> Schema | None:
        """The schema that a template reference was last known to ask for; None: of none is known.

        A family may have another one by now.
        """
        digest = self._expected.get(reference)
        return None if digest is None else await self.by_digest(digest)

    async def learn(self, reference: str, details: Mapping[str, Any]) -> Schema:
        """The schema that an item with this reference was told to be judged by (UNJUDGED)."""
        digest: str = details["schema_digest"]
        _keep(self._expected, reference, digest, _MOST_REFERENCES)
        return await self.by_digest(digest)

    async def look_up(self, references: Collection[str]) -> dict[str, Schema]:
        """The schemas that templates ask for now, those that ask for one: one question for all."""
        digests = await self._database.run(
            lambda tx: db.schema_digests(tx, references), limits=BULK, repeatable=True
        )
        return {reference: await self.by_digest(digest) for reference, digest in digests.items()}

    async def by_digest(self, digest: str) -> Schema:
        """A schema that a template has or had."""
        schema = self._compiled.get(digest)
        if schema is not None:
            return schema
        # Whoever needs it while it is read waits for that one.
        reading = self._reading.get(digest)
        if reading is None:
            reading = self._reading[digest] = asyncio.create_task(self._read(digest))
            reading.add_done_callback(lambda task: self._was_read(digest, task))
        return await asyncio.shield(reading)

    async def _read(self, digest: str) -> Schema:
        document = await self._database.run(lambda tx: db.schema(tx, digest), repeatable=True)
        if document is None:
            raise ContractError(f"there is no template schema {digest}")
        return compile_schema(document)

    def _was_read(self, digest: str, task: "asyncio.Task[Schema]") -> None:
        del self._reading[digest]
        if not task.cancelled() and task.exception() is None:
            _keep(self._compiled, digest, task.result(), _MOST_SCHEMAS)


def never_judged() -> Refusal:
    """The refusal of what was sent TRIES times, each time judged by what was not asked for."""
    return Refusal(
        "overloaded",
        "The template asked for other data each time that it was judged. Nothing was stored.",
        retry_after=RETRY_AFTER_SECONDS,
    )


def _keep(kept: OrderedDict[str, Kept], key: str, value: Kept, most: int) -> None:
    kept[key] = value
    while len(kept) > most:
        kept.popitem(last=False)
