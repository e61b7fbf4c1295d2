"""A connector process that reads forms of any size: its memory, CPU time and database stay bounded."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx2
import pytest
from starlette.types import ASGIApp, Receive, Scope, Send

from planso_connector.domain.fields import MIRRORED, FieldGroup
from planso_connector.sandbox import Sandbox
from tests.laws import environment
from tests.long_texts import ASCII_PATTERNS, PATTERNS
from tests.planso_proxy import FORM
from tests.process import ConnectorProcess, connector_process
from tests.service import PATIENCE

LABELS = ("Kennzeichen", "Fahrername", "Telefon", "Kunden E-Mail", "Bemerkungen", "Werkstattstart", "Kilometerstand")
"""One field of each kind. A million characters in one of them is about as large as a response of PlanSo may be."""


class Run:
    """A connector process with a sandbox, and what the process uses."""

    def __init__(self, connector: ConnectorProcess, sandbox: Sandbox, folder: Path) -> None:
        self.connector, self.sandbox, self._folder = connector, sandbox, folder
        self.order_id = sandbox.order_ids()[0]

    def read(self, texts: dict[str, str]) -> tuple[dict[str, Any], float]:
        """Put texts into the order by label, read it, and return it and the CPU seconds that reading took."""
        for label, text in texts.items():
            try:
                self.sandbox.edit_field(self.order_id, label, text)
            except (KeyError, ValueError):  # a hidden input, a select
                continue
        before = self._cpu_seconds()
        response = self.connector.http.get(f"/api/orders/{self.order_id}", params={"max_age": "0"}, timeout=60)
        assert (response.status_code, response.json()["message"]) == (200, ""), response.text[:500]
        order: dict[str, Any] = response.json()["order"]
        return order, self._cpu_seconds() - before

    def _cpu_seconds(self) -> float:
        user, system = Path(f"/proc/{self.connector.process.pid}/stat").read_text().rpartition(")")[2].split()[11:13]
        return (int(user) + int(system)) / 100

    def peak_memory(self) -> int:
        """Return the peak resident memory of the process in MB. Source: proc(5), VmHWM."""
        lines = Path(f"/proc/{self.connector.process.pid}/status").read_text().splitlines()
        return next(int(line.split()[1]) // 1024 for line in lines if line.startswith("VmHWM"))

    def read_lookup_keys(self) -> list[str]:
        with sqlite3.connect(f"file:{self._folder}/connector.db?mode=ro", uri=True) as connection:
            rows = connection.execute("SELECT key FROM lookup_keys WHERE order_id = ?", (self.order_id,)).fetchall()
        return [key for (key,) in rows]

    def database_size(self) -> int:
        """Return the size of the database files in MB."""
        return sum(path.stat().st_size for path in self._folder.glob("connector.db*")) // 1024**2


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Run]:
    folder, sandbox = tmp_path_factory.mktemp("bounds"), Sandbox(orders=1)
    with sandbox.serve() as url:
        environment = {
            "PLANSO_URL": url,
            "PLANSO_USER": sandbox.installation.username,
            "PLANSO_PASSWORD": sandbox.installation.password,
            "PLANSO_MAX_ANSWER": "12 MB",  # otherwise the whole response is rejected before its values are parsed
            "CONNECTOR_DATABASE_URL": f"sqlite:///{folder}/connector.db",
            "CONNECTOR_SYNC_INTERVAL": "24h",
        }
        with connector_process(environment, folder, is_new_interpreter=True) as connector:
            connector.wait_for_sync()
            yield Run(connector, sandbox, folder)


@pytest.mark.parametrize("name", PATTERNS)
def test_reading_stays_bounded_whatever_planso_holds(run: Run, name: str) -> None:
    """
    All fields with 1, 100 and 10,000 characters, and one field of each kind with 1,000,000: a value is stored or null
    with a doubt; memory grows by less than 100 MB, lookup keys stay few, and CPU time grows linearly with the text.
    """
    pattern, labels = PATTERNS[name], list(run.sandbox.values(run.order_id))
    run.read(dict.fromkeys(labels, pattern(1)))
    start = run.peak_memory()
    wide = 10_000 if name in ASCII_PATTERNS else 3000
    _, usual = run.read(dict.fromkeys(labels, pattern(100)))
    order, took = run.read(dict.fromkeys(labels, pattern(wide)))
    texts = [f for f in MIRRORED if f.group is FieldGroup.ORDER and isinstance(order[f.name], str)]
    assert all(len(order[field.name]) <= field.max_length for field in texts)
    doubts = {doubt["field"] for doubt in order["doubts"]}
    assert {"person", "phone", "vehicle_details.number_plate", "vehicle_details.engine"} <= doubts
    for label in LABELS:
        run.sandbox.edit_field(run.order_id, label, "1")
    for label in LABELS:
        _, took_for_one = run.read({label: pattern(1_000_000 if name in ASCII_PATTERNS else 200_000)})
        took = max(took, took_for_one)
        run.sandbox.edit_field(run.order_id, label, "1")

    assert took < 50 * max(usual, 0.1)
    assert run.peak_memory() < start + 100
    assert run.database_size() < 60
    keys = run.read_lookup_keys()
    assert len(keys) < 400
    assert max(map(len, keys), default=0) <= 254


def test_a_plate_of_any_length_costs_nothing(run: Run) -> None:
    """A plate of 41 to 1,000,000 characters is 422 and names the maximum; the next write succeeds."""
    address, start = f"/api/orders/{run.order_id}", run.peak_memory()
    for length in (41, 10_000, 1_000_000):
        body = {"vehicle_details": {"number_plate": "A1" * (length // 2) + "A" * (length % 2)}}
        response = run.connector.http.patch(address, json=body)
        assert response.status_code == 422, response.text[:300]
        assert "up to 40" in response.json()["message"] or "40 characters" in response.json()["message"]
    assert run.connector.http.patch(address, json={"person": "Ina Sommer"}).status_code == 200
    assert run.peak_memory() < start + 50


class ConstantForms:
    """A proxy before PlanSo that answers every form request with `content` while it is set."""

    def __init__(self, planso: ASGIApp) -> None:
        self._planso = planso
        self.content = b""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if not self.content or f"m={FORM}" not in scope.get("query_string", b"").decode():
            await self._planso(scope, receive, send)
            return
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"application/json")]})
        await send({"type": "http.response.body", "body": self.content})


def test_concurrent_large_responses_share_bounded_memory(tmp_path: Path) -> None:
    """Thirty concurrent requests for orders whose forms are 3.6 MB each need less than 100 MB together."""
    sandbox = Sandbox(orders=12)
    planso = ConstantForms(sandbox.app)
    sandbox.app = planso
    with (
        sandbox.serve() as url,
        connector_process(
            {**environment(url, f"sqlite:///{tmp_path}/connector.db"), "PLANSO_TIMEOUT": "30"},
            tmp_path,
            is_new_interpreter=True,
        ) as connector,
    ):
        connector.wait_for_sync()
        run = Run(connector, sandbox, tmp_path)
        start = run.peak_memory()
        planso.content = b'{"center": {"content": "%s"}}' % (b"\\u00e4" * 600_000)

        def get_status(order_id: int) -> int:
            address = f"{connector.address}/api/orders/{order_id}"
            return httpx2.get(address, params={"max_age": "0"}, timeout=PATIENCE).status_code

        with ThreadPoolExecutor(30) as pool:
            statuses = set(pool.map(get_status, sandbox.order_ids()))

        assert statuses <= {200, 502, 503, 504}
        assert run.peak_memory() - start < 100
