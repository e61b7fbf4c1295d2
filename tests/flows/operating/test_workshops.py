"""The registry of workshops, on both databases."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pydantic import SecretStr
from sqlalchemy import bindparam, func, select

from planso_connector.configuration import workshop_registry, workshop_settings
from planso_connector.domain.clock import format_instant
from planso_connector.domain.errors import (
    EncryptionKeyMissing,
    Invalid,
    NotFound,
    NotPossible,
    PasswordUnreadable,
    WorkshopPaused,
)
from planso_connector.domain.operation import Action, Operation
from planso_connector.domain.scopes import Scope
from planso_connector.domain.workshop import Workshop
from planso_connector.flows.operating.api_keys import ApiKeys
from planso_connector.flows.operating.password_encryption import PasswordEncryption, generate_key
from planso_connector.flows.operating.workshops import NOTICE, NewWorkshop, WorkshopChanges, WorkshopRegistry
from planso_connector.flows.writing.accepting import check_accepted
from planso_connector.settings import Settings
from planso_connector.store import operations
from planso_connector.store.engine.transaction import Transaction
from planso_connector.store.tables import INSTALLATION_TABLES, metadata
from tests.databases import Store
from tests.store.filled_workshop import fill
from tests.store.samples import SHOP

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
THEN = format_instant(NOW)
BASE = Settings(_env_file=None, planso_url="https://base.planso.de")
FIRST, SECOND = generate_key(), generate_key()
PASSWORD = "geheim ü#"


def new(name: str = SHOP, **more: Any) -> NewWorkshop:
    given: dict[str, Any] = {
        "planso_url": f"https://{name}.planso.de/",
        "planso_user": "anna",
        "password": PASSWORD,
        **more,
    }
    return NewWorkshop(name, **given)


class Registry:
    """A registry at a time that a test sets, and its methods run to their end."""

    def __init__(self, store: Store, keys: str = FIRST) -> None:
        self.store = store
        self.now = NOW
        self.run = store.runner.run
        self.flow = self.with_keys(keys)

    def with_keys(self, keys: str) -> WorkshopRegistry:
        settings = BASE.model_copy(update={"connector_secrets_key": SecretStr(keys)})
        return workshop_registry(settings, self.store.database, lambda: self.now)

    def add(self, name: str = SHOP, **more: Any) -> Workshop:
        return self.run(self.flow.add(new(name, **more)))

    def get(self, name: str = SHOP) -> Workshop:
        return self.run(self.flow.get(name))

    def change(self, changes: WorkshopChanges, name: str = SHOP) -> Workshop:
        return self.run(self.flow.change(name, changes))


@pytest.fixture
def registry(store: Store) -> Registry:
    return Registry(store)


def test_a_workshop_is_kept_as_given(registry: Registry) -> None:
    """Address, user, table, profile and settings are read back; the password only by decryption."""
    settings = {"CONNECTOR_SYNC_HOURS": "Mo-Sa 06:00-20:00", "CONNECTOR_PENDING": 7, "CONNECTOR_SYNC_PARTS": False}
    added = registry.add(table_id=77, profile='[labels]\nperson = "Halter"\n', settings=settings)

    found = registry.get()
    assert found == added
    assert (found.planso_url, found.planso_user, found.table_id) == ("https://reit.planso.de", "anna", 77)
    assert dict(found.settings) == settings
    assert PASSWORD not in repr(found)
    assert PASSWORD not in found.encrypted_password
    assert registry.flow.decrypt_password(found) == PASSWORD
    applied = workshop_settings(BASE, found, PASSWORD)
    assert (applied.connector_workshop, applied.connector_pending, applied.connector_sync_parts) == (SHOP, 7, False)
    assert applied.planso_password.get_secret_value() == PASSWORD
    assert applied.connector_sync_interval == BASE.connector_sync_interval
    with pytest.raises(NotFound):
        registry.get("other")


def test_names_are_taken_once(registry: Registry) -> None:
    """A second workshop of a name, and one of the environment's name, is refused."""
    registry.add()
    for name in (SHOP, "default"):
        with pytest.raises(NotPossible, match="accepted: another name"):
            registry.add(name)
    assert [one.name for one in registry.run(registry.flow.list_all())] == [SHOP]


def test_what_is_not_accepted_is_not_added(registry: Registry) -> None:
    """A wrong name, setting or password is named with what is accepted; nothing is stored."""
    for given, named in (
        ({"name": "Reit"}, "name: accepted: 1 to 63"),
        ({"settings": {"CONNECTOR_PENDING": 0}}, "settings.CONNECTOR_PENDING: accepted: a whole number from 1"),
        ({"password": ""}, "password: accepted: the password of this user"),
        ({"password": "x\n"}, "password: accepted: the password of this user"),
    ):
        with pytest.raises(Invalid, match=named):
            registry.add(**given)
    assert registry.run(registry.flow.list_all()) == []


