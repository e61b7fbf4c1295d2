"""A real process over forms of any size: its memory, its work and its database stay bounded whatever a value holds."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx2
import pytest
from starlette.types import ASGIApp, Receive, Scope, Send

from planso_connector.domain.fields import MIRRORED, FieldGroup
from planso_connector.sandbox import Sandbox
from tests.laws import environment
from tests.planso_proxy import FORM
from tests.process import PATIENCE, ConnectorProcess, connector_process

MARKS = "\u0323\u0301"
"""Marks of two classes, which Unicode's canonical order swaps."""
PATTERNS: dict[str, Callable[[int], str]] = {
    "letters": lambda n: "A" * n,
    "letters and digits": lambda n: ("A1" * n)[:n],
    "digits": lambda n: "9" * n,
    "blanks": lambda n: "x" + " " * (n - 2) + "y" if n > 1 else "x",
    "dashes": lambda n: "-" * n,
    "tags": lambda n: ("<a" * n)[:n],
    "references": lambda n: ("&#" + "9" * n)[:n],
    "words": lambda n: ("offen " * n)[: n - 1] + "x",
    "umlauts": lambda n: "ü" * n,
    "emoji": lambda n: "🚗" * n,
    "marks": lambda n: ("a" + MARKS * n)[:n],
}
ASCII = [name for name, pattern in PATTERNS.items() if pattern(10).isascii()]
ALONE = ("Kennzeichen", "Fahrername", "Telefon", "Kunden E-Mail", "Bemerkungen", "Werkstattstart", "Kilometerstand")
"""A label of each kind: a text of a million characters is as much as an answer of PlanSo may well be."""


class Run:
    """A connector with one order, and what it took."""

    def __init__(self, connector: ConnectorProcess, sandbox: Sandbox, folder: Path) -> None:
        self.connector, self.sandbox, self._folder = connector, sandbox, folder
        self.order = sandbox.order_ids()[0]

    def read(self, texts: dict[str, str]) -> tuple[dict[str, Any], float]:
        """The order with these texts, by label, and the processor time that reading it took."""
        for label, text in texts.items():
            try:
                self.sandbox.edit_field(self.order, label, text)
            except (KeyError, ValueError):  # a hidden input, a select
                continue
        before = self._cpu()
        answer = self.connector.http.get(f"/api/orders/{self.order}", params={"max_age": "0"}, timeout=60)
        assert (answer.status_code, answer.json()["message"]) == (200, ""), answer.text[:500]
        order: dict[str, Any] = answer.json()["order"]
        return order, self._cpu() - before

    def _cpu(self) -> float:
        user, system = Path(f"/proc/{self.connector.process.pid}/stat").read_text().rpartition(")")[2].split()[11:13]
        return (int(user) + int(system)) / 100

    def peak(self) -> int:
        """MB."""
        lines = Path(f"/proc/{self.connector.process.pid}/status").read_text().splitlines()
        return next(int(line.split()[1]) // 1024 for line in lines if line.startswith("VmHWM"))

    def keys(self) -> list[str]:
        with sqlite3.connect(f"file:{self._folder}/connector.db?mode=ro", uri=True) as connection:
            rows = connection.execute("SELECT key FROM lookup_keys WHERE order_id = ?", (self.order,)).fetchall()
        return [key for (key,) in rows]

    def size(self) -> int:
        """MB of the database."""
        return sum(path.stat().st_size for path in self._folder.glob("connector.db*")) // 1024**2


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Run]:
    folder, sandbox = tmp_path_factory.mktemp("bounds"), Sandbox(orders=1)
    with sandbox.serve() as url:
        environment = {
            "PLANSO_URL": url,
            "PLANSO_USER": sandbox.installation.username,
            "PLANSO_PASSWORD": sandbox.installation.password,
            "PLANSO_MAX_ANSWER": "12 MB",  # else an answer is refused as a whole before its values are looked at
            "CONNECTOR_DATABASE_URL": f"sqlite:///{folder}/connector.db",
            "CONNECTOR_SYNC_INTERVAL": "24h",
        }
        with connector_process(environment, folder) as connector:
            connector.wait_for_sync()
            yield Run(connector, sandbox, folder)


