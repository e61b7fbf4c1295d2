"""Many workshops in one process, each with a PlanSo of its own."""

import gc
import re
import socket
import threading
from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from planso_connector.sandbox import server
from planso_connector.sandbox.distinct_orders import MAX_WORKSHOPS
from planso_connector.sandbox.installation import Installation
from planso_connector.sandbox.knobs import Knobs
from planso_connector.sandbox.overview import create_overview
from planso_connector.sandbox.routes import create_app
from planso_connector.sandbox.sandbox import TODAY, Sandbox
from planso_connector.sandbox.session_records import SessionRecord, find_shared_use
from planso_connector.sandbox.workshop_router import PATH, WorkshopRouter

_MAX_HELD_ORDERS = 20_000
_FULL_COLLECTION_EVERY = 1_000
"""Collections of the middle generation; 10 by default."""
_NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")


class Sandboxes:
    """A `Sandbox` for each workshop, by name; made when it is first asked for. Thread-safe.

    A workshop is served below `/w/<name>`, and by host names whose first label is its name: `w017.localhost`. User and
    password are `werkstatt-<name>` and `demo-<name>`.
    """

    def __init__(
        self,
        workshops: int | Sequence[str] = 3,
        *,
        orders: int = 260,
        seed: int = 1,
        installation: Installation | None = None,
        installations: Mapping[str, Installation] | None = None,
        state: Path | None = None,
        today: date = TODAY,
        allowed_hosts: Iterable[str] = (),
        max_held_orders: int = _MAX_HELD_ORDERS,
    ) -> None:
        """`workshops`: their names, or how many: `w001` and so on. `orders`: of each. `installation`: of all but those
        that `installations` names; user and password are the workshop's own all the same. `state`: a folder for a state
        file of each. `max_held_orders`: how many are in memory at once, roughly; the others are invented again.

        Raises ValueError for names that can't be in a host name or occur twice, and for more than 1,000 workshops;
        `StateFileError`.
        """
        self.names = _check_names(workshops)
        self._orders = orders
        self._seed = seed
        self._installation = installation or Installation()
        self._installations = dict(installations or {})
        self._state = state
        self._today = today
        self._max_holders = max(4, max_held_orders // max(orders, 1))
        self._lock = threading.RLock()
        self._numbers = {name: number for number, name in enumerate(self.names, 1)}
        self._opened: dict[str, Sandbox] = {}
        self._holders: OrderedDict[str, None] = OrderedDict()
        """Workshops whose orders are in memory, the one that was asked last at the end."""
        self.knobs_of_all: dict[str, Any] = {}
        """What `set_knobs` was given so far."""
        router = WorkshopRouter(self._numbers, self._find_routes, create_overview(self))
        self.app: ASGIApp = create_app(router, allowed_hosts, self._numbers)
        if state is not None:
            for name in self.names:
                if self._state_file(name).exists():
                    self[name]

    def __getitem__(self, name: str) -> Sandbox:
        """Raises KeyError."""
        with self._lock:
            if name not in self._opened:
                number = self._numbers[name]
                sandbox = Sandbox(
                    orders=self._orders,
                    seed=self._seed + number - 1,
                    installation=self.installation(name),
                    state=self._state_file(name) if self._state is not None else None,
                    today=self._today,
                    number=number,
                )
                sandbox.set_knobs(self.knobs_of_all)
                self._opened[name] = sandbox
            return self._opened[name]

    def __len__(self) -> int:
        return len(self.names)

    @property
    def opened(self) -> tuple[str, ...]:
        """The workshops that somebody asked for."""
        with self._lock:
            return tuple(name for name in self.names if name in self._opened)

    @property
    def holders(self) -> tuple[str, ...]:
        """The workshops whose orders are in memory."""
        return tuple(name for name in self.opened if self[name].holds_orders)

    def installation(self, name: str) -> Installation:
        """The workshop's installation. Raises KeyError."""
        if name not in self._numbers:
            raise KeyError(name)
        common = self._installations.get(name, self._installation)
        return replace(common, username=f"werkstatt-{name}", password=f"demo-{name}")

    def path(self, name: str) -> str:
        """The path below which a workshop is served: the base URL for a client is the server's with this."""
        return f"{PATH}{name}"

    def set_knobs(self, values: Mapping[str, Any]) -> None:
        """Set knobs of all workshops by JSON values, those that nobody asked for yet too; all or none.

        Raises `KnobError`.
        """
        Knobs().set_json(values)
        with self._lock:
            self.knobs_of_all |= values
            for sandbox in self._opened.values():
                sandbox.set_knobs(values)

    def find_shared_use(self) -> dict[str, list[tuple[SessionRecord, SessionRecord]]]:
        """By workshop, the sessions of different processes that were in use at the same time; only those with any."""
        found = {name: find_shared_use(self[name].sessions) for name in self.opened}
        return {name: pairs for name, pairs in found.items() if pairs}

    def find_foreign_sessions(self) -> dict[str, set[str]]:
        """By workshop, the session ids that it was sent and that it never issued; only those with any."""
        found = {name: self[name].foreign_sessions for name in self.opened}
        return {name: ids for name, ids in found.items() if ids}

    def serve(self, host: str = "127.0.0.1", port: int = 0) -> AbstractContextManager[str]:
        """Serve in a thread; yields the server's URL. Raises `PortTakenError`."""
        return server.serve_in_thread(self.app, self._release_requests, host, port)

    def run(self, listening: Sequence[socket.socket]) -> None:
        """Serve in the main thread until interrupted, on listening sockets."""
        # A full garbage collection over the orders in memory takes a second, and one would run every sixteen workshops.
        gc.set_threshold(*gc.get_threshold()[:2], _FULL_COLLECTION_EVERY)
        server.serve_in_main_thread(self.app, self._release_requests, listening)

    def _release_requests(self) -> None:
        for name in self.opened:
            self[name].release_requests()

    def _state_file(self, name: str) -> Path:
        return (self._state or Path()) / f"{name}.json"

    def _find_routes(self, name: str) -> ASGIApp:
        sandbox = self[name]

        async def routes(scope: Scope, receive: Receive, send: Send) -> None:
            async def send_response(message: Message) -> None:
                self._release_orders(name)
                await send(message)

            await sandbox.routes(scope, receive, send_response)

        return routes

    def _release_orders(self, asked: str) -> None:
        """Let orders go where too many workshops hold theirs: of those that were not asked for the longest time."""
        with self._lock:
            if self._opened[asked].holds_orders:
                self._holders[asked] = None
                self._holders.move_to_end(asked)
            while len(self._holders) > self._max_holders:
                name, _ = self._holders.popitem(last=False)
                self._opened[name].release_orders()


def _check_names(workshops: int | Sequence[str]) -> tuple[str, ...]:
    if isinstance(workshops, int):
        workshops = [f"w{number:03d}" for number in range(1, workshops + 1)]
    if not 1 <= len(workshops) <= MAX_WORKSHOPS:
        raise ValueError(f"{len(workshops)} workshops; accepted: 1 to {MAX_WORKSHOPS}")
    for name in workshops:
        if not _NAME.fullmatch(name):
            raise ValueError(f"{name!r} can't be in a host name; accepted: letters a to z, digits, hyphens between")
    if len(set(workshops)) < len(workshops):
        raise ValueError("Two workshops have the same name")
    return tuple(workshops)
