"""Reads that the server answers itself: the same responses, under the same rules, as through the middleware."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from planso_connector.domain.clock import format_instant, now
from planso_connector.domain.scopes import Scope
from planso_connector.sandbox import Sandbox
from planso_connector.store import api_keys
from planso_connector.store.engine.transaction import Transaction
from tests.rest import raw
from tests.rest.keys import make_key
from tests.service import Service, running_on_sqlite, wait_until

ORIGIN = {"Origin": "http://127.0.0.1"}
"""A request from a page goes through all middleware."""
PLAIN = ["/api/orders/{}", "/api/orders", "/api/orders?plate=WN&limit=3"]
Headers = dict[str, str]


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with running_on_sqlite(tmp_path_factory.mktemp("immediate"), Sandbox(orders=6)) as running:
        yield running


@pytest.fixture(scope="module")
def key(service: Service) -> Headers:
    """A key that was accepted before."""
    key = make_key(service, Scope.ORDERS_READ)
    assert service.http.get("/api/orders", headers=key).status_code == 200
    return key


def with_order(service: Service, path: str) -> str:
    return path.format(service.sandbox.order_ids()[0])


def wait_until_immediate(service: Service, path: str, key: Headers) -> None:
    """Any commit, as of a lease, has the next request look the key up anew."""

    def is_immediate() -> bool:
        return service.http.get(path, headers=key).status_code == 200 and service.is_answered_now(path, *key.items())

    wait_until(is_immediate, "a request that is answered at once")


@pytest.mark.parametrize("path", PLAIN)
@pytest.mark.parametrize("extra", [{}, {"If-None-Match": "*"}, {"traceparent": f"00-{'ab' * 16}-{'cd' * 8}-01"}])
def test_the_response_is_the_pipelines(service: Service, key: Headers, path: str, extra: Headers) -> None:
    """Status, body and headers are equal, but for the span's id and what the rate limit has left."""
    path = with_order(service, path)
    wait_until_immediate(service, path, key)
    direct, piped = (service.http.get(path, headers=key | extra | more) for more in ({}, ORIGIN))
    assert direct.status_code == piped.status_code
    assert direct.content == piped.content
    assert direct.headers.keys() == piped.headers.keys()
    changing = {"ratelimit", "traceresponse", "date"}
    fixed = [{name: value for name, value in one.headers.items() if name not in changing} for one in (direct, piped)]
    assert fixed[0] == fixed[1]
    if "traceparent" in extra:
        assert direct.headers["traceresponse"].startswith(f"00-{'ab' * 16}-")


@pytest.mark.parametrize(
    ("method", "path", "headers"),
    [
        ("HEAD", PLAIN[0], {}),
        ("PUT", PLAIN[0], {}),
        ("GET", "/api/orders/1", {}),
        ("GET", "/api/orders/{}?max_age=0", {}),
        ("GET", "/api/orders/{}/parts", {}),
        ("GET", "/api/orders?person=a", {}),
        ("GET", "/api/orders?plait=a", {}),
        ("GET", PLAIN[0], ORIGIN),
        ("GET", "/api%2Forders", {}),
        ("GET", "/api/orders", {"Accept": "text/csv"}),
        ("GET", "/api/orders.csv", {}),
        ("GET", PLAIN[0], {"Content-Length": "3"}),
        ("GET", PLAIN[0], {"Transfer-Encoding": "chunked"}),
        ("GET", PLAIN[0], {"Expect": "100-continue"}),
        ("GET", PLAIN[0], {"Host": "connector.example"}),
        ("GET", PLAIN[0], {"X-API-Key": "pc_other"}),
        ("GET", PLAIN[0], {"Authorization": "Bearer pc_other"}),
        ("GET", PLAIN[0], {"Authorization": ""}),
    ],
)
def test_what_is_not_plain_is_left_to_the_pipeline(
    service: Service, key: Headers, method: str, path: str, headers: Headers
) -> None:
    """Other methods, routes, formats and parameters, no such order, pages, bodies, hosts, unknown and more keys."""
    path = with_order(service, path)
    wait_until_immediate(service, with_order(service, PLAIN[0]), key)
    assert not service.is_answered_now(path, *(key | headers).items(), method=method)


