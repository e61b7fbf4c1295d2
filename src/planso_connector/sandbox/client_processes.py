"""Find the process at the other end of a connection from this machine (Linux: /proc; elsewhere unknown)."""

from contextlib import suppress
from pathlib import Path
from weakref import WeakKeyDictionary

from starlette.types import Scope

_TABLES = ("/proc/net/tcp", "/proc/net/tcp6")


class ClientProcesses:
    """The ids of client processes by connection; each connection is looked up once."""

    def __init__(self) -> None:
        self._by_transport: WeakKeyDictionary[object, int | None] = WeakKeyDictionary()
        self._recent: list[int] = []

    def find(self, scope: Scope) -> int | None:
        """The id of the process that sent the request; None where it is not to be known."""
        transport, client, server = scope.get("planso.transport"), scope.get("client"), scope.get("server")
        if transport is None or client is None or server is None:
            return None
        if transport not in self._by_transport:
            inode = _find_inode(client[1], server[1])
            self._by_transport[transport] = None if inode is None else self._find_process(f"socket:[{inode}]")
        return self._by_transport[transport]

    def _find_process(self, link: str) -> int | None:
        """The process that has this socket open; those found before are looked at first."""
        everybody = (int(folder.name) for folder in Path("/proc").iterdir() if folder.name.isdigit())
        for process in (*self._recent, *everybody):
            if _has_open(process, link):
                self._recent = [process, *(other for other in self._recent if other != process)][:16]
                return process
        return None


def _find_inode(client_port: int, server_port: int) -> str | None:
    """The inode of the client's socket, if that is on this machine."""
    for table in _TABLES:
        with suppress(OSError):
            for line in Path(table).read_text("ascii").splitlines()[1:]:
                columns = line.split()
                ports = [int(address.rpartition(":")[2], 16) for address in columns[1:3]]
                if ports == [client_port, server_port] and columns[9] != "0":
                    return columns[9]
    return None


def _has_open(process: int, link: str) -> bool:
    with suppress(OSError):
        for descriptor in Path(f"/proc/{process}/fd").iterdir():
            with suppress(OSError):
                if str(descriptor.readlink()) == link:
                    return True
    return False