@pytest.mark.parametrize("name", PATTERNS)
def test_reading_stays_bounded_whatever_planso_holds(run: Run, name: str) -> None:
    """
    All fields at 1, 100 and 10,000 characters, and one of each kind at 1,000,000: kept or null with a doubt, under
    100 MB more than at first, the keys of one order, and processor time that grows with the text alone.
    """
    pattern, labels = PATTERNS[name], list(run.sandbox.values(run.order))
    run.read(dict.fromkeys(labels, pattern(1)))
    start = run.peak()
    wide = 10_000 if name in ASCII else 3000
    _, usual = run.read(dict.fromkeys(labels, pattern(100)))
    order, took = run.read(dict.fromkeys(labels, pattern(wide)))
    texts = [f for f in MIRRORED if f.group is FieldGroup.ORDER and isinstance(order[f.name], str)]
    assert all(len(order[field.name]) <= field.max_length for field in texts)
    doubts = {doubt["field"] for doubt in order["doubts"]}
    assert {"person", "phone", "vehicle_details.number_plate", "vehicle_details.engine"} <= doubts
    for label in ALONE:
        run.sandbox.edit_field(run.order, label, "1")
    for label in ALONE:
        _, alone = run.read({label: pattern(1_000_000 if name in ASCII else 200_000)})
        took = max(took, alone)
        run.sandbox.edit_field(run.order, label, "1")

    assert took < 50 * max(usual, 0.1)
    assert run.peak() < start + 100
    assert run.size() < 60
    keys = run.keys()
    assert len(keys) < 400
    assert max(map(len, keys), default=0) <= 254


def test_a_plate_of_any_length_costs_nothing(run: Run) -> None:
    """From a caller it is refused at once, by its own words, and the next write goes through."""
    address, start = f"/api/orders/{run.order}", run.peak()
    for length in (41, 10_000, 1_000_000):
        asked = {"vehicle_details": {"number_plate": "A1" * (length // 2) + "A" * (length % 2)}}
        answer = run.connector.http.patch(address, json=asked)
        assert answer.status_code == 422, answer.text[:300]
        assert "up to 40" in answer.json()["message"] or "40 characters" in answer.json()["message"]
    assert run.connector.http.patch(address, json={"person": "Ina Sommer"}).status_code == 200
    assert run.peak() < start + 50


class Answering:
    """Stands before PlanSo. What each form is answered with while `content` is set."""

    def __init__(self, planso: ASGIApp) -> None:
        self._planso = planso
        self.content = b""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if not self.content or f"m={FORM}" not in scope.get("query_string", b"").decode():
            await self._planso(scope, receive, send)
            return
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"application/json")]})
        await send({"type": "http.response.body", "body": self.content})


def test_many_who_wait_for_large_answers_take_no_more_memory_than_few(tmp_path: Path) -> None:
    """Thirty callers ask for orders at once whose forms are 3.6 MB each: under 100 MB more."""
    sandbox = Sandbox(orders=30)
    planso = Answering(sandbox.app)
    sandbox.app = planso
    with (
        sandbox.serve() as url,
        connector_process(
            {**environment(url, f"sqlite:///{tmp_path}/connector.db"), "PLANSO_TIMEOUT": "30"}, tmp_path
        ) as connector,
    ):
        connector.wait_for_sync()
        run = Run(connector, sandbox, tmp_path)
        start = run.peak()
        planso.content = b'{"center": {"content": "%s"}}' % (b"\\u00e4" * 600_000)

        def ask(order_id: int) -> int:
            address = f"{connector.address}/api/orders/{order_id}"
            return httpx2.get(address, params={"max_age": "0"}, timeout=PATIENCE).status_code

        with ThreadPoolExecutor(30) as pool:
            answers = list(pool.map(ask, sandbox.order_ids()))

        assert set(answers) <= {200, 502, 503, 504}
        assert run.peak() - start < 100
