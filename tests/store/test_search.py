"""Order search by folded text, days, states and pages, compared with a model in plain Python."""

from __future__ import annotations

import itertools
import json
from dataclasses import astuple, replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from planso_connector.domain.errors import Invalid
from planso_connector.domain.folding import fold, fold_phone, fold_plate
from planso_connector.domain.operation import Action, Operation, OperationState
from planso_connector.domain.order import PLATE, Order
from planso_connector.store import cursors, lookup_keys, operations, orders, reindex, search
from planso_connector.store.engine.database import Transaction
from planso_connector.store.lookup_keys import RebuildProgress
from planso_connector.store.search import OrderFilters, OrderPage
from tests.databases import Store, run_script
from tests.store.samples import at, order, part

_WORKSHOPS = itertools.count()


SAVED_AT = at(1)


def save(store: Store, *saved: Order) -> None:
    def work(tx: Transaction) -> None:
        for each in saved:
            orders.save(tx, each, read_at=SAVED_AT, now=SAVED_AT)

    store.write(work)


def describe(filters: OrderFilters) -> str:
    """The filters, as a subtest's name."""
    return ascii([value for value in astuple(filters)[:13] if value is not None])


def find_page(store: Store, filters: OrderFilters) -> OrderPage:
    return store.read(lambda tx: search.find_orders(tx, filters))


def find_ids(store: Store, filters: OrderFilters) -> list[int]:
    page = find_page(store, filters)
    return [order.id for order in page.documents]


FINDING = (
    *(OrderFilters(plate=plate) for plate in ("wnae2309", "WN AE2309", "WN-AE", "WN-AE 2309", "2309")),
    *(OrderFilters(phone=phone) for phone in ("0151 234", "+49151234", "0049 151 234", "0151-23456")),
    *(OrderFilters(person=person) for person in ("Müller", "mueller", "MÜLLER", "Strauß", "strauss", "RENE")),
    *(OrderFilters(email=email) for email in ("MUELLER@", "mueller@example.de")),
    *(OrderFilters(status=status) for status in ("In Arbeit", "in arbeit")),
    *(OrderFilters(text=text) for text in ("stossfaenger", "Golf VIII", "viii  GOLF ", "5g6 wn-ae", "100% _x")),
    *(OrderFilters(station=station) for station in ("a@b", "a")),
)


def test_any_notation_finds_the_order(store: Store, subtests: pytest.Subtests) -> None:
    """Any notation of a plate, phone number or name finds its order, and no other."""
    values = {
        "person": "René Müller-Strauß",
        "phone": "+49 (0)151 234-56",
        "email": "Mueller@Example.de",
        "project_status": "In Arbeit",
    }
    labels = {"Fahrzeug": "VW Golf\nVIII", "Rabatt": "100% _x"}
    nothing = {PLATE: "S-XY 17", "person": "Mulder", "phone": "0711 99", "project_status": "Fertig"}
    save(
        store,
        order(1, parts=(part(1),), values=values, fields=labels, station_id="a@b"),
        order(2, values=nothing, short_name="S-XY 17", fields={"Rabatt": "1000 ax"}, station_id="ab"),
        order(3, values=nothing, short_name="S-XY 17", station_id="a", station_state="b"),
    )

    for filters in FINDING:
        expected = {"a@b": [1, 3], "a": [3]}.get(filters.station or "", [1])
        with subtests.test(describe(filters)):
            assert find_ids(store, filters) == expected


def test_typographic_signs_do_not_matter_also_after_a_rebuild(store: Store) -> None:
    """Dotless i, apostrophes, soft hyphens and lost pluses; an older version folded less, and a rebuild mends it."""
    values = {"person": "Özgür Yıldırım-O’Neil", "phone": "0171 3920023", PLATE: "HN-AB\u00ad 555"}
    save(store, order(1, values=values))
    asked = (
        OrderFilters(person="Yildirim"),
        OrderFilters(person="O'Neil"),
        OrderFilters(text="yildirim"),
        OrderFilters(phone="491713920023"),
        OrderFilters(phone=" 491713920023"),
        OrderFilters(plate="HN-AB 555"),
    )
    assert [find_ids(store, filters) for filters in asked] == [[1]] * len(asked)

    run_script(store.url, "UPDATE orders SET person_key = 'oezguer yıldırım-o’neil'")
    assert find_ids(store, OrderFilters(person="Yildirim")) == []
    store.write(reindex.begin_rebuild)
    while store.write(reindex.rebuild_batch) is not None:
        pass
    assert find_ids(store, OrderFilters(person="Yildirim")) == [1]


