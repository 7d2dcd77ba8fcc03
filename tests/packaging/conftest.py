"""One installation for all that look at what `make install` makes."""

import sys
from pathlib import Path

import pytest

from tests.packaging.programs import copy_checkout, run
from tests.support.once import once


@pytest.fixture(scope="session")
def installed_checkout(shared_directory: Path) -> Path:
    """A checkout with spaces and a quote in its name, after `make install`."""
    directory = shared_directory / "it's a check  out"
    with once(directory) as missing:
        if missing:
            copy_checkout(directory)
            # The interpreter of the environment that is there has gone: it is made anew.
            python = directory / ".venv" / "bin" / "python"
            python.parent.mkdir(parents=True)
            python.symlink_to("/nonexistent/python3.11")
            first = run("make", "install", f"PYTHON={sys.executable}", cwd=directory)
            assert first.stdout.splitlines() == [
                f"Making .venv with {sys.executable}",
                "Installing what requirements.txt pins into .venv (once; a minute or so)",
            ]
    return directory
