"""Saving and reading the mirror's orders."""

from __future__ import annotations

import itertools
import json
from dataclasses import replace

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from planso_connector.domain.clock import Instant
from planso_connector.domain.fields import MIRRORED
from planso_connector.domain.operation import Action, Operation
from planso_connector.domain.order import Order
from planso_connector.domain.saving.identity import IDENTITY_FIELDS
from planso_connector.store import last_seen, operations, orders
from planso_connector.store.engine.database import Transaction
from planso_connector.store.last_seen import LastSeen
from planso_connector.store.orders import SaveOutcome, SaveResult
from tests.databases import Store
from tests.domain.progress.assessed_order import NO_PARTS_NEEDED
from tests.store.samples import at, order, part


def save(store: Store, given: Order, second: int, *, with_parts: bool = True) -> SaveResult:
    return store.write(lambda tx: orders.save(tx, given, read_at=at(second), now=at(second), with_parts=with_parts))


def fingerprints(store: Store) -> dict[int, str | None]:
    seen = store.read(lambda tx: last_seen.get_all(tx))
    return {order_id: sighting.list_fingerprint for order_id, sighting in seen.items()}


def test_an_order_comes_back_as_it_was_saved(store: Store) -> None:
    """`load` gives back every mirrored value with its type, every label, and the parts in their order."""
    kept = order(parts=(part(row_id="b", is_backorder=True), part(row_id="a", price_each=12.5)), archived=True)

    assert save(store, kept, 1) == SaveResult(SaveOutcome.INSERTED, 1)

    loaded = store.read(lambda tx: orders.load(tx, 123))
    assert loaded is not None
    expected = {field.path: kept.values.get(field.path) for field in MIRRORED}
    assert loaded == replace(kept, values=expected)
    assert type(loaded.values["vehicle_details.all_details"]) is bool
    identifying = store.read(lambda tx: orders.load_identifying(tx, 123))
    assert identifying == {path: loaded.values[path] for path in IDENTITY_FIELDS}
    assert any(identifying.values())
    assert store.read(lambda tx: orders.load_identifying(tx, 124)) is None
    assert store.read(lambda tx: orders.load(tx, 124)) is None
    assert store.read(lambda tx: orders.get(tx, 124)) is None


def test_doubts_are_kept_with_the_order(store: Store) -> None:
    """A text in place of a date is kept with the order and in its document until it is readable."""
    doubtful = replace(order(), unreadable={"shop_date": 'KW "51"]}'})
    save(store, doubtful, 5)
    loaded, stored = store.read(lambda tx: (orders.load(tx, 123), orders.get(tx, 123)))
    assert (loaded is not None, stored is not None) == (True, True)
    assert loaded.unreadable == doubtful.unreadable  # type: ignore[union-attr]
    assert json.loads(stored.order.document)["doubts"] == [{"field": "shop_date", "text": 'KW "51"]}'}]  # type: ignore[union-attr]

    save(store, order(), 6)
    again = store.read(lambda tx: orders.get(tx, 123))
    assert again is not None
    assert (json.loads(again.order.document)["doubts"], again.version) == ([], 2)


def test_an_answer_is_the_document_with_what_changes_by_itself(store: Store) -> None:
    """An order's document is one JSON object with its version, freshness and pending writes."""
    kept = order()
    write = Operation("op_1", Action.UPDATE, 123, {"person": 'Jana "J" Müller'}, created_at=at(7))
    save(store, kept, 5)
    store.write(lambda tx: operations.record(tx, write))

    stored = store.read(lambda tx: orders.get(tx, 123))

    assert stored is not None
    assert (stored.order.id, stored.version, stored.deleted_at) == (123, 1, None)
    assert (stored.synced_at, stored.read_at) == (at(5), at(5))
    assert json.loads(stored.order.document) == {
        **kept.to_document(),
        "order_id": 123,
        "doubts": [],
        "last_synced_at": at(5),
        "version": 1,
        "pending": [
            {"operation_id": "op_1", "action": "update", "asked": {"person": 'Jana "J" Müller'}, "created_at": at(7)}
        ],
    }


def test_an_earlier_reading_never_overwrites_a_later_one(store: Store) -> None:
    """A page whose request was started before that of the stored reading changes nothing at all."""
    save(store, order(values={"person": "Neu"}), 10)

    assert save(store, order(values={"person": "Alt"}), 9) == SaveResult(SaveOutcome.OUTDATED, 1)
    assert not store.write(lambda tx: orders.mark_deleted(tx, 123, now=at(11), read_at=at(9)))
    assert store.write(lambda tx: orders.archive(tx, [123], now=at(11), read_at=at(9))) == 0

    stored = store.read(lambda tx: orders.get(tx, 123))
    assert stored is not None
    assert json.loads(stored.order.document)["person"] == "Neu"
    assert (stored.read_at, stored.synced_at, stored.version) == (at(10), at(10), 1)
    assert save(store, order(values={"person": "Zugleich"}), 10).outcome is SaveOutcome.CHANGED