def test_an_import_is_all_or_nothing(registry: Registry) -> None:
    """The problems of all entries are named together, and none is added; without one all are."""
    registry.add()
    wrong = [new(), new("b", planso_user=""), new("c", settings={"CONNECTOR_PENDING": 0}), new("d")]
    with pytest.raises(Invalid) as raised:
        registry.run(registry.flow.import_all(wrong))
    assert [problem.field for problem in raised.value.problems] == [
        "b.planso_user",
        "c.settings.CONNECTOR_PENDING",
        SHOP,
    ]
    assert [one.name for one in registry.run(registry.flow.list_all())] == [SHOP]

    registry.run(registry.flow.import_all([new("b"), new("a")]))
    assert [one.name for one in registry.run(registry.flow.list_all())] == ["a", "b", SHOP]


def test_changes_keep_the_rest(registry: Registry) -> None:
    """A change sets what it names; a setting of None follows the process again; a wrong one changes nothing."""
    registry.add(settings={"CONNECTOR_PENDING": 7, "CONNECTOR_WRITES": "off"}, table_id=5)

    changed = registry.change({"planso_user": "berta", "settings": {"CONNECTOR_PENDING": None}, "table_id": None})
    assert changed == registry.get()
    assert (changed.planso_user, changed.table_id) == ("berta", None)
    assert dict(changed.settings) == {"CONNECTOR_WRITES": "off"}
    assert registry.flow.decrypt_password(changed) == PASSWORD
    assert registry.flow.decrypt_password(registry.change({"password": "neu"})) == "neu"
    with pytest.raises(Invalid, match=r"settings.CONNECTOR_WRITES"):
        registry.change({"planso_user": "clara", "settings": {"CONNECTOR_WRITES": "?"}})
    assert registry.get().planso_user == "berta"


def test_a_password_goes_to_no_other_address(registry: Registry) -> None:
    """
    Another address needs the password again; whoever changes the address in the database, or copies the password to
    another row, gets none.
    """
    registry.add()
    with pytest.raises(Invalid, match="password: required with another planso_url"):
        registry.change({"planso_url": "https://evil.example"})
    moved = registry.change({"planso_url": "https://neu.planso.de", "password": "neu"})
    assert registry.flow.decrypt_password(moved) == "neu"

    other = registry.add("other")
    for forged in (
        replace(moved, planso_url="https://evil.example"),
        replace(other, encrypted_password=moved.encrypted_password),
    ):
        with pytest.raises(PasswordUnreadable, match="stored for another workshop or PlanSo"):
            registry.flow.decrypt_password(forged)


def test_each_process_learns_what_changed(registry: Registry) -> None:
    """From any version on, exactly the workshops changed since are listed, as they are now; removed ones too."""
    for name in ("a", "b", "c"):
        registry.add(name)
    seen = registry.run(registry.flow.list_changes())
    assert [one.name for one in seen.workshops] == ["a", "b", "c"]
    assert registry.run(registry.flow.list_changes(seen.version)).workshops == []

    registry.run(registry.flow.pause("c"))
    registry.change({"planso_user": "berta"}, "a")
    registry.run(registry.flow.remove("b"))
    later = registry.run(registry.flow.list_changes(seen.version))
    assert [(one.name, one.is_paused, one.removed_at is not None) for one in later.workshops] == [
        ("c", True, False),
        ("a", False, False),
        ("b", False, True),
    ]
    assert later.version > seen.version
    assert registry.run(registry.flow.pause("c")).version == later.workshops[0].version  # it is paused already


def record(tx: Transaction, name: str = "op_1", deadline: datetime = NOW + timedelta(hours=24)) -> None:
    operation = Operation(name, Action.UPDATE, 1, {}, created_at=format_instant(NOW), next_at=format_instant(NOW))
    operation = replace(operation, deadline_at=format_instant(deadline))
    check_accepted(tx, operation, "on")
    operations.record(tx, operation)


def test_a_paused_workshop_records_no_write(registry: Registry) -> None:
    """While it is paused a write is refused and says why; after it the pending ones have their time again."""
    registry.add()
    registry.store.write(record)
    paused = registry.run(registry.flow.pause(SHOP))
    assert paused.paused_at == format_instant(NOW)
    with pytest.raises(WorkshopPaused, match="'reit' is paused since 2026-11-23T12:00:00Z"):
        registry.store.write(lambda tx: record(tx, "op_2"))
    registry.store.for_workshop("other").write(record)

    registry.now += timedelta(hours=3)
    assert not registry.run(registry.flow.resume(SHOP)).is_paused
    (pending,) = registry.store.read(lambda tx: operations.list_pending(tx, 1))
    assert pending.deadline_at == format_instant(NOW + timedelta(hours=27))
    registry.store.write(lambda tx: record(tx, "op_2"))


