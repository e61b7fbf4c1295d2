"""`GET /api/lookup`: parameters, matches, and the personal data that it doesn't show."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from sqlalchemy import select

from planso_connector import app
from planso_connector.domain.order import PLATE, VEHICLE
from planso_connector.sandbox import Sandbox
from planso_connector.store import orders
from planso_connector.store import reindex as store_reindex
from planso_connector.store.engine.database import Transaction
from planso_connector.store.maintenance import migrate
from planso_connector.store.tables import lookup_keys as lookup_keys_table
from tests.databases import Store, make_as_of, needs_migration, run_script
from tests.service import Service, running, running_on_sqlite, settings_for, wait_until
from tests.store.samples import at, order

WORKSHOP = "default"
GOLF, AUDI, OLD, TWIN, OTHER_TWIN = 9001, 9002, 9003, 9004, 9005
HELD: dict[int, dict[str, str]] = {
    GOLF: {
        PLATE: "HH-VF 6123",
        "person": "Xenia Quastenberg",
        "phone": "0151 5550123",
        "email": "xenia.quast@example.org",
    },
    AUDI: {PLATE: "HH-VT 6123", "person": "Ygor Quastenberg", "phone": "0151 5550124", "email": "ygor@example.org"},
    OLD: {PLATE: "HH-OL 999", "person": "Zeno Altmeister", "phone": "", "email": ""},
    TWIN: {PLATE: "B-NO 4321", "person": "Zwillinge", "phone": "", "email": ""},
    OTHER_TWIN: {PLATE: "BN-O 4321", "person": "Nochmals", "phone": "", "email": ""},
}
CARS = {GOLF: "VW Golf", AUDI: "Audi A4", TWIN: "Opel Corsa", OTHER_TWIN: "Ford Focus"}
PERSONAL = ("person", "phone", "email")


def fill(tx: Transaction) -> None:
    for order_id, values in HELD.items():
        held = {name: value or None for name, value in values.items()} | {VEHICLE: CARS.get(order_id)}
        whole = order(order_id, values=held, plate=values[PLATE], archived=order_id == OLD)
        orders.save(tx, whole, read_at=at(1), now=at(1))


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with running_on_sqlite(tmp_path_factory.mktemp("lookup"), Sandbox(orders=12)) as started:
        started.write_database(fill)
        yield started


def request(service: Service, language: str = "", **asked: Any) -> httpx2.Response:
    headers = {"Accept-Language": language} if language else {}
    response = service.http.get("/api/lookup", params=asked, headers=headers)
    assert response.status_code < 500, response.text
    return response


def look_up(service: Service, **asked: Any) -> dict[str, Any]:
    response = request(service, **asked)
    assert response.status_code == 200, response.text
    body: dict[str, Any] = response.json()
    return body


def ids(body: dict[str, Any]) -> list[int]:
    return [match["order_id"] for match in body["matches"]]


@pytest.mark.parametrize(
    ("asked", "reason", "is_certain"),
    [
        ({"q": "Heinrich Heinrich, Viktor Friedrich, sechs eins zwo drei"}, "plate exact", False),
        ({"plate": "hh vf 6123"}, "plate exact", False),
        ({"name": "Quastenberg, Xenia"}, "name exact", False),
        ({"name": "Xenia Kwastenberg"}, "name sounds alike", False),
        ({"phone": "+49 (0)151 5550123"}, "phone exact", True),
        ({"phone": "null eins fünf eins fünf fünf fünf null eins zwo drei"}, "phone exact", True),
        ({"phone": "550123"}, "phone ends so", False),
        ({"email": "xenia punkt quast at example punkt org"}, "email exact", False),
        ({"q": "Xenia Quastenberg, Golf"}, "name exact", False),
        ({"plate": "HH VF 6123", "name": "Quastenberg Xenia", "phone": "5550123"}, "plate exact", True),
    ],
)
def test_each_parameter_finds_the_order(
    service: Service, asked: dict[str, str], reason: str, *, is_certain: bool
) -> None:
    """
    Each parameter, written and spoken, alone and with others. While the mirror has another plate one letter away, a
    plate alone is not certain.
    """
    body = look_up(service, **asked)
    assert body["success"] is True
    assert body["count"] == len(body["matches"])
    assert ids(body)[0] == GOLF
    assert reason in body["matches"][0]["reasons"]
    assert body["is_certain"] is is_certain
    assert (body["ask"] is None) is is_certain
    scores = [match["score"] for match in body["matches"]]
    assert scores == sorted(scores, reverse=True)
    assert all(0 < score <= 1 for score in scores)


def test_no_match_is_an_empty_list(service: Service) -> None:
    """With what was understood, a message, and a question about what was not said."""
    body = look_up(service, plate="WN ZZ 1")
    assert (body["matches"], body["count"], body["is_certain"]) == ([], 0, False)
    assert body["ask"] == "Auf welchen Namen läuft der Auftrag?"
    assert body["heard"]["plates"][0] == "WNZZ1"
    assert body["message"]


@pytest.mark.parametrize("asked", [{}, {"q": ""}, {"q": "  ", "plate": ""}, {"limit": "5"}, {"archived": "true"}])
def test_no_text_is_422(service: Service, asked: dict[str, str]) -> None:
    """The message names the parameters that are accepted."""
    response = request(service, **asked)
    assert response.status_code == 422
    body = response.json()
    assert body["success"] is False
    assert body["detail"][0]["loc"] == ["query", "q"]
    assert "phone" in body["message"]


@pytest.mark.parametrize("name", ["q", "plate", "name", "phone", "email"])
@pytest.mark.parametrize("text", ["a\x00b", "zwei\nZeilen", "\x07", "x" * 1001, "x" * 10_000])
def test_an_invalid_text_is_422(service: Service, name: str, text: str) -> None:
    """Control characters and too long texts are refused, and `loc` names the parameter."""
    response = request(service, **{name: text})
    assert response.status_code == 422
    assert response.json()["detail"][0]["loc"] == ["query", name]


@pytest.mark.parametrize("limit", ["0", "51", "-1", "viele", "9" * 30])
def test_an_invalid_limit_is_422(service: Service, limit: str) -> None:
    """A limit is a number from 1 to 50."""
    assert request(service, q="Quastenberg", limit=limit).status_code == 422


def test_certainty_does_not_depend_on_the_limit(service: Service) -> None:
    """With one order in the response the other one still counts."""
    body = look_up(service, q="HH VF 6123", limit=1)
    assert (ids(body), body["is_certain"]) == ([GOLF], False)
    assert "Golf" in body["ask"]
    assert len(ids(look_up(service, name="Quastenberg", limit=50))) >= 2


def test_no_more_personal_data_than_asked_for(service: Service) -> None:
    """A plate shows no personal data, any other fact only itself, and only of orders that it fits."""
    for match in look_up(service, q="HH VF 6123")["matches"]:
        assert [match[name] for name in PERSONAL] == [None, None, None]
    for name, asked in {"person": "name", "phone": "phone", "email": "email"}.items():
        best = look_up(service, **{asked: HELD[GOLF][name]})["matches"][0]
        assert {column: best[column] for column in PERSONAL} == {**dict.fromkeys(PERSONAL), name: HELD[GOLF][name]}
    body = look_up(service, plate="HH VT 6123", phone=HELD[GOLF]["phone"])
    shown = {match["order_id"]: match["phone"] for match in body["matches"]}
    assert (shown[GOLF], shown[AUDI]) == (HELD[GOLF]["phone"], None)


def test_the_clarifying_question_has_no_personal_data(service: Service) -> None:
    """It names vehicles, and no plate, person or number that the caller did not say."""
    for asked in ({"q": "HH VF 6123"}, {"q": "B NO 4321"}, {"name": "Quastenberg"}, {"phone": "5550"}):
        question = look_up(service, **asked)["ask"] or ""
        for values in HELD.values():
            assert not [value for value in values.values() if value and value in question]


def test_all_personal_data_by_setting(tmp_path: Path) -> None:
    """With CONNECTOR_LOOKUP_PERSONAL=all a plate alone shows the person."""
    with running_on_sqlite(tmp_path, Sandbox(orders=5), connector_lookup_personal="all") as service:
        service.write_database(fill)
        best = look_up(service, plate="HH VF 6123")["matches"][0]
    assert {name: best[name] for name in PERSONAL} == {name: HELD[GOLF][name] for name in PERSONAL}


def test_the_question_is_in_the_callers_language(service: Service) -> None:
    """German by default; Content-Language and Vary are set."""
    german, english = request(service, q="HH VF 6123"), request(service, "en-GB, de;q=0.3", q="HH VF 6123")
    assert "VW Golf" in german.json()["ask"]
    assert german.json()["ask"].startswith("Geht es um den ")
    assert english.json()["ask"].startswith("Is it about the ")
    for response, language in ((german, "de"), (english, "en")):
        assert (response.headers["Content-Language"], response.headers["Vary"]) == (language, "Accept-Language")
    assert german.json()["matches"] == english.json()["matches"]


@pytest.mark.parametrize("said", ["B NO 4321", "BN O 4321", "bno4321", "Berta Nordpol Otto vier drei zwo eins"])
def test_an_ambiguous_key_finds_both_plates(service: Service, said: str) -> None:
    """Without the gap both plates match, none is certain, and the question names both vehicles."""
    body = look_up(service, q=said)
    assert set(ids(body)[:2]) == {TWIN, OTHER_TWIN}
    assert body["is_certain"] is False
    assert "Corsa" in body["ask"]
    assert "Focus" in body["ask"]


def test_archived_orders_are_separate(service: Service) -> None:
    """They are never among the current ones, nor the current ones among them."""
    assert OLD not in ids(look_up(service, q="HH OL 999"))
    assert ids(look_up(service, q="HH OL 999", archived="true"))[0] == OLD
    assert GOLF not in ids(look_up(service, q="HH VF 6123", archived="true"))


HOSTILE = [
    "%", "_", "*", "%%%", "a", "ä", "1", "0", "🚗" * 300, "\u202e\u200b\ufeff", "' OR 1=1 --", "\\", '"', "[",
    "ß" * 1000,
    "a " * 500, "1 a " * 250, "zwei mal " * 111, "WN AE " * 160, "1" * 1000, "Meyer " * 160, "@" * 1000, "\U0010ffff",
    "be ce de " * 110, "at punkt " * 111, "und " * 250, "0" * 1000, "E" * 1000, "-" * 1000, "１２３４", "ﬃ", "İıI",
]  # fmt: skip


@pytest.mark.parametrize("text", HOSTILE, ids=lambda text: repr(text)[:20])
def test_any_text_is_answered_in_bounded_time(service: Service, text: str) -> None:
    """200 or 422 within two seconds, nothing is certain, and wildcards match nothing."""
    for name in ("q", "plate", "name", "phone", "email"):
        start = time.process_time()  # of a core, since the machine may be busy
        response = request(service, **{name: text})
        assert time.process_time() - start < 2.0, name
        assert response.status_code in (200, 422)
        if response.status_code == 200:
            assert response.json()["is_certain"] is False
    if text in ("%", "_", "*", "%%%"):
        assert look_up(service, q=text)["matches"] == []


def test_a_write_is_found_at_once(service: Service) -> None:
    """The lookup finds a value that a write saved, and no longer the one that it replaced."""
    order_id = service.sandbox.order_ids()[0]
    assert service.put(order_id, person="Quirin Umbenannt").status_code == 200
    assert ids(look_up(service, name="Quirin Umbenannt"))[0] == order_id
    assert service.put(order_id, person="Wendelin Anders").status_code == 200
    assert order_id not in ids(look_up(service, name="Quirin Umbenannt"))


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_an_upgrade_builds_the_keys(kind: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    """Orders of a database at migration 0003 are found for certain once their keys are built."""
    url = f"sqlite:///{tmp_path}/old.db"
    if kind == "postgresql":
        server = request.getfixturevalue("postgresql_server")
        url = server.url(server.create_database("template1"))
    make_as_of(url, "0003")
    run_script(url, OLD_ORDER)
    assert needs_migration(url)
    sandbox = Sandbox(orders=5)
    with sandbox.serve() as planso, running(settings_for(sandbox, planso, url), sandbox) as service:
        wait_until(lambda: look_up(service, plate="hhvf6123")["is_certain"], "the rebuilt index")
        body = look_up(service, plate="hhvf6123")
    assert (ids(body), body["is_certain"]) == ([GOLF], True)


OLD_ORDER = f"""
INSERT INTO orders (workshop, id, version, archived, changed_at, first_seen_at, short_name, person, plate,
  missing_parts, shop_day, finish_day, plate_key, person_key, phone_key, email_key, damage_key, status_key,
  text_key, document)
