"""The password and the cookie go to PlanSo's own address alone, whatever PlanSo, DNS or a profile says."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from pydantic import ValidationError

from planso_connector.domain.errors import PlansoUnavailable
from planso_connector.planso.profile import Profile
from planso_connector.sandbox import Sandbox
from planso_connector.settings import Settings
from tests.planso.conftest import client
from tests.planso.odd_server import BOARD, LOGIN_PAGE, START_PAGE, ReceivedRequest, answer, odd
from tests.planso.tls_proxy import AUTHORITY, TlsProxy
from tests.service import Service, running, settings_for, wait_until

pytestmark = pytest.mark.anyio
COOKIE = "Set-Cookie: PHPSESSID=secret; path=/"


@pytest.mark.parametrize("status", ["301 Moved", "302 Found", "303 See Other", "307 Temporary", "308 Permanent"])
@pytest.mark.parametrize("when", ["login page", "login", "reading", "save"])
async def test_a_redirect_to_another_host_is_not_followed(status: str, when: str) -> None:
    """At any step and of any kind: no request arrives there."""
    async with odd() as elsewhere:
        away = answer("", status, f"Location: {elsewhere.url}/app", COOKIE)

        def app(request: ReceivedRequest) -> bytes:
            if (request.method == "GET" and when == "login page") or (request.method == "POST" and when == "login"):
                return away
            return answer(LOGIN_PAGE if request.method == "GET" else START_PAGE, "200 OK", COOKIE)

        def do(request: ReceivedRequest) -> bytes:
            if (when == "reading" and "stations" in request.target) or (when == "save" and "delete" in request.target):
                return away
            return answer(BOARD)

        async with odd(app=app, do=do) as server, client(server.url) as planso:
            with pytest.raises(Exception, match=r"redirect|unsure|known"):
                await (planso.delete(123) if when == "save" else planso.read_board())
            assert server.requests
        assert elsewhere.requests == []


@pytest.mark.parametrize(
    "path",
    ["//evil.example/do", "/\\evil.example", "/do/../../x", "/@evil.example", "https://evil.example/do", "/%2f/x"],
)
def test_a_profile_path_with_another_host_is_refused(tmp_path: Path, path: str) -> None:
    """Anything but a plain path is refused when the profile is loaded, and the error names the key."""
    for key in ("app", "do"):
        file = tmp_path / "profile.toml"
        file.write_text(f"[paths]\n{key} = '{path}'\n", "utf-8")
        with pytest.raises(ValueError, match=f"paths.{key}: accepted"):
            Profile.load(file)


@pytest.mark.parametrize("call", ["https://evil.example/", "x&m=other#", "../../evil", "//evil.example"])
async def test_a_call_of_the_profile_stays_one_parameter(tmp_path: Path, call: str) -> None:
    """Whatever text a profile gives for a call is sent as the value of `m`."""
    file = tmp_path / "profile.toml"
    file.write_text(f"[calls]\nboard = '{call}'\n", "utf-8")
    async with odd() as server, client(server.url, profile=Profile.load(file)) as planso:
        await planso.read_board()
    target = server.requests[-1].target
    assert target.startswith("/do?m=")
    assert target.count("&") == 1
    assert "#" not in target
    assert "//" not in target


@pytest.mark.parametrize(
    ("url", "accepted"),
    [
        ("https://workshop.planso.de", True),
        ("http://127.0.0.1:8190", True),
        ("http://127.8.8.8", True),
        ("http://localhost:8190", True),
        ("http://[::1]:8190", True),
        ("http://workshop.planso.de", False),
        ("http://192.168.1.5", False),
        ("http://localhost.evil.example", False),
        ("http://127.0.0.1.evil.example", False),
        ("ftp://127.0.0.1", False),
        ("file:///etc/passwd", False),
    ],
)
def test_the_password_is_never_sent_in_clear(url: str, accepted: bool) -> None:
    """PLANSO_URL must be https or on this machine, and the error says so."""
    if accepted:
        assert Settings(_env_file=None, planso_url=url).planso_url == url
    else:
        with pytest.raises(ValidationError, match=r"accepted: .*https://"):
            Settings(_env_file=None, planso_url=url)


@pytest.mark.parametrize(
    ("certificate", "why"), [("wrong", "mismatch"), ("expired", "expired"), ("right", "unable to get local issuer")]
)
async def test_an_untrusted_certificate_is_reported(sandbox: Sandbox, url: str, certificate: str, why: str) -> None:
    """Another name, out of date, an unknown authority: the error says why, and nothing is sent to PlanSo."""
    with pytest.MonkeyPatch.context() as environment, TlsProxy(url, certificate).serve() as front:
        if certificate != "right":
            environment.setenv("SSL_CERT_FILE", str(AUTHORITY))
        async with client(front.url) as planso:
            with pytest.raises(PlansoUnavailable, match=f"certificate is not accepted .*{why}"):
                await planso.read_board()
    assert sandbox.requests == []


@pytest.fixture
def secured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Service, TlsProxy]]:
    """A connector whose PlanSo is reached through TLS."""
    monkeypatch.setenv("SSL_CERT_FILE", str(AUTHORITY))
    sandbox = Sandbox(orders=12)
    with ExitStack() as stack:
        front = stack.enter_context(TlsProxy(stack.enter_context(sandbox.serve()), "right").serve())
        settings = settings_for(sandbox, front.url, f"sqlite:///{tmp_path}/connector.db")
        yield stack.enter_context(running(settings, sandbox)), front


def test_writes_wait_while_the_certificate_is_untrusted(secured: tuple[Service, TlsProxy]) -> None:
    """
    Meanwhile reads go on, a write is 202, a sync fails, and both name the certificate; once it is trusted again the
    write is confirmed by itself.
    """
    service, front = secured
    service.fill_mirror()
    order_id = service.sandbox.order_ids()[0]
    front.use_certificate("expired")
    body = {"order_id": order_id, "person": "Mit Geduld"}
    answer = service.http.put(f"/api/orders/{order_id}", json=body, headers={"Prefer": "respond-async"})
    assert answer.status_code == 202, answer.text
    wait_until(lambda: service.operation(answer)["message"])
    assert "certificate" in service.operation(answer)["message"]
    assert service.order(order_id)["pending"]
    assert "certificate" in service.sync()["last_result"]["message"]
    front.use_certificate("right")
    assert service.wait_until_settled(answer)["state"] == "confirmed"
    assert service.sandbox.value(order_id, "Fahrername") == "Mit Geduld"
