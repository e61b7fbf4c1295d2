"""
What a tool call costs beside the REST call behind it, over HTTP and over MCP, with an API key: how far an order is, and
which order is meant. Each call is about another order. The servers' floor is `bench.floor`, as for reads.

All run in turn in the same connector under the same load generator, so that other load of the machine affects all
alike. With 32 clients in a closed loop each waits for all others, and a median is 32 times the time of one call; so the
difference of the time that one call takes is printed too, which is that of the median where calls don't queue.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from itertools import cycle
from urllib.parse import urlencode

from pydantic_core import to_json
from tests.process import ConnectorProcess

from bench import orders
from bench.floor import serve_floor
from bench.load import build_request
from bench.mirror import run_connector
from bench.processes import port_of
from bench.reads import SETTINGS, Target, create_key

COUNT = 10_000
CLIENTS = 1, 32
ROUNDS, ROUND_SECONDS, WARM_UP = 4, 1.0, 0.5
TOOL_GOAL, MCP_GOAL = 1.0, 3.0
"""Milliseconds that the median at 32 at once may be above that of the REST call."""
MCP_HEADERS = ("Accept: application/json, text/event-stream", "MCP-Protocol-Version: 2025-06-18")

_Requests = Iterator[bytes]


def measure_tools() -> str:
    path = orders.path_of(COUNT)
    key = f"Authorization: Bearer {create_key(path)}"
    numbers = [number for number in range(COUNT) if orders.is_found_by_plate(number, COUNT)]
    random.Random(1).shuffle(numbers)
    lines = [f"tools beside the REST calls behind them, {COUNT} orders, another one each time, with an API key:"]
    with run_connector(path, **SETTINGS) as service, serve_floor(path, {"id": 0, "plate": 0}) as floor:
        for name, requests in _build_all(numbers, key).items():
            targets = {kind: Target(port_of(service), service.process.pid, each) for kind, each in requests.items()}
            targets["floor"] = Target(*floor, cycle([build_request(f"/id/{orders.FIRST_ID + n}") for n in numbers]))
            _check(service, targets)
            for clients in CLIENTS:
                lines += _compare(name, targets, clients)
    return "\n".join(lines)


def _build_all(numbers: Sequence[int], key: str) -> dict[str, dict[str, _Requests]]:
    def progress_path(number: int) -> str:
        return f"/api/orders/{orders.FIRST_ID + number}/progress"

    def lookup_path(number: int) -> str:
        return "/api/lookup?" + urlencode({"plate": orders.plate_of(number, COUNT)})

    return {
        "how far an order is": _build(
            "get_progress", progress_path, lambda number: {"order_id": orders.FIRST_ID + number}, numbers, key
        ),
        "which order is meant, by its plate": _build(
            "find_order", lookup_path, lambda number: {"plate": orders.plate_of(number, COUNT)}, numbers, key
        ),
    }


def _build(
    tool: str,
    path: Callable[[int], str],
    arguments: Callable[[int], dict[str, object]],
    numbers: Sequence[int],
    key: str,
) -> dict[str, _Requests]:
    def call(number: int) -> bytes:
        params = {"name": tool, "arguments": arguments(number)}
        body = {"jsonrpc": "2.0", "id": number, "method": "tools/call", "params": params}
        return build_post("/mcp", body, key, *MCP_HEADERS)

    return {
        "REST": cycle([build_request(path(number), key) for number in numbers]),
        "tool": cycle([build_post(f"/tools/{tool}", arguments(number), key) for number in numbers]),
        "MCP": cycle([call(number) for number in numbers]),
    }


def build_post(path: str, body: dict[str, object], *headers: str) -> bytes:
    content = to_json(body)
    lines = [
        f"POST {path} HTTP/1.1",
        "Host: 127.0.0.1",
        "Content-Type: application/json",
        f"Content-Length: {len(content)}",
        *headers,
    ]
    return ("\r\n".join(lines) + "\r\n\r\n").encode() + content


def _check(service: ConnectorProcess, targets: dict[str, Target]) -> None:
    """Every kind of call has an answer that was found, not a sentence about a fault."""
    for name in ("tool", "MCP"):
        request = next(targets[name].requests)
        head, _, body = request.partition(b"\r\n\r\n")
        path = head.split(b" ", 2)[1].decode()
        headers = dict(line.split(": ", 1) for line in head.decode().split("\r\n")[2:] if ": " in line)
        answer = service.http.post(path, content=body, headers=headers)
        assert answer.status_code == 200, answer.text
        assert '"ok":true' in answer.text.replace("\\", "").replace(" ", ""), answer.text


def _compare(name: str, targets: dict[str, Target], clients: int) -> Iterator[str]:
    for target in targets.values():
        target.measure(clients, WARM_UP)
        target.forget()
    for _ in range(ROUNDS):
        for target in targets.values():
            target.measure(clients, ROUND_SECONDS)
    yield f"  {name}, {clients} clients:"
    rest, rest_cpu = targets["REST"].load.percentile(0.5), _cpu(targets["REST"])
    rest_time = 1000 / targets["REST"].load.rate
    for kind, target in targets.items():
        more = ""
        if kind in ("tool", "MCP"):
            median, cpu = target.load.percentile(0.5), _cpu(target)
            goal = f" (goal: {TOOL_GOAL if kind == 'tool' else MCP_GOAL:g})" if clients > 1 else ""
            more = (
                f"; median {median - rest:+.2f} ms{goal}, {median / rest:.2f} times REST; time a call "
                f"{1000 / target.load.rate - rest_time:+.3f} ms, CPU {cpu - rest_cpu:+.3f} ms"
            )
        yield f"    {kind}: {target}{more}"
    for target in targets.values():
        target.forget()


def _cpu(target: Target) -> float:
    """Milliseconds of the server's CPU for a call."""
    return target.cpu / len(target.load.latencies) * 1000
