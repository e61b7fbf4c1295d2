"""People's data: where it is, all of it told, and gone when it is erased."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Coroutine, Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import pytest

from planso_connector.domain import clock
from planso_connector.domain.errors import NotPossible
from planso_connector.domain.operation import Action, Operation, OperationState
from planso_connector.domain.recognition.identifier import Identifier, IdentifierKind
from planso_connector.flows.operating.personal_data import PersonalData
from planso_connector.sandbox import Sandbox
from planso_connector.store import notices, operations, orders, sections, unreadable_pages
from planso_connector.store.maintenance import backup
from planso_connector.store.notices import Notice
from planso_connector.store.tables import metadata
from tests.command_line import command
from tests.databases import Store
from tests.service import Service, running, settings_for
from tests.store.samples import at, order

T = TypeVar("T")
PHONE, PLATE, EMAIL = "0711 4455-667", "WN-QX 7731", "wiebke.unikat@example.org"
TRACES = ("7114455667", "7665544117", "0711 4455", "wn-qx 7731", "wnqx7731", "unikat")
"""Signs of the person in any form that the connector writes: as given, canonical, backwards, folded."""


def test_the_page_names_every_table_and_column() -> None:
    """docs/privacy.md says of each column of each table what it is for: a new one is not there until it does."""
    page = (Path(__file__).parents[3] / "docs" / "privacy.md").read_text("utf-8")
    named: dict[str, set[str]] = {}
    for table, columns in re.findall(r"^\| `(\w+)` \| ([^|]*) \|", page, re.MULTILINE):
        named.setdefault(table, set()).update(re.findall(r"`(\w+)`", columns))
    assert named == {name: {column.name for column in table.c} for name, table in metadata.tables.items()}


@contextmanager
def privacy(url: str) -> Iterator[tuple[PersonalData, Callable[[Coroutine[Any, Any, Any]], Any]]]:
    with closing(Store(url, workshop="default")) as store:
        yield PersonalData(store.database, clock.now), store.runner.run


class Held:
    """A workshop that has met one person in every way; `current` is an order that PlanSo still lists."""

    def __init__(self, folder: Path, url: str) -> None:
        self.sandbox = Sandbox(orders=7)
        self.url = url
        self.current, self.archived, self.deleted, self.replaced, self.other = self.sandbox.order_ids()[:5]
        with self.serving() as service:
            service.wait_for_sync()
            for order_id in (self.current, self.archived, self.deleted, self.replaced):
                body: dict[str, Any] = {
                    "person": "Wiebke Unikat",
                    "phone": PHONE,
                    "email": EMAIL,
                    "remarks": f"Auto {PLATE}, eilt",
                }
                body |= {"vehicle_details": {"number_plate": PLATE}}
                assert service.http.patch(f"/api/orders/{order_id}", json=body).status_code == 200
            self.anonymise(service, self.replaced)
            self.sandbox.archive(self.archived)
            assert service.http.delete(f"/api/orders/{self.deleted}").status_code == 200
            self.sandbox.knobs.refuse_saves = "Nein"
            refused = service.http.post("/api/orders", json={"person": "Wiebke Unikat", "phone": "+49 711 4455667"})
            assert refused.status_code == 502
            self.sandbox.knobs.refuse_saves = None
            service.sync()
            service.write_database(self.add_pages)

    def add_pages(self, tx: Any) -> None:
        about = self.archived
        unreadable_pages.save(tx, kind="form", order_id=about, reason="", content="xxx", now=at(1))
        document = json.dumps({"Kontakt": [{"Anruf": "0711/4455667"}]})
        sections.save(tx, self.current, "work", document, read_at=at(1), now=at(1))
        self.add_damage(tx)
        notice = Notice("notice_1", at(1), "", "x", f"Rückruf, {EMAIL}", phone=PHONE, plate=PLATE)
        notices.record(tx, notice, repeated_since=at(0))

    def add_damage(self, tx: Any) -> None:
        """A save that took the person's number from an order, and the write that gave it back."""
        lost = [{"column": "f_1", "label": "Telefon", "verdict": "lost", "before": [PHONE], "after": [""]}]
        took = Operation(
            "op_zy", Action.UPDATE, self.archived, {}, OperationState.DAMAGED, created_at=at(1), settled_at=at(2)
        )
        gave = replace(took, id="op_zz", state=OperationState.CONFIRMED, undoes="op_zy")
        operations.record(tx, replace(took, differences=lost))
        operations.record(tx, replace(gave, controls={"f_1": [PHONE, PLATE]}))

    def anonymise(self, service: Service, order_id: int) -> None:
        """As a person in PlanSo does it."""
        told = {"Fahrername": "-", "Kennzeichen": "-", "Bemerkungen": ""}
        for label in self.sandbox.values(order_id):
            if label.startswith(("Telefon", "Kunden E-Mail", "E-Mail")):
                told[label] = ""
        for label, value in told.items():
            if label in self.sandbox.values(order_id):
                self.sandbox.edit_field(order_id, label, value)
        service.sync(full="true")

    @contextmanager
    def serving(self) -> Iterator[Service]:
        with self.sandbox.serve() as planso:
            settings = settings_for(self.sandbox, planso, self.url, connector_write_wait=60.0, planso_timeout=2.0)
            with running(settings, self.sandbox) as service:
                yield service


