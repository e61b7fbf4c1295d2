"""Each request to PlanSo is permitted immediately before it is sent, or it is not sent."""

from __future__ import annotations

import pytest

from planso_connector.domain.errors import PlansoLeaseLost
from planso_connector.planso.http.client import PlansoClient
from planso_connector.planso.http.throttle import Throttle
from planso_connector.planso.http.urls import normalize_address
from tests.planso.conftest import client, form_of
from tests.planso.odd_server import odd

pytestmark = pytest.mark.anyio


class Permission:
    """Permits a number of calls."""

    def __init__(self, permitted: float) -> None:
        self.permitted = permitted
        self.calls = 0

    def __call__(self) -> None:
        self.calls += 1
        if self.calls > self.permitted:
            raise PlansoLeaseLost("not now; nothing was sent")


async def use(planso: PlansoClient) -> None:
    """Send a login (two requests), a read and a save."""
    await planso.read_board()
    form = form_of("<div><label>VIN</label><input name=v value=1></div>")
    await planso.save(form, form.plan({"vehicle_details.vin": "2"}))


async def test_no_request_is_sent_without_permission() -> None:
    """
    A login, a read and a save ask twice for each request: before a connection is opened, and once there is one.
    Whatever call is refused, its request does not reach PlanSo, all before it do, and the error says so.
    """
    everything = Permission(float("inf"))
    async with odd() as server, client(server.url, before_send=everything) as planso:
        await use(planso)
        sent = [request.target for request in server.requests]
    assert len(sent) == 4
    assert everything.calls == 2 * len(sent)

    for permitted in range(everything.calls):
        async with odd() as server, client(server.url, before_send=Permission(permitted)) as planso:
            with pytest.raises(PlansoLeaseLost, match="nothing was sent"):
                await use(planso)
            assert [request.target for request in server.requests] == sent[: permitted // 2]
            assert (planso.throttle.in_flight, planso.health.last_failure) == (0, None)


async def test_a_refused_client_recovers() -> None:
    """Once permitted again, the same client sends, with the session that it had."""
    permission = Permission(6)
    async with odd() as server, client(server.url, before_send=permission, throttle=Throttle(1)) as planso:
        await planso.read_board()
        with pytest.raises(PlansoLeaseLost):
            await planso.read_board()
        permission.permitted = float("inf")
        await planso.read_board()
        assert [request.method for request in server.requests] == ["GET", "POST", "POST", "POST"]


@pytest.mark.parametrize(
    "typed",
    [
        "https://reit.planso.de",
        "HTTP://Reit.PlanSo.de:80/",
        "https://reit.planso.de./app",
        " https://reit.planso.de:443/app/ ",
    ],
)
async def test_one_planso_has_one_address(typed: str) -> None:
    """Scheme, case, the usual ports, a trailing dot and a pasted path make no other PlanSo."""
    assert normalize_address(typed, "/app") == "reit.planso.de"


async def test_other_plansos_have_other_addresses() -> None:
    """Another host, port or folder is another PlanSo."""
    typed = ("https://a.planso.de", "https://b.planso.de", "https://a.planso.de:8443", "https://a.planso.de/reit/app")
    assert [normalize_address(url, "/app") for url in typed] == [
        "a.planso.de",
        "b.planso.de",
        "a.planso.de:8443",
        "a.planso.de/reit",
    ]
