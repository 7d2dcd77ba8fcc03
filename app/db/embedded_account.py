"""Which system user the embedded server runs as: never root.

PostgreSQL refuses to run as root, so root hands the server to an unprivileged user that exists
already: the owner of the cluster, if there is one, else `postgres`, else `nobody`. No user is
created and no permission of any other directory is widened.
"""

import os
import pwd
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypedDict

from app.db.embedded_errors import EmbeddedError

_UNPRIVILEGED = ("postgres", "nobody")


class Identity(TypedDict, total=False):
    """The arguments of `subprocess.Popen` that make a program run as somebody else."""

    user: int
    group: int
    extra_groups: list[int]


@dataclass(frozen=True)
class Account:
    """A system user; `dropped` says that root has to become it first."""

    uid: int
    gid: int
    name: str
    dropped: bool

    @property
    def identity(self) -> Identity:
        """What `subprocess.Popen` needs to run a program as this user."""
        if not self.dropped:
            return {}
        return {"user": self.uid, "group": self.gid, "extra_groups": []}

    def own(self, path: Path | int) -> None:
        """Give `path` (or an open file) to this user, if it is not the current one."""
        if self.dropped:
            os.chown(path, self.uid, self.gid)


def user_name(uid: int) -> str:
    """The login name of `uid`, or the number where it has none."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def choose_account(cluster: Path) -> Account:
    """The user that runs the server of `cluster`, which need not exist yet.

    Refuses (EmbeddedError) a cluster that belongs to somebody else, or to root, and a machine
    on which root finds no unprivileged user.
    """
    owner = cluster.stat().st_uid if cluster.exists() else None
    uid = os.geteuid()
    if uid != 0:
        if owner not in (None, uid):
            raise EmbeddedError(
                f"The database in {cluster} belongs to the user {user_name(owner or 0)}: "
                "run as that user, or set FACTORY_DATA_DIR to a directory of your own."
            )
        return Account(uid, os.getegid(), user_name(uid), dropped=False)
    if owner == 0:
        raise EmbeddedError(
            f"The database in {cluster} belongs to root, as whom PostgreSQL does not run: "
            f"give it back (chown -R postgres '{cluster}'), or set FACTORY_DATA_DIR."
        )
    if owner is not None:
        gid = cluster.stat().st_gid
        return Account(owner, gid, user_name(owner), dropped=True)
    for name in _UNPRIVILEGED:
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return Account(entry.pw_uid, entry.pw_gid, name, dropped=True)
    raise EmbeddedError(
        "PostgreSQL does not run as root and this machine has neither a user postgres nor "
        "nobody: run as an ordinary user, or set FACTORY_DATABASE_URL."
    )


def server_environment(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """The environment of the server: a short list, so that no PG* or service variable leaks in."""
    kept = ("PATH", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH")
    environment = {name: os.environ[name] for name in kept if name in os.environ}
    return {**environment, "LC_ALL": "C", **(extra or {})}
