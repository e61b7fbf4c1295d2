"""The tools over MCP, asked by the official client in both eras of the protocol."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import httpx2
import pytest
from mcp import Client, MCPError, StdioServerParameters, types
from mcp.client.stdio import stdio_client
from mcp.client.streamable_http import streamable_http_client

from planso_connector.agents.mcp.prompts import PROMPTS
from planso_connector.agents.toolbox import TOOLS, list_tools
from planso_connector.domain.caller import Caller
from planso_connector.domain.scopes import Scope
from planso_connector.sandbox import Sandbox
from tests.process import free_port
from tests.service import Service, running_on_sqlite

T = TypeVar("T")
ERAS = ("legacy", "2026-07-28")


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with running_on_sqlite(tmp_path_factory.mktemp("mcp"), Sandbox(orders=60)) as running:
        running.http.headers["X-API-Key"] = running.create_key(Scope.ORDERS_READ, Scope.ORDERS_WRITE)
        yield running


@asynccontextmanager
async def connect(service: Service, era: str, **headers: str) -> AsyncIterator[Client]:
    given = {"X-API-Key": service.http.headers["X-API-Key"], **headers}
    async with (
        httpx2.AsyncClient(headers=given, timeout=30) as http,
        Client(streamable_http_client(f"{service.address}/mcp", http_client=http), mode=era) as client,
    ):
        yield client


def ask(service: Service, era: str, question: Callable[[Client], Awaitable[T]], **headers: str) -> T:
    async def run() -> T:
        async with connect(service, era, **headers) as client:
            return await question(client)

    return asyncio.run(run())


def read_text(result: types.CallToolResult) -> dict[str, Any]:
    """The answer that the text carries, which is all that many clients read."""
    (block,) = result.content
    assert isinstance(block, types.TextContent)
    answer: dict[str, Any] = json.loads(block.text)
    return answer


def find_plate(service: Service) -> tuple[str, int]:
    order = service.http.get("/api/orders", params={"limit": 1}).json()["orders"][0]
    return order["plate"], order["id"]


@pytest.mark.parametrize("era", ERAS)
def test_tools_are_listed_with_what_they_do(service: Service, era: str) -> None:
    """Names, titles, schemas and hints are those of the toolbox."""
    listed = ask(service, era, lambda client: client.list_tools()).tools
    assert [tool.name for tool in listed] == list(TOOLS)
    for tool in listed:
        known = TOOLS[tool.name]
        assert (tool.title, tool.description) == (known.title, known.description)
        assert (tool.input_schema, tool.output_schema) == (known.input_schema, known.output_schema)
        hints = tool.annotations
        assert hints is not None
        assert (hints.read_only_hint, hints.destructive_hint) == (known.is_read_only, known.is_destructive)
        assert (hints.idempotent_hint, hints.open_world_hint) == (known.is_idempotent, False)


@pytest.mark.parametrize("era", ERAS)
def test_a_call_is_answered_as_over_http(service: Service, era: str) -> None:
    """Text and structured content are the answer of `POST /tools/{name}`, and the order shown is in the access log."""
    plate, order_id = find_plate(service)
    over_http = service.http.post("/tools/find_order", json={"plate": plate}).json()
    before = len(service.read_access_log())
    result = ask(service, era, lambda client: client.call_tool("find_order", {"plate": plate}))
    assert (result.is_error, read_text(result), result.structured_content) == (False, over_http, over_http)
    newest, *_ = entries = service.read_access_log()
    assert (len(entries) - before, newest.route, newest.order_ids) == (1, "POST /mcp", (order_id,))


@pytest.mark.parametrize("era", ERAS)
def test_a_phone_call_is_named_by_a_header_or_by_the_request(service: Service, era: str) -> None:
    """The same write within one call is one operation, and one more in another call."""
    order = service.http.get("/api/orders", params={"limit": 1}).json()["orders"][0]
    arguments = {"order_id": order["id"], "name": order["person"], "text": f"Kommt später ({era})."}

    async def write(client: Client, call_id: str = "") -> str:
        meta: Any = {"call_id": call_id} if call_id else None
        answer = read_text(await client.call_tool("add_remark", arguments, meta=meta))
        assert answer["ok"], answer
        return str(answer["operation_id"])

    first = ask(service, era, write, **{"X-Call-Id": f"{era} 1"})
    again = ask(service, era, partial(write, call_id=f"{era} 1"))
    other = ask(service, era, partial(write, call_id=f"{era} 2"))
    assert first == again != other


@pytest.mark.parametrize("era", ERAS)
def test_the_language_is_the_callers(service: Service, era: str) -> None:
    found = [
        read_text(
            ask(
                service,
                era,
                lambda client: client.call_tool("find_order", {"plate": "ZZ-XY 9999"}),
                **{"Accept-Language": language},
            )
        )
        for language in ("de", "en")
    ]
    assert found[0]["say"] != found[1]["say"]
    assert {answer["reason"] for answer in found} == {"not_found"}


@pytest.mark.parametrize("era", ERAS)
def test_faults_of_a_call_are_results(service: Service, era: str) -> None:
    """A tool that does not exist and arguments that can't be taken: the text says what is accepted."""
    unknown = ask(service, era, lambda client: client.call_tool("open_the_door", {}))
    assert unknown.is_error
    assert "find_order" in read_text(unknown)["problems"][0]
    wrong = ask(service, era, lambda client: client.call_tool("find_order", {"plate": ["WN"]}))
    assert wrong.is_error
    assert read_text(wrong)["problems"][0].startswith("plate: ")


