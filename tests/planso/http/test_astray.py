"""Whatever PlanSo, its address book or a profile says: the password and the cookie go to PlanSo's own address alone."""

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
from tests.planso.odd_server import BOARD, LOGIN_PAGE, START_PAGE, Asked, answer, odd
from tests.planso.secure import AUTHORITY, Secure
from tests.service import Service, running, settings_for, wait_until

pytestmark = pytest.mark.anyio
COOKIE = "Set-Cookie: PHPSESSID=secret; path=/"


@pytest.mark.parametrize("status", ["301 Moved", "302 Found", "303 See Other", "307 Temporary", "308 Permanent"])
@pytest.mark.parametrize("when", ["login page", "login", "reading", "save"])
async def test_a_redirect_elsewhere_takes_nothing_along(status: str, when: str) -> None:
    """A redirect to another address, at any step and of any kind, is not followed: nothing at all arrives there."""
    async with odd() as elsewhere:
        away = answer("", status, f"Location: {elsewhere.url}/app", COOKIE)

        def app(asked: Asked) -> bytes:
            if (asked.method == "GET" and when == "login page") or (asked.method == "POST" and when == "login"):
                return away
            return answer(LOGIN_PAGE if asked.method == "GET" else START_PAGE, "200 OK", COOKIE)

        def do(asked: Asked) -> bytes:
            if (when == "reading" and "stations" in asked.target) or (when == "save" and "delete" in asked.target):
                return away
            return answer(BOARD)

        async with odd(app=app, do=do) as server, client(server.url) as planso:
            with pytest.raises(Exception, match=r"redirect|unsure|known"):
                await (planso.delete(123) if when == "save" else planso.read_board())
            assert server.asked
        assert elsewhere.asked == []


@pytest.mark.parametrize(
    "path",
    ["//evil.example/do", "/\\evil.example", "/do/../../x", "/@evil.example", "https://evil.example/do", "/%2f/x"],
)
def test_a_profile_names_no_other_host(tmp_path: Path, path: str) -> None:
    """A profile's addresses are paths of PlanSo's own; anything else is refused at the start, with the key's name."""
    for key in ("app", "do"):
        file = tmp_path / "profile.toml"
        file.write_text(f"[paths]\n{key} = '{path}'\n", "utf-8")
        with pytest.raises(ValueError, match=f"paths.{key}: accepted"):
            Profile.load(file)


@pytest.mark.parametrize("call", ["https://evil.example/", "x&m=other#", "../../evil", "//evil.example"])
async def test_a_call_of_the_profile_stays_a_parameter(tmp_path: Path, call: str) -> None:
    """Whatever a profile calls a call, it goes to PlanSo as the one value of `m`."""
    file = tmp_path / "profile.toml"
    file.write_text(f"[calls]\nboard = '{call}'\n", "utf-8")
    async with odd() as server, client(server.url, profile=Profile.load(file)) as planso:
        await planso.read_board()
    target = server.asked[-1].target
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
def test_the_password_never_travels_in_clear(url: str, accepted: bool) -> None:
    """PLANSO_URL is https, or this machine; the refusal says so."""
    if accepted:
        assert Settings(_env_file=None, planso_url=url).planso_url == url
    else:
        with pytest.raises(ValidationError, match=r"accepted: .*https://"):
            Settings(_env_file=None, planso_url=url)


@pytest.mark.parametrize(
    ("certificate", "why"), [("wrong", "mismatch"), ("expired", "expired"), ("right", "unable to get local issuer")]
)
async def test_a_wrong_certificate_is_told(sandbox: Sandbox, url: str, certificate: str, why: str) -> None:
    """Of another name, out of date, of an unknown authority: the error says why, and PlanSo hears nothing."""
    with pytest.MonkeyPatch.context() as environment, Secure(url, certificate).serve() as front:
        if certificate != "right":
            environment.setenv("SSL_CERT_FILE", str(AUTHORITY))
        async with client(front.url) as planso:
            with pytest.raises(PlansoUnavailable, match=f"certificate is not accepted .*{why}"):
                await planso.read_board()
    assert sandbox.requests == []


@pytest.fixture
def secured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Service, Secure]]:
    """A connector whose PlanSo is reached through TLS."""
    monkeypatch.setenv("SSL_CERT_FILE", str(AUTHORITY))
    sandbox = Sandbox(orders=12)
    with ExitStack() as stack:
        front = stack.enter_context(Secure(stack.enter_context(sandbox.serve()), "right").serve())
        settings = settings_for(sandbox, front.url, f"sqlite:///{tmp_path}/connector.db")
        yield stack.enter_context(running(settings, sandbox)), front


def test_a_certificate_that_turns_wrong_is_waited_out(secured: tuple[Service, Secure]) -> None:
    """
    While PlanSo's certificate is wrong reads go on, a write is 202, a sync fails, and both say certificate; once it is
    right again the write is carried through by itself.
    """
    service, front = secured
    service.filled()
    order_id = service.sandbox.order_ids()[0]
    front.show("expired")
    body = {"order_id": order_id, "person": "Mit Geduld"}
    answer = service.http.put(f"/api/orders/{order_id}", json=body, headers={"Prefer": "respond-async"})
    assert answer.status_code == 202, answer.text
    wait_until(lambda: service.operation(answer)["message"])
    assert "certificate" in service.operation(answer)["message"]
    assert service.order(order_id)["pending"]
    assert "certificate" in service.sync()["last_result"]["message"]
    front.show("right")
    assert service.settled(answer)["state"] == "confirmed"
    assert service.sandbox.value(order_id, "Fahrername") == "Mit Geduld"