FINDING_NOTHING = (
    *(OrderFilters(plate=plate) for plate in (" - ", "", "%", "WNAE_309")),
    *(OrderFilters(phone=phone) for phone in ("+", "abc", "")),
    *(OrderFilters(person=person) for person in ("%", "J_na", "\\", "\0\ud800")),
    *(OrderFilters(text=text) for text in ("Golf Passat", "' OR 1=1 --")),
    *(OrderFilters(station=station) for station in ("4@", "@2", "", "44")),
    OrderFilters(status="In"),
    OrderFilters(damage="KL"),
)


def test_filters_that_match_nothing_find_nothing(store: Store, subtests: pytest.Subtests) -> None:
    """Filters that fold to nothing, wildcards, parts of a state, and other words find no order."""
    save(store, order(1, values={"project_status": "In Arbeit", "damage": "KL 2-3"}, fields={"Fahrzeug": "Golf"}))

    for filters in FINDING_NOTHING:
        with subtests.test(describe(filters)):
            assert find_ids(store, filters) == []


def test_default_sort(store: Store) -> None:
    """Newest shop_date first, then id, orders without one last, whatever the server's collation; times don't count."""
    days = {4: "2026-12-08", 2: "2026-12-08T09:00:00", 3: None, 1: None, 5: "2026-12-09", 6: "2025-01-01"}
    save(store, *(order(order_id, values={"shop_date": day}) for order_id, day in days.items()))

    assert find_ids(store, OrderFilters()) == [5, 2, 4, 6, 1, 3]
    assert find_ids(store, OrderFilters(after="2026-12-08", before="2026-12-08")) == [2, 4]
    assert find_ids(store, OrderFilters(before="2026-12-08T07:00:00")) == [2, 4, 6]
    assert find_ids(store, OrderFilters(after="2026-12-09")) == [5]


def test_changed_since(store: Store) -> None:
    """What changed from that instant on, by an edit or by being archived; what was only read again did not."""
    save(store, order(1), order(2), order(3), order(4))
    for order_id, person in ((1, "Neu"), (2, order().values["person"])):
        edited = order(order_id, values={"person": person})
        store.write(lambda tx, edited=edited: orders.save(tx, edited, read_at=at(5), now=at(5)))  # type: ignore[misc]
    store.write(lambda tx: orders.archive(tx, [3], now=at(6)))
    assert sorted(find_ids(store, OrderFilters(changed_since=SAVED_AT))) == [1, 2, 4]
    assert find_ids(store, OrderFilters(changed_since=at(5))) == [1]
    assert find_ids(store, OrderFilters(changed_since=at(6))) == []
    assert find_ids(store, OrderFilters(changed_since=at(6), archived=True)) == [3]


def test_archived_and_deleted_orders(store: Store) -> None:
    """An archived order is found only by `archived`, a deleted one never."""
    save(store, order(1), order(2), order(3))
    store.write(lambda tx: orders.archive(tx, [2, 3], now=at(2)))
    store.write(lambda tx: orders.mark_deleted(tx, 3, now=at(2), read_at=at(2)))

    assert find_ids(store, OrderFilters()) == [1]
    assert find_ids(store, OrderFilters(archived=True)) == [2]


def test_each_document_has_its_own_pending_writes(store: Store) -> None:
    """Pending writes are in their order's document, settled ones in none; a page and `get` give the same document."""
    save(store, order(1), order(2))

    def work(tx: Transaction) -> None:
        states = {1: OperationState.PENDING, 2: OperationState.CONFIRMED, 3: OperationState.PENDING}
        for number, state in states.items():
            asked = Operation(f"op_{number}", Action.UPDATE, 2, {"damage": "KL 4"}, state, created_at=at(number))
            operations.record(tx, asked)

    store.write(work)

    page = find_page(store, OrderFilters())
    pending = [[entry["operation_id"] for entry in json.loads(order.document)["pending"]] for order in page.documents]
    assert pending == [[], ["op_1", "op_3"]]
    stored = store.read(lambda tx: orders.get(tx, 2))
    assert stored is not None
    assert page.documents[1] == stored.order