def test_a_key_sees_the_tools_that_it_may_call(service: Service) -> None:
    """By scope; another tool's call is an answer that names the scopes."""
    key = service.create_key(Scope.APPOINTMENTS_WRITE)
    allowed = [tool.name for tool in list_tools(Caller("", "", frozenset({Scope.APPOINTMENTS_WRITE})))]
    assert len(allowed) < len(TOOLS)
    header = {"X-API-Key": key}
    listed = ask(service, "2026-07-28", lambda client: client.list_tools(), **header).tools
    assert [tool.name for tool in listed] == allowed
    denied = next(name for name in TOOLS if name not in allowed)
    result = ask(service, "2026-07-28", lambda client: client.call_tool(denied, {}), **header)
    assert (result.is_error, read_text(result)["reason"]) == (True, "not_allowed")


@pytest.mark.parametrize("era", ERAS)
def test_resources_tell_what_the_workshop_set(service: Service, era: str) -> None:
    """Hours and services, in the caller's language; of another address the accepted ones are named."""

    async def read(client: Client) -> list[str]:
        texts = []
        for resource in (await client.list_resources()).resources:
            (contents,) = (await client.read_resource(resource.uri)).contents
            assert isinstance(contents, types.TextResourceContents)
            texts.append(contents.text)
        with pytest.raises(MCPError, match="planso://workshop/hours"):
            await client.read_resource("planso://workshop/orders")
        return texts

    hours, services = ask(service, era, read)
    assert hours == "Die Werkstatt hat ihre Zeiten nicht hinterlegt. Nenne keine."
    assert "Fahrzeug bringen" in services
    english = ask(service, era, read, **{"Accept-Language": "en"})
    assert english[0].startswith("The workshop has not set its hours.")


def test_resources_name_days_slots_and_closed_days(service: Service) -> None:
    """Those of the capacity, and nothing that it does not have."""
    capacity = {
        "weekdays": {"mo": {"karo": 30, "lack": 20}, "tu": {"karo": 30, "lack": 20}},
        "drop_off": {"slots": ["07:30-09:00"], "lead_days": 2},
        "exceptions": [{"from": "2099-12-24", "to": "2099-12-31", "closed": True}],
    }
    admin = {"X-API-Key": service.create_key(Scope.ADMIN)}
    response = service.http.put("/api/capacity", json=capacity, headers=admin)
    assert response.status_code == 200, response.text

    async def read(client: Client) -> list[str]:
        contents = [
            (await client.read_resource(f"planso://workshop/{name}")).contents for name in ("hours", "services")
        ]
        return [content.text for (content,) in contents if isinstance(content, types.TextResourceContents)]

    hours, services = ask(service, "2026-07-28", read)
    assert "- Montag: offen" in hours
    assert "- Mittwoch: geschlossen" in hours
    assert "- 24.12.2099-31.12.2099: geschlossen" in hours
    assert "  - Zeiten: 07:30-09:00" in services
    assert "  - Vorlauf in offenen Tagen: 2" in services


