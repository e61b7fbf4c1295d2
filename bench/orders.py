"""
A mirror of many invented orders as a SQLite file, created once for each number of orders and kept in FOLDER.

Rows are inserted in bulk, with the values that `store` derives from an order; `_check` lets `store.orders.save` write
some of the orders again and compares every column. Every fourth order has all fields, and so do the fifty with `PLATE`;
the others have only what a caller may know, so that a million fit into 4 GB. The orders are the same in every run.
"""

from __future__ import annotations

import random
import sys
import tempfile
import time
from collections.abc import Iterable, Sequence
from contextlib import closing
from datetime import date, timedelta
from functools import cache
from pathlib import Path
from typing import Any, cast

import apsw

from planso_connector.domain.clock import Instant
from planso_connector.domain.fields import BY_PATH, MIRRORED, FieldGroup, FieldKind, Value
from planso_connector.domain.folding import fold, fold_plate
from planso_connector.domain.order import PLATE as PLATE_PATH
from planso_connector.domain.order import VEHICLE, Order
from planso_connector.store import lookup_keys, orders, sync_runs, trigrams
from planso_connector.store.engine.sqlite import SqliteTransaction, connect
from planso_connector.store.maintenance import migrate
from planso_connector.store.order_rows import order_columns, sanitize_order, to_json
from planso_connector.store.tables import metadata

FOLDER = Path(tempfile.gettempdir()) / "planso-connector-bench"
"""Not in the worktree: a million orders take 4 GB, and every worktree can use the same file."""
VERSION = 5
"""Increase it when the orders change: the file is then created again."""

SHOP = "default"
NOW = Instant("2026-11-23T06:00:00.000000Z")
FIRST_ID = 1_000_001
"""Above every id of the sandbox: a sync finds none of these orders."""

PLATE, SAME_PLATE = "WN-QX 5050", 50
"""This plate has SAME_PLATE orders, spread evenly over the mirror, with all fields."""
CUSTOMERS = 20_000
"""Number of different customers; each of their orders has another plate."""
CHUNK = 2000
"""Orders per bulk insert."""
CHECKED = 300
"""Orders that are compared with those of `store.orders.save`."""


def _words(text: str) -> list[str]:
    return text.split()


_FIRST = ("Jana", "Katrin", "Uwe", "René", "Jürgen", "Björn", "Käthe", "Mirja", "Swantje", "Rüdiger", "Ulf", "Wiebke")
_COMMON = ("Petersen", "Weiß", "Großmann", "Schröder", "Böhm", "Krämer", "Jäger", "Strauß", "Voß", "Meißner", "Ebeling")
_HEADS = _words(
    "Ahl Bach Berg Birk Brink Brom Dorn Eich Esch Feld Flint Frei Gold Grün Hag Hart Heid Hell Hirsch Hohl Kalt Kamm "
    "Kern Kirsch Klee Kling Korn Kreuz Laub Lehm Linden Lücht Mai Moor Mühl Neu Nord Ober Ost Rau Reh Roden Rot Sand "
    "Schön Schwarz See Silber Sommer Stein Strom Süd Tann Ufer Vogel Wald Wasser Weid West Wiesen Wild Winter Wolf"
)
_TAILS = _words(
    "acker au bach baum beck berg brecht brink bruch brück burg dorf eck egger feld fels fort gard graf grund hagen "
    "hammer haus heim hoff holz horst hub huber kamp kemper kötter land lauer lein ling loh mann markt meier meister "
    "moser müller nagel rath ried rode roth sang schild schmidt see stedt stein stetter thal weber weiler winkel wirth"
)
_DISTRICTS = _words("WN S BN B HH M K KI NF ES GP LB BB WND W WI FD F AA AAL RT TÜ LÖ FÜ")
_LETTERS = "ABCDEFGHJKLMNOPRSTUVWXYZ"
_MODELS = ("VW Golf VIII", "VW Passat", "Opel Mokka", "Ford Focus Turnier", "BMW 320d", "Skoda Octavia", "Audi A4")
_COLOURS = ("Deep Black Perleffekt", "Candyweiß", "Lichtsilber", "Tornadorot", "Indiumgrau")
_STATUS = ("In Arbeit", "In Lackierung", "Teile bestellt", "abholbereit", "angelegt")
_DAMAGE = ("KL 1", "KL 2", "KL 2-3", "KL 3", "")
_REMARKS = "Kundin wartet auf Rückruf.\nErsatzwagen ist bestellt, Schlüssel im Tresor {}."
_DAMAGES = "Stoßfänger hinten gerissen, Heckklappe. Parkrempler, Felge VR angeschlagen, Lack bis auf die Grundierung."
_START = date(2018, 1, 2)
_DAYS = 3200


