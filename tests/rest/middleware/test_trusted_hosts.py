"""The host names the service answers to, and the sites whose pages may read or write."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from planso_connector.sandbox import Sandbox
from planso_connector.settings import SettingsError
from tests.rest import raw
from tests.service import Service, running_on_sqlite

ORDERS = 12
SITE = "https://board.example"


@pytest.fixture(scope="module")
def named(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A connector with names, and one other site that may ask."""
    settings = {"connector_allowed_hosts": "connector.example, *.wild.example", "connector_cors_origins": SITE}
    with running_on_sqlite(
        tmp_path_factory.mktemp("named"), Sandbox(orders=12), connector_allow_anonymous=True, **settings
    ) as running:
        yield running


@pytest.mark.parametrize(
    ("host", "is_served"),
    [
        ("127.0.0.1:8102", True),
        ("192.168.1.5", True),
        ("[::1]:8102", True),
        ("localhost:1", True),
        ("LOCALHOST", True),
        ("connector.example", True),
        ("Connector.Example.:443", True),
        ("a.wild.example", True),
        ("wild.example", False),
        ("rebound.evil.example", False),
        ("connector.example.evil.example", False),
        ("localhost.evil.example", False),
        ("127.0.0.1.evil.example", False),
        ("user@127.0.0.1", False),
        ("127.0.0.1, evil.example", False),
        ("127.0.0.1:99999999", False),
        ("", False),
        ("\xe4", False),
    ],
)
def test_only_addresses_and_configured_names_are_served(named: Service, host: str, is_served: bool) -> None:
    """A name that somebody else points at this machine is 421 and reads nothing; /health/live accepts any name."""
    answer = raw.get(named.address, "/api/orders?limit=1", host=host)
    assert raw.status(answer) == (200 if is_served else 421), answer
    assert (b'"orders"' in answer) is is_served
    assert raw.status(raw.get(named.address, "/health/live", host=host)) == 200


def test_by_default_only_localhost_is_served(service: Service) -> None:
    """Without CONNECTOR_ALLOWED_HOSTS a page that had its name rebound to this machine reads nothing."""
    assert raw.status(raw.get(service.address, "/api/orders", host="connector.example")) == 421
    assert raw.status(raw.get(service.address, "/api/orders", host="localhost")) == 200


@pytest.mark.parametrize(
    "head",
    [
        b"GET /api/orders HTTP/1.1\r\n",
        b"GET /api/orders HTTP/1.1\r\nHost: 127.0.0.1\r\nHost: evil.example\r\n",
        b"GET /api/orders HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer a\r\nAuthorization: Bearer b\r\n",
        b"GET /api/orders HTTP/1.1\r\nHost: 127.0.0.1\r\nX-API-Key: a\r\nX-API-Key: b\r\n",
    ],
    ids=["no host", "two hosts", "two bearers", "two keys"],
)
def test_an_ambiguous_header_is_400(service: Service, head: bytes) -> None:
    """A proxy could read one value and the connector another."""
    answer = raw.exchange(service.address, head + b"Connection: close\r\n\r\n")
    assert raw.status(answer) == 400, answer
    assert b'"success":false' in answer


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://[", "http://127.0.0.1.evil.example"])
def test_a_page_of_another_site_may_not_write(service: Service, origin: str) -> None:
    """POST /api/sync takes no body and needs no preflight: a foreign page's Origin makes it 403."""
    runs = service.wait_for_sync()["last_result"]
    assert service.http.post("/api/sync", headers={"Origin": origin}).status_code == 403
    assert service.wait_for_sync()["last_result"] == runs


def test_our_own_page_may_write(service: Service) -> None:
    """/docs sends requests from the connector's own origin."""
    assert service.http.post("/api/sync", headers={"Origin": service.address}).status_code == 202
    service.wait_for_sync()


def test_a_page_of_another_site_reads_only_if_configured(service: Service, named: Service) -> None:
    """Without CONNECTOR_CORS_ORIGINS no response allows any origin; with it, only those named."""
    headers = {"Origin": SITE, "Access-Control-Request-Method": "PUT"}
    for path in ("/api/orders", "/api/orders/130"):
        for answer in (service.http.get(path, headers=headers), service.http.options(path, headers=headers)):
            assert not [name for name in answer.headers if name.startswith("access-control")]
    allowed = named.http.options("/api/orders/130", headers=headers)
    assert (allowed.status_code, allowed.headers["access-control-allow-origin"]) == (200, SITE)
    assert named.http.get("/api/orders", headers=headers).headers["access-control-allow-origin"] == SITE
    other = named.http.get("/api/orders", headers={"Origin": "https://evil.example"})
    assert "access-control-allow-origin" not in other.headers
    assert named.http.post("/api/sync", headers={"Origin": SITE}).status_code == 202
    named.wait_for_sync()


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("connector_trusted_proxies", "proxy.example"),
        ("connector_trusted_proxies", "*"),
        ("connector_trusted_proxies", "10.0.0.1/8"),
        ("connector_allowed_hosts", "https://connector.example"),
        ("connector_cors_origins", "*"),
        ("connector_cors_origins", "https://board.example/"),
    ],
)
def test_an_invalid_entry_ends_the_start(tmp_path: Path, setting: str, value: str) -> None:
    """The message names the setting and what is accepted."""
    with (
        pytest.raises(SettingsError, match=f"{setting.upper()}.*accepted"),
        running_on_sqlite(tmp_path, Sandbox(orders=1), **{setting: value}),
    ):
        pass
