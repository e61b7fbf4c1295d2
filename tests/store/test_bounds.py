"""Texts of any length, as an older version may have left them, give keys that an index can hold."""

from __future__ import annotations

from dataclasses import replace

import pytest

from planso_connector.domain.order import PLATE, OversizedText
from planso_connector.store import orders
from planso_connector.store.order_rows import MAX_TEXT_LENGTH
from planso_connector.store.tables import lookup_keys as keys
from planso_connector.store.tables import orders as rows
from tests.databases import Store
from tests.store.samples import at, order


@pytest.mark.parametrize("pattern", ["A1", "\ufdfa", "🚗", "日本", "offen ", "ü-"])
def test_an_order_with_endless_texts_can_be_stored_and_found(store: Store, pattern: str) -> None:
    """An order whose texts have 30,000 characters has bounded keys and texts, and is deleted with all its keys."""
    long = (pattern * 30_000)[:30_000]
    texts = dict.fromkeys((PLATE, "person", "phone", "email", "damage", "project_status", "remarks"), long)
    endless = replace(order(), plate=long, values={**order().values, **texts}, fields={"Kennzeichen": long})
    store.write(lambda tx: orders.save(tx, endless, read_at=at(1), now=at(1)))

    found = store.read(lambda tx: tx.fetch_all(keys.select().where(keys.c.order_id == 123)))
    assert len(found) < 500
    assert max(len(row["key"]) for row in found) <= 254
    (row,) = store.read(lambda tx: tx.fetch_all(rows.select()))
    assert max(len(row[name]) for name in ("plate_key", "damage_key", "status_key")) <= 250
    assert len(row["text_key"]) <= 2 * MAX_TEXT_LENGTH

    store.write(lambda tx: orders.mark_deleted(tx, 123, now=at(2), read_at=at(2)))
    assert store.read(lambda tx: tx.fetch_all(keys.select().where(keys.c.order_id == 123))) == []


def test_what_is_too_long_is_kept_as_a_doubt(store: Store) -> None:
    """An order's doubts come back as they were saved, and another text of the same length is a change."""
    doubt = OversizedText.from_text("x" * 1000)
    odd = replace(order(), unreadable={"remarks": doubt, "shop_date": "KW 51", "fields.Notiz": doubt})
    odd = replace(odd, fields={**order().fields, "Notiz": ""})
    first = store.write(lambda tx: orders.save(tx, odd, read_at=at(1), now=at(1)))
    loaded = store.read(lambda tx: orders.load(tx, 123))
    assert loaded is not None
    assert (loaded.unreadable, loaded.fields) == (odd.unreadable, odd.fields)
    assert loaded.value_or_unreadable("remarks") != replace(
        odd, unreadable={"remarks": OversizedText.from_text("y" * 1000)}
    ).value_or_unreadable("remarks")

    other = replace(odd, unreadable={**odd.unreadable, "remarks": OversizedText.from_text("y" * 1000)})
    second = store.write(lambda tx: orders.save(tx, other, read_at=at(2), now=at(2)))
    assert second.version == first.version + 1
