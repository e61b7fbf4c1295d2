"""A lease has one holder at a time, among all processes, and a dead one loses it."""

from __future__ import annotations

import itertools
import subprocess
import sys

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from planso_connector.store import leases
from planso_connector.store.engine.database import Transaction
from tests.databases import Store
from tests.store.samples import at

LENGTH = 10


def acquire(store: Store, holder: str, second: int) -> bool:
    until = at(second + LENGTH)
    return store.write(lambda tx: leases.acquire(tx, "sync", holder=holder, now=at(second), until=until))


def held_by(store: Store, second: int) -> str | None:
    return store.read(lambda tx: leases.find_holder(tx, "sync", now=at(second)))


def test_a_lease_that_nobody_has_is_had_by_who_asks(store: Store) -> None:
    """Then no other gets it until its time is up; its holder gets it again, for longer."""
    assert held_by(store, 0) is None
    assert acquire(store, "a", 0)
    assert held_by(store, 0) == "a"
    assert not acquire(store, "b", 9)
    assert acquire(store, "a", 9)
    assert not acquire(store, "b", 18)
    assert store.write(lambda tx: leases.acquire(tx, "other", holder="b", now=at(18), until=at(28)))


def test_a_dead_process_loses_its_lease(store: Store) -> None:
    """When its time is up, nobody holds it, another gets it, and the late one neither renews nor gives it back."""
    acquire(store, "dead", 0)
    assert held_by(store, LENGTH) is None

    assert acquire(store, "alive", LENGTH)

    assert not store.write(lambda tx: leases.renew(tx, "sync", holder="dead", now=at(11), until=at(99)))
    assert not store.write(lambda tx: leases.release(tx, "sync", holder="dead"))
    assert held_by(store, 11) == "alive"


def test_a_lease_given_back_is_free(store: Store) -> None:
    """At once, for anyone; renewing what was given back does not take it again."""
    acquire(store, "a", 0)
    assert store.write(lambda tx: leases.release(tx, "sync", holder="a"))
    assert not store.write(lambda tx: leases.release(tx, "sync", holder="a"))
    assert not store.write(lambda tx: leases.renew(tx, "sync", holder="a", now=at(1), until=at(9)))
    assert acquire(store, "b", 1)


_WORKSHOPS = itertools.count()
_STEPS = st.lists(
    st.tuples(
        st.sampled_from(["acquire", "renew", "release"]),
        st.sampled_from(["a", "b"]),
        st.integers(0, 30),
        st.integers(0, LENGTH),
    ),
    max_size=12,
)


@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    derandomize=True,
)
@given(_STEPS)
def test_whatever_is_asked_in_whatever_order(store: Store, steps: list[tuple[str, str, int, int]]) -> None:
    """A lease changes hands only when it is free or its time is up; each answer says whether it happened."""
    store = store.for_workshop(f"shop {next(_WORKSHOPS)}")
    held: tuple[str, int] | None = None
    for step, who, now, length in steps:

        def act(
            tx: Transaction, *, step: str = step, who: str = who, now: int = now, until: int = now + length
        ) -> bool:
            if step == "release":
                return leases.release(tx, "sync", holder=who)
            verb = leases.acquire if step == "acquire" else leases.renew
            return verb(tx, "sync", holder=who, now=at(now), until=at(until))

        own = held is not None and held[0] == who
        if step == "acquire":
            right = held is None or own or held[1] <= now
        else:
            right = own and (step == "release" or (held is not None and held[1] > now))
        if right:
            held = None if step == "release" else (who, now + length)

        assert store.write(act) is right
        holder = held[0] if held is not None and held[1] > now else None
        assert store.read(lambda tx, now=now: leases.find_holder(tx, "sync", now=at(now))) == holder  # type: ignore[misc]


NAMES = 60
RACE = """
import asyncio, sys
from planso_connector.store import leases
from planso_connector.store.engine.database import Database
from tests.store.samples import SHOP, at

async def main():
    database = Database.open(sys.argv[1]).for_workshop(SHOP)
    me = sys.argv[2]
    print("ready", flush=True)
    sys.stdin.readline()
    for name in range(int(sys.argv[3])):
        ask = lambda tx: leases.acquire(tx, f"{name}", holder=me, now=at(1), until=at(2))
        if await database.write(ask):
            print(name, flush=True)
    await database.close()

asyncio.run(main())
"""


@pytest.mark.behind_pooler
def test_of_processes_that_ask_at_once_exactly_one_gets_it(database_url: str) -> None:
    """Three processes race for the same sixty leases: each lease has one winner, which is its holder."""
    commands = {who: [sys.executable, "-c", RACE, database_url, who, str(NAMES)] for who in ("a", "b", "c")}
    racing = {
        who: subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for who, command in commands.items()
    }
    for process in racing.values():
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in racing.values():
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    won = {who: [int(line) for line in process.communicate(timeout=180)[0].split()] for who, process in racing.items()}

    assert [process.returncode for process in racing.values()] == [0, 0, 0]
    assert sorted(itertools.chain(*won.values())) == list(range(NAMES))
    store = Store(database_url)
    try:
        for who, names in won.items():
            for name in names:
                assert store.read(lambda tx, name=name: leases.find_holder(tx, f"{name}", now=at(1))) == who  # type: ignore[misc]
    finally:
        store.close()
