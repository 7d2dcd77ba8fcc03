"""An archive to be tried on."""

from pathlib import Path

import pytest

from app.evidence.making import make
from app.signing import SigningKey
from tests.support.evidence import answer, key_in


@pytest.fixture(scope="session")
def key(tmp_path_factory: pytest.TempPathFactory) -> SigningKey:
    """The factory's key."""
    return key_in(tmp_path_factory.mktemp("key"))


@pytest.fixture(scope="session")
def foreign(tmp_path_factory: pytest.TempPathFactory) -> SigningKey:
    """Somebody else's."""
    return key_in(tmp_path_factory.mktemp("foreign"))


@pytest.fixture(scope="session")
def archive(key: SigningKey) -> bytes:
    """An archive that holds."""
    return make(answer(), key)


@pytest.fixture
def unpacked(archive: bytes, tmp_path: Path) -> Path:
    """The path of the archive."""
    path = tmp_path / "evidence.zip"
    path.write_bytes(archive)
    return path