@pytest.fixture
def held(tmp_path: Path, database_url: str) -> Held:
    return Held(tmp_path, database_url)


IDENTIFIERS = [
    (IdentifierKind.PHONE, "+49 (0)711/4455667"),
    (IdentifierKind.PLATE, "wnqx7731"),
    (IdentifierKind.EMAIL, EMAIL.upper()),
]


def test_a_person_is_exported_and_erased_everywhere(held: Held) -> None:
    """
    By phone, plate or e-mail the same orders are found, whatever table names the person; nothing is done unasked.
    Erased is what is ours, and what PlanSo does not list; what it lists stays in step, and is named. Once it is
    anonymised there, nothing is found, and who asks again learns when it was erased. Another order is as it was.
    """
    named = {held.current, held.archived, held.deleted, held.replaced}
    with privacy(held.url) as (flow, run):
        documents = [run(flow.export(Identifier.parse(kind, text))) for kind, text in IDENTIFIERS]
        by_phone = Identifier.parse(*IDENTIFIERS[0])
        would = run(flow.plan_erasure(by_phone))
        assert run(flow.export(by_phone))["orders"] == documents[0]["orders"]
        other = run(_held(flow, held.other))
    for document in documents:
        assert {order["order_id"] for order in document["orders"]} == named
        assert [notice["phone"] for notice in document["notices"]] == [PHONE]
    orders_by_id = {order["order_id"]: order for order in documents[0]["orders"]}
    assert orders_by_id[held.replaced]["named_in"] == ["history", "operations"]
    assert "sections" in orders_by_id[held.current]["named_in"]
    shown = orders_by_id[held.current]
    assert shown["orders"][0]["document"]["phone"] == PHONE
    assert shown["operations"][0]["asked"]["email"] == EMAIL
    assert shown["history"]
    damaged, gave = orders_by_id[held.archived]["operations"][-2:]
    assert (damaged["differences"][0]["before"], gave["controls"]) == ([PHONE], {"f_1": [PHONE, PLATE]})
    assert documents[0]["operations"][0]["asked"]["phone"] == "+49 711 4455667"
    assert (would.still_in_planso, would.id) == ([held.current], None)

    with privacy(held.url) as (flow, run):
        erased = run(flow.erase(by_phone))
        assert (erased.still_in_planso, len(erased.records.operations)) == ([held.current], 1)
        assert {order["order_id"] for order in run(flow.export(by_phone))["orders"]} == {held.current}
    with held.serving() as service:
        service.wait_for_sync()
        assert service.http.get("/api/orders", params={"plate": PLATE}).json()["count"] == 1
        assert service.http.get(f"/api/orders/{held.current}/history").json()["count"] == 0
        assert service.http.get(f"/api/orders/{held.deleted}").status_code == 404
        listed = service.http.get("/api/operations", params={"limit": "500"}).json()["operations"]
        assert all(one["asked"] == {} for one in listed)
        held.anonymise(service, held.current)
    with privacy(held.url) as (flow, run):
        run(flow.erase(by_phone))
        for kind, text in IDENTIFIERS:
            document = run(flow.export(Identifier.parse(kind, text)))
            assert (document["orders"], document["operations"], document["notices"]) == ([], [], [])
        assert len(run(flow.export(by_phone))["erasures"]) == 2
        assert run(flow.export(Identifier.parse(IdentifierKind.PHONE, "0711 4455668")))["erasures"] == []
        assert run(_held(flow, held.other))["orders"] == other["orders"]


async def _held(flow: PersonalData, order_id: int) -> dict[str, Any]:
    from planso_connector.store import personal_data

    return await flow._database.read(lambda tx: personal_data.export_order(tx, order_id))  # noqa: SLF001


def test_what_was_erased_is_not_on_the_disk(sqlite_path: Path, tmp_path: Path) -> None:
    """
    With the connector running beside it: after the command no form of the phone, plate, address or name is in any of
    the database's files. A backup of before still has it; restored, it is erased again. Nothing stays: exit code 0.
    """
    held = Held(tmp_path, f"sqlite:///{sqlite_path}")
    copy = tmp_path / "copy.db"
    with held.serving() as service:
        service.wait_for_sync()
        held.anonymise(service, held.current)
        backup.copy_database(sqlite_path, copy)
        assert traces(sqlite_path)
        settings = {"CONNECTOR_DATABASE_URL": held.url}
        done = command(tmp_path, "privacy", "erase", "--phone", "0711/4455667", "--yes", **settings)
        assert (done.returncode, "Erasure log: erasure_" in done.stdout) == (0, True), done
        assert traces(sqlite_path) == []
        assert service.http.get(f"/api/orders/{held.other}").status_code == 200
    assert traces(copy)

    restored = backup.restore(copy, sqlite_path, clock.now())

    assert restored.marks.erasures == 1
    assert traces(sqlite_path) == []


