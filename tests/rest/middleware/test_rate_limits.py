"""Rate limits over HTTP: of keys, of addresses, of requests in flight."""

from __future__ import annotations

import re
import socket
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from planso_connector.sandbox import Sandbox
from planso_connector.settings import SettingsError
from tests.rest import raw
from tests.rest.limited import (
    ADDRESS_RATE,
    KEY_RATE,
    PARALLEL,
    PARALLEL_TOTAL,
    ask,
    finish_request,
    limited,
    new_address,
    start_request,
)
from tests.service import Service, running_on_sqlite

ORDERS = 12


@pytest.fixture(scope="module")
def limited_service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with limited(tmp_path_factory.mktemp("limited")) as service:
        yield service


@pytest.fixture
def address() -> str:
    return new_address()


def test_an_address_over_its_rate_is_429(limited_service: Service, address: str) -> None:
    """429 with Retry-After and the RateLimit fields; other addresses are not affected, nor is /health/live."""
    for left in reversed(range(ADDRESS_RATE)):
        response = ask(limited_service, address)
        assert response.status_code == 404
        assert response.headers["RateLimit-Policy"] == f'"address";q={ADDRESS_RATE};w=3600'
        assert re.fullmatch(rf'"address";r={left};t=\d+', response.headers["RateLimit"])
    refused = ask(limited_service, address)
    assert (refused.status_code, refused.json()["success"]) == (429, False)
    assert 1 <= int(refused.headers["Retry-After"]) <= 3600 // ADDRESS_RATE
    assert refused.headers["RateLimit"].startswith('"address";r=0;t=')
    assert ask(limited_service, address + "0").status_code == 404
    assert ask(limited_service, address, "/health/live").status_code == 200


@pytest.mark.parametrize("header", ["Authorization", "X-API-Key"])
def test_a_key_over_its_rate_is_429_from_any_address(limited_service: Service, address: str, header: str) -> None:
    """A key has one rate, valid or guessed, from all addresses together; other keys of these addresses have theirs."""
    value = f"Bearer secret-{header}"
    for number in range(KEY_RATE):
        assert ask(limited_service, f"{address}{number}", **{header: value}).status_code == 401
    refused = ask(limited_service, f"{address}99", **{header: value})
    assert refused.status_code == 429
    assert refused.headers["RateLimit-Policy"].startswith(f'"key";q={KEY_RATE}')
    assert "secret" not in refused.text
    assert ask(limited_service, f"{address}99", **{header: value + "2"}).status_code == 401


def test_an_ipv6_network_is_one_address(limited_service: Service) -> None:
    """A /64, which one customer of a provider has whole, counts as one address."""
    statuses = [ask(limited_service, f"2001:db8:1:1::{number:x}").status_code for number in range(ADDRESS_RATE + 1)]
    assert statuses == [404] * ADDRESS_RATE + [429]


def test_a_forged_address_is_not_believed(tmp_path: Path, limited_service: Service, address: str) -> None:
    """X-Forwarded-For counts from configured proxies alone, and of it what they wrote: the last entry."""
    settings = {"connector_address_rate_limit": "5/h"}
    with running_on_sqlite(tmp_path, Sandbox(orders=12), connector_allow_anonymous=True, **settings) as unproxied:
        assert {ask(unproxied, f"10.9.9.{number}").status_code for number in range(10)} == {404, 429}
    forged = [ask(limited_service, f"10.9.{number}.9, {address}").status_code for number in range(ADDRESS_RATE + 1)]
    assert forged == [404] * ADDRESS_RATE + [429]


def test_this_machine_has_no_limit_but_what_it_forwards_has(service: Service) -> None:
    """By default a program on this machine is not counted; what a proxy that is not configured forwards is."""
    for _ in range(300):
        response = service.http.get("/api/orders/1")
        assert (response.status_code, "RateLimit" in response.headers) == (404, False)
    assert "RateLimit" in ask(service, "10.0.0.1").headers


def test_requests_in_flight_have_a_limit(tmp_path: Path, address: str) -> None:
    """
    Beyond its own requests in flight one address gets 429; beyond those of all, who writes gets 503, until some end.
    Reads are answered: requests that wait for their bodies keep nobody out.
    """
    settings = {
        "connector_parallel": PARALLEL,
        "connector_parallel_total": PARALLEL_TOTAL,
        "connector_trusted_proxies": "127.0.0.1",
    }
    with (
        running_on_sqlite(tmp_path, Sandbox(orders=12), connector_allow_anonymous=True, **settings) as service,
        ExitStack() as stack,
    ):

        def start(address: str) -> socket.socket:
            return stack.enter_context(closing(start_request(service, address)))

        started = [start(address) for _ in range(PARALLEL)]
        refused = ask(service, address)
        assert (refused.status_code, refused.headers["Retry-After"]) == (429, "1")
        assert "at once" in refused.json()["message"]
        assert ask(service, f"{address}1").status_code == 404
        for _ in range(PARALLEL_TOTAL - PARALLEL):
            start(f"{address}2")
        full = service.http.post("/api/sync", headers={"X-Forwarded-For": f"{address}3"})
        assert (full.status_code, full.headers["Retry-After"], full.json()["success"]) == (503, "1", False)
        assert ask(service, f"{address}3").status_code == 404
        assert ask(service, address, "/health/live").status_code == 200
        assert raw.status(finish_request(started[0])) == 404
        assert ask(service, address).status_code == 404
        assert service.http.post("/api/sync", headers={"X-Forwarded-For": f"{address}3"}).status_code == 202


@pytest.mark.parametrize("rate", ["viele", "0/s", "10/0s", "-1/s", "10", "10/y", "1e9/s"])
def test_an_invalid_rate_ends_the_start(tmp_path: Path, rate: str) -> None:
    """The message says how a rate is written."""
    with (
        pytest.raises(SettingsError, match=r"CONNECTOR_RATE_LIMIT: .*accepted: .*100/s"),
        running_on_sqlite(tmp_path, Sandbox(orders=1), connector_rate_limit=rate),
    ):
        pass
