"""API keys and the access log on both databases."""

from __future__ import annotations

import asyncio
import sys
import threading
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import FrameType
from typing import Any

import pytest

from planso_connector.domain import caller
from planso_connector.domain.caller import UNRESTRICTED_CALLER, Caller
from planso_connector.domain.clock import format_instant
from planso_connector.domain.errors import NotAuthenticated, NotFound
from planso_connector.domain.scopes import Scope
from planso_connector.flows.operating.access_log import BATCH, MAX_QUEUED_IDS, AccessLog, list_entries
from planso_connector.flows.operating.api_keys import ApiKeys
from planso_connector.flows.operating.authenticate import Authenticator
from planso_connector.store import access_log, api_keys
from planso_connector.store.access_log import Access
from planso_connector.store.api_keys import ApiKey
from tests.databases import Store, run_script
from tests.store.samples import OTHER_SHOP, SHOP, at

READ = frozenset({Scope.ORDERS_READ})
ANYBODY = replace(UNRESTRICTED_CALLER, workshop=SHOP)
START = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)


class Hands:
    """A workshop's keys and authentication, with a clock that the test sets."""

    def __init__(self, store: Store, shop: str = SHOP) -> None:
        self.now = START
        self._run = store.runner.run
        self._keys = ApiKeys(store.for_workshop(shop).database, lambda: self.now)
        self._authentication = Authenticator(store.installation, shop, lambda: self.now)

    def create(self, *, expires_in: timedelta | None = None) -> tuple[ApiKey, str]:
        return self._run(self._keys.create("Telefonagent", READ, expires_in))

    def rotate(self, key_id: str, **how: Any) -> tuple[ApiKey, str]:
        return self._run(self._keys.rotate(key_id, **how))

    def revoke(self, key_id: str) -> ApiKey:
        return self._run(self._keys.revoke(key_id))

    def caller(self, given: str | None) -> Caller | None:
        return self._run(self._authentication.authenticate(given))

    def refusal(self, given: str | None) -> str:
        with pytest.raises(NotAuthenticated) as told:
            self.caller(given)
        return str(told.value)


@pytest.fixture
def hands(store: Store) -> Hands:
    return Hands(store)


def test_a_key_is_read_as_it_was_kept(store: Store) -> None:
    """A key is read back as it was stored; a scope of a newer version grants nothing."""
    key = ApiKey(
        "0123456789", "Mäusle", frozenset({Scope.SYNC, Scope.ORDERS_READ}), "d", at(1), SHOP, at(2), "p", at(3)
    )
    store.write(lambda tx: api_keys.add(tx, key))
    assert store.read(lambda tx: api_keys.get(tx, key.id)) == key
    run_script(store.url, """UPDATE api_keys SET scopes = '["orders:read","everything"]'""")
    assert store.read(lambda tx: api_keys.get(tx, key.id)) == replace(key, scopes=READ)


def test_a_key_is_its_callers(hands: Hands) -> None:
    """A key identifies its caller by id, name and scopes; its text contains its id."""
    key, text = hands.create()
    assert text.startswith(f"pc_{key.id}_")
    assert len(text) == 78
    assert hands.caller(text) == Caller(key.id, "Telefonagent", READ, SHOP)


def test_the_first_key_closes_the_api_for_good(hands: Hands) -> None:
    """Nobody needs a key while there is none; after the first one everybody does, even once all are revoked."""
    assert hands.caller(None) is None
    first, _ = hands.create(expires_in=timedelta(days=1))
    assert "An API key is needed" in hands.refusal(None)
    hands.now += timedelta(days=2)
    assert "An API key is needed" in hands.refusal(None)
    hands.revoke(first.id)
    assert "An API key is needed" in hands.refusal(None)


def test_a_wrong_key_is_refused_in_the_same_words(hands: Hands) -> None:
    """A wrong id, a wrong secret, half a key: the answer doesn't tell them apart."""
    key, text = hands.create()
    wrong = [
        caller.format_key("0" * 10, text[-64:]),
        caller.format_key(key.id, "0" * 64),
        caller.format_key(key.id, caller.hash_secret(text[-64:])),  # what a thief of the database has
        text[:-1],
        f"{text}0",
        text.upper(),
        f"{text}\n",
        "",
        "pc__",
        "x" * 100_000,
        "٣" * 78,
    ]
    assert {hands.refusal(given) for given in wrong} == {"The API key is not valid."}
    assert hands.caller(text) is not None


