"""`/`, `/docs` and the icon; and all of the connector below a path prefix, as behind a proxy."""

from __future__ import annotations

import httpx2
import pytest
from playwright.sync_api import Page

from planso_connector.sandbox import Sandbox
from planso_connector.settings import Settings
from tests.chromium import Chromium
from tests.service import Service

ORDERS = 140
PREFIX = "/planso"
SETTINGS = {"connector_root_path": PREFIX}
ORDER = sorted(Sandbox(orders=ORDERS).order_ids())[1]
A_BROWSER = {"Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}


@pytest.mark.parametrize(
    "address", ["/api/orders?limit=2", f"/api/orders/{ORDER}", "/health/live", "/docs", "/nothing"]
)
def test_the_prefix_may_be_passed_on_or_removed(service: Service, address: str) -> None:
    """A proxy may do either: the answers are the same."""
    with_prefix, without = service.http.get(PREFIX + address), service.http.get(address)
    assert with_prefix.status_code == without.status_code
    assert with_prefix.content == without.content


def test_another_prefix_is_no_prefix(service: Service) -> None:
    """404 for a path that only begins alike, and for the prefix twice."""
    for address in (f"{PREFIX}x/docs", f"{PREFIX}{PREFIX}/docs", f"{PREFIX}api/orders", "/%2Fplanso/docs"):
        assert service.http.get(address).status_code == 404, address


def test_what_is_answered_leads_back_through_the_prefix(service: Service) -> None:
    """`Location`, the links of `/` and the document's server have it."""
    started = service.http.post(f"{PREFIX}/api/sync")
    assert started.headers["Location"] == f"{PREFIX}/api/sync/status"
    accepted = service.http.put(
        f"{PREFIX}/api/orders/{ORDER}",
        json={"order_id": ORDER, "person": "Kai Wendt"},
        headers={"Prefer": "respond-async"},
    )
    assert accepted.status_code == 202
    assert service.http.get(accepted.headers["Location"]).json()["operation"]["order_id"] == ORDER
    assert accepted.headers["Location"].startswith(f"{PREFIX}/api/operations/op_")
    service.wait_until_settled(accepted)
    links = service.http.get(PREFIX).json()["links"]
    assert links["openapi"] == f"{PREFIX}/openapi.json"
    assert [service.http.get(link).status_code for link in links.values()] == [200] * len(links)
    assert service.http.get(links["openapi"]).json()["servers"][0]["url"] == PREFIX


@pytest.mark.parametrize("address", ["/", PREFIX, f"{PREFIX}/"])
def test_a_browser_and_a_program_at_the_address_alone(service: Service, address: str) -> None:
    """A browser gets to the reference; a program is told what there is, in the envelope of all answers."""
    told = service.http.get(address)
    assert (told.status_code, told.json()["success"], told.json()["name"]) == (200, True, "PlanSo Connector")
    assert f"{PREFIX}/docs" in told.json()["message"]
    sent = service.http.get(address, headers=A_BROWSER)
    assert (sent.status_code, sent.headers["Location"]) == (307, f"{PREFIX}/docs")
    assert told.headers["Vary"] == sent.headers["Vary"] == "Accept"


def test_the_page_with_a_slash_and_the_icon(service: Service) -> None:
    """`/docs/` is the page, its addresses relative to there; `/favicon.ico` is an icon."""
    page = service.http.get("/docs/")
    assert page.headers["Content-Type"].startswith("text/html")
    assert 'src="start.js"' in page.text
    assert service.http.get("/favicon.ico").content.startswith(b"\x89PNG")


@pytest.mark.parametrize("path", ["planso", "/a b", "/a?b", "/..", "//a", "/api", "/docs/x", "/health"])
def test_a_prefix_that_can_not_be_one(path: str) -> None:
    """Refused with what is accepted: no path, or one of the connector's own."""
    with pytest.raises(ValueError, match="accepted: a path"):
        Settings(_env_file=None, connector_root_path=path)


@pytest.mark.parametrize(("path", "prefix"), [("", ""), ("/", ""), ("/planso/", "/planso"), ("/a/b", "/a/b")])
def test_a_prefix_ends_without_a_slash(path: str, prefix: str) -> None:
    """However it is given."""
    assert Settings(_env_file=None, connector_root_path=path).connector_root_path == prefix


def test_execute_on_the_page_changes_nothing(chromium: Chromium, service: Service) -> None:
    """
    "Try it out" and "Execute" on PUT, as the page offers it: a dry run on one order, which is sent below the prefix.
    Parameters have one type.
    """
    before = {order_id: service.sandbox.snapshot(order_id) for order_id in service.sandbox.order_ids()}

    def execute(page: Page) -> tuple[str, str, set[str]]:
        """The address that was asked, the response's status, and the types of the parameters."""
        page.goto(f"{PREFIX}/")
        operation = page.locator("#operations-orders-updateOrder")
        operation.locator(".opblock-summary-control").click()
        operation.locator(".try-out__btn").click()
        operation.locator(".execute").click()
        status = operation.locator(".live-responses-table .response .response-col_status").inner_text()
        types = set(operation.locator(".parameter__type").all_inner_texts())
        return operation.locator(".request-url pre").inner_text().strip(), status.split()[0], types

    address, status, types = chromium.visit(service.address, execute)
    asked = httpx2.URL(address)
    assert asked.path.startswith(f"{PREFIX}/api/orders/")
    assert (asked.params["dry_run"], status) == ("true", "200")
    assert types == {"string", "integer", "boolean"}
    assert {order_id: service.sandbox.snapshot(order_id) for order_id in service.sandbox.order_ids()} == before
