"""Parsing a form into an order, compared with BeautifulSoup and html.parser."""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Callable

from bench import plain
from planso_connector.planso.pages.form_parser import Form
from planso_connector.planso.profile import Profile
from planso_connector.sandbox import Sandbox

SIZE = 60_000
"""Characters of the form."""
ROUNDS = 7


def _make_response() -> dict[str, dict[str, str]]:
    """Return a response with a form of the sandbox, padded to SIZE."""
    sandbox = Sandbox(orders=12)
    with sandbox.serve() as url, plain.logged_in_client(url) as http:
        response: dict[str, dict[str, str]] = http.post(plain.FORM.format(123)).json()
    content = response["center"]["content"]
    # What a real page has around the fields: styled cells without a label.
    cell = '<div class="row"><span class="hint">Hinweis</span><a href="#" class="btn">mehr</a></div>\n'
    missing = max(0, SIZE - len(content)) // len(cell)
    response["center"]["content"] = content + cell * missing
    return response


def _measure(work: Callable[[], object], times: int) -> float:
    """Return the median seconds of one call, from ROUNDS rounds of so many calls."""
    took = []
    for _ in range(ROUNDS):
        started = time.perf_counter()
        for _ in range(times):
            work()
        took.append((time.perf_counter() - started) / times)
    return statistics.median(took)


def compare_with_beautifulsoup() -> str:
    response = _make_response()
    profile = Profile.load(None, None)
    size = len(json.dumps(response)) // 1000
    ours = _measure(lambda: Form.parse(response, profile, 123).read_fields(), 20)
    theirs = _measure(lambda: plain.parse_form(response["center"]["content"]), 2)
    return (
        f"parsing a form of {size} KB: {ours * 1000:.2f} ms, BeautifulSoup with html.parser {theirs * 1000:.1f} ms: "
        f"{theirs / ours:.1f} times as fast (goal: 20)"
    )