def path_of(count: int) -> Path:
    """Return the mirror of so many orders; create it if it does not exist, which takes minutes for a million."""
    path = FOLDER / f"orders-{VERSION}-{count}.db"
    if not path.exists():
        FOLDER.mkdir(exist_ok=True)
        began = time.perf_counter()
        part = path.with_suffix(".part")
        for leftover in (part, Path(f"{part}-wal"), Path(f"{part}-shm")):
            leftover.unlink(missing_ok=True)
        _create(part, count)
        _check(part, count)
        part.rename(path)
        print(f"created {path}, {path.stat().st_size / 1e9:.1f} GB, in {time.perf_counter() - began:.0f} s")
    _clear(path)
    return path


def _clear(path: Path) -> None:
    """Delete what earlier benchmarks left: API keys, and the access log of all that they read."""
    with closing(connect(path)) as database:
        for table in ("api_keys", "access_log"):
            database.execute(f"DELETE FROM {table}")  # noqa: S608
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()


def order(number: int, count: int) -> Order:
    """Return order `number`, counted from 0, of a mirror of `count`."""
    return _build_order(number, *_draw(number, count))


def plate_of(number: int, count: int) -> str:
    return _draw(number, count)[1]


def is_found_by_plate(number: int, count: int) -> bool:
    """Whether the list of the order's plate has this order alone."""
    customer, plate = _draw(number, count)
    return plate != PLATE and not _is_archived(customer)


def stored_document(path: Path, number: int) -> bytes:
    """Return the document of order `number` as the file has it."""
    with closing(connect(path, read_only=True)) as database:
        return str(database.execute("SELECT document FROM orders WHERE id = ?", (FIRST_ID + number,)).get).encode()


def _is_archived(customer: int) -> bool:
    return customer % 10 == 3


