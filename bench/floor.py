"""
The floor of a read: a bare ASGI app that reads one row with SQLite, on its event loop, and responds with its document
and as many bytes more as the connector's response has. `python -m bench.floor PORT DATABASE ID_EXTRA PLATE_EXTRA`.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import apsw
import uvicorn
from tests.process import free_port

from bench.orders import SHOP
from bench.processes import run_server

STATEMENTS = {
    "id": "SELECT document FROM orders WHERE workshop = ? AND id = ?",
    "plate": "SELECT document FROM orders WHERE workshop = ? AND plate_key = ?",
}


def build_app(path: str, extra: dict[str, int]) -> Any:
    """`GET /id/1000001` and `GET /plate/WNAB1234`. `extra`: bytes besides the document, for each of them."""
    connection = apsw.Connection(path, flags=apsw.SQLITE_OPEN_READONLY)
    rest = {name: b" " * size for name, size in extra.items()}

    async def app(scope: Any, _receive: Any, send: Any) -> None:
        _, name, key = scope["path"].split("/")
        rows: Any = connection.execute(STATEMENTS[name], (SHOP, int(key) if name == "id" else key)).fetchall()
        content = rows[0][0].encode() + rest[name]
        headers = [(b"content-type", b"application/json"), (b"content-length", str(len(content)).encode())]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": content})

    return app


@contextmanager
def serve_floor(path: Path, extra: dict[str, int]) -> Iterator[tuple[int, int]]:
    """Run the floor in a process of its own; return its port and its process id."""
    port = free_port()
    command = [sys.executable, "-m", "bench.floor", str(port), str(path), str(extra["id"]), str(extra["plate"])]
    with run_server(command, port) as process_id:
        yield port, process_id


def main(port: str, path: str, of_id: str, of_plate: str) -> None:
    app = build_app(path, {"id": int(of_id), "plate": int(of_plate)})
    uvicorn.run(app, port=int(port), log_config=None, access_log=False, server_header=False, lifespan="off")


if __name__ == "__main__":
    main(*sys.argv[1:])