def traces(path: Path) -> list[str]:
    found = b"".join(Path(f"{path}{end}").read_bytes() for end in ("", "-wal") if Path(f"{path}{end}").exists())
    return [trace for trace in TRACES if trace.encode() in found.lower()]


def test_pending_operations_prevent_an_erasure(held: Held) -> None:
    """While a write of the person is pending, erasing is refused and does nothing; once it is cancelled, it goes."""
    identifier = Identifier.parse(IdentifierKind.EMAIL, EMAIL)
    with held.serving() as service:
        service.wait_for_sync()
        held.sandbox.knobs.fail_next = 1_000_000
        asynchronous = {"Prefer": "respond-async"}
        answer = service.http.patch(f"/api/orders/{held.current}", json={"remarks": "x"}, headers=asynchronous)
        with privacy(held.url) as (flow, run):
            before = run(flow.export(identifier))["orders"][0]["history"]
            with pytest.raises(NotPossible, match=answer.headers["Operation-Id"]):
                run(flow.erase(identifier))
            assert run(flow.plan_erasure(identifier)).pending == [answer.headers["Operation-Id"]]
            assert run(flow.export(identifier))["orders"][0]["history"] == before
        held.sandbox.knobs.fail_next = 0
        service.wait_until_settled(answer)
        with privacy(held.url) as (flow, run):
            assert run(flow.erase(identifier)).id is not None


def test_a_key_stays_used_when_its_write_is_erased(held: Held) -> None:
    """A write whose Idempotency-Key names the person: erased, the key is nowhere, and a repeat is 409, not done."""
    headers = {"Idempotency-Key": "wiebke.unikat@example.org-2026-12-08"}
    with held.serving() as service:
        service.wait_for_sync()
        body = {"phone": PHONE, "remarks": "zweimal?"}
        assert service.http.patch(f"/api/orders/{held.current}", json=body, headers=headers).status_code == 200
        with privacy(held.url) as (flow, run):
            run(flow.erase(Identifier.parse(IdentifierKind.PHONE, PHONE)))
            left = run(_held(flow, held.current))["operations"]
        assert "unikat" not in json.dumps(left)
        held.sandbox.forget_requests()
        assert service.http.patch(f"/api/orders/{held.current}", json=body, headers=headers).status_code == 409
        assert not any(request.saving for request in held.sandbox.requests)


def test_a_restore_repeats_erasures(sqlite_path: Path, tmp_path: Path) -> None:
    """
    Erased after the backup, in which PlanSo still listed the orders: after a restore nothing is found.
    What PlanSo lists comes back with a version that nobody has seen.
    """
    who, copy = Identifier.parse(IdentifierKind.PHONE, PHONE), tmp_path / "copy.db"
    with closing(Store(f"sqlite:///{sqlite_path}", workshop="default")) as store:
        named = [order(number, values={"phone": PHONE, "person": "Wiebke Unikat"}) for number in (7, 8)]
        store.write(lambda tx: [orders.save(tx, one, read_at=at(1), now=at(1)) for one in named])
        backup.copy_database(sqlite_path, copy)
        anonymised = order(8, values={"person": "-"})
        store.write(lambda tx: orders.archive(tx, [7], now=at(2)))
        known = store.write(lambda tx: orders.save(tx, anonymised, read_at=at(2), now=at(2)))
        flow = PersonalData(store.database, clock.now)
        erased = store.runner.run(flow.erase(who))
        assert (set(erased.records.orders), erased.still_in_planso) == ({7, 8}, [])
        assert erased.counts["orders"] == 1
    assert backup.restore(copy, sqlite_path, clock.now()).marks.erasures == 1
    with closing(Store(f"sqlite:///{sqlite_path}", workshop="default")) as store:
        assert store.runner.run(PersonalData(store.database, clock.now).find(who)).is_empty
        again = store.write(lambda tx: orders.save(tx, anonymised, read_at=at(3), now=at(3)))
        assert (again.outcome, again.version > known.version) == (orders.SaveOutcome.INSERTED, True)
        assert store.runner.run(PersonalData(store.database, clock.now).find(who)).is_empty


def test_the_commands_ask_for_one_whole_identifier(tmp_path: Path, sqlite_path: Path) -> None:
    """None, or two, or a part is the caller's mistake; without --yes nothing is written; a file is only its owner's."""
    url = {"CONNECTOR_DATABASE_URL": f"sqlite:///{sqlite_path}"}
    done = command(tmp_path, "privacy", "erase", "--phone", "118", **url)
    assert (done.returncode, "--phone: accepted" in done.stderr) == (2, True), done
    done = command(tmp_path, "privacy", "export", "--plate", PLATE, "--output", "told.json", **url)
    assert (done.returncode, "Nothing is held of it." in done.stderr) == (0, True), done
    assert (tmp_path / "told.json").stat().st_mode & 0o777 == 0o600
    assert json.loads((tmp_path / "told.json").read_text("utf-8"))["orders"] == []
