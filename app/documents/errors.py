"""Why a document is not rendered.

FactoryError
└── DocumentError
    ├── DocumentTooLargeError    its text is longer, or nests deeper, than is taken
    ├── FormatUnavailableError   the machine lacks what the format needs; says what to install
    ├── RenderingFailedError     it took more time or memory than a document may
    └── RendererBusyError        too many documents wait already
"""

from app.errors import FactoryError


class DocumentError(FactoryError):
    """A document that is not rendered. The text says why, to whoever asked for it."""


class DocumentTooLargeError(DocumentError):
    """The text is longer, or nests deeper, than is taken."""


class FormatUnavailableError(DocumentError):
    """The machine lacks what the format needs. The text says what to install."""


class RenderingFailedError(DocumentError):
    """The document took more time or memory than one may, so its worker was ended."""


class RendererBusyError(DocumentError):
    """Too many documents wait already. Later it may be otherwise."""
