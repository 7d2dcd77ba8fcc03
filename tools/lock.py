"""Pin every dependency, with the hashes of its files for every platform: `make lock`.

Takes pyproject.toml and requirements-*.in, answers with requirements.txt (what the program
needs), requirements-dev.txt (that, and what tests and checks need), requirements-bench.txt
(that, and what the program is compared with), requirements-build.txt (what builds the
wheel), requirements-pip.txt (what installs all of them) and requirements-servers.txt (other
releases of PostgreSQL). Pins stay as they are unless
they no longer fit; `make lock ARGS=--upgrade` moves them to the newest versions. Refuses, and
leaves the old file, when the result would name a registry, a path of this machine or a file
without a hash. Why it is done so: docs/decisions/0001.
"""

import argparse
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

#: Each file, what it is made from, and the file whose pins it may not contradict.
LOCKS: tuple[tuple[str, tuple[str, ...], str | None], ...] = (
    ("requirements.txt", ("pyproject.toml", "requirements.in"), None),
    (
        "requirements-dev.txt",
        ("pyproject.toml", "requirements.in", "requirements-dev.in"),
        "requirements.txt",
    ),
    (
        "requirements-bench.txt",
        ("pyproject.toml", "requirements.in", "requirements-dev.in", "requirements-bench.in"),
        "requirements-dev.txt",
    ),
    ("requirements-build.txt", ("requirements-build.in",), "requirements-dev.txt"),
    ("requirements-pip.txt", ("requirements-pip.in",), None),
    ("requirements-servers.txt", ("requirements-servers.in",), None),
)

#: Where a published file can't be fetched by others, or says where this one was.
ADDRESS = re.compile(r"://|--(?:extra-)?index-url|--find-links|file:|^\s*[-/.~]", re.IGNORECASE)
PIN = re.compile(r"^[a-z0-9][a-z0-9._-]*(?:\[[a-z0-9-]+(?:, ?[a-z0-9-]+)*\])?==[^ ]+(?: ; .+)? \\$")
HASH = re.compile(r"^    --hash=sha256:[0-9a-f]{64}(?: \\)?$")


def complaints(text: str) -> list[str]:
    """Answer with each line of a lock file that is no pin, hash or comment."""
    found: list[str] = []
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip() or (line.lstrip().startswith("#") and "://" not in line):
            continue
        if HASH.match(line) or (PIN.match(line) and not ADDRESS.search(line)):
            continue
        found.append(f"line {number}: {line}")
    return found


def compile_lock(name: str, sources: tuple[str, ...], constraint: str | None, upgrade: bool) -> str:
    """Resolve one lock file and answer with its text; raise when the resolver fails."""
    with tempfile.TemporaryDirectory() as scratch:
        output = Path(scratch) / name
        present = ROOT / name
        if present.exists() and not upgrade:
            output.write_text(present.read_text(encoding="utf-8"), encoding="utf-8")
        command = [
            "uv", "pip", "compile", "--quiet", "--no-header", "--no-config",
            "--universal", "--python-version", "3.11", "--generate-hashes",
            "--only-binary", ":all:", "--no-emit-index-url", "--no-emit-find-links",
            # Older pips look past the pin of `name` where somebody asks for `name[extra]`.
            "--no-strip-extras", "--output-file", str(output),
        ]  # fmt: skip
        if "pyproject.toml" in sources:
            command.append("--all-extras")
        if constraint:
            command += ["--constraint", constraint]
        # pip's settings are not uv's, but a caller's own of uv would be written down.
        environment = {k: v for k, v in os.environ.items() if k != "UV_FIND_LINKS"}
        environment["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{environment['PATH']}"
        subprocess.run([*command, *sources], cwd=ROOT, env=environment, check=True)
        head = f"# Pinned from {' and '.join(sources)} by `make lock`: change those, not this.\n"
        return head + output.read_text(encoding="utf-8")


def main() -> int:
    """Write the lock files in order, each built on the one before; answer 0, or 1 if refused."""
    parser = argparse.ArgumentParser(prog="make lock", description=__doc__.splitlines()[0])
    parser.add_argument("--upgrade", action="store_true", help="move to the newest versions")
    upgrade: bool = parser.parse_args().upgrade
    for name, sources, constraint in LOCKS:
        try:
            text = compile_lock(name, sources, constraint, upgrade)
        except subprocess.CalledProcessError as error:
            print(f"make lock: {name}: the resolver failed ({error.returncode})", file=sys.stderr)
            return 1
        problems = complaints(text)
        if problems:
            print(f"make lock: {name} is not fit to be published:", *problems, sep="\n  ")
            return 1
        (ROOT / name).write_text(text, encoding="utf-8")
        print(f"{name}: {sum('==' in line for line in text.splitlines())} pins")
    return 0


if __name__ == "__main__":
    sys.exit(main())
