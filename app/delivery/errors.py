"""Why an attempt got no answer, in words that stay.

FactoryError
└── UnansweredError     there is no answer, for the reason that its word says
    └── BrokenOffError  the connection was lost before there was one
"""

from typing import Literal

from app.errors import FactoryError

ErrorWord = Literal[
    "endpoint_refused",
    "address_refused",
    "dns_failed",
    "connect_failed",
    "tls_failed",
    "timed_out",
    "connection_lost",
    "bad_answer",
    "redirected",
    "answered",
]
"""Why an attempt did not deliver; what each means stands at `Attempt`."""


class UnansweredError(FactoryError):
    """There is no answer, and the text says to people why."""

    def __init__(self, word: ErrorWord, detail: str) -> None:
        super().__init__(detail)
        self.word = word


class BrokenOffError(UnansweredError):
    """The connection was lost, or closed, before there was an answer."""

    def __init__(self) -> None:
        super().__init__("connection_lost", "the connection was closed before there was an answer")
