"""
A mirror of many invented orders, as a SQLite file: made once for each number, kept in `.bench/`, always the same.

The rows are written by the thousand, with what `store` makes of an order; `checked` has `store.orders.save` write some
of them anew and compares every column. Every fourth order has all its fields, and so do the fifty with `PLATE`; the
others have what a caller may know of them, so that a million fit into 4 GB.
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

FOLDER = Path(__file__).parents[1] / ".bench"
VERSION = 4
"""Another one when other orders are made: the file is then made anew."""

SHOP = "default"
NOW = Instant("2026-11-23T06:00:00.000000Z")
FIRST_ID = 1_000_001
"""Above every order that PlanSo's stand-in invents: a sync finds none of these."""

PLATE, SAME_PLATE = "WN-QX 5050", 50
"""So many orders have this plate, evenly over the whole mirror, with all fields."""
CUSTOMERS = 20_000
"""So many different people, each with a plate of its own in every order."""
CHUNK = 2000
CHECKED = 300


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
    """The mirror of so many orders, made if need be: for a million some minutes."""
    path = FOLDER / f"orders-{VERSION}-{count}.db"
    if not path.exists():
        FOLDER.mkdir(exist_ok=True)
        began = time.perf_counter()
        made = path.with_suffix(".part")
        for leftover in (made, Path(f"{made}-wal"), Path(f"{made}-shm")):
            leftover.unlink(missing_ok=True)
        _make(made, count)
        checked(made, count)
        made.rename(path)
        print(f"made {path.name}, {path.stat().st_size / 1e9:.1f} GB, in {time.perf_counter() - began:.0f} s")
    return path


def order(number: int, count: int) -> Order:
    """The order with this number, from 0, of a mirror of `count`."""
    return _order(number, *_drawn(number, count))


