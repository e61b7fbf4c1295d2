"""While the search index is rebuilt, as after an upgrade, no caller is told that there is no such order."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from structlog.testing import capture_logs

from planso_connector.domain.clock import format_instant, now
from planso_connector.domain.order import PLATE
from planso_connector.flows.operating.heartbeat import no_heartbeat
from planso_connector.flows.querying.reindex import LEASE_DURATION, Reindexer
from planso_connector.sandbox import Sandbox
from planso_connector.store import leases, reindex
from planso_connector.store.lookup_keys import RebuildProgress
from planso_connector.store.maintenance import migrate
from planso_connector.store.order_rows import to_json
from planso_connector.workers import startup
from tests.databases import Store, make_as_of, run_script
from tests.service import Service, running, running_on_sqlite, settings_for, wait_until
from tests.store.samples import order

WORKSHOP = "default"
ORDERS, DONE = 520, 500
LAST = ORDERS
"""The order that is not done when the rebuild is interrupted."""
PERSON, PLATE_OF_LAST = "Xenia Quastenberg", f"HH-XY {LAST}"
REBUILDING = {"done": DONE, "all": ORDERS}
RUN = """
INSERT INTO runs (workshop, id, state, phase, done, total, requests, changed, failed, message, started_at, updated_at,
  ended_at)
VALUES ('default', 'run_1', 'done', 'done', 9, 9, 9, 9, '[]', '', 'NOW', 'NOW', 'NOW');
"""


class Interrupted(Exception):
    """The process ended in the middle."""


def old_orders() -> str:
    """SQL of orders as an old version wrote them: without lookup keys, and with other text keys."""
    script = ""
    for number in range(1, ORDERS + 1):
        person = PERSON if number == LAST else "Jana Petersen"
        plate = f"HH-XY {number}"
        document = to_json(order(number, values={PLATE: plate, "person": person}).to_document()).replace("'", "''")
        script += f"""
INSERT INTO orders (workshop, id, version, archived, changed_at, first_seen_at, short_name, person, plate,
  missing_parts, shop_day, finish_day, plate_key, person_key, phone_key, email_key, damage_key, status_key,
  text_key, document)
VALUES ('{WORKSHOP}', {number}, 7, 0, '2026-11-23T00:00:01.000000Z', '2026-11-23T00:00:01.000000Z', '{plate}',
  '{person}', '{plate}', 0, '', '', 'HHXY{number}', '{person.lower()}', '', '', '', '', '', '{document}');
