"""/api/webhooks: receivers are managed, and get what happens to orders."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from standardwebhooks.webhooks import Webhook as Verifier

from tests.receiver import LOOPBACK, Receiver, receiving
from tests.rest.routes.write_requests import put
from tests.service import Service, wait_until

ORDERS = 12
SETTINGS = {"planso_timeout": 1.0, "connector_sync_parts": False, "connector_webhook_networks": LOOPBACK}
PATH = "/api/webhooks"


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as receiver:
        yield receiver


def create(service: Service, url: str, **members: Any) -> tuple[str, str]:
    """Id and secret."""
    response = service.http.post(PATH, json={"url": url, **members})
    assert response.status_code == 200, response.text
    answer = response.json()
    return str(answer["webhook"]["id"]), str(answer["secret"])


def test_a_write_arrives_at_the_receiver(service: Service, order: int, receiver: Receiver) -> None:
    """The event of a confirmed write, signed, thin; the secret is shown once; the attempt is listed."""
    webhook, secret = create(service, receiver.url, types=["order.updated"])
    put(service, order, {"person": "Erste"})
    wait_until(lambda: receiver.received, "the event")
    payload = Verifier(secret).verify(receiver.received[0].body, receiver.received[0].headers)
    version = service.order(order)["version"]
    assert payload["type"] == "order.updated"
    assert (payload["data"]["order_id"], payload["data"]["version"]) == (order, version)
    assert "Erste" not in receiver.received[0].body

    def find_attempt() -> list[dict[str, Any]]:
        listed: list[dict[str, Any]] = service.http.get(f"{PATH}/{webhook}/attempts").json()["attempts"]
        return listed

    (attempt,) = wait_until(find_attempt, "the attempt")
    assert (attempt["order_id"], attempt["status"], attempt["outcome"]) == (order, 204, "delivered")
    shown = service.http.get(PATH).text + service.http.get(f"{PATH}/{webhook}").text
    assert secret not in shown
    assert f'"id":"{webhook}"' in shown

    resent = service.http.post(f"{PATH}/{webhook}/attempts/{attempt['id']}/resend")
    assert resent.status_code == 200
    wait_until(lambda: len(receiver.received) == 2, "the event again")
    assert service.http.post(f"{PATH}/{webhook}/recover", params={"since": "2000-01-01T00:00:00Z"}).status_code == 200
    wait_until(lambda: len(receiver.received) > 2, "all events again")
    assert service.http.delete(f"{PATH}/{webhook}").json()["id"] == webhook
    assert service.http.get(f"{PATH}/{webhook}").status_code == 404


def test_an_instant_needs_an_offset(service: Service, receiver: Receiver) -> None:
    """Without one it is 422, of webhooks and lists alike; a `+` that became a blank is one."""
    webhook, _ = create(service, receiver.url)
    for path, name, method in ((f"{PATH}/{webhook}/recover", "since", "POST"), ("/api/orders", "changed_since", "GET")):
        for wrong in ("gestern", "2026-11-23", "2026-11-23T08:00:00"):
            response = service.http.request(method, path, params={name: wrong})
            assert response.status_code == 422
            assert "with an offset" in response.json()["detail"][0]["msg"]
        unencoded = service.http.request(method, f"{path}?{name}=2026-11-23T08:00:00+01:00")
        assert unencoded.status_code == 200, unencoded.text


def test_a_receiver_is_changed_and_tried(service: Service, receiver: Receiver) -> None:
    """An example says what came of it; switched off it gets nothing; a rotation shows the new secret."""
    webhook, secret = create(service, receiver.url)
    tried = service.http.post(f"{PATH}/{webhook}/send-example").json()["attempt"]
    assert (tried["status"], tried["outcome"]) == (204, "delivered")
    receiver.answer = lambda _: 500
    tried = service.http.post(f"{PATH}/{webhook}/send-example").json()["attempt"]
    assert (tried["status"], tried["outcome"]) == (500, "HTTP status 500")
    merge = {"Content-Type": "application/merge-patch+json"}
    changed = service.http.patch(f"{PATH}/{webhook}", json={"enabled": False, "fields": True}, headers=merge).json()
    assert (changed["webhook"]["enabled"], changed["webhook"]["fields"]) == (False, True)
    assert changed["webhook"]["disabled_reason"]
    assert changed["webhook"]["url"] == receiver.url
    rotated = service.http.post(f"{PATH}/{webhook}/secret/rotate").json()["secret"]
    assert rotated != secret
    assert service.http.post(f"{PATH}/{webhook}/expunge").json()["expunged"] == 0
    assert service.http.delete(f"{PATH}/{webhook}").status_code == 200


@pytest.mark.parametrize(
    ("body", "field", "accepted"),
    [
        ({"url": "http://example.org/"}, "url", "https://"),
        ({"url": "https://10.0.0.7/"}, "url", "CONNECTOR_WEBHOOK_NETWORKS"),
        ({"url": "https://user:a@example.org/"}, "url", "signed"),
        ({"url": "ich"}, "url", "https://host/path"),
        ({"url": "https://example.org/", "types": ["order.changed"]}, "types", "order.updated"),
        ({"url": "https://example.org/", "fields": "yes"}, "fields", "true or false"),
        ({"url": "https://example.org/", "secret": "x"}, "secret", ""),
        ({}, "url", "required"),
    ],
)
def test_what_is_wrong_is_named(service: Service, body: dict[str, Any], field: str, accepted: str) -> None:
    """422 with the field and what is accepted."""
    response = service.http.post(PATH, json=body)
    assert response.status_code == 422, response.text
    detail = response.json()["detail"][0]
    assert field in detail["loc"]
    assert accepted in detail["msg"]
