"""The wheel is all that it takes: outside any checkout it migrates and serves."""

import os
import signal
import sys
import zipfile
from pathlib import Path

import pytest

from app import __version__
from tests.packaging.programs import (
    ROOT,
    answer,
    clean_environment,
    copy_checkout,
    empty_environment,
    free_port,
    run,
    running,
)
from tests.support.once import once

RELEASE = f"product_factory-{__version__}"

pytestmark = pytest.mark.packaging


@pytest.fixture(scope="session")
def wheel(shared_directory: Path) -> Path:
    """The wheel, built from a source distribution that was built from the checkout."""
    source, target = shared_directory / "source", shared_directory / "dist"
    with once(target) as missing:
        if missing:
            copy_checkout(source)
            build = (sys.executable, "-m", "build", "--no-isolation", "--outdir", target)
            run(*build, source, cwd=source)
    (built,) = target.glob("*.whl")
    return built


@pytest.fixture(scope="session")
def installed(wheel: Path, installed_checkout: Path, shared_directory: Path) -> Path:
    """The bin directory of an environment with the locked dependencies and the wheel."""
    environment = shared_directory / "outside the checkout"
    with once(environment) as missing:
        if missing:
            install(wheel, installed_checkout, empty_environment(environment))
    return environment / "bin"


def install(wheel: Path, installed_checkout: Path, bin_dir: Path) -> None:
    # Installing what the lock pins takes longest, and has been done. The checkout itself is not
    # among it: that lies beside what was installed, and a path file is not read from there.
    (dependencies,) = installed_checkout.glob(".venv/lib/*/site-packages")
    (packages,) = bin_dir.parent.glob("lib/*/site-packages")
    (packages / "dependencies.pth").write_text(f"{dependencies}\n", encoding="utf-8")
    pip = (sys.executable, "-m", "pip", "--python", bin_dir / "python")
    run(*pip, "install", "--quiet", "--no-input", "--no-deps", "--no-index", wheel, cwd=bin_dir)
    run(*pip, "check", cwd=bin_dir)


def test_the_wheel_holds_the_program_its_migrations_and_the_licence(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        metadata = archive.read(f"{RELEASE}.dist-info/METADATA").decode()

    expected = {
        f"app/{path.relative_to(ROOT)}"
        for path in (ROOT / "migrations").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    } | {
        str(path.relative_to(ROOT))
        for path in (ROOT / "app").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    in_packages = {name for name in names if not name.startswith(f"{RELEASE}.")}
    assert in_packages == expected
    assert f"{RELEASE}.dist-info/licenses/LICENSE" in names
    assert "License-Expression: MIT" in metadata
    assert "Requires-Python: >=3.11" in metadata


@pytest.fixture
def outside(installed: Path, tmp_path: Path) -> tuple[Path, dict[str, str]]:
    """A working directory that no checkout is above, and the environment of an evaluation."""
    directory = tmp_path / "somewhere else"
    directory.mkdir()
    return (
        directory,
        clean_environment(
            FACTORY_DATA_DIR=str(directory / "the data"),
            FACTORY_PORT=str(free_port()),
            PATH=f"{installed}{os.pathsep}{os.environ['PATH']}",
        ),
    )


# Tells of which distributions the whole program, imported, has modules.
IMPORTED = """
import importlib, importlib.metadata, pkgutil, sys
import app
for module in pkgutil.walk_packages(app.__path__, "app."):
    if not module.name.endswith("__main__"):
        importlib.import_module(module.name)
of = importlib.metadata.packages_distributions()
print(*sorted({name.lower() for module in {m.split(".")[0] for m in sys.modules}
               for name in of.get(module, ())}))
"""


def test_the_program_imports_nothing_but_what_its_lock_pins(
    installed: Path, tmp_path: Path
) -> None:
    lock = (ROOT / "requirements.txt").read_text(encoding="utf-8")
    pinned = {
        line.partition("==")[0].partition("[")[0] for line in lock.splitlines() if "==" in line
    }

    imported = run(installed / "python", "-c", IMPORTED, cwd=tmp_path).stdout.split()

    assert {name.replace("_", "-") for name in imported} - {"product-factory"} <= pinned
    assert {"fastapi", "sqlalchemy", "asyncpg", "typer"} <= set(imported)


def test_the_installed_wheel_migrates_and_serves(
    outside: tuple[Path, dict[str, str]], installed: Path
) -> None:
    directory, env = outside
    module = run(
        installed / "python", "-c", "import app; print(app.__file__)", cwd=directory, env=env
    )
    assert Path(module.stdout.strip()).is_relative_to(installed.parent)

    migrated = run("factory", "migrate", cwd=directory, env=env)
    again = run("factory", "migrate", cwd=directory, env=env)

    assert "nothing to do" not in migrated.stdout
    assert "nothing to do" in again.stdout

    log = directory / "log"
    with running("factory", "serve", cwd=directory, env=env, log=log) as program:
        url = f"http://127.0.0.1:{env['FACTORY_PORT']}"
        ready = answer(f"{url}/readyz", program, log)
        document = answer(f"{url}/openapi.json", program, log).json()
        program.send_signal(signal.SIGTERM)
        code = program.wait(timeout=60)

    assert ready.headers["content-type"].startswith("application/json")
    assert "/instances/from-event" in document["paths"]
    assert code == 0, log.read_text()