def test_seeing_the_same_again_moves_only_the_time(store: Store) -> None:
    """An unchanged order keeps its version; `synced_at` and `read_at` advance."""
    save(store, order(parts=(part(),)), 1)

    assert save(store, order(parts=(part(),)), 2) == SaveResult(SaveOutcome.UNCHANGED, 1)

    stored = store.read(lambda tx: orders.get(tx, 123))
    assert stored is not None
    assert (stored.version, stored.read_at, stored.synced_at) == (1, at(2), at(2))
    assert save(store, order(parts=(part(),), position="7"), 3) == SaveResult(SaveOutcome.UNCHANGED, 1)
    loaded = store.read(lambda tx: orders.load(tx, 123))
    assert loaded is not None
    assert loaded.position == "7"


def test_a_visible_change_is_a_new_version(store: Store) -> None:
    """A change of a field, of a part, archiving, deleting and coming back each give the next version."""
    versions = [save(store, order(), 1).version]
    versions.append(save(store, order(values={"person": "Olga"}), 2).version)
    versions.append(save(store, order(values={"person": "Olga"}, parts=(part(),)), 3).version)
    versions.append(save(store, order(values={"person": "Olga"}, parts=(part(qty=2.0),)), 4).version)

    assert store.write(lambda tx: orders.archive(tx, [123, 999], now=at(5))) == 1
    assert store.write(lambda tx: orders.archive(tx, [123], now=at(6))) == 0
    archived = store.read(lambda tx: orders.get(tx, 123))
    assert archived is not None
    assert json.loads(archived.order.document)["archived"] is True
    versions.append(archived.version)

    assert store.write(lambda tx: orders.mark_deleted(tx, 123, now=at(7), read_at=at(7)))
    assert not store.write(lambda tx: orders.mark_deleted(tx, 123, now=at(8), read_at=at(8)))
    deleted = store.read(lambda tx: orders.get(tx, 123))
    assert deleted is not None
    assert deleted.deleted_at == at(7)
    versions.append(deleted.version)

    back = save(store, order(values={"person": "Olga"}, parts=(part(qty=2.0),)), 9)
    assert back.outcome is SaveOutcome.CHANGED
    assert [*versions, back.version] == [1, 2, 3, 4, 5, 6, 7]
    stored = store.read(lambda tx: orders.get(tx, 123))
    assert stored is not None
    assert stored.deleted_at is None
    assert json.loads(stored.order.document)["archived"] is False


def test_a_reading_without_parts_keeps_the_stored_ones(store: Store) -> None:
    """A form read alone keeps the parts and their status; whether parts are missing follows from what is stored."""
    parts = (part(is_ordered=True), part(is_delivered=True))
    save(store, order(parts=parts, values={"parts_status": "teilweise geliefert"}), 1)

    form_alone = order(values={"person": "Olga"}, missing_parts=False)
    assert save(store, form_alone, 2, with_parts=False) == SaveResult(SaveOutcome.CHANGED, 2)

    loaded = store.read(lambda tx: orders.load(tx, 123))
    assert loaded is not None
    assert loaded.parts == parts
    assert loaded.values["parts_status"] == "teilweise geliefert"
    assert loaded.missing_parts is True
    assert store.read(lambda tx: orders.get_parts(tx, 123)) == list(parts)
    assert save(store, order(values={"person": "Olga"}), 3).outcome is SaveOutcome.CHANGED
    assert store.read(lambda tx: orders.get_parts(tx, 123)) == []


def test_a_status_that_only_the_form_tells_follows_the_form(store: Store) -> None:
    """If no parts page was ever read, the parts status is the form's, each time."""
    save(store, order(values={"parts_status": "offen"}), 1, with_parts=False)
    save(store, order(values={"parts_status": NO_PARTS_NEEDED}), 2, with_parts=False)

    loaded = store.read(lambda tx: orders.load(tx, 123))
    assert loaded is not None
    assert (loaded.values["parts_status"], loaded.missing_parts) == (NO_PARTS_NEEDED, False)


def test_ids_are_listed_by_archived_and_without_deleted(store: Store) -> None:
    """Deleted orders are in no list; archived ones can be listed alone."""
    for order_id in (1, 2, 3):
        save(store, order(order_id), 1)
    store.write(lambda tx: orders.archive(tx, [2], now=at(2)))
    store.write(lambda tx: orders.mark_deleted(tx, 3, now=at(2), read_at=at(2)))

    assert store.read(lambda tx: orders.list_ids(tx)) == {1, 2}
    assert store.read(lambda tx: orders.list_ids(tx, archived=True)) == {2}
    assert store.read(lambda tx: orders.list_ids(tx, archived=False)) == {1}
    assert len(store.read(lambda tx: orders.list_ids(tx))) == 2


def seen_at(store: Store) -> dict[int, str]:
    found = store.read(lambda tx: last_seen.get_all(tx))
    return {order_id: sighting.synced_at for order_id, sighting in found.items()}