def test_pending_writes_are_not_lost_unasked(registry: Registry) -> None:
    """While a write is pending the workshop stays, unless it is said that the write is discarded."""
    registry.add()
    registry.store.write(record)
    with pytest.raises(NotPossible, match=r"1 write waits for PlanSo .*--discard-pending-writes"):
        registry.run(registry.flow.remove(SHOP))
    registry.store.write(lambda tx: record(tx, "op_2"))  # nothing of the removal stayed
    assert registry.run(registry.flow.remove(SHOP, discard_pending=True)) == 2
    with pytest.raises(WorkshopPaused):
        registry.store.write(lambda tx: record(tx, "op_3"))


def test_removal_deletes_this_workshops_rows_alone(registry: Registry) -> None:
    """Every row but the keys is deleted, the keys are revoked; the rows of another workshop stay."""
    registry.add()
    stores = registry.store, registry.store.for_workshop("other")
    for one in stores:
        one.write(fill)
    keys = ApiKeys(registry.store.database, lambda: registry.now)
    registry.run(keys.create("agent", [Scope.SYNC], None))
    before = [_count_rows(one) for one in stores]

    registry.run(registry.flow.remove(SHOP, discard_pending=True))
    assert all(key.revoked_at for key in registry.run(keys.list_all()))
    deleted = registry.run(registry.flow.purge(SHOP))
    assert deleted == sum(before[0].values()) - before[0]["api_keys"]
    assert {name: count for name, count in _count_rows(stores[0]).items() if count} == {"api_keys": 2}
    assert _count_rows(stores[1]) == before[1]

    with pytest.raises(NotPossible, match="its rows are not all deleted yet"):
        registry.add()
    stores[0].write(lambda tx: operations.record(tx, Operation("late", Action.UPDATE, 1, {}, created_at=THEN)))
    registry.now += 2 * NOTICE
    assert registry.run(registry.flow.purge_removed()) == 1
    assert registry.run(registry.flow.purge_removed()) == 0
    registry.add()
    registry.store.write(record)
    assert all(key.revoked_at for key in registry.run(keys.list_all()))


def _count_rows(store: Store) -> dict[str, int]:
    return store.read(lambda tx: {name: tx.fetch_all(statement)[0]["rows"] for name, statement in _COUNTS.items()})


_COUNTS = {
    name: select(func.count().label("rows")).where(table.c.workshop == bindparam("of_workshop"))
    for name, table in metadata.tables.items()
    if name not in INSTALLATION_TABLES
}


def test_rotation_encrypts_all_anew(registry: Registry) -> None:
    """With a new key first every password is encrypted with it, and the old key is needed no more."""
    for name in ("a", "b"):
        registry.add(name)
    both = registry.with_keys(f"{SECOND}\n{FIRST}")
    assert registry.run(both.encrypt_anew()).encrypted_anew == 2
    assert registry.run(both.encrypt_anew()).encrypted_anew == 0
    only = registry.with_keys(SECOND)
    assert [only.decrypt_password(one) for one in registry.run(only.list_all())] == [PASSWORD, PASSWORD]


def test_a_lost_key_hurts_its_workshops_alone(registry: Registry) -> None:
    """Of two workshops under two keys the one under the lost key is named; the other one works, and is rotated."""
    registry.add("a")
    registry.run(registry.with_keys(SECOND).add(new("b")))
    flow = registry.with_keys(SECOND)
    with pytest.raises(PasswordUnreadable, match="'a' can't be decrypted: CONNECTOR_SECRETS_KEY does not hold"):
        flow.decrypt_password(registry.get("a"))
    assert flow.decrypt_password(registry.get("b")) == PASSWORD
    third = generate_key()
    rotated = registry.run(registry.with_keys(f"{third} {SECOND}").encrypt_anew())
    assert (rotated.encrypted_anew, rotated.unreadable) == (1, ["a"])
    assert registry.with_keys(FIRST).decrypt_password(registry.get("a")) == PASSWORD


@pytest.mark.parametrize(("keys", "named"), [("", "not set"), ("geheim", "accepted: keys of 44"), ("ü", "accepted")])
def test_without_a_usable_key_it_is_said(keys: str, named: str) -> None:
    """A missing and a malformed key are named by the setting, only once a password is needed."""
    encryption = PasswordEncryption(keys)
    with pytest.raises(EncryptionKeyMissing, match=f"CONNECTOR_SECRETS_KEY: {named}") as raised:
        encryption.encrypt("x", name="a", planso_url="https://a.planso.de")
    assert "geheim" not in str(raised.value)
    assert "workshops new-key FILE" in str(raised.value)
