"""Documents over the wire: which format is asked for, and data to preview a template with."""

from typing import Any, Literal

from pydantic import Field

from app.schemas.base import QueryModel, WireModel, with_example

FormatName = Literal["md", "html", "pdf", "docx", "json"]


class DocumentQuery(QueryModel):
    """How a document is to be read."""

    format: FormatName | None = Field(
        None,
        description=(
            "Goes before `Accept`, which is then not looked at. `md` when neither says anything."
        ),
    )


class PreviewTemplate(WireModel):
    """Data to fill a template with."""

    model_config = with_example({"data": {"name": "Ada Lovelace", "starts": "2026-03-02"}})

    data: dict[str, Any] = Field(default_factory=dict, description="The template's parameters.")
