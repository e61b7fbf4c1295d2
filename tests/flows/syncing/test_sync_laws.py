"""
The laws of the sync, on the real connector, a real database and the sandbox over HTTP: whatever people do, the
connector writes, PlanSo answers or a machine breaks down in between, the mirror comes to hold what PlanSo holds.
"""

from __future__ import annotations

import json
import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from itertools import count
from pathlib import Path
from typing import Any

import apsw
import httpx2
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from planso_connector.sandbox import Sandbox
from tests.databases import PostgresqlServer
from tests.flows.syncing.both_sides import (
    WRITTEN,
    PlansoUser,
    parts_in_mirror,
    parts_in_planso,
    station,
    values_in_mirror,
    values_in_planso,
)
from tests.planso_proxy import FORM, LIST, PARTS, PlansoProxy
from tests.service import PATIENCE, running, settings_for

ORDERS = 8
CONCURRENCY = 4
SESSIONS = 2
"""One for syncs, one for writes."""
MAX_REMOVALS = 3
"""Orders that may leave the list at once before a person is asked."""

TEXTS = ("", "eins", "Öl & <Söhne>", "zwei Wörter", "100 %")
EDITS = (
    *((label, text) for label in (*WRITTEN.values(), "Kennzeichen") for text in TEXTS),
    *(("Projekt-Status", status) for status in ("Anfrage", "in Arbeit", "Lackierung", "abholbereit")),
    *(("E-Teile Status", status) for status in ("ohne E-Teile", "E-Teile offen", "E-Teile vollständig")),
    *(("Werkstattstart", day) for day in ("", "07.12.2026", "08.12.2026")),
    *(("Sollstunden Lack", hours) for hours in ("", "1,50", "1.234,25")),
)
FULL, PAGES, PICK = st.sampled_from(("true", "false")), st.sampled_from((LIST, FORM, PARTS)), st.integers(0, 99)
Action = tuple[str, int, int]
ACTIONS = st.lists(
    st.tuples(
        st.sampled_from(
            ("write", "edit", "archive", "come back", "parts", "arrive", "create", "delete", "remove", "clear out")
        ),
        PICK,
        PICK,
    ),
    min_size=2,
    max_size=5,
)
FAULTS = ("sessions", "session", "error", "proxy", "html", "half", "cut", "nothing", "label", "empty", "none", "slow")


def half(body: bytes) -> bytes:
    """Every other order of the list."""
    entries = [entry for key, entry in json.loads(body).items() if key.isdigit()]
    return json.dumps({str(at): entry for at, entry in enumerate(entries[::2])}).encode()