def test_a_key_names_its_workshop(store: Store, hands: Hands) -> None:
    """Two workshops' keys with one id are told apart by their secrets."""
    key, text = hands.create()
    other_key, other = Hands(store, OTHER_SHOP).create()
    twin = caller.generate_secret()
    same_id = replace(other_key, id=key.id, digest=caller.hash_secret(twin))
    store.for_workshop(OTHER_SHOP).write(lambda tx: api_keys.add(tx, same_id))

    workshops = [hands.caller(given) for given in (text, other, caller.format_key(key.id, twin))]

    assert [found and found.workshop for found in workshops] == [SHOP, OTHER_SHOP, OTHER_SHOP]


def test_only_its_holder_learns_what_became_of_a_key(hands: Hands) -> None:
    """Only the holder of the secret learns that a key was revoked or has expired."""
    revoked, revoked_text = hands.create()
    hands.revoke(revoked.id)
    expired, expired_text = hands.create(expires_in=timedelta(days=90))
    assert hands.caller(expired_text) is not None
    hands.now += timedelta(days=90)
    assert hands.refusal(revoked_text) == "This API key was revoked."
    assert hands.refusal(expired_text) == "This API key expired on 2027-02-21."
    for key in (revoked, expired):
        assert hands.refusal(caller.format_key(key.id, "0" * 64)) == "The API key is not valid."


def test_a_rotated_key_has_a_new_secret(hands: Hands) -> None:
    """Id and expiry stay; the previous secret is valid during the overlap only."""
    key, first = hands.create(expires_in=timedelta(days=90))
    again, second = hands.rotate(key.id, overlap=timedelta(hours=1))
    assert (again.id, again.expires_at) == (key.id, key.expires_at)
    assert hands.caller(first) == hands.caller(second)
    hands.now += timedelta(hours=1)
    assert hands.refusal(first) == "The API key is not valid."
    _, third = hands.rotate(key.id)
    assert hands.refusal(second) == "The API key is not valid."
    assert hands.caller(third) is not None


def test_a_rotation_ends_the_secret_before_the_last(hands: Hands) -> None:
    """After two rotations with overlaps the first secret is not valid any more: at most two are."""
    key, first = hands.create()
    _, second = hands.rotate(key.id, overlap=timedelta(hours=1))
    _, third = hands.rotate(key.id, overlap=timedelta(hours=1))
    assert hands.refusal(first)
    assert hands.caller(second) == hands.caller(third) is not None


def test_a_revoked_key_stays_revoked(hands: Hands) -> None:
    """It can't be rotated, its overlap ends too, revoking again changes nothing; an unknown id is NotFound."""
    key, first = hands.create()
    _, second = hands.rotate(key.id, overlap=timedelta(hours=1))
    revoked = hands.revoke(key.id)
    assert hands.refusal(first) == hands.refusal(second) == "This API key was revoked."
    hands.now += timedelta(days=1)
    assert hands.revoke(key.id).revoked_at == revoked.revoked_at
    with pytest.raises(NotFound, match="make a new one"):
        hands.rotate(key.id)
    for unknown in (hands.revoke, hands.rotate):
        with pytest.raises(NotFound, match="There is no key 0000000000"):
            unknown("0000000000")


def test_comparing_does_the_same_whoever_asks(hands: Hands) -> None:
    """Wrong id, wrong, previous and right secret take the same number of constant-time comparisons."""
    key, old = hands.create()
    _, text = hands.rotate(key.id)
    compared: Counter[str] = Counter()

    def watch(_frame: FrameType, event: str, function: Any) -> None:
        if event == "c_call" and "compare_digest" in function.__name__:
            compared[given] += 1

    tried = [caller.format_key("0" * 10, text[-64:]), caller.format_key(key.id, "0" * 64), old, text]
    for given in tried:
        sys.setprofile(watch)
        try:
            hands.caller(given)
        except NotAuthenticated:
            pass
        finally:
            sys.setprofile(None)
    assert [compared[given] for given in tried] == [2, 2, 2, 2]


def test_accesses_are_found_by_order_and_by_key(store: Store) -> None:
    """Newest first, whole ids only, and no more than asked for."""
    rows = [
        Access(at(1), "a", "GET /api/orders", (123, 1230, 99), 3),
        Access(at(2), "b", "GET /api/orders/{order_id}", (12,)),
        Access(at(3), "b", "GET /api/lookup", (23, 123)),
        Access(at(4), "", "GET /api/lookup", (1234,)),
    ]
    store.write(lambda tx: access_log.record(tx, rows))
    assert store.read(lambda tx: access_log.list_entries(tx, limit=9)) == rows[::-1]
    assert store.read(lambda tx: access_log.list_entries(tx, limit=2)) == rows[:1:-1]
    assert store.read(lambda tx: access_log.list_entries(tx, order_id=123, limit=9)) == [rows[2], rows[0]]
    assert store.read(lambda tx: access_log.list_entries(tx, order_id=123, caller="a", limit=9)) == [rows[0]]
    assert store.read(lambda tx: access_log.list_entries(tx, caller="", limit=9)) == [rows[3]]


