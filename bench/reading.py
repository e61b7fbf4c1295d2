"""Reading a form into an order, against the same with BeautifulSoup and html.parser."""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Callable

import httpx2
from bs4 import BeautifulSoup, Tag

from planso_connector.planso.form import Form
from planso_connector.planso.profile import Profile
from planso_connector.sandbox import Sandbox

PADDING = 60_000
ROUNDS = 7


def _answer() -> dict[str, dict[str, str]]:
    sandbox = Sandbox(orders=12)
    with sandbox.serve() as url, httpx2.Client(base_url=url) as http:
        http.get("/app")
        login = {"system_login_username": "werkstatt", "system_login_password": "demo"}
        http.post("/app", data=login)
        call = "m=visual_forms_plain&tableID=12565&submode=update&dataID=123"
        call += "&call_back_class=resourceplanner_single_project_wrapper&callback="
        answer: dict[str, dict[str, str]] = http.post(f"/do?{call}").json()
    content = answer["center"]["content"]
    # What surrounds the fields on a real page: styled cells without a label.
    cell = '<div class="row"><span class="hint">Hinweis</span><a href="#" class="btn">mehr</a></div>\n'
    missing = max(0, PADDING - len(content)) // len(cell)
    answer["center"]["content"] = content + cell * missing
    return answer


def _plainly(content: str) -> dict[str, str]:
    """The straightforward way: each label, and the control that follows it."""
    soup = BeautifulSoup(content, "html.parser")
    found: dict[str, str] = {}
    for label in soup.find_all("label"):
        control = label.find_next(["input", "select", "textarea"])
        if not isinstance(control, Tag):
            continue
        if control.name == "select":
            chosen = control.find("option", selected=True)
            value = chosen.get_text(strip=True) if isinstance(chosen, Tag) else ""
        else:
            value = control.get_text() if control.name == "textarea" else str(control.get("value") or "")
        found[label.get_text(" ", strip=True)] = value
    return found


def _median(work: Callable[[], object], times: int) -> float:
    took = []
    for _ in range(ROUNDS):
        started = time.perf_counter()
        for _ in range(times):
            work()
        took.append((time.perf_counter() - started) / times)
    return statistics.median(took)


def form_against_beautifulsoup() -> str:
    answer = _answer()
    profile = Profile.load(None, None)
    size = len(json.dumps(answer)) // 1000
    ours = _median(lambda: Form.parse(answer, profile, 123).reading(), 20)
    theirs = _median(lambda: _plainly(answer["center"]["content"]), 2)
    return (
        f"reading a form of {size} KB: {ours * 1000:.2f} ms, BeautifulSoup with html.parser {theirs * 1000:.1f} ms: "
        f"{theirs / ours:.1f} times as fast (goal 20)"
    )
