"""Everything that can be checked without running the program: `make lint`.

Runs each check, also after one has failed, says what each found, and answers 1 if any did.
A check that finds nothing to look at fails too: it would otherwise go on passing after the
files it is for were moved. Output of the tools is passed on as it is.
"""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from pglast import parse_sql
from pglast.parser import ParseError

ROOT = Path(__file__).resolve().parent.parent
TYPED = ("app", "migrations", "tests", "tools", "benchmarks")


def files(*patterns: str) -> list[str]:
    """Answer with the files under the root that match, or raise LookupError for none."""
    found = sorted(
        str(path.relative_to(ROOT)) for pattern in patterns for path in ROOT.glob(pattern)
    )
    if not found:
        raise LookupError(f"no file matches {' or '.join(patterns)}")
    return found


def run(*command: str) -> bool:
    """Run a tool that is installed beside this interpreter; answer whether it found nothing."""
    tool = Path(sys.executable).parent / command[0]
    return subprocess.run([tool, *command[1:]], cwd=ROOT, check=False).returncode == 0


def ruff_check() -> bool:
    """Common mistakes, and the conventions that a linter can hold."""
    return run("ruff", "check", ".")


def ruff_format() -> bool:
    """One way to lay out code: `make format` writes it."""
    return run("ruff", "format", "--check", ".")


def mypy() -> bool:
    """Types, strictly."""
    return run("mypy", *(folder for folder in TYPED if (ROOT / folder).is_dir()))


def sql_syntax() -> bool:
    """Each SQL file is one that PostgreSQL's own parser accepts."""
    sound = True
    for name in files("migrations/**/*.sql"):
        try:
            parse_sql((ROOT / name).read_text(encoding="utf-8"))
        except ParseError as error:
            print(f"{name}: {error}")
            sound = False
    return sound


def squawk() -> bool:
    """Revisions of tables that would lock, rewrite or lose what others are using."""
    return run("squawk", "--reporter", "gcc", *files("migrations/versions/*.up.sql"))


def hadolint() -> bool:
    """The image's recipe."""
    return run("hadolint", *files("Dockerfile"))


def compose_schema() -> bool:
    """The compose file says nothing that the compose specification doesn't know."""
    return run(
        "check-jsonschema", "--builtin-schema", "vendor.compose-spec", *files("docker-compose.yml")
    )


CHECKS: tuple[Callable[[], bool], ...] = (
    ruff_check,
    ruff_format,
    mypy,
    sql_syntax,
    squawk,
    hadolint,
    compose_schema,
)


def main() -> int:
    """Run every check; answer 0 only if all found nothing."""
    failed: list[str] = []
    for check in CHECKS:
        print(f"== {check.__name__}", flush=True)
        try:
            passed = check()
        except LookupError as error:
            print(error)
            passed = False
        if not passed:
            failed.append(check.__name__)
    print(f"lint: {', '.join(failed)} failed" if failed else f"lint: {len(CHECKS)} checks passed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