VALUES ('{WORKSHOP}', {GOLF}, 7, 0, '2026-11-23T00:00:01.000000Z', '2026-11-23T00:00:01.000000Z', 'x', 'Xenia',
  'HH-VF 6123', 0, '', '', 'HHVF6123', 'xenia', '', '', '', '', '', '{{"id":{GOLF},"archived":false}}');
INSERT INTO sightings (workshop, order_id, read_at, synced_at, list_fingerprint)
VALUES ('{WORKSHOP}', {GOLF}, '2026-11-23T00:00:01.000000Z', '2026-11-23T00:00:02.000000Z', 'one');
"""  # noqa: S608


def test_reindex_rebuilds_the_keys(tmp_path: Path) -> None:
    """`reindex` on a database without keys gives the keys that saving the orders gave."""
    url = f"sqlite:///{tmp_path}/connector.db"
    migrate.migrate(url)
    store = Store(url, workshop=WORKSHOP)
    store.write(fill)
    along = keys(store)
    store.write(lambda tx: store_reindex.clear_keys(tx))
    sandbox = Sandbox(orders=5)

    async def reindex() -> None:
        async with app.open_connector(settings_for(sandbox, "http://127.0.0.1:1", url)) as built:
            await built.default.reindexer.run(from_start=True)

    asyncio.run(reindex())
    assert keys(store) == along != set()
    store.close()


def keys(store: Store) -> set[tuple[Any, ...]]:
    rows = store.read(lambda tx: tx.fetch_all(select(lookup_keys_table)))
    return {tuple(row.values()) for row in rows if row["kind"]}
