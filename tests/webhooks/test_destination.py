"""Which addresses webhooks may be sent to."""

from __future__ import annotations

import asyncio
import ipaddress

import pytest

from planso_connector.webhooks.destination import DestinationRefused, check_address, check_url, resolve

LOOPBACK = [ipaddress.ip_network("127.0.0.0/8"), ipaddress.ip_network("10.1.0.0/16")]


@pytest.mark.parametrize(
    "url",
    [
        "http://example.org/hook",
        "ftp://example.org/hook",
        "file:///etc/passwd",
        "//example.org",
        "https://",
        "https:///hook",
        "https://user:secret@example.org/",
        "https://example.org/#a",
        "https://exa mple.org/",
        "https://example.org:99999/",
        "https://[::1/",
        "https://example.org/ü",
        "https://example.org/\n",
        "https://127.0.0.1/",
        "https://10.0.0.7/",
        "https://169.254.169.254/latest/meta-data",
        "https://192.168.1.1/",
        "https://0.0.0.0/",
        "https://100.64.0.1/",
        "https://[::1]/",
        "https://[fe80::1]/",
        "https://[fd00::1]/",
        "https://[::ffff:127.0.0.1]/",
        "https://[64:ff9b::7f00:1]/",
        "https://[2002:7f00:1::]/",
        "https://224.0.0.1/",
        "https://example.org/" + "a" * 2000,
    ],
)
def test_what_is_not_allowed(url: str) -> None:
    """Neither plain HTTP, nor other schemes, nor addresses off the public network, however they are written."""
    with pytest.raises(DestinationRefused):
        check_url(url, [])


@pytest.mark.parametrize("url", ["https://example.org/hook?a=1", "https://example.org:8443/", "https://93.184.216.34/"])
def test_what_is_allowed(url: str) -> None:
    """Public ones by https."""
    check_url(url, [])


def test_networks_that_the_operator_allowed() -> None:
    """Addresses in them, also without TLS; others stay refused, and so does a name without TLS."""
    check_url("http://127.0.0.1:8000/hook", LOOPBACK)
    check_url("https://10.1.2.3/hook", LOOPBACK)
    for url in ("https://10.2.0.1/", "http://localhost/", "http://93.184.216.34/"):
        with pytest.raises(DestinationRefused):
            check_url(url, LOOPBACK)
    with pytest.raises(DestinationRefused):
        check_address(ipaddress.ip_address("::1"), LOOPBACK)


def test_a_name_is_what_it_resolves_to() -> None:
    """A name of this machine is refused where its address is; the address that is returned was checked."""
    with pytest.raises(DestinationRefused, match="not a public address"):
        asyncio.run(resolve("localhost", 443, []))
    everything = [ipaddress.ip_network("127.0.0.0/8"), ipaddress.ip_network("::1/128")]
    assert asyncio.run(resolve("localhost", 443, everything)) in ("127.0.0.1", "::1")
    # Forms of 127.0.0.1 that only the resolver understands.
    for written in ("2130706433", "0x7f.1", "127.1"):
        with pytest.raises((DestinationRefused, OSError)):
            asyncio.run(resolve(written, 443, []))
