"""A connector with low limits behind a trusted proxy, which is the test: it says where a request comes from."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from itertools import count
from pathlib import Path
from typing import Any

import httpx2

from planso_connector.sandbox import Sandbox
from tests.rest import raw
from tests.service import Service, running_on_sqlite

KEY_RATE, ADDRESS_RATE, PARALLEL, PARALLEL_TOTAL, CONNECTIONS = 10, 30, 4, 6, 40
PUT = b"PUT /api/orders/1 HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
_numbers = count(1)


@contextmanager
def limited(tmp_path: Path) -> Iterator[Service]:
    settings: dict[str, Any] = {
        "connector_trusted_proxies": "127.0.0.1",
        "connector_rate_limit": f"{KEY_RATE}/h",
        "connector_address_rate_limit": f"{ADDRESS_RATE}/h",
        "connector_parallel": PARALLEL,
        "connector_parallel_total": PARALLEL_TOTAL,
        "connector_connections": CONNECTIONS,
        "connector_arrival": timedelta(seconds=1),
    }
    with running_on_sqlite(tmp_path, Sandbox(orders=12), connector_allow_anonymous=True, **settings) as service:
        yield service


def new_address() -> str:
    """An address that no other test has."""
    return f"10.1.{next(_numbers)}.1"


def ask(service: Service, address: str, path: str = "/api/orders/1", **headers: str) -> httpx2.Response:
    return service.http.get(path, headers={"X-Forwarded-For": address, **headers})


def start_request(service: Service, address: str) -> socket.socket:
    """A request that is in flight until `finish_request` sends its body."""
    connection = raw.connect(service.address)
    head = f"X-Forwarded-For: {address}\r\nExpect: 100-continue\r\nContent-Length: 16\r\n\r\n"
    connection.sendall(PUT + head.encode())
    assert connection.recv(100).startswith(b"HTTP/1.1 100 ")
    return connection


def finish_request(connection: socket.socket) -> bytes:
    connection.sendall(b'{"order_id": 1 }')
    return connection.recv(1000)
