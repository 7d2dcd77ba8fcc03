"""HTTP itself, where a request is so malformed that it never becomes one.

The server answers those by itself, in plain text; here they are problems like every other refusal.
Given to uvicorn as `http=ProblemProtocol`.
"""

import json
from uuid import uuid4

import structlog
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from app.problems import problem_document
from app.refusals.invalid import invalid_input
from app.refusals.models import PROBLEM_MEDIA_TYPE

log = structlog.get_logger(__name__)


class ProblemProtocol(HttpToolsProtocol):
    """uvicorn's protocol, which refuses what is no HTTP with `invalid_input` (400)."""

    def send_400_response(self, msg: str) -> None:
        """Answer, and close the connection: what follows on it can't be told apart."""
        request_id = str(uuid4())
        log.info("malformed_http", request_id=request_id)
        refusal = invalid_input([], detail=msg, status=400)
        document = problem_document(refusal, instance="/", request_id=request_id)
        body = json.dumps(document, separators=(",", ":")).encode()
        head = (
            "HTTP/1.1 400 Bad Request\r\n"
            f"content-type: {PROBLEM_MEDIA_TYPE}\r\n"
            f"content-length: {len(body)}\r\n"
            f"x-request-id: {request_id}\r\n"
            "cache-control: no-store\r\n"
            "connection: close\r\n\r\n"
        )
        self.transport.write(head.encode("ascii") + body)
        self.transport.close()

    def _unsupported_upgrade_warning(self) -> None:
        """Say nothing: an upgrade may be ignored (RFC 9110 §7.8), and nobody shall fill the log."""
