"""
The workshop that the dialogues call: one connector and one sandbox, in which each dialogue has orders of its own.

It is Monday, 23 November 2026, 9:30 in Berlin when it opens; from then on time passes. Other orders lie far ahead.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from planso_connector.domain import clock
from planso_connector.domain.clock import format_instant
from planso_connector.sandbox import Sandbox
from planso_connector.store import write_stops
from tests.databases import read_migrated_file
from tests.dialogues.dialogue import Dialogue, Order
from tests.service import Service, running, settings_for

BEGIN = datetime(2026, 11, 23, 8, 30, tzinfo=UTC)
INVENTED, SEED = 40, 2
"""Orders that are there besides, and the seed of which some have parts, missing or not; those are taken."""
FAR_AHEAD = "03.05.2027"
DROP_OFF_SLOTS = ("07:30-08:30", "08:30-09:30", "09:30-10:30")
CAPACITY: dict[str, Any] = {
    "weekdays": {name: {} for name in ("mo", "tu", "we", "th", "fr")},
    "estimate": {"per_day": 3, "per_slot": 1, "slots": ["09:00-09:30", "09:30-10:00", "16:00-16:30"]},
    "drop_off": {"per_day": 3, "per_slot": 1, "slots": list(DROP_OFF_SLOTS)},
    "pick_up": {"slots": ["12:00-14:00", "16:00-18:00"]},
    "horizon_days": 150,
    "federal_state": "BW",
    "exceptions": [{"from": "2026-12-24", "to": "2027-01-01", "closed": True, "reason": "Betriebsferien"}],
}
DEFAULT_TEXTS = {"Projekt-Status": "Termin bestätigt", "Termin angelegt": "16.11.2026 10:00"}


class DialogueWorkshop:
    """`order_ids`: those of each dialogue's orders by name. `texts`: of all orders before the first dialogue."""

    def __init__(self, service: Service, order_ids: Mapping[str, Mapping[str, int]], first_new: int) -> None:
        self.service = service
        self.sandbox = service.sandbox
        self.order_ids = order_ids
        self.first_new = first_new
        self.texts = {order: self.sandbox.values(order) for order in self.sandbox.order_ids()}

    def wait_until_settled(self) -> None:
        """Wait until no write is pending."""
        while True:
            pending = self.service.http.get("/api/operations", params={"state": "pending"}).json()["operations"]
            if not pending:
                return
            self.service.http.get(f"/api/operations/{pending[0]['id']}", params={"wait": "5"})

    def count_saves(self, order_id: int) -> int:
        return sum(request.saving and request.order_id == order_id for request in self.sandbox.requests)

    def find_new_orders(self, plate: str) -> list[int]:
        """Orders that were created since the beginning, by plate."""
        key = "".join(filter(str.isalnum, plate)).upper()
        return [
            order
            for order, other in self.sandbox.plates().items()
            if order >= self.first_new and "".join(filter(str.isalnum, other)).upper() == key
        ]

    @contextmanager
    def writes_stopped(self) -> Iterator[None]:
        why, now = "1 value was lost: 'Telefon'", format_instant(clock.now())
        self.service.write_database(
            lambda tx: write_stops.stop(tx, order_id=None, operation="op_damage", reason=why, columns=("f_1",), now=now)
        )
        try:
            yield
        finally:
            assert self.service.http.post("/api/writes/resume").status_code == 200

    @contextmanager
    def planso_as(self, knobs: Mapping[str, Any]) -> Iterator[None]:
        """Set knobs of the sandbox for a while."""
        usual = {name: self.sandbox.knobs.as_json()[name] for name in knobs}
        self.sandbox.set_knobs(dict(knobs))
        try:
            yield
        finally:
            self.sandbox.set_knobs(usual)
            self.sandbox.release_requests()


@contextmanager
def opened(folder: Path, dialogues: Sequence[Dialogue]) -> Iterator[DialogueWorkshop]:
    """A workshop with the orders of these dialogues, synced once."""
    sandbox = Sandbox(orders=INVENTED, seed=SEED)
    for order_id in sandbox.order_ids():
        for label, text in {"Werkstattstart": FAR_AHEAD, "Besichtigung": "", "Rückgabe": ""}.items():
            sandbox.edit_field(order_id, label, text)
    invented = {"missing": _with_parts(sandbox, missing=True), "complete": _with_parts(sandbox, missing=False)}
    order_ids = {
        dialogue.name: {name: _add(sandbox, order, invented) for name, order in dialogue.orders.items()}
        for dialogue in dialogues
    }
    for dialogue in dialogues:
        _fill_days(sandbox, dialogue)
    path = folder / "connector.db"
    path.write_bytes(read_migrated_file())
    offset = clock.now() - BEGIN

    def now() -> datetime:
        return clock.now() - offset

    with ExitStack() as stack:
        url = stack.enter_context(sandbox.serve())
        settings = settings_for(sandbox, url, f"sqlite:///{path}", connector_write_wait=timedelta(seconds=15))
        service = stack.enter_context(running(settings, sandbox, now))
        service.fill_mirror()
        answer = service.http.put("/api/capacity", json=CAPACITY)
        assert answer.status_code == 200, answer.text
        # Holidays are loaded in 0.6 s, at the first question or by the sync timer, which is off here.
        assert service.http.get("/api/availability").status_code == 200
        yield DialogueWorkshop(service, order_ids, max(sandbox.order_ids()) + 1)


def _with_parts(sandbox: Sandbox, *, missing: bool) -> list[int]:
    """Invented orders of which parts are missing, or all are there."""
    parts = {order_id: sandbox.parts(order_id) for order_id in sandbox.order_ids()}
    return [order for order, own in parts.items() if own and any(part["missing"] for part in own) == missing]


def _add(sandbox: Sandbox, order: Order, invented: Mapping[str, list[int]]) -> int:
    texts = DEFAULT_TEXTS | dict(order.texts)
    if order.parts == "none":
        return sandbox.add_order(texts)
    order_id = invented[order.parts].pop()
    cleared = dict.fromkeys(("Plan Auslieferung", "Termin Fertigstellung", "Werkstattstart", "Bemerkungen"), "")
    for label, text in (cleared | texts).items():
        sandbox.edit_field(order_id, label, text)
    return order_id


def _fill_days(sandbox: Sandbox, dialogue: Dialogue) -> None:
    for number, day in enumerate(dialogue.full):
        for slot in DROP_OFF_SLOTS:
            _take(sandbox, "Werkstattstart", day, slot[:5], f"{number}")
    for taken in dialogue.taken:
        *kind, day, time = taken.split()
        _take(sandbox, "Besichtigung" if kind else "Werkstattstart", day, time, "x")


def _take(sandbox: Sandbox, label: str, day: str, time: str, mark: str) -> None:
    german = f"{datetime.fromisoformat(day):%d.%m.%Y}"
    plate = f"XX-Q {1000 + len(sandbox.order_ids())}"
    when = {label: german, "Reparatur von": time} if label == "Werkstattstart" else {label: f"{german} {time}"}
    sandbox.add_order({**DEFAULT_TEXTS, "Kennzeichen": plate, "Fahrername": f"Erdmute Quaas{mark}", **when})
