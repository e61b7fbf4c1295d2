"""Pages of other sites, open in the same browser, can't use the sandbox; programs and its own pages can."""

from __future__ import annotations

import httpx2
import pytest

from planso_connector.sandbox import Sandbox

FOREIGN = [
    {"Origin": "https://evil.example"},
    {"Origin": "null"},
    {"Origin": "http://127.0.0.1:1"},
    {"Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "same-site"},
]


@pytest.mark.parametrize("headers", FOREIGN)
def test_changes_by_a_foreign_page_are_refused(headers: dict[str, str]) -> None:
    """Posts to the tools and to PlanSo's own routes are 403 with a reason, and change nothing. Links work."""
    sandbox = Sandbox(orders=3)
    order_id = sandbox.order_ids()[0]
    with sandbox.serve() as url, httpx2.Client(base_url=url, headers=headers) as foreign:
        login = {"system_login_username": "werkstatt", "system_login_password": "demo"}
        for refused in (
            foreign.post("/sandbox/knobs", content='{"fail_next": 9}'),
            foreign.post(f"/sandbox/orders/{order_id}", content='{"label": "Telefon", "value": "1"}'),
            foreign.delete(f"/sandbox/orders/{order_id}"),
            foreign.post("/app", data=login),
        ):
            assert (refused.status_code, "other sites" in refused.text) == (403, True)
        assert foreign.get("/").status_code == 200
    assert (sandbox.knobs.fail_next, sandbox.logins, order_id in sandbox.order_ids()) == (0, 0, True)


def test_programs_and_its_own_pages_are_accepted() -> None:
    """curl sends neither header; the sandbox's page sends its own origin."""
    sandbox = Sandbox(orders=3)
    with sandbox.serve() as url:
        own = {"Origin": url, "Sec-Fetch-Site": "same-origin"}
        for headers in ({}, own, {"Sec-Fetch-Site": "none"}):
            assert httpx2.post(f"{url}/sandbox/knobs", json={"latency": 0.0}, headers=headers).status_code == 200


def test_only_allowed_host_names_are_served() -> None:
    """Another name that resolves to this machine is refused, for reads too."""
    sandbox = Sandbox(orders=3, allowed_hosts=["planso-sandbox"])
    with sandbox.serve() as url:
        port = url.rpartition(":")[2]
        for host, status in (
            ("evil.example", 421),
            (f"127.0.0.1.evil.example:{port}", 421),
            ("", 421),
            ("[::1", 421),
            (f"localhost:{port}", 200),
            ("LOCALHOST", 200),
            ("192.0.2.1:80", 200),
            (f"[::1]:{port}", 200),
            (f"planso-sandbox:{port}", 200),
        ):
            answer = httpx2.get(f"{url}/sandbox/knobs", headers={"Host": host})
            assert answer.status_code == status, host
            assert status == 200 or "--allowed-host" in answer.text
