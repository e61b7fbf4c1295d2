"""`doctor` says in words what is wrong, and leaves nothing behind."""

from __future__ import annotations

import json
import re
import socket
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from planso_connector.sandbox import Sandbox
from tests.command_line import command_here
from tests.process import free_port

CLASS_NAME = re.compile(r"\b[A-Z]\w+(Error|Timeout|Unavailable|Rejected|Changed|Missing)\b")
LOGIN = {"PLANSO_USER": "werkstatt", "PLANSO_PASSWORD": "demo"}


@pytest.fixture(scope="module")
def planso() -> Iterator[tuple[Sandbox, str]]:
    sandbox = Sandbox(orders=3)
    with sandbox.serve() as url:
        yield sandbox, url


@contextmanager
def answering(answer: bytes | None) -> Iterator[str]:
    """A server that sends `answer` to whatever comes, or nothing at all; its host and port."""
    with closing(socket.create_server(("127.0.0.1", 0))) as server:
        connections = []

        def serve() -> None:
            while True:
                try:
                    connection, _ = server.accept()
                except OSError:
                    return
                connections.append(connection)
                connection.recv(65_536)
                if answer is not None:
                    connection.sendall(answer)
                    connection.close()

        threading.Thread(target=serve, daemon=True).start()
        yield f"127.0.0.1:{server.getsockname()[1]}"
        server.shutdown(socket.SHUT_RDWR)
        for connection in connections:
            connection.close()


def examine(folder: Path, url: str, *arguments: str, **environment: str) -> str:
    """The first failed step and its message. Nothing is left in `folder`, and no class is named."""
    clean = {"no_proxy": "", "https_proxy": ""}
    done = command_here(folder, "doctor", "--json", *arguments, **{"PLANSO_URL": url, **LOGIN, **clean, **environment})
    assert done.exit_code == 1, done.output
    assert not CLASS_NAME.search(done.output)
    assert list(folder.iterdir()) == []
    failed = next(finding for finding in json.loads(done.stdout) if not finding["is_ok"])
    assert failed["message"].startswith(url)
    return f"{failed['step']}: {failed['message']}"


def test_the_reason_is_named_with_the_address(tmp_path: Path) -> None:
    """No such name, no port, no TLS, no answer, no HTTP."""
    assert "its name can't be resolved (DNS: " in examine(tmp_path, "https://planso.invalid")
    assert "it refuses connections on this port" in examine(tmp_path, f"http://127.0.0.1:{free_port()}")
    with answering(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n") as address:
        assert "TLS fails (wrong version number)" in examine(tmp_path, f"https://{address}")
    with answering(None) as address:
        assert "did not answer in time" in examine(tmp_path, f"http://{address}", PLANSO_TIMEOUT="0.2")
    with answering(b"SSH-2.0-example\r\n\r\n") as address:
        assert "what came is not HTTP" in examine(tmp_path, f"http://{address}")


def test_a_proxy_is_named_without_its_password(tmp_path: Path) -> None:
    """A proxy that is missing, wants a password, or is of an unsupported kind."""

    def examine_by(proxy: str) -> str:
        return examine(tmp_path, "https://planso.invalid", https_proxy=proxy)

    missing = f"127.0.0.1:{free_port()}"
    message = examine_by(f"http://agent:geheim@{missing}")
    assert f"by the proxy http://{missing}: " in message
    assert "the proxy refuses connections on this port" in message
    assert "geheim" not in message
    assert "the proxy's name can't be resolved (DNS: " in examine_by("http://proxy.invalid:3128")
    with answering(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n") as address:
        assert "the proxy answers 407 Proxy Authentication Required" in examine_by(f"http://{address}")
    assert "the proxy is a socks5 one; accepted: http:// and https:// ones" in examine_by("socks5://127.0.0.1:1080")


def test_a_status_is_named(tmp_path: Path, planso: tuple[Sandbox, str]) -> None:
    """A path without PlanSo below it, and a PlanSo that fails."""
    sandbox, url = planso
    assert examine(tmp_path, f"{url}/nothing").endswith("PlanSo's login page answered 404 Not Found")
    sandbox.knobs.fail_next = 1
    assert examine(tmp_path, url) == f"list: {url}: the list of orders: PlanSo answered 502 Bad Gateway"


def test_an_order_that_is_not_there_is_named(tmp_path: Path, planso: tuple[Sandbox, str]) -> None:
    """`--order` of an unknown order: one sentence, no findings about its empty form, no database."""
    done = command_here(tmp_path, "doctor", "--order", "999999", PLANSO_URL=planso[1], **LOGIN)
    assert done.exit_code == 1
    assert "look  form: PlanSo has no order 999999.\n" in done.stdout
    assert "dry run" not in done.stdout
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("quote", ["'", '"'])
def test_quotes_are_pointed_out_before_a_login_is_spent(
    tmp_path: Path, planso: tuple[Sandbox, str], quote: str
) -> None:
    """A password in quotes from the environment is refused by name, by `doctor` and `serve`; PlanSo is not asked."""
    sandbox, url = planso
    before = len(sandbox.requests)
    for name in ("doctor", "serve"):
        quoted = {**LOGIN, "PLANSO_PASSWORD": f"{quote}demo{quote}"}
        done = command_here(tmp_path, name, PLANSO_URL=url, **quoted)
        assert done.exit_code == 2
        assert f"PLANSO_PASSWORD: its value in the environment begins and ends with {quote}" in done.stderr
        assert "demo" not in done.stderr
    assert len(sandbox.requests) == before


def test_quotes_that_belong_to_a_password_come_from_a_file(tmp_path: Path, planso: tuple[Sandbox, str]) -> None:
    """What a file holds is sent as it is, quotes included: PlanSo rejects it here, since it is another password."""
    file = tmp_path / "password"
    file.touch(mode=0o600)
    file.write_text("'demo'")
    done = command_here(
        tmp_path, "doctor", PLANSO_URL=planso[1], PLANSO_USER="werkstatt", PLANSO_PASSWORD_FILE=str(file)
    )
    assert "PlanSo rejected the user name or the password" in done.stdout
