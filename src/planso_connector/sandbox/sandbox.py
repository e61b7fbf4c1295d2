"""The sandbox as tests and commands use it: serve it, inspect it, and edit its orders as other people would."""

import socket
from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict
from datetime import date
from pathlib import Path
from typing import Any

from starlette.types import ASGIApp

from planso_connector.sandbox import server
from planso_connector.sandbox.installation import Installation
from planso_connector.sandbox.knobs import Knobs
from planso_connector.sandbox.planso_app import MAX_REQUESTS, LoggedRequest, PlansoApp
from planso_connector.sandbox.routes import create_app, create_routes
from planso_connector.sandbox.session_records import SessionRecord
from planso_connector.sandbox.workshop import Workshop

TODAY = date(2026, 11, 23)
"""The day around which the invented orders are dated."""

MAX_REQUESTS_OF_MANY = 1_000


class Sandbox:
    """A working stand-in for PlanSo. Thread-safe."""

    def __init__(
        self,
        *,
        orders: int = 260,
        seed: int = 1,
        installation: Installation | None = None,
        state: Path | None = None,
        today: date = TODAY,
        allowed_hosts: Iterable[str] = (),
        number: int = 0,
    ) -> None:
        """`orders`: how many to invent from `seed` and `today`. `state`: the file to continue from and to write to.
        `allowed_hosts`: host names besides `localhost` and IP addresses. `number`: see `Workshop`.

        Raises `StateFileError` when the file is damaged or was made with other settings.
        """
        self.installation = installation or Installation()
        self.knobs = Knobs(save_style=self.installation.save_style)
        self._workshop = Workshop(
            self.installation, self.knobs, orders=orders, seed=seed, today=today, state=state, number=number
        )
        self._planso = PlansoApp(
            self._workshop, keeps_board=bool(number), max_requests=MAX_REQUESTS_OF_MANY if number else MAX_REQUESTS
        )
        self.routes: ASGIApp = create_routes(self._workshop, self._planso)
        """The routes alone, for whoever decides which host names and pages may use them."""
        self.app: ASGIApp = create_app(self.routes, allowed_hosts)

    def serve(self, host: str = "127.0.0.1", port: int = 0) -> AbstractContextManager[str]:
        """Serve in a thread: `with sandbox.serve() as url`. Raises `PortTakenError`."""
        return server.serve_in_thread(self.app, self.release_requests, host, port)

    def run(self, listening: Sequence[socket.socket]) -> None:
        """Serve in the main thread until interrupted, on listening sockets."""
        server.serve_in_main_thread(self.app, self.release_requests, listening)

    def release_requests(self) -> None:
        """Let hanging requests end, in the server's event loop: it closes."""
        self._planso.hanging_requests.release()

    # -- its requests

    @property
    def requests(self) -> list[LoggedRequest]:
        """The last 20,000 requests to `/do` and `/app`, of one of several workshops 1,000; oldest first."""
        with self._workshop.lock:
            return list(self._planso.requests)

    @property
    def in_flight(self) -> int:
        """Requests to `/do` without a response so far, those of disconnected clients included."""
        return self._planso.in_flight

    @property
    def in_flight_peak(self) -> int:
        """The most `/do` requests that were in flight at once."""
        return self._planso.in_flight_peak

    @property
    def logins(self) -> int:
        """Successful logins."""
        return self._planso.sessions.logins

    @property
    def rejected_logins(self) -> int:
        """Logins with a wrong password or a locked account."""
        return self._planso.sessions.rejected_logins

    def forget_requests(self) -> None:
        """Clear `requests` and reset `in_flight_peak`."""
        with self._workshop.lock:
            self._planso.requests.clear()
            self._planso.in_flight_peak = self._planso.in_flight

    @property
    def cookies(self) -> set[str]:
        """The value of every session cookie ever issued."""
        return set(self._planso.sessions.issued_ids)

    @property
    def sessions(self) -> list[SessionRecord]:
        """The last 2,000 sessions, oldest first: when and from where each was used."""
        with self._workshop.lock:
            return self._planso.sessions.records.to_list()

    @property
    def foreign_sessions(self) -> set[str]:
        """Session ids that clients sent and that this PlanSo never issued."""
        with self._workshop.lock:
            return self._planso.sessions.records.foreign_ids

    def expire_sessions(self, after_requests: int = 0) -> None:
        """End all sessions, now or once after this many more logged-in `/do` requests."""
        with self._workshop.lock:
            self._planso.sessions.expire(after_requests)

    # -- its orders

    @property
    def holds_orders(self) -> bool:
        """Whether the orders are in memory."""
        return self._workshop.holds_orders

    def release_orders(self) -> None:
        """Let the orders go from memory, except the changed ones; they are invented again when they are needed."""
        self._workshop.release_orders()

    def set_knobs(self, values: object) -> None:
        """Set knobs by JSON values, all or none. Raises `KnobError`."""
        with self._workshop.lock:
            self.knobs.set_json(values)

    def order_ids(self) -> list[int]:
        """The ids of the board, in its order."""
        return [order.id for order in self._workshop.board_orders()]

    def value(self, order_id: int, label: str) -> str:
        """A field as a person reads it: of a select the chosen text ("" for "bitte wählen"), "1" for a checked box.

        `label` is the shown or the usual one. Raises KeyError for an unknown order or label.
        """
        with self._workshop.lock:
            return self._workshop.field_text(self._workshop.get_order(order_id), self._workshop.form.usual_label(label))

    def values(self, order_id: int) -> dict[str, str]:
        """The submitted value of every control, by shown label, hidden ones by name; several values with commas."""
        with self._workshop.lock:
            order = self._workshop.get_order(order_id)
            controls = self._workshop.form.controls(order)
            return {control.label or control.name: ",".join(control.values) for control in controls}

    def snapshot(self, order_id: int) -> list[tuple[str, str]]:
        """The pairs that jQuery's `serialize()` makes of the form now, not yet URL-encoded."""
        with self._workshop.lock:
            controls = self._workshop.form.controls(self._workshop.get_order(order_id))
            return [pair for control in controls for pair in control.serialize()]

    def plates(self) -> dict[int, str]:
        """The plate of every order on the board, by id; "" for none."""
        with self._workshop.lock:
            return {
                order.id: self._workshop.field_text(order, "Kennzeichen") for order in self._workshop.board_orders()
            }

    def parts(self, order_id: int) -> list[dict[str, Any]]:
        """The order's parts: the members of SandboxPart, and `missing`. Raises KeyError."""
        with self._workshop.lock:
            return [{**asdict(part), "missing": part.missing} for part in self._workshop.get_order(order_id).parts]

    # -- edits by other people

    def edit_field(self, order_id: int, label: str, value: str) -> None:
        """Edit a field; of a select by text or id. Raises KeyError, and ValueError where a select does not offer it."""
        self._workshop.edit(order_id, label, value)

    def archive(self, order_id: int) -> None:
        """Take the order off the board; its form stays. Raises KeyError."""
        self._workshop.archive(order_id)

    def unarchive(self, order_id: int) -> None:
        """Put an archived order back on the board. Raises KeyError."""
        self._workshop.archive(order_id, archived=False)

    def delete(self, order_id: int) -> None:
        """Remove the order for good. Raises KeyError."""
        self._workshop.delete(order_id)

    def add_order(self, texts: Mapping[str, str], order_id: int | None = None) -> int:
        """Add an order with texts by label; returns its id, which may be a deleted order's. Raises as `edit_field`."""
        return self._workshop.add(texts, order_id)


def run(
    host: str = "127.0.0.1",
    port: int = 8190,
    *,
    state: Path | None = None,
    orders: int = 260,
    seed: int = 1,
    installation: Installation | None = None,
) -> None:
    """Serve until interrupted, for the command `sandbox`. Raises `PortTakenError`, `StateFileError`."""
    with server.listen(host, port) as listening:
        Sandbox(orders=orders, seed=seed, installation=installation, state=state).run([listening])
