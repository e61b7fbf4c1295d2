"""Responses larger than any page: each ends soon, as an error with a message, and little of it is held."""

from __future__ import annotations

import asyncio
import gzip
import json
import time
import zlib
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest

from planso_connector.domain.errors import PageChanged, PageTooLarge, PlansoUnavailable, PlansoUnsure
from planso_connector.planso.http.client import PlansoClient
from tests.planso.conftest import client, form_of
from tests.planso.odd_server import BOARD, FORM, LOGIN_PAGE, START_PAGE, ReceivedRequest, answer, call_client, odd

MAX = 200_000
LIST_MAX = 2 * MAX
LABELLED = "<div><label>VIN</label><input name=v value=1></div>"
SESSION = "Set-Cookie: PHPSESSID=x; path=/; HttpOnly"


def form(content: str) -> str:
    return json.dumps({"center": {"content": content}})


def compress(kind: str, size: int) -> bytes:
    """A form after `size` blanks, compressed to a thousandth."""
    text = b" " * size + FORM.encode()
    raw = zlib.compressobj(9, zlib.DEFLATED, -15)
    return {"gzip": gzip.compress(text), "deflate": zlib.compress(text), "raw": raw.compress(text) + raw.flush()}[kind]


def compressed_answer(kind: str, size: int) -> bytes:
    coding = "gzip" if kind == "gzip" else "deflate"
    return answer(compress(kind, size), "200 OK", f"Content-Encoding: {coding}")


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("make_reply", "message"),  # made in the test: compressing takes seconds, in each worker that collects it
    [
        (lambda: answer(" " * MAX + FORM), "larger than 200 KB"),
        (lambda: compressed_answer("gzip", 50_000_000), "larger than 200 KB"),
        (lambda: compressed_answer("deflate", 50_000_000), "larger than 200 KB"),
        (lambda: compressed_answer("raw", 50_000_000), "larger than 200 KB"),
        (lambda: b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\n", "larger than 200 KB"),
        (lambda: answer(gzip.compress(b"x"), "200 OK", "Content-Encoding: gzip, gzip"), "can't be unpacked"),
        (lambda: answer("kein gzip", "200 OK", "Content-Encoding: gzip"), "can't be unpacked"),
    ],
)
async def test_a_response_is_read_up_to_the_bound(make_reply: Callable[[], bytes], message: str) -> None:
    """Compressed and decompressed; the error names page, order, size and setting. Other pages are read as before."""
    reply = make_reply()

    def do(request: ReceivedRequest) -> bytes:
        return reply if "dataID=123" in request.target else answer(FORM)

    async with odd(do=do) as server, client(server.url, max_answer=MAX) as planso:
        with pytest.raises(PageChanged, match=f"the form of order 123.*{message}") as raised:
            await planso.read_form(123)
        assert (await planso.read_form(124)).labels == ("VIN",)
    assert raised.value.page == "form"
    assert ("PLANSO_MAX_ANSWER" in str(raised.value)) is isinstance(raised.value, PageTooLarge)


@pytest.mark.anyio
@pytest.mark.parametrize("kind", ["gzip", "deflate", "raw"])
async def test_compressed_pages_are_read(kind: str) -> None:
    """Up to the bound of the decompressed size."""
    reply = compressed_answer(kind, MAX - 1000)

    _, found = await call_client(lambda _: reply, lambda planso: planso.read_form(123), max_answer=MAX)

    assert found.labels == ("VIN",)


