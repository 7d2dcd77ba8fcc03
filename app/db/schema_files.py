"""The migration tree: which files there are, what each makes, and who may use it.

    migrations/
      bookkeeping.up.sql, .down.sql   the runner's own tables
      versions/NNNN_name.py, .up.sql, .down.sql
      functions/<name>.sql            one function each, file name = function name
      views/<name>.sql                one view each, file name = view name
      grants/*.sql                    grants, and the rows that the program says of itself; applied
                                      in the order of their names
      order.txt                       the order in which functions and views are created
      distribution.txt                where tables would lie on a distributed database; for tests

The head of every function's and view's file says who may use it, in one of the forms
`-- grant: iu_app`, `-- grant: iu_app, iu_reader`, `-- grant: owner only`.
"""

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import app

Kind = Literal["function", "view", "grant"]

GRANTABLE_ROLES = ("iu_app", "iu_reader")
_GRANT_LINE = re.compile(r"^--\s*grant:\s*(?P<to>.*?)\s*$")
_OBJECT_NAME = re.compile(r"^[a-z][a-z0-9_]{0,62}$")


class MigrationTreeError(Exception):
    """The files under migrations/ contradict each other: a fault of the program, not of the data.

    The message names the file and what to change in it.
    """


@dataclass(frozen=True)
class SchemaFile:
    """One file of the state: a function, a view, or grants.

    `path` is relative to the tree and uses `/`; `grantees` is empty for what only the owner may
    use; `checksum` is the SHA-256 of the file's bytes.
    """

    path: str
    kind: Kind
    name: str
    sql: str
    checksum: str
    grantees: tuple[str, ...]


@dataclass(frozen=True)
class MigrationTree:
    """Everything under migrations/ but the revisions, which Alembic reads itself."""

    root: Path
    objects: tuple[SchemaFile, ...]  # functions and views, in the order of their creation
    grants: tuple[SchemaFile, ...]

    @property
    def files(self) -> tuple[SchemaFile, ...]:
        """Objects and grants, in the order in which they are applied."""
        return self.objects + self.grants

    def bookkeeping(self, direction: Literal["up", "down"]) -> str:
        """The SQL that makes (or drops) the runner's own tables."""
        return (self.root / f"bookkeeping.{direction}.sql").read_text(encoding="utf-8")


def root() -> Path:
    """Where the migrations are: inside the installed package, or beside it in a checkout."""
    package = Path(app.__file__).parent
    installed = package / "migrations"
    return installed if installed.is_dir() else package.parent / "migrations"


def read_tree(tree: Path) -> MigrationTree:
    """Read the state files under `tree`.

    Raises MigrationTreeError where a file is missing from order.txt or listed twice, where
    order.txt names a file that is not there, or where a file does not say who may use it.
    """
    order = _read_order(tree / "order.txt")
    present = {
        f"{folder}/{file.name}"
        for folder in ("functions", "views")
        for file in (tree / folder).glob("*.sql")
    }
    if unlisted := sorted(present - set(order)):
        raise MigrationTreeError(f"Not listed in order.txt: {', '.join(unlisted)}.")
    if absent := [path for path in order if path not in present]:
        raise MigrationTreeError(f"order.txt names files that are not there: {', '.join(absent)}.")
    return MigrationTree(
        root=tree,
        objects=tuple(_read_object(tree, path) for path in order),
        grants=tuple(_read_grants(tree, file) for file in sorted((tree / "grants").glob("*.sql"))),
    )


def _read_order(file: Path) -> list[str]:
    lines = (line.partition("#")[0].strip() for line in file.read_text("utf-8").splitlines())
    order = [line for line in lines if line]
    if twice := sorted({path for path in order if order.count(path) > 1}):
        raise MigrationTreeError(f"Listed twice in order.txt: {', '.join(twice)}.")
    return order


def _read_object(tree: Path, path: str) -> SchemaFile:
    file = tree / path
    if not _OBJECT_NAME.match(file.stem):
        raise MigrationTreeError(f"{path}: the file's name is not the name of a database object.")
    content = file.read_bytes()
    sql = content.decode("utf-8")
    return SchemaFile(
        path=path,
        kind="function" if path.startswith("functions/") else "view",
        name=file.stem,
        sql=sql,
        checksum=hashlib.sha256(content).hexdigest(),
        grantees=_grantees(path, sql),
    )


def _read_grants(tree: Path, file: Path) -> SchemaFile:
    content = file.read_bytes()
    return SchemaFile(
        path=file.relative_to(tree).as_posix(),
        kind="grant",
        name=file.stem,
        sql=content.decode("utf-8"),
        checksum=hashlib.sha256(content).hexdigest(),
        grantees=(),
    )


def _grantees(path: str, sql: str) -> tuple[str, ...]:
    """Read the one `-- grant:` line among the comments that open the file."""
    found: list[str] = []
    for line in sql.splitlines():
        if line.strip() and not line.startswith("--"):
            break
        if match := _GRANT_LINE.match(line):
            found.append(match["to"])
    if len(found) != 1:
        raise MigrationTreeError(
            f"{path}: its head must have exactly one line `-- grant: …` "
            f"({', '.join(GRANTABLE_ROLES)} or `owner only`); it has {len(found)}."
        )
    if found[0] == "owner only":
        return ()
    roles = tuple(role.strip() for role in found[0].split(","))
    if unknown := [role for role in roles if role not in GRANTABLE_ROLES]:
        raise MigrationTreeError(f"{path}: `-- grant:` names an unknown role: {unknown[0]!r}.")
    return roles
