"""Notices for the workshop's people: none is lost, none is there twice, and who took care of it is known."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from threading import Thread

import pytest

from planso_connector.domain.clock import format_instant
from planso_connector.domain.errors import NotFound
from planso_connector.flows.operating.notices import Notices, NoticeText
from planso_connector.flows.operating.retention import Retention, RetentionPeriods
from planso_connector.store.notices import Notice
from tests.databases import Store

NOW = datetime(2026, 12, 1, 10, tzinfo=UTC)
TEXT = NoticeText("Bittet um Rückruf", name="Jana Petersen", phone="0171 3920023")
HOUR = timedelta(hours=1)


def record(store: Store, text: NoticeText = TEXT, *, call: str = "1", now: datetime = NOW) -> Notice:
    return store.runner.run(Notices(store.database, lambda: now).record(text, caller="a", call=call, window=HOUR))


def list_ids(store: Store, *, done: bool) -> list[str]:
    found = store.runner.run(Notices(store.database, lambda: NOW).list(done=done, limit=10))
    return [notice.id for notice in found]


def test_a_repeated_call_leaves_one_notice(store: Store, database_url: str) -> None:
    """Also at the same time in two processes; another text, another call and a later one are notices of their own."""
    made: list[str] = []

    def repeat(store: Store) -> None:
        notices = Notices(store.database, lambda: NOW)

        async def work() -> list[Notice]:
            return await asyncio.gather(*(notices.record(TEXT, caller="a", call="1", window=HOUR) for _ in range(5)))

        made.extend(notice.id for notice in store.runner.run(work()))

    other = Store(database_url)
    threads = [Thread(target=repeat, args=(one,)) for one in (store, other)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    other.close()
    assert (len(made), len(set(made))) == (10, 1)
    record(store, call="2")
    record(store, NoticeText("Bittet um Rückruf"))
    record(store, now=NOW + 2 * HOUR)
    assert len(list_ids(store, done=False)) == 4


def test_a_notice_is_open_until_somebody_took_care_of_it(store: Store) -> None:
    """Who did stays known; the same request after that is a new notice. Retention deletes those that are done alone."""
    notices = Notices(store.database, lambda: NOW)
    first = record(store)
    closed = store.runner.run(notices.close(first.id, caller="Büro"))
    assert (closed.done_at, closed.done_by) == (format_instant(NOW), "Büro")
    assert store.runner.run(notices.close(first.id, caller="Werkstatt")).done_by == "Büro"
    second = record(store)
    assert (list_ids(store, done=False), list_ids(store, done=True)) == ([second.id], [first.id])
    with pytest.raises(NotFound):
        store.runner.run(notices.close("notice_0", caller=""))

    never = timedelta()
    periods = RetentionPeriods(timedelta(days=90), never, never, never, never, never, never)
    retention = Retention(store.database, periods, lambda: NOW + timedelta(days=400))
    assert store.runner.run(retention.run()) == {"notices": 1}
    assert list_ids(store, done=False) == [second.id]