def test_pages_are_complete_while_orders_are_added(store: Store) -> None:
    """Orders that exist from the first page to the last are on exactly one page, whatever is added in between."""
    there = [order(n * 2, values={"shop_date": f"2026-12-{1 + n % 5:02}" if n % 6 else None}) for n in range(1, 40)]
    save(store, *there)
    pages: list[list[int]] = []
    cursor: str | None = None
    new = itertools.count(1, 2)
    while True:
        page = find_page(store, OrderFilters(limit=4, cursor=cursor))
        pages.append([order.id for order in page.documents])
        for day in ("2026-12-01", "2026-12-05", None):
            save(store, order(next(new), values={"shop_date": day}))
        cursor = page.next_cursor
        if cursor is None:
            break

    seen = [order_id for page in pages for order_id in page]
    assert len(seen) == len(set(seen))
    assert {order.id for order in there} <= set(seen)
    assert all(len(page) == 4 for page in pages[:-1])


def test_a_full_last_page_has_no_cursor(store: Store) -> None:
    """A page that is just full has no next one where nothing is left."""
    save(store, order(1), order(2))
    page = find_page(store, OrderFilters(limit=2))
    assert (len(page.documents), page.next_cursor) == (2, None)


@given(st.one_of(st.text(max_size=40), st.sampled_from(["W10", "WzEsMl0", "bnVsbA", "W251bGwsMV0", "W" * 5000])))
def test_a_foreign_cursor_is_invalid(cursor: str) -> None:
    """Any text but a cursor of ours is Invalid, at the query's `cursor`."""
    with pytest.raises(Invalid) as raised:
        search.parse_cursor(cursor)
    assert raised.value.problems[0].loc == ("query", "cursor")


@given(st.sampled_from(["", "2026-12-08"]), st.integers(-(2**63) + 1, 2**63 - 1))
def test_a_cursor_is_url_safe_and_decodes(shop_day: str, order_id: int) -> None:
    """Parsing a cursor gives the day and id that were encoded."""
    cursor = cursors.encode([shop_day, order_id])
    assert cursor.replace("-", "").replace("_", "").isalnum()
    assert search.parse_cursor(cursor) == (shop_day, order_id)


_DAYS = st.sampled_from([None, "2026-12-07", "2026-12-08", "2026-12-08T10:00:00", "2027-01-01"])
_NAMES = st.sampled_from([None, "Müller", "mueller", "Strauß", "STRAUSS %", "Ærø_Łuk", "Petra 'x\\'"])
_PLATES = st.sampled_from([None, "WN-AE 2309", "wnae 23", "S-ÖÄ 1", "---"])
_PHONES = st.sampled_from([None, "0151 234", "+49151234", "0711/99", "keins"])
_STATIONS = st.sampled_from([None, "4", "4@2", "5"])
_ORDERS = st.builds(
    lambda order_id, day, finish, person, plate, phone, station, missing: order(
        order_id,
        values={
            "shop_date": day,
            "finish_date": finish,
            "person": person,
            PLATE: plate,
            "phone": phone,
            "damage": person,
        },
        station_id=station,
        station_state="2" if missing else None,
        missing_parts=missing,
        short_name="",
    ),
    st.integers(1, 60),
    _DAYS,
    _DAYS,
    _NAMES,
    _PLATES,
    _PHONES,
    _STATIONS,
    st.booleans(),
)
_FILTERS = st.builds(
    OrderFilters,
    plate=st.none() | _PLATES,
    person=st.none() | _NAMES,
    phone=st.none() | _PHONES,
    damage=st.none() | _NAMES,
    station=st.none() | _STATIONS,
    missing_parts=st.none() | st.booleans(),
    after=st.none() | _DAYS,
    before=st.none() | _DAYS,
    finish_after=st.none() | _DAYS,
    finish_before=st.none() | _DAYS,
    changed_since=st.none() | st.integers(0, 12).map(at),
    text=st.none()
    | st.sampled_from(["mueller", "wn 2309", "strauss", "ß", "% x", "u", "ll", "łuk rø", "q", "0151234"]),
    sort=st.sampled_from(["-shop_date", "shop_date", "-finish_date", "finish_date", "-id", "id"]),
    limit=st.integers(1, 7),
)


