"""What is sent, and by what a receiver knows it and who sent it (standardwebhooks.com)."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from uuid import UUID

from standardwebhooks import Webhook as Signer
from standardwebhooks.webhooks import EmptyWebhookSecretError

from app.errors import ContractError


@dataclass(frozen=True, slots=True)
class Message:
    """A message as one attempt sends it. `sent_at` is the attempt's time; the body is in UTF-8.

    Raises ContractError for a content type that can't stand in a header, or a body that is no text.
    """

    message_id: UUID
    sent_at: datetime
    content_type: str
    body: bytes = field(repr=False)
    text: str = field(init=False, repr=False)

    def __post_init__(self) -> None:
        """Read the body: what is signed is text."""
        if not (self.content_type.isascii() and self.content_type.isprintable()):
            raise ContractError(f"{self.content_type!r} is no content type")
        try:
            object.__setattr__(self, "text", self.body.decode())
        except UnicodeDecodeError:
            raise ContractError("the body of a message is not in UTF-8") from None


def signed(message: Message, secrets: Sequence[str]) -> list[tuple[bytes, bytes]]:
    """The headers `webhook-id`, `webhook-timestamp` and `webhook-signature` of a message.

    Signed is with each of the secrets (`whsec_` and Base64), so that the receiver changes from one
    to the other when it likes. Raises ContractError where they are none, and names them to nobody.
    """
    sent_at = message.sent_at.astimezone(UTC)
    message_id = str(message.message_id)
    try:
        signatures = [Signer(one).sign(message_id, sent_at, message.text) for one in secrets]
    except (ValueError, EmptyWebhookSecretError):
        raise ContractError("a secret of an endpoint is not whsec_ and Base64") from None
    if not signatures:
        raise ContractError("an endpoint has no secret to sign with")
    return [
        (b"webhook-id", message_id.encode()),
        (b"webhook-timestamp", str(int(sent_at.timestamp())).encode()),
        (b"webhook-signature", " ".join(signatures).encode()),
    ]
