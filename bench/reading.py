"""Reading a form into an order, against the same with BeautifulSoup and html.parser."""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Callable

from bench import plain
from planso_connector.planso.pages.form import Form
from planso_connector.planso.profile import Profile
from planso_connector.sandbox import Sandbox

PADDING = 60_000
ROUNDS = 7


def _answer() -> dict[str, dict[str, str]]:
    sandbox = Sandbox(orders=12)
    with sandbox.serve() as url, plain.client(url) as http:
        answer: dict[str, dict[str, str]] = http.post(plain.FORM.format(123)).json()
    content = answer["center"]["content"]
    # What surrounds the fields on a real page: styled cells without a label.
    cell = '<div class="row"><span class="hint">Hinweis</span><a href="#" class="btn">mehr</a></div>\n'
    missing = max(0, PADDING - len(content)) // len(cell)
    answer["center"]["content"] = content + cell * missing
    return answer


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
    ours = _median(lambda: Form.parse(answer, profile, 123).read_fields(), 20)
    theirs = _median(lambda: plain.form(answer["center"]["content"]), 2)
    return (
        f"reading a form of {size} KB: {ours * 1000:.2f} ms, BeautifulSoup with html.parser {theirs * 1000:.1f} ms: "
        f"{theirs / ours:.1f} times as fast (goal 20)"
    )
