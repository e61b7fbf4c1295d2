"""AuthenticationMiddleware: what it refuses before the routes see it."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx2
import pytest
from starlette.responses import Response

from planso_connector.domain import clock
from planso_connector.domain.scopes import Scope
from planso_connector.flows.operating.access_log import AccessLog
from planso_connector.flows.operating.api_keys import ApiKeys
from planso_connector.flows.operating.authenticate import Authenticator
from planso_connector.rest.middleware.admission import AdmissionMiddleware
from planso_connector.rest.middleware.authentication import (
    AuthenticationMiddleware,
    RequestAuthenticator,
    UseLog,
    get_host_label,
)
from planso_connector.rest.middleware.rate_limits import Limits
from tests.databases import Store
from tests.store.samples import SHOP


class NoWorkshop:
    """A process whose only workshop, `SHOP`, has no PlanSo."""

    default = SHOP

    def find_open(self, _: str) -> None:
        return None

    async def open(self, _: str) -> None:
        return None

    @property
    def is_alone(self) -> bool:
        return True

    async def serves(self, name: str) -> bool:
        return name == SHOP

    def is_foreign(self, _label: str, _workshop: str) -> bool:
        return False


@pytest.mark.parametrize(
    ("host", "label"),
    [
        ("reit.connectors.example", "reit"),
        ("REIT.connectors.example:443", "reit"),
        ("reit.example", "reit"),
        ("127.0.0.1:8102", ""),
        ("10.0.0.7", ""),
        ("[::ffff:127.0.0.1]:8102", ""),
        ("[::1]", ""),
        ("localhost:8102", ""),
        ("", ""),
    ],
)
def test_an_address_names_no_workshop(host: str, label: str) -> None:
    """Workshops may be called `127` and `localhost`: the keys of all others go on working at this machine's address."""
    assert get_host_label({"headers": [(b"host", host.encode())]}) == label


def test_a_refused_request_delays_no_sync(store: Store) -> None:
    """Without a key, with a wrong or a too narrow one, at no path, by another method: it is not reported."""
    reported: list[str] = []
    workshops = NoWorkshop()
    middleware = AuthenticationMiddleware(
        Response(),
        authenticator=RequestAuthenticator(
            Authenticator(store.installation, SHOP, clock.now), workshops, allow_anonymous=False
        ),
        use_log=UseLog(AccessLog(store.installation, clock.now), reported.append),
        workshops=workshops,
    )

    async def main() -> list[tuple[int, int]]:
        keys = ApiKeys(store.database, clock.now)
        _, key = await keys.create("Telefonagent", [Scope.ORDERS_READ], None)
        statuses = []
        async with httpx2.AsyncClient(
            transport=httpx2.ASGITransport(AdmissionMiddleware(middleware, limits=Limits(key=None, address=None))),
            base_url="http://localhost",
        ) as client:

            async def ask(method: str, path: str, key: str | None = key) -> None:
                headers: dict[str, Any] = {"X-API-Key": key} if key else {}
                answer = await client.request(method, path, headers=headers)
                statuses.append((answer.status_code, len(reported)))

            await ask("GET", "/api/orders", None)
            await ask("GET", "/api/orders", key[:-1] + "x")
            await ask("DELETE", "/api/orders/1")
            await ask("GET", "/nothing")
            await ask("POST", "/api/lookup")
            await ask("GET", "/api/sync/status")
            await ask("GET", "/api/orders")
        return statuses

    assert store.runner.run(main()) == [(401, 0), (401, 0), (403, 0), (404, 0), (405, 0), (200, 0), (200, 1)]


def test_a_fault_in_the_middleware_is_answered_in_the_envelope() -> None:
    """If logging, counting or checking fails before a response starts, the caller gets JSON, not text."""

    async def faulty(_scope: object, _receive: object, _send: object) -> None:
        raise KeyError("ours")

    async def main() -> httpx2.Response:
        async with httpx2.AsyncClient(
            transport=httpx2.ASGITransport(AdmissionMiddleware(faulty, limits=Limits(key=None, address=None))),
            base_url="http://localhost",
        ) as client:
            return await client.get("/api/orders")

    answer = asyncio.run(main())
    assert (answer.status_code, answer.json()["success"]) == (500, False)
    assert "ours" not in answer.text
