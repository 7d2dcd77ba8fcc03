"""The OpenAPI document: FastAPI's, and the problem documents that its responses refer to.

`python -m app.openapi docs/openapi.json` writes it; a test says when it is stale.
"""

import json
import sys
from pathlib import Path
from typing import Any

from pydantic.json_schema import models_json_schema

from app.refusals.models import PROBLEM_MODELS

_REFERENCE = "#/components/schemas/{model}"


def add_problem_schemas(document: dict[str, Any]) -> dict[str, Any]:
    """Add the schemas of the refusals that the document's operations name."""
    codes = sorted(
        {
            code
            for operations in document.get("paths", {}).values()
            for operation in operations.values()
            for response in operation.get("responses", {}).values()
            for code in response.get("x-refusals", ())
        }
    )
    _, definitions = models_json_schema(
        [(PROBLEM_MODELS[code], "serialization") for code in codes], ref_template=_REFERENCE
    )
    schemas = document.setdefault("components", {}).setdefault("schemas", {})
    schemas.update(definitions.get("$defs", {}))
    document["components"]["schemas"] = dict(sorted(schemas.items()))
    return document


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
