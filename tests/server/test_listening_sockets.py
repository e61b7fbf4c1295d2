"""The addresses that the connector and the sandbox listen on."""

from __future__ import annotations

import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from planso_connector.server import listening_sockets
from tests.command_line import command_here

ELSEWHERE = "192.0.2.1"
"""No machine has it (RFC 5737)."""


@contextmanager
def bound(wanted: Sequence[str], port: int = 0) -> Iterator[list[socket.socket]]:
    sockets = listening_sockets.bind(wanted, port)
    try:
        yield sockets
    finally:
        for one in sockets:
            one.close()


def reached(host: str, port: int, sockets: Sequence[socket.socket]) -> bool:
    for one in sockets:
        one.listen()
    try:
        socket.create_connection((host, port), timeout=10).close()
    except OSError:
        return False
    return True


def test_a_name_with_two_addresses_is_served_on_both() -> None:
    """`localhost` mostly is 127.0.0.1 and ::1: the same port on both, and both are named."""
    with bound(["::1", "127.0.0.1"]) as sockets:
        port = sockets[0].getsockname()[1]
        assert listening_sockets.format_urls(sockets) == f"http://[::1]:{port} and http://127.0.0.1:{port}"
        assert reached("127.0.0.1", port, sockets)
        assert reached("::1", port, sockets)


def test_every_address_of_both_kinds_is_served() -> None:
    """`::` alone accepts IPv4 too; beside 0.0.0.0 each accepts its own."""
    for wanted in (["::"], ["::", "0.0.0.0"], ["0.0.0.0", "::"]):  # noqa: S104
        with bound(wanted) as sockets:
            port = sockets[0].getsockname()[1]
            assert reached("127.0.0.1", port, sockets), wanted
            assert reached("::1", port, sockets), wanted


def test_an_address_that_this_machine_lacks_is_passed_over() -> None:
    """`localhost` resolves to ::1 even if IPv6 is off; an error only if no address is left."""
    with bound([ELSEWHERE, "127.0.0.1"]) as sockets:
        assert [one.getsockname()[0] for one in sockets] == ["127.0.0.1"]
    with pytest.raises(listening_sockets.HostError, match="this machine has no address"):
        listening_sockets.bind([ELSEWHERE], 0)


def test_a_port_taken_on_one_of_them_is_an_error() -> None:
    """Else callers of the other address would reach another program."""
    with bound(["::1"]) as sockets:
        port = sockets[0].getsockname()[1]
        reached("::1", port, sockets)
        with pytest.raises(listening_sockets.PortError, match=rf"\[::1\]:{port}: Address already in use"):
            listening_sockets.bind(["127.0.0.1", "::1"], port)
    with bound(["127.0.0.1"], port):
        """Sockets bound before the error are closed."""


@pytest.mark.parametrize(
    ("command", "words"),
    [
        (("serve", "--host", "a..b"), "CONNECTOR_HOST: 'a..b' is no address and no name that resolves"),
        (("serve", "--host", ELSEWHERE), f"CONNECTOR_HOST: this machine has no address {ELSEWHERE}"),
        (("serve", "--port", "70000"), "'--port': accepted: a whole number from 0 to 65535"),
        (("sandbox", "--host", "a..b"), "--host: 'a..b' is no address"),
        (("sandbox", "--port", "70000"), "'--port': accepted: a whole number from 0 to 65535"),
    ],
)
def test_what_cannot_be_listened_on_is_named(tmp_path: Path, command: tuple[str, ...], words: str) -> None:
    """Exit code 2 and a sentence with the setting, before anything is started."""
    planso = {"PLANSO_URL": "http://127.0.0.1:9", "PLANSO_USER": "u", "PLANSO_PASSWORD": "p"}

    done = command_here(tmp_path, *command, **planso)

    assert (done.exit_code, words in done.stderr) == (2, True), done.stderr
    assert not list(tmp_path.iterdir())
