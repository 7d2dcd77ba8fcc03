"""Schemas of data: compiled once, and asked what is wrong with a document."""

import hashlib
from typing import Any

from app.canonical_json import canonical_json
from app.json_pointer import pointer
from app.json_schema.flaws import checked
from app.json_schema.keywords import SubSchema
from app.json_schema.load import MOST_LOAD, load_of_validating
from app.json_schema.mistakes import Examiner, Mistake, validator
from app.json_schema.unfolding import unfold
from app.refusals.members import MOST_ERRORS, InvalidField


class Schema:
    """A schema that is sound, compiled. Made by `compile_schema`.

    `digest` is the SHA-256 of its RFC 8785 form, as 64 hex digits. `unfolded` is the document with
    what it refers to in place of each reference. `default` is an annotation, as
    JSON Schema has it: nothing is filled in. May be shared by threads.
    """

    def __init__(self, document: Any) -> None:
        """Raises FlawedSchemaError."""
        unfolded = unfold(checked(document))
        self.digest = hashlib.sha256(canonical_json(document).encode()).hexdigest()
        self.unfolded: SubSchema = unfolded.document
        self._load = unfolded.load
        self._validator = validator(unfolded.document)
        self._examiner = Examiner()

    def errors(self, instance: Any, pointer_prefix: str = "/data") -> list[InvalidField]:
        """What is wrong with a document, as members of a refusal; empty when nothing is.

        Takes what was read from JSON, and the pointer to it in the body. Answers the first hundred
        mistakes, and does not look for more. Data for which validation could take longer than the
        schema's share is not looked at, and has the single error `too_costly`.
        """
        if load_of_validating(self._load, instance) > MOST_LOAD:
            return [_invalid(pointer_prefix, _TOO_COSTLY)]
        if self._validator.is_valid(instance):
            return []
        # A schema may ask for the same thing in several places: told once, and in order.
        found: dict[Mistake, None] = {}
        for mistake in self._examiner.mistakes(self.unfolded, instance):
            found[mistake] = None
            if len(found) == MOST_ERRORS:
                break
        self._examiner.forget()
        return [_invalid(pointer_prefix, mistake) for mistake in found or [_UNEXPLAINED]]


_TOO_COSTLY = Mistake((), "too_costly", "is too large to be checked against so large a schema")
_UNEXPLAINED = Mistake((), "schema", "does not satisfy the schema")


def compile_schema(document: Any) -> Schema:
    """The schema that a document of JSON Schema 2020-12 is.

    Raises FlawedSchemaError, with everything that is wrong, where it is none or is one that could
    take too long or too much memory (docs/decisions/0017).
    """
    return Schema(document)


def matches(pattern: str, text: str) -> bool:
    """Whether a text matches a pattern of a sound schema."""
    return validator({"pattern": pattern}).is_valid(text)


def _invalid(prefix: str, mistake: Mistake) -> InvalidField:
    return InvalidField(
        location="body",
        pointer=prefix + pointer(mistake.steps),
        rule=mistake.rule,
        detail=mistake.detail,
    )