def cut(body: bytes) -> bytes:
    """The first half of the page."""
    return body[: len(body) // 2]


def nothing(_: bytes) -> bytes:
    return b'{"execution_time": 0.01}'


class Laws(RuleBasedStateMachine):
    """Law by law: `agrees`, `is_quiet`, `nothing_is_lost`, `planso_is_not_overloaded`."""

    def __init__(self, database: Callable[[], AbstractContextManager[str]]) -> None:
        super().__init__()
        self.ends = ExitStack()
        self.url = self.ends.enter_context(database())
        self.sandbox = Sandbox(orders=ORDERS)
        self.between = PlansoProxy(self.sandbox.app)
        self.sandbox.app = self.between
        self.planso = self.ends.enter_context(self.sandbox.serve())
        # Plain HTTP; a TLS context takes 0.1 s.
        self.person = self.ends.enter_context(httpx2.Client(base_url=self.planso, timeout=PATIENCE, verify=False))
        self.people = PlansoUser(self.sandbox)
        self.life = ExitStack()
        self.copies = count()
        self.versions: dict[int, int] = {}
        self.shown: dict[tuple[int, int], object] = {}
        self.current: set[int] = set()
        self.moved: set[int] = set()
        self.deleted: set[int] = set()
        self.died_unseen: set[int] = set()
        self.written: dict[tuple[int, str], str] = {}
        self.starts = self.logins = self.logins_due = 0

    @initialize()
    def start(self) -> None:
        self.starts += 1
        self.logins_due += SESSIONS
        choice = settings_for(self.sandbox, self.planso, self.url, connector_planso_concurrency=CONCURRENCY)
        self.service = self.life.enter_context(running(choice, self.sandbox))
        assert self.service.wait_for_sync()["state"] in ("idle", "failed")

    def teardown(self) -> None:
        self.life.close()
        self.ends.close()

    def work(self, actions: list[Action]) -> None:
        for action, which, what in actions:
            self.carry_out(action, self.pick(which), what)

    def carry_out(self, action: str, order_id: int | None, what: int) -> None:
        """On a listed order, by a person in PlanSo or by a caller of the connector."""
        away = sorted(n for n in self.versions if self.people.exists(n) and self.people.archived(n))
        if action == "arrive":
            self.people.arrive(TEXTS[1 + what % 4])
        elif action == "come back" and away:
            self.sandbox.unarchive(away[what % len(away)])
        elif action == "create":
            self.create(TEXTS[1 + what % 4])
        elif order_id is None:
            return
        elif action == "edit":
            self.edit(order_id, *EDITS[what % len(EDITS)])
        elif action == "parts":
            self.people.change_parts(order_id, ("add", "drop", "deliver")[what % 3])
        elif action == "write":
            self.write(order_id, sorted(WRITTEN)[what % len(WRITTEN)], TEXTS[what % len(TEXTS)])
        elif action == "archive":
            self.archive(order_id)
        elif action == "clear out" and what % 4 == 0:
            for other in self.sandbox.order_ids()[: MAX_REMOVALS + 1]:
                self.archive(other)
        elif action in ("remove", "delete") and len(self.sandbox.order_ids()) > ORDERS // 2:
            self.delete(order_id, by_person=action == "remove")

    def edit(self, order_id: int, label: str, text: str) -> None:
        self.sandbox.edit_field(order_id, label, text)
        self.written.pop((order_id, label), None)

    def archive(self, order_id: int) -> None:
        self.moved.add(order_id)
        self.sandbox.archive(order_id)

    def delete(self, order_id: int, *, by_person: bool) -> None:
        self.moved.add(order_id)
        if by_person:
            self.sandbox.delete(order_id)
            if order_id not in self.current:
                self.died_unseen.add(order_id)
        else:
            answer = self.service.http.delete(f"/api/orders/{order_id}")
            assert answer.status_code == 200, answer.text
            self.deleted.add(order_id)

    def write(self, order_id: int, path: str, text: str) -> None:
        """What was confirmed is readable at once, and PlanSo has it."""
        answer = self.service.put(order_id, **{path: text})
        assert answer.status_code == 200, answer.text
        self.written[order_id, WRITTEN[path]] = text
        assert (self.service.order(order_id)[path] or "") == text == self.sandbox.value(order_id, WRITTEN[path])

    def create(self, text: str) -> None:
        """A created order is readable at once, and stays."""
        details = {"number_plate": "WN-NE 1"}
        answer = self.service.http.post("/api/orders", json={"person": text, "vehicle_details": details})
        assert answer.status_code == 200, answer.text
        order_id = answer.json()["order_id"]
        assert self.service.order(order_id)["person"] == text
        self.current.add(order_id)

    @rule(before=ACTIONS)
    def a_full_sync(self, before: list[Action]) -> None:
        """The mirror equals PlanSo; another sync finds nothing and costs one request."""
        self.work(before)
        self.forget_a_broken_full_run()
        self.undisturbed(full="true")
        self.agrees()
        self.is_quiet()

    @rule(before=ACTIONS)
    def a_sync(self, before: list[Action]) -> None:
        """Every order is where it belongs, and shows what the list says of it."""
        self.work(before)
        self.undisturbed()
        self.are_where_they_belong()
        for order in self.listed():
            assert (order["short_name"], station(order)) == self.people.listed(order["id"])

    @rule(before=ACTIONS, full=FULL, page=PAGES, pick=PICK, meanwhile=ACTIONS)
    def a_sync_while_they_work(
        self, before: list[Action], full: str, page: str, pick: int, meanwhile: list[Action]
    ) -> None:
        """While one of its pages is on its way: what is confirmed then is not overwritten by that page."""
        self.work(before)
        order_id = self.pick(pick)
        trouble: list[BaseException] = []

        def work() -> None:
            try:
                for at, (action, which, what) in enumerate(meanwhile):
                    self.carry_out(action, self.pick(which) if at else order_id, what)
            except BaseException as error:  # noqa: BLE001 - it is raised again, in the test's own thread
                trouble.append(error)

        self.written.clear()
        self.between.on_response = (page, None if page == LIST else order_id), work
        self.service.sync(full=full)
        self.between.on_response = None
        if trouble:
            raise trouble[0]
        mirror = {order["id"]: order for order in self.listed()}
        for (written, label), text in self.written.items():
            if written in mirror:
                assert mirror[written]["fields"][label] == text, "an older page undid a write"
        assert not self.deleted & set(mirror), "an older page brought a deleted order back"

    @rule(before=ACTIONS, full=FULL, fault=st.sampled_from(FAULTS), pick=PICK)
    def a_sync_with_a_fault(self, before: list[Action], full: str, fault: str, pick: int) -> None:
        """Each thing that the mirror shows afterwards is what it showed before, or what PlanSo holds."""
        self.work(before)
        self.nothing_is_lost()
        shown_before = {
            order["id"]: (values_in_mirror(order), parts_in_mirror(self.service, order["id"]))
            for order in self.listed()
        }
        asked, knobs = self.between.requests, self.sandbox.knobs
        order_id = self.pick(pick)
        match fault:
            case "sessions":
                knobs.expire_sessions_after = 3 + pick % 5
            case "session":
                self.sandbox.expire_sessions(after_requests=pick % 9)
                self.logins_due += SESSIONS
            case "error" | "proxy":
                knobs.fail_next, knobs.fail_status = 1 + pick % 2, 500 if fault == "error" else 502
            case "html":
                knobs.html_for_json_next = 1 + pick % 3
            case "half" | "cut" | "nothing":
                spoil: Callable[[bytes], bytes] = {"half": half, "cut": cut, "nothing": nothing}[fault]
                self.between.alter_board = spoil if fault != "half" or self.lacks_too_much(step=2) else None
            case "label":
                knobs.missing_labels.add(EDITS[pick % len(EDITS)][0])
            case "empty" if order_id is not None:
                knobs.empty_form_orders.add(order_id)
            case "none" if order_id is not None:
                knobs.no_content_orders.add(order_id)
            case _:
                knobs.jitter = 0.01
        status = self.service.sync(full=full)
        knobs.expire_sessions_after, knobs.fail_next, knobs.html_for_json_next, knobs.jitter = None, 0, 0, 0.0
        for held in (knobs.missing_labels, knobs.empty_form_orders, knobs.no_content_orders):
            held.clear()
        self.between.alter_board = None
        if fault == "sessions":
            self.logins_due += (self.between.requests - asked) // (3 + pick % 5) + SESSIONS
        if fault in ("sessions", "session"):
            self.planso_is_not_overloaded()
            self.sandbox.expire_sessions()
            self.logins_due += SESSIONS
        if fault in ("session", "slow"):
            assert status["state"] == ("failed" if self.lacks_too_much() else "idle")
        for order in self.listed():
            if order["id"] not in shown_before or order["id"] not in self.sandbox.order_ids():
                continue
            (was, parts), shown = shown_before[order["id"]], values_in_mirror(order)
            told = values_in_planso(self.person, order["id"])
            assert all(shown.get(label) in (was.get(label), told[label]) for label in was.keys() | shown.keys())
            assert parts_in_mirror(self.service, order["id"]) in (parts, parts_in_planso(self.sandbox, order["id"]))

    @precondition(lambda self: self.starts < 3)
    @rule(before=ACTIONS, full=FULL, page=PAGES, pick=PICK, abruptly=st.booleans())
    def the_connector_ends_in_a_sync(
        self, before: list[Action], full: str, page: str, pick: int, abruptly: bool
    ) -> None:
        """By shutdown, or by a crash that leaves the database as it was at that instant."""
        self.work(before)
        reached, go_on = threading.Event(), threading.Event()

        def hold() -> None:
            reached.set()
            go_on.wait(PATIENCE)

        self.between.on_response = (page, None if page == LIST else self.pick(pick)), hold
        assert self.service.http.post("/api/sync", params={"full": full}).status_code == 202
        while not reached.wait(0.01) and self.service.http.get("/api/sync/status").json()["state"] == "running":
            pass
        self.between.on_response = None
        left = self.copy() if abruptly and self.url.startswith("sqlite") else self.url
        self.life.close()
        go_on.set()
        self.url = left
        self.start()

    def copy(self) -> str:
        """The database as a crashed process leaves it, once its lease has expired."""
        path = self.url.removeprefix("sqlite:///")
        left = f"{path}-{next(self.copies)}"
        alive = apsw.Connection(path)
        alive.execute("VACUUM INTO ?", (left,))
        alive.close()
        dead = apsw.Connection(left)
        dead.execute("UPDATE leases SET expires_at = '2000-01-01T00:00:00.000000Z'")
        dead.close()
        return f"sqlite:///{left}"

    @invariant()
    def nothing_is_lost(self) -> None:
        """
        No order is there twice, no version goes down, and none leaves the current ones that PlanSo's list has held all
        the time.
        """
        current, archived = self.listed(), self.listed(archived="true")
        versions = {order["id"]: order["version"] for order in [*current, *archived]}
        assert len(versions) == len(current) + len(archived)
        assert all(version >= self.versions.get(order_id, 0) for order_id, version in versions.items())
        self.versions |= versions
        now = {order["id"] for order in current}
        assert (self.current & set(self.sandbox.order_ids())) - self.moved <= now
        self.current = now

    @invariant()
    def planso_is_not_overloaded(self) -> None:
        """No more in flight than set, one login for each session that ended and is needed, none rejected."""
        assert self.between.peak <= CONCURRENCY
        logins = self.sandbox.logins
        assert logins - self.logins <= self.logins_due
        # A session that ended may be needed much later; no more than all of them can have ended.
        self.logins, self.logins_due = logins, min(self.logins_due - (logins - self.logins), SESSIONS)
        assert self.sandbox.rejected_logins == 0

    def undisturbed(self, **params: str) -> None:
        """A sync of the mirror with PlanSo; if too many orders left the list at once, a person is asked first."""
        self.nothing_is_lost()
        refused = self.lacks_too_much()
        before = [(order["id"], order["version"]) for order in self.listed()]
        status = self.service.sync(**params)
        if refused:
            assert (status["state"], "accept_removals" in status["message"]) == ("failed", True)
            assert [(order["id"], order["version"]) for order in self.listed()] == before
            status = self.service.sync(**params, accept_removals="true")
        assert (status["state"], status["last_result"]["failed"]) == ("idle", [])
        self.moved.clear()

    def lacks_too_much(self, step: int = 1) -> bool:
        """Whether every `step`-th of PlanSo's orders is too few to be believed."""
        board = set(self.sandbox.order_ids()[::step])
        lacking = self.current - board
        return bool(lacking) and (not board or len(lacking) > max(MAX_REMOVALS, len(self.current) // 4))

    def forget_a_broken_full_run(self) -> None:
        """The next full run resumes it; the one after that reads everything."""
        full = [run for run in self.service.http.get("/api/sync/runs").json()["runs"] if run["kind"] == "full"]
        if full and full[0]["state"] != "done":
            self.undisturbed(full="true")

    def agrees(self) -> None:
        self.are_where_they_belong()
        for order in self.listed():
            shown = values_in_mirror(order), parts_in_mirror(self.service, order["id"])
            assert shown[0] == values_in_planso(self.person, order["id"])
            assert shown[1] == parts_in_planso(self.sandbox, order["id"])
            assert order["pending"] == []
            assert shown == self.shown.setdefault((order["id"], order["version"]), shown), "changed without a version"

    def are_where_they_belong(self) -> None:
        """Current, archived, gone: as in PlanSo."""
        assert sorted(order["id"] for order in self.listed()) == sorted(self.sandbox.order_ids())
        archived = {order["id"] for order in self.listed(archived="true")}
        for order_id in self.versions:
            if order_id not in self.sandbox.order_ids() and order_id not in self.died_unseen:
                assert (order_id in archived) == self.people.exists(order_id)
                status = self.service.http.get(f"/api/orders/{order_id}").status_code
                assert status == (200 if self.people.exists(order_id) else 404)

    def is_quiet(self) -> None:
        before = self.listed()
        status = self.service.sync()
        assert (status["last_result"]["requests"], status["last_result"]["changed"]) == (1, 0)
        assert [(o["id"], o["version"]) for o in self.listed()] == [(o["id"], o["version"]) for o in before]

    def listed(self, **params: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.service.http.get("/api/orders", params={"limit": "500", **params}).json()[
            "orders"
        ]
        return found

    def pick(self, number: int) -> int | None:
        board = sorted(self.sandbox.order_ids())
        return board[number % len(board)] if board else None


def check(database: Callable[[], AbstractContextManager[str]], examples: int) -> None:
    """The same examples each time; not made smaller, since each try is a connector's whole life."""

    class LawsOn(Laws):
        def __init__(self) -> None:
            super().__init__(database)

    run_state_machine_as_test(
        LawsOn,
        settings=settings(
            max_examples=examples,
            stateful_step_count=8,
            derandomize=True,
            database=None,
            deadline=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        ),
    )


def test_the_mirror_follows_planso_on_sqlite(tmp_path: Path, migrated_file: Path) -> None:
    """The laws hold on SQLite."""
    numbers = count()

    @contextmanager
    def fresh() -> Iterator[str]:
        yield f"sqlite:///{shutil.copy(migrated_file, tmp_path / f'{next(numbers)}.db')}"

    check(fresh, 9)


def test_the_mirror_follows_planso_on_postgresql(postgresql_server: PostgresqlServer) -> None:
    """The laws hold on PostgreSQL."""

    @contextmanager
    def fresh() -> Iterator[str]:
        name = postgresql_server.borrow_database()
        try:
            yield postgresql_server.url(name)
        finally:
            postgresql_server.return_database(name)

    check(fresh, 2)
