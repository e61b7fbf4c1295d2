"""A round-robin proxy in front of several connectors: nginx, or one of our own where there is no nginx."""

from __future__ import annotations

import itertools
import os
import shutil
import socket
import subprocess
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import httpx2
import uvicorn
from starlette.types import Receive, Scope, Send

from tests.process import free_port
from tests.service import PATIENCE, Server, wait_until

_NGINX = """\
daemon off;
{user}
worker_processes 1;
pid {folder}/nginx.pid;
error_log stderr;
events {{ worker_connections 256; }}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    upstream connectors {{ {servers} keepalive 8; }}
    server {{
        listen 127.0.0.1:{port};
        location / {{
            proxy_pass http://connectors;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
            proxy_set_header Host $http_host;
            proxy_set_header X-Forwarded-For $remote_addr;
        }}
    }}
}}
"""
_PASSED_ON = frozenset({b"accept", b"authorization", b"content-type", b"host", b"x-call-id"})


def find_nginx() -> str | None:
    return shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")


def install_nginx() -> None:
    """With apt-get, as root; elsewhere nothing."""
    if find_nginx() is not None or shutil.which("apt-get") is None or os.geteuid() != 0:
        return
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for arguments in (("update", "-qq"), ("install", "-y", "-qq", "--no-install-recommends", "nginx-light")):
        subprocess.run(["apt-get", *arguments], env=environment, check=False, stdout=subprocess.DEVNULL)


@contextmanager
def balancer(folder: Path, addresses: Sequence[str]) -> Iterator[str]:
    """Its address; `addresses` are those of the connectors, which get requests in turn."""
    program = find_nginx()
    with _nginx(program, folder, addresses) if program is not None else _own_proxy(addresses) as address:
        yield address


@contextmanager
def _nginx(program: str, folder: Path, addresses: Sequence[str]) -> Iterator[str]:
    port = free_port()
    servers = " ".join(f"server {address.removeprefix('http://')};" for address in addresses)
    user = "user root;" if os.geteuid() == 0 else ""
    configuration = folder / "nginx.conf"
    configuration.write_text(_NGINX.format(folder=folder, servers=servers, port=port, user=user))
    with (folder / "nginx.log").open("wb") as log:
        process = subprocess.Popen([program, "-p", folder, "-c", configuration], stdout=log, stderr=log)
    try:
        wait_until(lambda: _is_open(port, process), "nginx to listen")
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(PATIENCE)


def _is_open(port: int, process: subprocess.Popen[bytes]) -> bool:
    assert process.poll() is None, "nginx ended"
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@contextmanager
def _own_proxy(addresses: Sequence[str]) -> Iterator[str]:
    turns = itertools.cycle(addresses)

    async def pass_on(scope: Scope, receive: Receive, send: Send) -> None:
        body = b""
        while (message := await receive()).get("more_body") or message.get("body"):
            body += message["body"]
            if not message["more_body"]:
                break
        headers = [
            (name, value)
            for name, value in scope["headers"]
            if name in _PASSED_ON or name.startswith((b"mcp-", b"x-api-"))
        ]
        url = f"{next(turns)}{scope['path']}"
        async with httpx2.AsyncClient(timeout=PATIENCE) as http:
            response = await http.request(scope["method"], url, content=body, headers=headers)
        passed = [(name, value) for name, value in response.headers.raw if name.lower() != b"content-encoding"]
        await send({"type": "http.response.start", "status": response.status_code, "headers": passed})
        await send({"type": "http.response.body", "body": response.content})

    listening = socket.socket(proto=socket.IPPROTO_TCP)
    listening.bind(("127.0.0.1", 0))
    server = Server()
    server.config = uvicorn.Config(pass_on, log_config=None, access_log=False, lifespan="off")
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, name="round-robin proxy")
    thread.start()
    try:
        wait_until(lambda: server.started, "the proxy to listen")
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(PATIENCE)