def _drawn(number: int, count: int) -> tuple[int, str]:
    """The customer, who decides all but the plate, and the plate."""
    apart = max(1, count // SAME_PLATE)
    if number % apart == apart // 2:
        return number // 20 * 20 % CUSTOMERS, PLATE
    return number % CUSTOMERS, _plate(random.Random(number * 2_654_435_761))


def _order(number: int, customer: int, plate: str) -> Order:
    dice = random.Random(customer)
    values = _known(dice, plate)
    fields: dict[str, str] = {}
    if customer % 4 == 0:
        values |= _more(dice, customer)
        fields = {field.labels[0]: str(values.get(field.path) or "") for field in MIRRORED}
        fields |= dict.fromkeys(_ONLY_ON_THE_FORM, "")
    return Order(
        id=FIRST_ID + number,
        short_name=f"{plate} {str(values['person']).rpartition(' ')[2]}",
        plate=plate,
        station_id=str(customer % 9 + 1),
        station_state="active",
        missing_parts=False,
        values=values,
        fields=fields,
        archived=customer % 10 == 3,
        position=str(customer),
        list_finish_date=str(values["damage"] or "") or None,
    )


def _plate(dice: random.Random) -> str:
    letters = "".join(dice.choices(_LETTERS, k=2))
    return f"{dice.choice(_DISTRICTS)}-{letters} {dice.randint(1, 9999)}"


def _known(dice: random.Random, plate: str) -> dict[str, Value]:
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


def _more(dice: random.Random, number: int) -> dict[str, Value]:
    more = {field.path: _example(dice, field.path) for field in MIRRORED if field.path not in _KNOWN}
    vin = "WXX" + "".join(dice.choices("ABCDEFGHJKLMNPRSTUVWXYZ0123456789", k=14))
    return {
        **more,
        "vehicle_details.vin": vin,
        "vehicle.vin": vin,
        "remarks": _REMARKS.format(number),
        "damage_description": _DAMAGES,
    }


def _example(dice: random.Random, path: str) -> Value:
    kind = BY_PATH[path].kind
    if kind in (FieldKind.DATE, FieldKind.MONTH, FieldKind.DATETIME):
        return f"20{dice.randrange(18, 27)}-{dice.randrange(1, 13):02}-{dice.randrange(1, 29):02}"
    return dice.randrange(1, 60) if kind is FieldKind.ID else BY_PATH[path].example


_KNOWN = frozenset(_known(random.Random(0), "")) | {"vehicle_details.vin", "vehicle.vin"}
_ONLY_ON_THE_FORM = tuple(
    field.labels[0] for field in BY_PATH.values() if field not in MIRRORED and field.group is FieldGroup.ORDER
) + tuple(f"Feld {number} der Werkstatt" for number in range(1, 21))

_ORDERS, _LAST_SEEN, _KEYS = (metadata.tables[name] for name in ("orders", "last_seen", "lookup_keys"))
_Rows = list[tuple[Any, ...]]
_STAND_IN = "XX-YZ 10203"
"""The plate of the rows that a customer's orders are made from; nobody has it."""
_AT = {column.name: place for place, column in enumerate(_ORDERS.c)}


@cache
def _pattern(customer: int) -> tuple[list[Any], list[lookup_keys.Key]]:
    """The row of an order of this customer, with `_STAND_IN` and without an id; and its keys but those of the plate."""
    one = sanitize_order(_order(-FIRST_ID, customer, _STAND_IN))
    columns = {"workshop": SHOP, "id": one.id, "version": 1, "deleted_at": None, **order_columns(one)}
    columns |= {"changed_at": NOW, "first_seen_at": NOW, "document": to_json(one.to_document())}
    told = (cast("str | None", one.values.get(name)) for name in ("person", "phone", "email"))
    return [columns[name] for name in _AT], list(lookup_keys.build_keys(None, *told))


@cache
def _grams(customer: int) -> str:
    """The pieces of that row's text but those of the plate."""
    text = _pattern(customer)[0][_AT["text_key"]]
    return trigrams.index_text(text.replace(fold(_STAND_IN), "").replace(fold_plate(_STAND_IN).lower(), ""))


def _rows(begin: int, end: int, count: int) -> tuple[_Rows, _Rows, _Rows, _Rows]:
    """Return the rows of the orders `begin` to `end` (exclusive): orders, last_seen, lookup_keys, texts."""
    listed: _Rows = []
    seen: _Rows = []
    keys: _Rows = []
    texts: _Rows = []
    for number in range(begin, end):
        customer, plate = _drawn(number, count)
        pattern, held = _pattern(customer)
        row, order_id = list(pattern), FIRST_ID + number
        for name in ("short_name", "plate", "number_plate"):
            row[_AT[name]] = row[_AT[name]].replace(_STAND_IN, plate)
        row[_AT["id"]] = order_id
        row[_AT["document"]] = f'{{"id":{order_id}{row[_AT["document"]][len(_NO_ID) :].replace(_STAND_IN, plate)}'
        row[_AT["plate_key"]] = fold_plate(plate)
        text = row[_AT["text_key"]].replace(fold(_STAND_IN), fold(plate))
        row[_AT["text_key"]] = text.replace(fold_plate(_STAND_IN).lower(), fold_plate(plate).lower())
        texts.append(
            (number + 1, f"{_grams(customer)} {trigrams.index_text(f'{fold(plate)} {fold_plate(plate).lower()}')}")
        )
        listed.append(tuple(row))
        seen.append((SHOP, order_id, NOW, NOW, NOW, _fingerprint(number)))
        archived = row[_AT["archived"]]
        of_plate = lookup_keys.build_keys(plate, None, None, None)
        keys += ((SHOP, str(kind), key, archived, order_id) for kind, key in (*held, *of_plate))
    return listed, seen, keys, texts


_NO_ID = '{"id":0'


def _fingerprint(number: int) -> str:
    return f"{number:016x}"


def _insert(table: str, columns: Iterable[str]) -> str:
    names = list(columns)
    return f"INSERT INTO {table} ({', '.join(names)}) VALUES ({', '.join('?' * len(names))})"  # noqa: S608


def _make(path: Path, count: int) -> None:
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
            listed, seen, keys, texts = _rows(begin, min(begin + CHUNK, count), count)
            database.executemany(_insert("orders", _AT), listed)
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
        _note_a_sync(database, count)
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()


def _note_a_sync(database: apsw.Connection, count: int) -> None:
    """So that a connector does not think that the mirror was never filled."""
    tx = SqliteTransaction(database)
    tx.use_workshop(SHOP)
    lookup_keys.write_rebuild_progress(tx, None)
    run = sync_runs.start(tx, now=NOW, kind=sync_runs.RunKind.FULL, trigger=sync_runs.Trigger.COMMAND)
    sync_runs.finish(tx, run.id, now=NOW, state=sync_runs.RunState.DONE, done=count, total=count)


def checked(path: Path, count: int) -> None:
    """That `store.orders.save` writes the same rows and keys, for some orders of the file."""
    numbers = sorted({count * part // CHECKED for part in range(CHECKED)} | {count - 1})
    with tempfile.TemporaryDirectory() as folder:
        saved = Path(folder) / "saved.db"
        migrate.migrate(f"sqlite:///{saved}")
        with closing(connect(saved)) as database, closing(connect(path, read_only=True)) as made:
            tx = SqliteTransaction(database)
            tx.use_workshop(SHOP)
            database.execute("BEGIN")
            for number in numbers:
                orders.save(tx, order(number, count), read_at=NOW, now=NOW, list_fingerprint=_fingerprint(number))
            database.execute("COMMIT")
            for table, key in (("orders", "id"), ("last_seen", "order_id"), ("lookup_keys", "order_id")):
                _compare(table, key, [FIRST_ID + number for number in numbers], made, database)
            for number in numbers[:: len(numbers) // 20]:
                _compare_pieces(number, made, database)
            keys = made.execute("SELECT count(DISTINCT order_id) FROM lookup_keys WHERE order_id > 0").get
            assert keys == made.execute("SELECT count(*) FROM orders").get == count, (keys, count)


def _compare(table: str, key: str, ids: Sequence[int], made: apsw.Connection, saved: apsw.Connection) -> None:
    # `+` keeps the primary key's first columns from being skipped over: the keys of an order lie all over their table.
    asked = f"SELECT * FROM {table} WHERE workshop = ? AND {key} IN (SELECT value FROM json_each(?))"  # noqa: S608
    one, other = (
        sorted(database.execute(asked, (SHOP, to_json(ids))).fetchall(), key=repr) for database in (made, saved)
    )
    assert one, table
    assert one == other, f"{table} is not what store.orders.save writes"


def _compare_pieces(number: int, made: apsw.Connection, saved: apsw.Connection) -> None:
    """That each file finds the order by every piece of its text."""
    order_id = FIRST_ID + number
    text = str(saved.execute("SELECT text_key FROM orders WHERE id = ?", (order_id,)).get)
    pieces = "(" + ") AND (".join(f'"{piece}"' for piece in trigrams.index_text(text).split()[:400]) + ")"
    asked = (
        "SELECT count(*) FROM text_index WHERE rowid = (SELECT number FROM text_index_orders WHERE order_id = ?)"
        " AND text_index MATCH ?"
    )
    assert made.execute(asked, (order_id, pieces)).get == saved.execute(asked, (order_id, pieces)).get == 1, order_id


if __name__ == "__main__":
    print(path_of(int(sys.argv[1])))
