"""Security headers of every response, and what the page /docs may load."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from urllib.parse import urljoin

import pytest

from planso_connector.sandbox import Sandbox
from tests.rest import raw
from tests.service import Service, running_on_sqlite

ORDERS = 12
PERSONAL = ("/api/orders", "/api/orders/1", "/api/lookup?q=x", "/api/operations", "/api/sync/status", "/nothing")


@pytest.mark.parametrize(
    "path", [*PERSONAL, "/docs", "/docs/start.js", "/openapi.json", "/health/live", "/health/ready"]
)
def test_every_response_has_the_security_headers(service: Service, path: str) -> None:
    """Found or not, refused or not: no sniffing, no framing, no referrer, a policy, each once."""
    answers = [
        service.http.get(path),
        service.http.put(path, content=b"{"),
        service.http.get(path, headers={"Host": "x"}),
    ]
    for answer in answers:
        headers = answer.headers
        assert headers.get_list("X-Content-Type-Options") == ["nosniff"]
        assert headers.get_list("Referrer-Policy") == ["no-referrer"]
        assert headers.get_list("X-Frame-Options") == ["DENY"]
        (policy,) = headers.get_list("Content-Security-Policy")
        assert "default-src 'none'" in policy
        assert "frame-ancestors 'none'" in policy
        assert len(headers.get_list("Cache-Control")) == 1
        assert "Server" not in headers
        assert "Strict-Transport-Security" not in headers


@pytest.mark.parametrize("path", PERSONAL)
def test_personal_data_is_not_cached(service: Service, path: str) -> None:
    """Responses under /api are not stored by browsers or proxies."""
    assert service.http.get(path).headers["Cache-Control"] == "no-store"


def test_malformed_http_gets_the_headers_too(service: Service) -> None:
    """The server's own refusals have the same headers and envelope."""
    answer = raw.exchange(service.address, b"GARBAGE\r\n\r\n").lower()
    assert raw.status(answer.upper()) == 400
    for expected in (b"x-content-type-options: nosniff", b"cache-control: no-store", b'{"success":false'):
        assert expected in answer


def test_hsts_only_behind_a_trusted_https_proxy(service: Service, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Only a trusted proxy's `X-Forwarded-Proto: https` adds HSTS."""
    https = {"X-Forwarded-Proto": "https"}
    assert "Strict-Transport-Security" not in service.http.get("/health/live", headers=https).headers
    folder = tmp_path_factory.mktemp("https")
    with running_on_sqlite(folder, Sandbox(orders=12), connector_trusted_proxies="127.0.0.1") as proxied:
        assert "max-age=" in proxied.http.get("/api/orders", headers=https).headers["Strict-Transport-Security"]
        assert "Strict-Transport-Security" not in proxied.http.get("/api/orders").headers


class LoadedByPage(HTMLParser):
    """What a page loads, and what it has inline."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.loaded: list[str] = []
        self.inline: list[str] = []
        self._in = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._in = tag
        self.loaded += [value or "" for name, value in attrs if name in ("src", "href")]
        self.inline += [name for name, _ in attrs if name.startswith("on") or name == "style"]

    def handle_data(self, data: str) -> None:
        if self._in in ("script", "style") and data.strip():
            self.inline.append(data)


def test_the_docs_page_loads_from_the_connector_alone(service: Service) -> None:
    """Nothing inline, nothing from other hosts, a policy that refuses both; all that it loads exists."""
    answer = service.http.get("/docs")
    policy = answer.headers["Content-Security-Policy"]
    assert not re.search(r"unsafe|https?:|\*", policy)
    page = LoadedByPage(answer.text)
    assert page.inline == []
    assert page.loaded
    for address in page.loaded:
        assert urljoin("/docs", address).startswith("/docs/")
        assert service.http.get(urljoin("/docs", address)).status_code == 200