def matches(order: Order, filters: OrderFilters) -> bool:
    """The contract's filters in plain Python."""

    def value(path: str) -> str:
        return str(order.values.get(path) or "")

    def day_fits(day: str, after: str | None, before: str | None) -> bool:
        if after is None and before is None:
            return True
        return day != "" and (after or "")[:10] <= day <= (before or "9999")[:10]

    station = {order.station_id, f"{order.station_id}@{order.station_state or ''}"} if order.station_id else set()
    texts = [
        order.short_name,
        order.plate or "",
        *order.fields.values(),
        *map(str, filter(None, order.values.values())),
    ]
    text = f"{fold(' '.join(texts))} {fold_plate(order.plate or '').lower()} {fold_phone(value('phone'))}"
    plate, phone = fold_plate(filters.plate or ""), fold_phone(filters.phone or "")
    return (
        (filters.plate is None or (plate != "" and plate in fold_plate(order.plate or "")))
        and (filters.phone is None or (phone != "" and phone in fold_phone(value("phone"))))
        and (filters.person is None or fold(filters.person) in fold(value("person")))
        and (filters.damage is None or fold(filters.damage) == fold(value("damage")))
        and (filters.station is None or filters.station in station)
        and (filters.missing_parts is None or filters.missing_parts == order.missing_parts)
        and day_fits(value("shop_date")[:10], filters.after, filters.before)
        and day_fits(value("finish_date")[:10], filters.finish_after, filters.finish_before)
        and (filters.changed_since is None or filters.changed_since <= SAVED_AT)
        and (filters.text is None or all(word in text for word in fold(filters.text).split()))
    )


def test_a_rebuild_writes_the_texts(store: Store) -> None:
    """Orders whose texts were lost, as after an upgrade, are found by any part of a word again, also of their parts."""
    save(store, order(1, parts=(part(1),), fields={"Hinweis": "Heckstoßstange qx"}), order(2))
    run_script(store.url, "UPDATE orders SET text_key = ''")

    assert store.write(lambda tx: reindex.rebuild_batch(tx)) == RebuildProgress(2, 2, 2)
    assert store.write(lambda tx: reindex.rebuild_batch(tx)) is None

    for text in ("stange", "qx", "x", "5g6 heck"):
        assert find_ids(store, OrderFilters(text=text)) == [1], text


@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    derandomize=True,
)
@given(
    st.lists(_ORDERS, max_size=15, unique_by=lambda order: order.id),
    st.lists(_FILTERS, min_size=4, max_size=8),
    st.booleans(),
)
def test_filters_agree_with_the_model(
    store: Store, saved: list[Order], searches: list[OrderFilters], indexed: bool
) -> None:
    """
    For any orders and any filters, all pages together are the model's orders in the model's sequence, whether the
    search index is complete, and so is used, or not.
    """
    store = store.for_workshop(f"shop {next(_WORKSHOPS)}")
    if indexed:
        store.write(lambda tx: lookup_keys.write_rebuild_progress(tx, None))
    save(store, *saved)
    for filters in searches:
        found: list[int] = []
        page_filters: OrderFilters | None = filters
        while page_filters is not None:
            page = find_page(store, page_filters)
            found += [order.id for order in page.documents]
            page_filters = replace(filters, cursor=page.next_cursor) if page.next_cursor else None
        assert found == [order.id for order in sort_orders(saved, filters.sort) if matches(order, filters)]


def sort_orders(saved: list[Order], sort: str) -> list[Order]:
    """By that day, then by id; orders without the day last, in either direction."""
    name, descending = sort.removeprefix("-"), sort.startswith("-")
    by_id = sorted(saved, key=lambda order: order.id, reverse=sort == "-id")
    if name == "id":
        return by_id
    days = {order.id: str(order.values[name] or "")[:10] for order in saved}
    dated = [order for order in by_id if days[order.id]]
    return sorted(dated, key=lambda order: days[order.id], reverse=descending) + [
        order for order in by_id if not days[order.id]
    ]