class Noting:
    """An access log that is flushed by the test, and its clock."""

    def __init__(self, store: Store) -> None:
        self.now = START
        self._store = store
        self.log = AccessLog(store.installation, lambda: self.now)

    def write(self, **how: bool) -> None:
        self._store.runner.run(self.log.flush(**how))

    def written(self) -> list[Access]:
        return list(self._store.read(lambda tx: access_log.list_entries(tx, limit=100_000)))


def test_repeated_accesses_are_counted(store: Store) -> None:
    """Repetitions before a flush are one row with the first instant; after it they are another row."""
    noting, agent = Noting(store), Caller("a", "Agent", READ, SHOP)
    for _ in range(3):
        noting.log.record(agent, "GET /api/orders", [1, 2])
        noting.now += timedelta(milliseconds=100)
    noting.log.record(ANYBODY, "GET /api/orders", [1, 2])
    noting.log.record(agent, "GET /api/orders", [])
    assert noting.written() == []
    noting.write()
    noting.write()
    noting.now += timedelta(seconds=1)
    noting.log.record(agent, "GET /api/orders", [1, 2])
    noting.write()
    assert [(one.caller, one.times) for one in noting.written()] == [("a", 1), ("", 1), ("a", 3)]
    assert noting.written()[-1].at == format_instant(START)


def test_queued_accesses_are_bounded(store: Store) -> None:
    """While nothing can be written, at most MAX_QUEUED_IDS order ids are queued; the rest is dropped."""
    noting, agent = Noting(store), Caller("a", "Agent", READ, SHOP)
    for first in range(0, 2 * MAX_QUEUED_IDS, 500):
        noting.log.record(agent, "GET /api/orders", range(first, first + 500))
    noting.write()
    assert sum(len(one.order_ids) for one in noting.written()) == MAX_QUEUED_IDS
    noting.now += timedelta(seconds=1)
    noting.log.record(agent, "GET /api/orders", [7])
    noting.write()
    assert noting.written()[0].order_ids == (7,)


def test_an_end_in_the_middle_of_a_write_writes_nothing_twice(store: Store) -> None:
    """A flush that is cancelled during its transaction waits for it: each entry is written once."""
    begun, go_on = threading.Event(), threading.Event()

    class Slow(int):
        def __str__(self) -> str:
            begun.set()
            go_on.wait(90)
            return int.__repr__(self)

    async def main() -> list[int]:
        log = AccessLog(store.installation, lambda: START, interval=0.0)
        log.record(Caller("a", "Agent", READ, SHOP), "GET /api/orders", [Slow(1)])
        writing = asyncio.create_task(log.run())
        await asyncio.to_thread(begun.wait, 30)
        writing.cancel()
        asyncio.get_running_loop().call_soon(go_on.set)
        await asyncio.wait([writing])
        await log.close()
        return [one.times for one in await list_entries(store.database, None, None, 9)]

    assert store.runner.run(main()) == [1]


def test_many_accesses_are_written_at_once(store: Store) -> None:
    """A full batch is written at once, so that a crash loses no more."""

    async def main() -> int:
        log = AccessLog(store.installation, lambda: START, interval=3600.0)
        writing = asyncio.create_task(log.run())
        for number in range(BATCH):
            log.record(ANYBODY, "GET /api/orders", [number])
        while True:
            found = await list_entries(store.database, None, None, 2 * BATCH)
            if found:
                break
        writing.cancel()
        await asyncio.wait([writing])
        return len(found)

    assert store.runner.run(main()) == BATCH


def test_a_last_use_is_written_at_most_once_a_minute(store: Store) -> None:
    """The last use of a key is written at most once a minute, and at the end."""
    noting = Noting(store)
    store.write(lambda tx: api_keys.add(tx, ApiKey("a", "Agent", READ, "d", at(1))))
    agent, seen = Caller("a", "Agent", READ, SHOP), []
    for seconds in (0, 20, 59, 61, 90):
        noting.now = START + timedelta(seconds=seconds)
        noting.log.record_key_use(agent)
        noting.log.record_key_use(ANYBODY)
        noting.write()
        key = store.read(lambda tx: api_keys.get(tx, "a"))
        assert key is not None
        seen.append(key.last_used_at)
    noting.write(every_use=True)
    key = store.read(lambda tx: api_keys.get(tx, "a"))
    assert key is not None
    shown = [*seen, key.last_used_at]
    assert shown == [format_instant(START + timedelta(seconds=s)) for s in (0, 0, 0, 61, 61, 90)]