def test_thousands_are_seen_in_one_statement(store: Store) -> None:
    """`mark_seen` updates the orders named and no others, however many."""
    everyone = range(1, 501)

    def fill(tx: Transaction) -> None:
        for order_id in everyone:
            orders.save(tx, order(order_id), read_at=at(1), now=at(1), list_fingerprint=f"f{order_id}")

    store.write(fill)
    assert store.write(lambda tx: last_seen.mark_seen(tx, everyone[1:], now=at(9))) == 499
    assert seen_at(store) == {1: at(1)} | dict.fromkeys(everyone[1:], at(9))
    assert store.write(lambda tx: last_seen.mark_seen(tx, [1, 4711], now=at(8))) == 1
    assert seen_at(store) == {1: at(8)} | dict.fromkeys(everyone[1:], at(9))
    assert fingerprints(store) == {n: f"f{n}" for n in everyone}


def test_a_fingerprint_stays_until_another_comes(store: Store) -> None:
    """A save without a fingerprint, such as a write's read-back, keeps the list's."""
    store.write(lambda tx: orders.save(tx, order(), read_at=at(1), now=at(1), list_fingerprint="one"))
    save(store, order(values={"person": "Olga"}), 2)
    assert fingerprints(store) == {123: "one"}
    store.write(lambda tx: orders.save(tx, order(), read_at=at(3), now=at(3), list_fingerprint="two"))
    assert fingerprints(store) == {123: "two"}


def test_last_seen_has_what_a_sync_needs(store: Store) -> None:
    """Every order that is not deleted is listed, archived ones too; a deleted one once it is back."""
    waiting = order(1, parts=(part(1, is_backorder=True),), station_state="active")
    store.write(lambda tx: orders.save(tx, waiting, read_at=at(1), now=at(2), list_fingerprint="one"))
    save(store, order(2, station_state=None), 3, with_parts=False)
    save(store, order(3), 4)
    store.write(lambda tx: orders.archive(tx, [2], now=at(6), read_at=at(5)))
    store.write(lambda tx: orders.mark_deleted(tx, 3, now=at(6), read_at=at(5)))

    assert store.read(lambda tx: last_seen.get_all(tx)) == {
        1: LastSeen("one", at(1), at(2), at(1), archived=False, station_state="active", missing_parts=True),
        2: LastSeen(None, at(5), at(6), None, archived=True, station_state=None, missing_parts=False),
    }
    save(store, order(3), 7)
    assert set(seen_at(store)) == {1, 2, 3}


def test_what_no_database_can_hold_is_replaced(store: Store) -> None:
    """NUL and lone surrogates in PlanSo's texts do not stop a save; saved again they are no change."""
    odd = order(values={"person": "A\0B\ud800C"}, fields={"La\0bel": "x\udfff"}, parts=(part(status="\0"),))

    assert save(store, odd, 1).outcome is SaveOutcome.INSERTED
    assert save(store, odd, 2).outcome is SaveOutcome.UNCHANGED

    loaded = store.read(lambda tx: orders.load(tx, 123))
    assert loaded is not None
    assert loaded.values["person"] == "A\ufffdB\ufffdC"


_WORKSHOPS = itertools.count()
_READINGS = st.lists(
    st.tuples(
        st.integers(0, 20),
        st.sampled_from(["Jana", "Olga"]),
        st.booleans(),
        st.sampled_from(["save", "archive", "delete"]),
    ),
    max_size=12,
)


@settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    derandomize=True,
)
@given(_READINGS)
def test_versions_and_fences_only_rise(store: Store, readings: list[tuple[int, str, bool, str]]) -> None:
    """In any sequence of saves: versions never fall and rise exactly with visible changes; later readings stay."""
    store = store.for_workshop(f"shop {next(_WORKSHOPS)}")
    before: tuple[int, str, str | None] = (0, "", None)
    shown: object = None
    for second, person, with_part, what in readings:
        reading = order(values={"person": person}, parts=(part(),) if with_part else ())
        instant = at(second)

        def act(
            tx: Transaction, *, what: str = what, reading: Order = reading, instant: Instant = instant
        ) -> orders.StoredOrder | None:
            if what == "save":
                orders.save(tx, reading, read_at=instant, now=instant)
            elif what == "archive":
                orders.archive(tx, [123], now=instant, read_at=instant)
            else:
                orders.mark_deleted(tx, 123, now=instant, read_at=instant)
            return orders.get(tx, 123)

        stored = store.write(act)
        if stored is None:
            continue
        document = {**json.loads(stored.order.document), "last_synced_at": "", "version": 0}
        parts = store.read(lambda tx: orders.get_parts(tx, 123))
        shows = (document, parts, stored.deleted_at is None)
        assert stored.read_at == max(stored.read_at, before[1])
        assert stored.version == before[0] + (shows != shown)
        before, shown = (stored.version, stored.read_at, stored.deleted_at), shows