def test_a_key_of_another_scope_is_refused(service: Service) -> None:
    key = make_key(service, Scope.METRICS)
    assert service.http.get("/metrics", headers=key).status_code == 200
    assert not service.is_answered_now("/api/orders", *key.items())
    assert service.http.get("/api/orders", headers=key).status_code == 403


def test_a_revoked_key_is_refused_at_once(service: Service) -> None:
    key = make_key(service, Scope.ORDERS_READ)
    wait_until_immediate(service, "/api/orders", key)
    key_id = key["Authorization"].removeprefix("Bearer pc_").partition("_")[0]

    def revoke(tx: Transaction) -> None:
        assert api_keys.revoke(tx, key_id, now=format_instant(now()))

    service.write_database(revoke)
    assert not service.is_answered_now("/api/orders", *key.items())
    assert service.http.get("/api/orders", headers=key).status_code == 401


def test_each_request_that_arrives_in_one_piece_is_answered_in_its_turn(service: Service, key: Headers) -> None:
    """Five orders asked for in one segment, the last one missing: five responses in that sequence."""
    ids = service.sandbox.order_ids()[:4]
    lines = ["Host: 127.0.0.1", f"Authorization: {key['Authorization']}"]
    requests = ["\r\n".join([f"GET /api/orders/{one} HTTP/1.1", *lines, "", ""]) for one in (*ids, 1)]
    requests[-1] = requests[-1].replace("\r\n\r\n", "\r\nConnection: close\r\n\r\n")
    with closing(raw.connect(service.address)) as connection:
        connection.sendall("".join(requests).encode())
        received = raw.until_closed(connection).decode()
    statuses = [part[:3] for part in received.split("HTTP/1.1 ")[1:]]
    assert statuses == ["200"] * 4 + ["404"]
    places = [received.index(f'"order_id":{one},') for one in ids]
    assert places == sorted(places)


def test_both_kinds_of_answers_count_against_one_rate_limit(tmp_path: Path) -> None:
    """Of five requests allowed in an hour each takes one, however it is answered; the sixth is 429."""
    with running_on_sqlite(tmp_path, Sandbox(orders=6), connector_rate_limit="5/h") as service:
        key = make_key(service, Scope.ORDERS_READ)
        path = with_order(service, PLAIN[0])
        extras: list[Headers] = [{}, {}, ORIGIN, {}, ORIGIN, {}, ORIGIN]
        answers = [service.http.get(path, headers=key | extra) for extra in extras]
        assert [answer.status_code for answer in answers] == [200] * 5 + [429] * 2
        assert [answer.headers["RateLimit"].partition(";t=")[0] for answer in answers[:5]] == [
            f'"key";r={left}' for left in (4, 3, 2, 1, 0)
        ]
        assert not service.is_answered_now(path, *key.items())


def test_behind_a_proxy(tmp_path: Path) -> None:
    """The path's prefix is left out, and the proxy is believed: HSTS is sent for https."""
    settings = {"connector_root_path": "/planso", "connector_trusted_proxies": "127.0.0.1"}
    with running_on_sqlite(tmp_path, Sandbox(orders=6), **settings) as service:
        key = make_key(service, Scope.ORDERS_READ) | {"X-Forwarded-For": "192.0.2.7", "X-Forwarded-Proto": "https"}
        for path in ("/planso/api/orders", "/api/orders"):
            wait_until_immediate(service, path, key)
            answer = service.http.get(path, headers=key)
            assert (answer.status_code, answer.json()["count"]) == (200, 6)
            assert answer.headers["Strict-Transport-Security"]
        assert not service.is_answered_now("/other/api/orders", *key.items())
