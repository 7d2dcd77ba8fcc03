"""What every format says about where a document comes from, in the same words."""

from app.documents.models import Document, Provenance

PREVIEW = "Preview: not stored"
HEADING = "Where this document comes from"


def byline(document: Document) -> str:
    """The line below the title: when it was composed and by whom, or that it is a preview."""
    if document.provenance is None:
        return PREVIEW
    at, actor = document.provenance.composed_at, document.provenance.actor
    by = f" by {actor}" if actor else ""
    return f"Composed on {at:%Y-%m-%d} at {at:%H:%M} UTC{by}"


def statements(provenance: Provenance) -> tuple[tuple[str, str], ...]:
    """Name and value of everything that tells the instance, and what it was composed from."""
    event = provenance.event_id and f"{provenance.event_type}, {provenance.event_id}"
    named = (
        ("Template", provenance.template_key),
        ("Instance", provenance.instance_key),
        ("Instance id", provenance.instance_collection_id),
        ("Event", event),
        ("Composition digest", provenance.composition_digest),
        ("Data digest", provenance.data_digest),
        ("Product digest", provenance.product_digest),
    )
    return tuple((name, value) for name, value in named if value is not None)


def digest_line(provenance: Provenance) -> str:
    """What one line can say of it: the template, and the digest that tells the product from others.

    Where no event composed the instance, the composition is all that there is.
    """
    if provenance.product_digest is None:
        return f"{provenance.template_key}, composition digest {provenance.composition_digest}"
    return f"{provenance.template_key}, product digest {provenance.product_digest}"


def how_to_verify(provenance: Provenance) -> str:
    """What anyone can do to see that the document is what the digests say."""
    return (
        "The digests are SHA-256. To recompute them from what is stored:"
        f" factory verify {provenance.instance_collection_id}"
    )