@pytest.mark.parametrize("era", ERAS)
def test_prompts_name_the_workshop(service: Service, era: str) -> None:
    """German and English; the name is on one line, and the tools that are named exist."""

    async def get(client: Client) -> list[str]:
        texts = []
        for prompt in (await client.list_prompts()).prompts:
            (message,) = (await client.get_prompt(prompt.name, {"workshop": "Karosserie\nWinter"})).messages
            assert isinstance(message.content, types.TextContent)
            texts.append(message.content.text)
        with pytest.raises(MCPError, match="phone_agent_de, phone_agent_en"):
            await client.get_prompt("poem")
        return texts

    texts = ask(service, era, get)
    assert len(texts) == 2
    for text in texts:
        assert "Karosserie Winter" in text
        assert "{" not in text
        assert {word for word in text.split("`") if "_" in word} - {"operation_id"} <= TOOLS.keys()


@pytest.mark.parametrize("era", ERAS)
def test_a_program_passes_messages_on(service: Service, era: str) -> None:
    """`planso-connector mcp` answers on standard output what the connector answers over HTTP, in both eras."""
    plate, _ = find_plate(service)

    async def run() -> tuple[list[str], types.CallToolResult, str]:
        assert sys.__stderr__ is not None  # its default is pytest's, as it was when the module was imported
        program = stdio_client(run_program(service.address, service.http.headers["X-API-Key"]), errlog=sys.__stderr__)
        async with Client(program, mode=era) as client:
            tools = [tool.name for tool in (await client.list_tools()).tools]
            result = await client.call_tool("find_order", {"plate": plate})
            (contents,) = (await client.read_resource("planso://workshop/hours")).contents
            assert isinstance(contents, types.TextResourceContents)
            return tools, result, contents.text

    tools, result, hours = asyncio.run(run())
    assert tools == list(TOOLS)
    assert read_text(result) == service.http.post("/tools/find_order", json={"plate": plate}).json()
    assert hours


def run_program(address: str, key: str) -> StdioServerParameters:
    environment = {**os.environ, "CONNECTOR_MCP_URL": address, "CONNECTOR_MCP_KEY": key}
    return StdioServerParameters(command=sys.executable, args=["-m", "planso_connector", "mcp"], env=environment)


def test_what_the_program_cannot_pass_on_is_an_answer(service: Service) -> None:
    """Broken lines, a key that is not valid, and a connector that is away; a model gets to see why."""
    call = {"jsonrpc": "2.0", "id": 2, "method": "tools/call", "params": {"name": "find_order", "arguments": {}}}
    lines = ["{", "[]", "", json.dumps({**call, "id": 1, "method": "tools/list", "params": {}}), json.dumps(call)]
    for address, reason in ((service.address, "401: "), (f"http://127.0.0.1:{free_port()}", "can't be reached")):
        program = run_program(address, "pc_0123456789_" + "0" * 64)
        done = subprocess.run(
            [program.command, *program.args],
            env=program.env,
            input="\n".join(lines).encode(),
            capture_output=True,
            check=True,
        )
        answers = {answer["id"]: answer for answer in map(json.loads, done.stdout.splitlines()) if answer["id"]}
        assert done.stdout.count(b"\n") == 4
        assert reason in answers[1]["error"]["message"]
        assert answers[2]["result"]["isError"]
        assert reason in answers[2]["result"]["content"][0]["text"]


def test_the_prompts_are_those_of_the_docs() -> None:
    page = (Path(__file__).parents[2] / "docs/agents.md").read_text("utf-8")
    for prompt in PROMPTS:
        assert f"```text\n{prompt.render()}```" in page, prompt.name


def test_the_sdk_is_not_imported_at_the_start() -> None:
    """It takes half a second and 18 MB; the connector starts without it."""
    program = "import sys, planso_connector.cli; sys.exit('mcp' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
