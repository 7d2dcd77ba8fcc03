"""What verifying finds, and where it is gathered."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that is not what it is to be: docs/evidence.md explains each kind."""

    kind: str
    subject: str
    expected: str
    actual: str


@dataclass(slots=True)
class Findings:
    """What was found, each once, in the order in which it was looked for."""

    _found: dict[Finding, None] = field(default_factory=dict)

    @property
    def found(self) -> tuple[Finding, ...]:
        """All of it."""
        return tuple(self._found)

    def add(self, kind: str, subject: str, expected: object, actual: object) -> None:
        """Note that something is not as it is to be."""
        self._found[Finding(kind, subject, _shown(expected), _shown(actual))] = None

    def same(self, kind: str, subject: str, expected: object, actual: object) -> None:
        """Note it where the two differ."""
        if expected != actual:
            self.add(kind, subject, expected, actual)


def _shown(value: object) -> str:
    return "none" if value is None else str(value)[:200]