@pytest.mark.anyio
@pytest.mark.parametrize("size", [65_536, 1])
async def test_an_endless_response_is_not_read_on(size: int) -> None:
    """Also one in chunks of one byte, which cost more than their bytes: 20 s of CPU for a megabyte."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        pieces = b"%x\r\n%b\r\n" % (size, b" " * size) * (10_000 // size + 1)
        for page in (answer(LOGIN_PAGE, "200 OK", SESSION), answer(START_PAGE)):
            await reader.readuntil(b"\r\n\r\n")
            writer.write(page)
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        with suppress(ConnectionError):
            while True:
                writer.write(pieces)
                await writer.drain()
        writer.close()

    listening = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with client(f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}", max_answer=MAX) as planso:
        with pytest.raises(PageTooLarge, match="larger than 200 KB"):
            await planso.read_form(123)
    listening.close()


@pytest.mark.anyio
async def test_the_board_may_be_twice_as_large() -> None:
    """It grows with the workshop, and has a bound too."""
    fits, large = answer(" " * (LIST_MAX - 100) + BOARD), answer(" " * LIST_MAX + BOARD)

    _, entries = await call_client(lambda _: fits, PlansoClient.read_board, max_answer=MAX)
    _, error = await call_client(lambda _: large, PlansoClient.read_board, max_answer=MAX)

    assert [entry.order_id for entry in entries] == [123]
    assert isinstance(error, PageTooLarge)
    assert str(error).startswith("the list of orders: PlanSo's answer is larger than 400 KB")


Call = Callable[[PlansoClient], Any]


@pytest.mark.anyio
@pytest.mark.parametrize(
    "call",
    [
        lambda planso: planso.read_parts(123),
        lambda planso: planso.read_tab("work", 123),
        lambda planso: planso.read_blank_form(),
    ],
)
async def test_every_page_is_bounded(call: Call) -> None:
    """Parts, tabs and the blank form too."""
    _, error = await call_client(lambda _: answer(" " * MAX + FORM), call, max_answer=MAX)

    assert isinstance(error, PageTooLarge)


@pytest.mark.anyio
@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_an_endless_login_page_is_no_rejection(method: str) -> None:
    """The login may be tried again."""

    def app(request: ReceivedRequest) -> bytes:
        page = LOGIN_PAGE if request.method == "GET" else START_PAGE
        return answer(page + " " * MAX * (request.method == method), "200 OK", SESSION)

    async with odd(app=app) as server, client(server.url, max_answer=MAX) as planso:
        with pytest.raises(PlansoUnavailable, match="the login page: PlanSo's answer is larger than 200 KB"):
            await planso.log_in()
        assert planso.login_status.state == "unknown"


@pytest.mark.anyio
@pytest.mark.parametrize("reply", [answer(" " * MAX), answer("[" + "{}," * 300_000 + "{}]"), answer("[" * 5000)])
async def test_a_save_with_a_too_large_response_may_have_been_applied(reply: bytes) -> None:
    """It is not sent again, and the error says to read first."""

    async def save(planso: PlansoClient) -> None:
        form = await planso.read_form(123)
        await planso.save(form, form.plan({"vehicle.vin": "2"}))

    server, error = await call_client(
        lambda request: answer(FORM) if "submode=update" in request.target and not request.body else reply,
        save,
        max_answer=MAX if len(reply) < 2 * MAX else 2_000_000,
    )

    assert isinstance(error, PlansoUnsure), error
    assert sum(bool(request.body) for request in server.requests if request.target.startswith("/do")) == 1


@pytest.mark.anyio
async def test_endless_headers_are_a_broken_response() -> None:
    """Two hundred kilobytes of headers."""
    head = b"HTTP/1.1 200 OK\r\n" + b"".join(b"X-%d: %b\r\n" % (at, b"x" * 1000) for at in range(200))

    _, error = await call_client(lambda _: head, lambda planso: planso.read_form(123))

    assert isinstance(error, PlansoUnavailable)


OPTIONS = "".join(f"<option value={at}>Kunde {at}</option>" for at in range(30_000))
MANY = 20_000


@pytest.mark.parametrize(
    "content",
    [
        "<div>" * 100_000,
        "<div>" * 5000 + "x" * 70_000,
        "".join(f"<font a={at}>" for at in range(1000)) + "<p>x</p>" * 1000,
        "".join(f"<font a={at}><object></font></object>" for at in range(1000)) + "<p>x</p>" * 1000,
        "<!--" + "x" * 70_000 + "--><input " + " ".join(f"a{at}" for at in range(MANY)) + ">",
        "<input " + " ".join(f'a{at}=">"' for at in range(MANY)) + ">",
        "".join(f"<body a{at}=1>" for at in range(MANY)),
        "<b>" * 200_000,
        "".join(f"<input name=n{at}>" for at in range(6000)),
        "".join(f"<div><label>L{at}</label><input name=n{at}>" for at in range(1900)),
        "<script>" + "$('#a').val(1);" * 6000 + "</script>",
        "<script>$('#a')" + "x" * 600_000 + "</script>",
    ],
)
def test_extreme_markup_is_not_parsed(content: str) -> None:
    """Nesting, attributes, open formatting elements, controls and scripts are counted first; the error names them."""
    with pytest.raises(PageTooLarge, match=r"^(it|a tag|its) "):
        form_of(LABELLED + content)


@pytest.mark.parametrize(
    "content",
    [
        "<select name=k>" + OPTIONS + "</select>",
        "<input type=hidden name=h>" * 4000,
        "<table>" + "<tr><td><i title=a>x</i><td><b>y</b><td><input name=c></tr>" * 4000 + "</table>",
        "<table><tr>" + "<td colspan=1000000000 rowspan=1000000000><input name=c>" * 4000 + "</table>",
        "".join(f"<label for=r{at}>R{at}</label><input type=radio name=r id=r{at}>" for at in range(4000)),
        "".join(f"<div><label for=x>L{at}</label></div><div><input id=x name=n></div>" for at in range(4000)),
        "<div>" + "".join(f"<label>L{at}</label>" for at in range(4000)) + "<input name=n>" * 4000 + "</div>",
        "".join(f"<h3>T{at}</h3><b>Halter</b><div><input name=n{at}></div>" for at in range(4000)),
        "<b>x</b>" * 20_000,
        "<input name='" + "1_" * 1_000_000 + "x'><input name=d value='" + "9" * 1_000_000 + "'>",
        "<script>" + "".join(f"var a{at}=$('#x{at}');" for at in range(10_000)) + "</script>",
        "<script>" + "document.getElementById('a').value=" * 4000 + "</script>",
        "<script>$('#a')" + "/*" * 100_000 + "</script>",
    ],
)
def test_a_large_page_is_parsed_in_linear_time(content: str) -> None:
    """Each of these took from ten seconds to hours; the bound holds on a busy machine too."""
    began = time.monotonic()

    found = form_of(LABELLED + content)
    found.read_fields()

    assert "VIN" in found.labels
    assert time.monotonic() - began < 20


@pytest.mark.anyio
@pytest.mark.parametrize(
    "body", ["[" + "{}," * 300_000 + "{}]", "{" + ",".join(f'"{at}":1' for at in range(600_000)) + "}"]
)
async def test_too_many_json_values_are_not_parsed(body: str) -> None:
    """Each takes a hundred bytes of memory for three of the response."""
    _, error = await call_client(lambda _: answer(body), PlansoClient.read_board, max_answer=8_000_000)

    assert isinstance(error, PageTooLarge)
    assert "500000 values" in str(error)


@pytest.mark.anyio
@pytest.mark.parametrize(
    "reply",
    [
        answer("[" * 100_000),
        answer("[" + "9" * 100_000 + "]"),
        answer('{"center": {"content": ' + '{"a": ' * 900 + '"x"' + "}" * 900 + "}}"),
        answer('{"error": ' + "[" * 900 + "]" * 900 + "}"),
        answer("a." * 50_000, charset="; charset=idna"),
        answer("a" * 100_000, charset="; charset=punycode"),
    ],
)
async def test_pathological_json_is_a_changed_page(reply: bytes) -> None:
    """No recursion error, no quadratic time."""
    _, error = await call_client(lambda _: reply, lambda planso: planso.read_form(123))

    assert isinstance(error, PageChanged), error


@pytest.mark.anyio
async def test_a_large_page_does_not_block_the_event_loop() -> None:
    """30,000 options took seconds of the loop. Asserted is that others got many turns, not how fast."""
    page = answer(form(LABELLED + "<select name=k>" + OPTIONS + "</select>"))
    turns = 0

    async def count() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0.005)

    async with odd(do=lambda _: page) as server, client(server.url) as planso:
        await planso.log_in()
        counting = asyncio.create_task(count())
        found = await planso.read_form(123)
        counting.cancel()

    assert len(found.markup.controls) == 2
    assert turns > 5
