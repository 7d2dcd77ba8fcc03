"""What every format says about where a document comes from, in the same words."""

from app.documents.models import Document, Provenance

PREVIEW = "Preview: not stored"
HEADING = "Where this document comes from"


def byline(document: Document) -> str:
    """The line below the title: when it was composed and by whom, or that it is a preview."""
    if document.provenance is None:
        return PREVIEW
    at = document.provenance.composed_at
    return f"Composed on {at:%Y-%m-%d} at {at:%H:%M} UTC by {document.provenance.actor}"


def statements(provenance: Provenance) -> tuple[tuple[str, str], ...]:
    """Name and value of everything that tells the instance, and what it was composed from."""
    return (
        ("Template", provenance.template_key),
        ("Instance", provenance.instance_key),
        ("Instance id", provenance.instance_collection_id),
        ("Event", f"{provenance.event_type}, {provenance.event_id}"),
        ("Composition digest", provenance.composition_digest),
        ("Data digest", provenance.data_digest),
        ("Product digest", provenance.product_digest),
    )


def how_to_verify(provenance: Provenance) -> str:
    """What anyone can do to see that the document is what the digests say."""
    return (
        "The digests are SHA-256. To recompute them from what is stored:"
        f" factory verify {provenance.instance_collection_id}"
    )