def _draw(number: int, count: int) -> tuple[int, str]:
    """Return the number of the customer, which determines all but the plate, and the plate."""
    distance = max(1, count // SAME_PLATE)
    if number % distance == distance // 2:
        return number // 20 * 20 % CUSTOMERS, PLATE
    return number % CUSTOMERS, _draw_plate(random.Random(number * 2_654_435_761))


def _build_order(number: int, customer: int, plate: str) -> Order:
    dice = random.Random(customer)
    values = _draw_basic_values(dice, plate)
    fields: dict[str, str] = {}
    if customer % 4 == 0:
        values |= _draw_other_values(dice, customer)
        fields = {field.labels[0]: str(values.get(field.path) or "") for field in MIRRORED}
        fields |= dict.fromkeys(_OTHER_LABELS, "")
    return Order(
        id=FIRST_ID + number,
        short_name=f"{plate} {str(values['person']).rpartition(' ')[2]}",
        plate=plate,
        station_id=str(customer % 9 + 1),
        station_state="active",
        missing_parts=False,
        values=values,
        fields=fields,
        archived=_is_archived(customer),
        position=str(customer),
        list_finish_date=str(values["damage"] or "") or None,
    )


def _draw_plate(dice: random.Random) -> str:
    letters = "".join(dice.choices(_LETTERS, k=2))
    return f"{dice.choice(_DISTRICTS)}-{letters} {dice.randint(1, 9999)}"


def _draw_basic_values(dice: random.Random, plate: str) -> dict[str, Value]:
    """Return what a caller may know of an order."""
    last = dice.choice(_COMMON) if dice.random() < 0.1 else dice.choice(_HEADS) + dice.choice(_TAILS)
    first = dice.choice(_FIRST)
    day = _START + timedelta(days=dice.randrange(_DAYS))
    return {
        PLATE_PATH: plate,
        "person": f"{first} {last}",
        "phone": f"030 23125 {dice.randrange(100_000):05}",
        "email": f"{first}.{last}{dice.randrange(100)}@example.de".lower() if dice.random() < 0.8 else None,
        "damage": dice.choice(_DAMAGE) or None,
        "shop_date": day.isoformat(),
        "finish_date": (day + timedelta(days=dice.randrange(3, 12))).isoformat(),
        "project_status": dice.choice(_STATUS),
        VEHICLE: dice.choice(_MODELS),
        "vehicle.color_name": dice.choice(_COLOURS),
    }


def _draw_other_values(dice: random.Random, number: int) -> dict[str, Value]:
    values = {field.path: _draw_value(dice, field.path) for field in MIRRORED if field.path not in _BASIC_PATHS}
    vin = "WXX" + "".join(dice.choices("ABCDEFGHJKLMNPRSTUVWXYZ0123456789", k=14))
    return {
        **values,
        "vehicle_details.vin": vin,
        "vehicle.vin": vin,
        "remarks": _REMARKS.format(number),
        "damage_description": _DAMAGES,
    }


def _draw_value(dice: random.Random, path: str) -> Value:
    kind = BY_PATH[path].kind
    if kind in (FieldKind.DATE, FieldKind.MONTH, FieldKind.DATETIME):
        return f"20{dice.randrange(18, 27)}-{dice.randrange(1, 13):02}-{dice.randrange(1, 29):02}"
    return dice.randrange(1, 60) if kind is FieldKind.ID else BY_PATH[path].example


_BASIC_PATHS = frozenset(_draw_basic_values(random.Random(0), "")) | {"vehicle_details.vin", "vehicle.vin"}
_OTHER_LABELS = tuple(
    field.labels[0] for field in BY_PATH.values() if field not in MIRRORED and field.group is FieldGroup.ORDER
) + tuple(f"Feld {number} der Werkstatt" for number in range(1, 21))

_ORDERS, _LAST_SEEN, _KEYS = (metadata.tables[name] for name in ("orders", "last_seen", "lookup_keys"))
_Rows = list[tuple[Any, ...]]
_PLACEHOLDER = "XX-YZ 10203"
"""The plate of the row from which the rows of a customer are made; no order has it."""
_INDEXES = {column.name: index for index, column in enumerate(_ORDERS.c)}
"""The index of each column in a row of `orders`."""


@cache
def _build_template(customer: int) -> tuple[list[Any], list[lookup_keys.Key]]:
    """Return a row for this customer with the placeholder as its plate and id 0, and its keys without the plate's."""
    order = sanitize_order(_build_order(-FIRST_ID, customer, _PLACEHOLDER))
    columns = {"workshop": SHOP, "id": order.id, "version": 1, "deleted_at": None, **order_columns(order)}
    columns |= {"changed_at": NOW, "first_seen_at": NOW, "document": to_json(order.to_document())}
    contact = (cast("str | None", order.values.get(name)) for name in ("person", "phone", "email"))
    return [columns[name] for name in _INDEXES], list(lookup_keys.build_keys(None, *contact))


@cache
def _build_trigrams(customer: int) -> str:
    """Return the trigrams of the template row's text without those of the plate."""
    text = _build_template(customer)[0][_INDEXES["text_key"]]
    return trigrams.index_text(text.replace(fold(_PLACEHOLDER), "").replace(fold_plate(_PLACEHOLDER).lower(), ""))


def _build_rows(begin: int, end: int, count: int) -> tuple[_Rows, _Rows, _Rows, _Rows]:
    """Return the rows of the orders `begin` to `end` (exclusive): orders, last_seen, lookup_keys, texts."""
    order_rows: _Rows = []
    seen: _Rows = []
    keys: _Rows = []
    texts: _Rows = []
    for number in range(begin, end):
        customer, plate = _draw(number, count)
        template, contact_keys = _build_template(customer)
        row, order_id = list(template), FIRST_ID + number
        for name in ("short_name", "plate", "number_plate"):
            row[_INDEXES[name]] = row[_INDEXES[name]].replace(_PLACEHOLDER, plate)
        row[_INDEXES["id"]] = order_id
        row[_INDEXES["document"]] = (
            f'{{"id":{order_id}{row[_INDEXES["document"]][len(_NO_ID) :].replace(_PLACEHOLDER, plate)}'
        )
        row[_INDEXES["plate_key"]] = fold_plate(plate)
        text = row[_INDEXES["text_key"]].replace(fold(_PLACEHOLDER), fold(plate))
        row[_INDEXES["text_key"]] = text.replace(fold_plate(_PLACEHOLDER).lower(), fold_plate(plate).lower())
        texts.append(
            (
                number + 1,
                f"{_build_trigrams(customer)} {trigrams.index_text(f'{fold(plate)} {fold_plate(plate).lower()}')}",
            )
        )
        order_rows.append(tuple(row))
        seen.append((SHOP, order_id, NOW, NOW, NOW, _fingerprint(number)))
        archived = row[_INDEXES["archived"]]
        plate_keys = lookup_keys.build_keys(plate, None, None, None)
        keys += ((SHOP, str(kind), key, archived, order_id) for kind, key in (*contact_keys, *plate_keys))
    return order_rows, seen, keys, texts


_NO_ID = '{"id":0'


def _fingerprint(number: int) -> str:
    return f"{number:016x}"


def _insert(table: str, columns: Iterable[str]) -> str:
    names = list(columns)
    return f"INSERT INTO {table} ({', '.join(names)}) VALUES ({', '.join('?' * len(names))})"  # noqa: S608


def _create(path: Path, count: int) -> None:
    """Insert the rows without indexes and without a journal, and create the indexes at the end."""
    migrate.migrate(f"sqlite:///{path}")
    with closing(apsw.Connection(str(path))) as database:
        for setting in ("journal_mode = OFF", "synchronous = OFF", "cache_size = -400000", "temp_store = FILE"):
            database.execute(f"PRAGMA {setting}").fetchall()
        database.execute("PRAGMA threads = 2").fetchall()
        indexes = cast(
            "list[tuple[str, str]]",
            database.execute(
                "SELECT name, sql FROM sqlite_master WHERE type = 'index' AND tbl_name = 'orders' AND sql IS NOT NULL"
            ).fetchall(),
        )
        database.execute("BEGIN")
        for name, _ in indexes:
            database.execute(f"DROP INDEX {name}")
        (trigger,) = database.execute("SELECT sql FROM sqlite_master WHERE name = 'text_index_insert'").fetchall()
        database.execute("DROP TRIGGER text_index_insert")
        names = [column.name for column in _KEYS.c]
        database.execute(f"CREATE TEMP TABLE unsorted ({', '.join(names)})")
        for begin in range(0, count, CHUNK):
            order_rows, seen, keys, texts = _build_rows(begin, min(begin + CHUNK, count), count)
            database.executemany(_insert("orders", _INDEXES), order_rows)
            database.executemany(_insert("last_seen", (column.name for column in _LAST_SEEN.c)), seen)
            database.executemany(_insert("unsorted", names), keys)
            numbers = [(number, SHOP, FIRST_ID + number - 1) for number, _ in texts]
            database.executemany(_insert("text_index_orders", ("number", "workshop", "order_id")), numbers)
            database.executemany(_insert("text_index", ("rowid", "grams")), texts)
        database.execute(f"INSERT INTO lookup_keys SELECT * FROM unsorted ORDER BY {', '.join(names)}")  # noqa: S608
        database.execute("DROP TABLE unsorted")
        for (sql,) in (*(index[1:] for index in indexes), trigger):
            database.execute(str(sql))
        database.execute("COMMIT")
    with closing(connect(path)) as database:
        _record_sync_run(database, count)
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()


def _record_sync_run(database: apsw.Connection, count: int) -> None:
    """Record a full sync, so that the connector regards the mirror as filled."""
    tx = SqliteTransaction(database)
    tx.use_workshop(SHOP)
    lookup_keys.write_rebuild_progress(tx, None)
    run = sync_runs.start(tx, now=NOW, kind=sync_runs.RunKind.FULL, trigger=sync_runs.Trigger.COMMAND)
    sync_runs.finish(tx, run.id, now=NOW, state=sync_runs.RunState.DONE, done=count, total=count)


def _check(path: Path, count: int) -> None:
    """Check for some orders of the file that `store.orders.save` writes the same rows and keys."""
    numbers = sorted({count * part // CHECKED for part in range(CHECKED)} | {count - 1})
    with tempfile.TemporaryDirectory() as folder:
        saved = Path(folder) / "saved.db"
        migrate.migrate(f"sqlite:///{saved}")
        with closing(connect(saved)) as database, closing(connect(path, read_only=True)) as created:
            tx = SqliteTransaction(database)
            tx.use_workshop(SHOP)
            database.execute("BEGIN")
            for number in numbers:
                orders.save(tx, order(number, count), read_at=NOW, now=NOW, list_fingerprint=_fingerprint(number))
            database.execute("COMMIT")
            for table, key in (("orders", "id"), ("last_seen", "order_id"), ("lookup_keys", "order_id")):
                _compare(table, key, [FIRST_ID + number for number in numbers], created, database)
            for number in numbers[:: len(numbers) // 20]:
                _compare_trigrams(number, created, database)
            keys = created.execute("SELECT count(DISTINCT order_id) FROM lookup_keys WHERE order_id > 0").get
            assert keys == created.execute("SELECT count(*) FROM orders").get == count, (keys, count)


def _compare(table: str, key: str, ids: Sequence[int], created: apsw.Connection, saved: apsw.Connection) -> None:
    statement = f"SELECT * FROM {table} WHERE workshop = ? AND {key} IN (SELECT value FROM json_each(?))"  # noqa: S608
    rows, expected = (
        sorted(database.execute(statement, (SHOP, to_json(ids))).fetchall(), key=repr) for database in (created, saved)
    )
    assert rows, table
    assert rows == expected, f"{table}: not what store.orders.save writes"


def _compare_trigrams(number: int, created: apsw.Connection, saved: apsw.Connection) -> None:
    """Check that both files find the order by every trigram of its text."""
    order_id = FIRST_ID + number
    text = str(saved.execute("SELECT text_key FROM orders WHERE id = ?", (order_id,)).get)
    query = "(" + ") AND (".join(f'"{trigram}"' for trigram in trigrams.index_text(text).split()[:400]) + ")"
    statement = (
        "SELECT count(*) FROM text_index WHERE rowid = (SELECT number FROM text_index_orders WHERE order_id = ?)"
        " AND text_index MATCH ?"
    )
    assert created.execute(statement, (order_id, query)).get == 1, order_id
    assert saved.execute(statement, (order_id, query)).get == 1, order_id


if __name__ == "__main__":
    print(path_of(int(sys.argv[1])))
