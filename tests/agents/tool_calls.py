"""Call tools over HTTP."""

from __future__ import annotations

from typing import Any

from tests.service import Service


def call(service: Service, name: str, arguments: Any = None, **headers: str) -> dict[str, Any]:
    """Call the tool, and return its answer. Headers are written with `_` for `-`."""
    named = {header.replace("_", "-"): value for header, value in headers.items()}
    response = service.http.post(f"/tools/{name}", json=arguments or {}, headers=named)
    assert response.status_code == 200, response.text
    answer: dict[str, Any] = response.json()
    check(answer)
    return answer


def check(answer: dict[str, Any]) -> None:
    """What holds for every answer of a tool."""
    assert list(answer)[:2] == ["say", "ok"]
    assert answer["say"].strip()
    assert "\n" not in answer["say"]
    assert answer["ok"] is ("reason" not in answer)
    assert None not in answer.values()
