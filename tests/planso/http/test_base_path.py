"""Two PlanSos on one host, below a path each or by a first label each: nothing of one reaches the other."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from planso_connector.domain.errors import PlansoUnavailable
from planso_connector.sandbox import Installation, Sandboxes
from planso_connector.settings import Settings
from tests.planso.conftest import client
from tests.planso.odd_server import LOGIN_PAGE, START_PAGE, ReceivedRequest, answer, odd

pytestmark = pytest.mark.anyio


@pytest.fixture
def two() -> Iterator[tuple[Sandboxes, str]]:
    """Workshops whose login redirects."""
    sandboxes = Sandboxes(2, orders=6, installation=Installation(login_redirects=True))
    with sandboxes.serve() as url:
        yield sandboxes, url


def addresses(sandboxes: Sandboxes, url: str, kind: str) -> dict[str, str]:
    """The base URL of each workshop, by `path` or by `host` name."""
    if kind == "path":
        return {name: url + sandboxes.path(name) for name in sandboxes.names}
    port = url.rpartition(":")[2]
    return {name: f"http://{name}.localhost:{port}" for name in sandboxes.names}


@pytest.mark.parametrize("kind", ["path", "host"])
async def test_a_client_works_with_one_of_two_planso_s(two: tuple[Sandboxes, str], kind: str) -> None:
    """
    It logs in, reads, saves, renews its session and logs out by turns with another client; each PlanSo sees its own
    client's sessions only, and the browser's headers name its own address.
    """
    sandboxes, url = two
    bases = addresses(sandboxes, url, kind)
    names = [(name, sandboxes.installation(name)) for name in sandboxes.names]
    for name, login in names:
        async with client(bases[name], login.username, login.password) as planso:
            assert [entry.order_id for entry in await planso.read_board()] == sandboxes[name].order_ids()
            order_id = sandboxes[name].order_ids()[0]
            form = await planso.read_form(order_id)
            await planso.save(form, form.plan({"remarks": f"in {name}"}))
            sandboxes[name].expire_sessions()
            await planso.read_parts(order_id)
            await planso.try_credentials(login.username, login.password)
            assert sandboxes[name].value(order_id, "Bemerkungen") == f"in {name}"
            assert sandboxes[name].logins == 3
    assert sandboxes.find_foreign_sessions() == {}
    assert not sandboxes["w001"].cookies & sandboxes["w002"].cookies
    assert all(request.status in (200, 302) for name in sandboxes.names for request in sandboxes[name].requests)


async def test_headers_and_cookies_have_the_path() -> None:
    """`Origin` is without it, `Referer` has it; a cookie is sent below its path only, one without a path too."""
    requests: list[ReceivedRequest] = []

    def respond(request: ReceivedRequest) -> bytes:
        requests.append(request)
        cookies = ("Set-Cookie: own=1; Path=/w/w01", "Set-Cookie: bare=2", "Set-Cookie: other=3; Path=/w/w012")
        if request.target == "/w/w01/app":
            return answer(LOGIN_PAGE if request.method == "GET" else START_PAGE, "200 OK", *cookies)
        return answer("{}")

    async with odd(do=respond, app=respond) as server, client(f"{server.url}/w/w01/app/") as planso:
        assert await planso.read_board() == []
    assert [request.target.partition("?")[0] for request in requests] == ["/w/w01/app", "/w/w01/app", "/w/w01/do"]
    assert {request.headers.get("origin") for request in requests[1:]} == {server.url}
    assert {request.headers.get("referer") for request in requests[1:]} == {f"{server.url}/w/w01/app"}
    sent = [set(request.headers.get("cookie", "").split("; ")) for request in requests]
    assert sent == [{""}, {"own=1", "bare=2"}, {"own=1", "bare=2"}]


@pytest.mark.parametrize("location", ["/app", "/w/w002/app", "/w/w0011/app", "../w002/app", "/w/w001/%2e%2e/w002/app"])
@pytest.mark.parametrize("status", ["302 Found", "307 Temporary"])
@pytest.mark.parametrize("when", ["GET", "POST", "do"])
async def test_a_redirect_out_of_the_path_is_not_followed(location: str, status: str, when: str) -> None:
    """At any step: the other path gets neither password nor cookie."""
    targets: list[str] = []

    def respond(request: ReceivedRequest) -> bytes:
        targets.append(request.target.partition("?")[0])
        if request.method == when or ("/do?" in request.target and when == "do"):
            return answer("", status, f"Location: {location}")
        return answer(
            LOGIN_PAGE if request.method == "GET" else START_PAGE, "200 OK", "Set-Cookie: PHPSESSID=x; path=/"
        )

    async with odd(do=respond, app=respond) as server, client(f"{server.url}/w/w001") as planso:
        with pytest.raises(PlansoUnavailable, match="redirect"):
            await planso.read_board()
    assert set(targets) <= {"/w/w001/app", "/w/w001/do"}


@pytest.mark.parametrize(
    ("url", "accepted"),
    [
        ("http://w017.localhost:8190", True),
        ("http://127.0.0.1:8190/w/w017", True),
        ("http://notlocalhost", False),
        ("http://w017.localhost.evil.example", False),
    ],
)
def test_unencrypted_addresses_are_of_this_machine(url: str, accepted: bool) -> None:
    """A name below `localhost` is one, whatever a name server says: the client connects to 127.0.0.1."""
    if accepted:
        assert Settings(_env_file=None, planso_url=url).planso_url == url
    else:
        with pytest.raises(ValueError, match=r"accepted: .*localhost"):
            Settings(_env_file=None, planso_url=url)
