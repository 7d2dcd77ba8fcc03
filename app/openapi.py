"""The OpenAPI document: FastAPI's, and the problem documents that its responses refer to.

`python -m app.openapi docs/openapi.json` writes it; a test says when it is stale.
"""

import json
import sys
from pathlib import Path
from typing import Any

from pydantic.json_schema import models_json_schema

from app.refusals import CATALOGUE
from app.refusals.models import PROBLEM_MODELS, example, example_name

_REFERENCE = "#/components/schemas/{model}"


def add_problem_components(document: dict[str, Any]) -> dict[str, Any]:
    """Add the schemas and examples of the refusals that the document's operations name."""
    named = sorted(_named_refusals(document))
    models = {code: PROBLEM_MODELS[code] for code, _ in named}
    _, definitions = models_json_schema(
        [(model, "serialization") for model in models.values()], ref_template=_REFERENCE
    )
    components = document.setdefault("components", {})
    schemas = {**components.get("schemas", {}), **definitions.get("$defs", {})}
    components["schemas"] = dict(sorted(schemas.items()))
    components["examples"] = {
        example_name(code, status): {
            "summary": CATALOGUE[code].title,
            "value": example(code, status),
        }
        for code, status in named
    }
    return document


def _named_refusals(document: dict[str, Any]) -> set[tuple[str, int]]:
    return {
        (code, int(status))
        for operations in document.get("paths", {}).values()
        for operation in operations.values()
        for status, response in operation.get("responses", {}).items()
        for code in response.get("x-refusals", ())
    }


def openapi_as_text() -> str:
    """The document as it is committed. Says nothing of the environment it was made in."""
    from app.main import create_app  # noqa: PLC0415 - the application imports this module
    from app.settings import Settings  # noqa: PLC0415

    application = create_app(Settings.model_construct())
    return json.dumps(application.openapi(), indent=2, ensure_ascii=False) + "\n"


def main(arguments: list[str]) -> int:
    """Write the document to the file named, or to standard output."""
    text = openapi_as_text()
    if arguments:
        Path(arguments[0]).write_text(text, encoding="utf-8")
    else:
        sys.stdout.write(text)
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