INSERT INTO sightings (workshop, order_id, read_at, synced_at, list_fingerprint)
VALUES ('{WORKSHOP}', {number}, '2026-11-23T00:00:01.000000Z', '2026-11-23T00:00:02.000000Z', 'one');
"""  # noqa: S608
    return script + RUN.replace("NOW", format_instant(now()))


@pytest.fixture(params=["sqlite", "postgresql"])
def interrupted(request: pytest.FixtureRequest, tmp_path: Any) -> Iterator[Store]:
    """An upgrade from 0003, with a rebuild that ended in the middle."""
    url = f"sqlite:///{tmp_path}/old.db"
    if request.param == "postgresql":
        server = request.getfixturevalue("postgresql_server")
        url = server.url(server.create_database("template1"))
    make_as_of(url, "0003")
    run_script(url, old_orders())
    migrate.migrate(url)
    store = Store(url, workshop=WORKSHOP)

    def end(_: RebuildProgress) -> None:
        raise Interrupted

    with pytest.raises(Interrupted):
        store.runner.run(Reindexer(store.database, now).run(end))
    yield store
    store.close()


def test_an_interrupted_rebuild_is_continued(interrupted: Store) -> None:
    """The next process continues where the last one stopped; `from_start` starts with the first order."""
    steps: list[RebuildProgress] = []
    again = Reindexer(interrupted.database, now)
    interrupted.runner.run(again.run(steps.append))
    assert steps == [RebuildProgress(LAST, ORDERS, ORDERS)]
    interrupted.runner.run(again.run(steps.append))
    assert len(steps) == 1
    interrupted.runner.run(again.run(steps.append, from_start=True))
    assert steps[1:] == [RebuildProgress(DONE, DONE, ORDERS), RebuildProgress(LAST, ORDERS, ORDERS)]


def test_a_rebuild_left_by_another_process_is_continued(interrupted: Store) -> None:
    """By a connector whose own index was complete when it started."""
    again = Reindexer(interrupted.database, now)
    found: list[bool] = []

    async def find_due() -> list[Reindexer]:
        return [again] if await again.is_due() else []

    async def pause(_: float) -> None:
        found.append(await again.is_due())
        if len(found) == 2:
            raise Interrupted
        await interrupted.database.write(lambda tx: reindex.begin_rebuild(tx))

    with pytest.raises(Interrupted):
        interrupted.runner.run(startup.rebuild_lookup_keys(find_due, no_heartbeat, sleep=pause))
    assert found == [False, False]


def test_a_look_up_during_a_rebuild_is_not_certain(interrupted: Store) -> None:
    """
    While another process rebuilds: matches come with the progress and are not certain, no match is 503, readiness and
    metrics show it. Afterwards all of that is over, in lists that were requested before too.
    """
    instant = now()
    start, until = format_instant(instant), format_instant(instant + LEASE_DURATION)
    interrupted.write(lambda tx: leases.acquire(tx, "reindex", holder="other", now=start, until=until))
    sandbox = Sandbox(orders=5)
    with sandbox.serve() as planso, running(settings_for(sandbox, planso, interrupted.url), sandbox) as service:
        for path, query in (("lookup", {"name": PERSON}), ("lookup", {"q": "Quastenberg"})):
            assert_unavailable(service, path, query)
        for words in ("quastenberg", "q"):  # words of one letter are found in no index
            assert_unavailable(service, "orders", {"text": words})

        by_plate = get(service, "lookup", plate=PLATE_OF_LAST)
        assert (ids(by_plate["matches"], "order_id")[0], by_plate["is_certain"]) == (LAST, False)
        by_text = get(service, "orders", text="petersen", total="true", limit="500")
        assert by_text["total"] == DONE
        for body in (by_plate, by_text):
            assert (body["rebuilding"], f"{DONE} of {ORDERS}" in body["message"]) == (REBUILDING, True)
        for query in ({"plate": PLATE_OF_LAST}, {"person": "quastenberg"}):
            listed = get(service, "orders", **query)
            assert (ids(listed["orders"], "id"), "rebuilding" in listed, listed["message"]) == ([LAST], False, "")
        assert index_check(service) == ("degraded", False, True)
        assert f"planso_connector_index_done_ratio {DONE / ORDERS}" in service.http.get("/metrics").text

        interrupted.write(lambda tx: leases.release(tx, "reindex", holder="other"))
        wait_until(lambda: index_check(service) == ("ready", True, False), "the end of the rebuild")

        for query in ({"name": PERSON}, {"plate": PLATE_OF_LAST, "name": PERSON}):
            found = get(service, "lookup", **query)
            assert (ids(found["matches"], "order_id")[0], found["message"]) == (LAST, "")
            assert "rebuilding" not in found
        assert found["is_certain"]
        assert ids(get(service, "orders", text="quastenberg")["orders"], "id") == [LAST]
        by_text = get(service, "orders", text="petersen", total="true", limit="500")
        assert (by_text["total"], by_text["message"], "rebuilding" in by_text) == (ORDERS - 1, "", False)
        none = get(service, "lookup", name="Niemand Unbekannt")
        assert (none["count"], none["message"]) == (0, "No order fits what was heard.")
        assert "planso_connector_index_done_ratio 1.0" in service.http.get("/metrics").text


def test_a_look_up_before_the_first_sync_is_503(tmp_path: Any) -> None:
    """A lookup without a match is 503 until the first sync has ended, as an order by its number is."""
    sandbox = Sandbox(orders=5)
    away = settings_for(sandbox, "http://127.0.0.1:1", f"sqlite:///{tmp_path}/new.db")
    with running(away, sandbox) as service:
        answer = service.http.get("/api/lookup", params={"name": PERSON})
        assert (answer.status_code, "Retry-After" in answer.headers) == (503, True)
    with running_on_sqlite(tmp_path, Sandbox(orders=5)) as service:
        assert get(service, "lookup", name=PERSON)["count"] == 0


def assert_unavailable(service: Service, path: str, query: dict[str, str]) -> None:
    answer = service.http.get(f"/api/{path}", params=query)
    assert answer.status_code == 503, answer.text
    assert int(answer.headers["Retry-After"]) > 0
    assert f"{DONE} of {ORDERS} orders are done" in answer.json()["message"]


def get(service: Service, path: str, **query: str) -> dict[str, Any]:
    answer = service.http.get(f"/api/{path}", params=query)
    assert answer.status_code == 200, answer.text
    body: dict[str, Any] = answer.json()
    return body


def ids(members: list[dict[str, Any]], name: str) -> list[int]:
    return [member[name] for member in members]


def index_check(service: Service) -> tuple[str, bool, bool]:
    """The state, whether the check is ok, and whether its words have the progress."""
    ready = service.http.get("/health/ready")
    assert ready.status_code == 200, ready.text
    check = next(check for check in ready.json()["checks"] if check["name"] == "index")
    return ready.json()["state"], check["ok"], f"{DONE} of {ORDERS}" in check["words"]


def test_a_workshop_that_can_not_be_rebuilt_holds_up_no_other(interrupted: Store) -> None:
    """A fault in one workshop's rebuild is logged with its name, and the next one's is done."""
    rebuilt: list[str] = []

    class Rebuild(Reindexer):
        async def run(self, *_: object, **__: object) -> None:
            if self.workshop == "faulty":
                raise KeyError("ours")
            rebuilt.append(str(self.workshop))

    due = [Rebuild(interrupted.installation.for_workshop(name), now) for name in ("faulty", "well")]

    async def find_due() -> list[Reindexer]:
        return [one for one in due if one.workshop not in rebuilt]

    async def pause(_: float) -> None:
        raise Interrupted

    with capture_logs() as lines, pytest.raises(Interrupted):
        interrupted.runner.run(startup.rebuild_lookup_keys(find_due, no_heartbeat, sleep=pause))
    assert rebuilt == ["well"]
    assert [line["workshop"] for line in lines if line["event"] == "not_reindexed"] == ["faulty"]
