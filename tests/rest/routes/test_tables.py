"""Orders, parts and history as CSV and as Excel workbooks."""

from __future__ import annotations

import csv
import io
import re
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx2
import pytest
from openpyxl import load_workbook
from sqlalchemy import select, update

from planso_connector.domain.clock import format_instant, now
from planso_connector.domain.part import Part
from planso_connector.flows.querying.whole_lists import PAGE
from planso_connector.rest.middleware.accepted_format import CSV, XLSX, choose_type
from planso_connector.rest.tables.columns import PART_COLUMNS
from planso_connector.rest.tables.xlsx_table import XlsxTable
from planso_connector.store import history
from planso_connector.store import orders as stored_orders
from planso_connector.store.engine.transaction import Transaction
from planso_connector.store.tables import orders as rows
from tests.service import Service, wait_until
from tests.store.samples import order, part

ORDERS = 2
FIRST = 100_000
STORED = PAGE + 30
"""More than one page."""
FORMULA, PHONE, TAB = '=HYPERLINK("https://evil.example";"Angebot")', "+49 151 23456789", "\t=1+1"
TEXTS = {
    "person": FORMULA,
    "phone": PHONE,
    "remarks": 'Zeile 1\nZeile 2; mit "Zitat", Komma und Ümläuten',
    "service_advisor": "@SUM(A1)",
    "workshop_distribution": "-2+3+cmd|' /C calc'!A0",
    "vehicle_details.engine_code": "+49 cmd",
}
DATES = {"shop_date": "2026-12-08", "appointment_date": "2026-11-23T07:05:00", "vehicle_details.hu_au": "2027-05"}
BIG_ID = 2**63 - 1
DEFUSED = ("person", "service_advisor", "workshop_distribution", "vehicle_details.engine_code")


@pytest.fixture(scope="module", autouse=True)
def _stored(service: Service) -> None:
    """Orders beside those of PlanSo; the first holds texts that a spreadsheet would compute."""

    def store(tx: Transaction) -> None:
        instant = format_instant(now())
        for number in range(STORED):
            values: dict[str, Any] = (
                {**TEXTS, **DATES, "est_hours_lack": 12.5, "vehicle_details.modelID": BIG_ID} if number == 0 else {}
            )
            values.setdefault("shop_date", "2026-12-01")
            parts = (part(FIRST, part_no=TAB, price_each=1234.5, order_date="2026-11-20"),) if number == 0 else ()
            stored_orders.save(tx, order(FIRST + number, parts, values), read_at=instant, now=instant)

    service.write_database(store)


def get(service: Service, path: str, accept: str | None = None, **params: str) -> httpx2.Response:
    answer = service.http.get(f"/api/orders{path}", params=params, headers={"Accept": accept} if accept else {})
    assert answer.status_code == 200, answer.text
    return answer


def read_standard(answer: httpx2.Response) -> list[dict[str, str]]:
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    return list(csv.DictReader(io.StringIO(answer.text, newline=""), strict=True))


def read_german(answer: httpx2.Response) -> list[dict[str, str]]:
    assert answer.content.startswith(b"\xef\xbb\xbf")
    text = answer.content.decode("utf-8-sig")
    return list(csv.DictReader(io.StringIO(text, newline=""), delimiter=";", strict=True))


def read_workbook(answer: httpx2.Response) -> list[dict[str, Any]]:
    assert answer.headers["content-type"] == XLSX
    book = load_workbook(io.BytesIO(answer.content))
    header, *rows = book.worksheets[0].iter_rows()
    assert not [cell.coordinate for row in rows for cell in row if cell.data_type == "f"]
    return [{str(name.value): cell.value for name, cell in zip(header, row, strict=True)} for row in rows]


def test_a_german_excel_opens_the_list(service: Service) -> None:
    """Semicolons, BOM, decimal commas, German dates; quoted line breaks; texts that would be computed are texts."""
    (row,) = [one for one in read_german(get(service, ".csv")) if one["id"] == str(FIRST)]
    assert row["est_hours_lack"] == "12,5"
    assert (row["shop_date"], row["appointment_date"]) == ("08.12.2026", "23.11.2026 07:05")
    assert row["vehicle_details.hu_au"] == "05/2027"
    assert (row["archived"], row["vehicle_details.all_details"], row["vehicle_details.makeID"]) == (
        "FALSCH",
        "WAHR",
        "42",
    )
    assert row["phone"] == PHONE
    assert row["remarks"] == TEXTS["remarks"]
    assert {row[path] for path in DEFUSED} == {f"'{TEXTS[path]}" for path in DEFUSED}
    assert re.fullmatch(r"\d\d\.\d\d\.20\d\d \d\d:\d\d(:\d\d)?", row["last_synced_at"])


def test_the_standard_dialect(service: Service) -> None:
    """RFC 4180: commas, CRLF, quotes doubled, no BOM; decimal points and ISO dates."""
    answer = get(service, ".csv", dialect="standard", plate="WN-AE 2309")
    assert not answer.content.startswith(b"\xef\xbb\xbf")
    rows = {row["id"]: row for row in read_standard(answer)}
    assert answer.content.count(b"\r\n") == 1 + len(rows)
    row = rows[str(FIRST)]
    assert (row["est_hours_lack"], row["archived"]) == ("12.5", "false")
    assert (row["shop_date"], row["appointment_date"]) == ("2026-12-08", "2026-11-23T07:05:00")
    assert (row["phone"], row["person"]) == (PHONE, f"'{FORMULA}")
    assert row["last_synced_at"].endswith("Z")


def test_a_workbook_has_dates_numbers_and_texts(service: Service) -> None:
    """Dates are dates, numbers numbers, flags flags; every text is the stored one, and none is a formula."""
    (row,) = [one for one in read_workbook(get(service, ".xlsx")) if one["id"] == FIRST]
    assert {path: row[path] for path in TEXTS} == TEXTS
    assert row["shop_date"] == datetime(2026, 12, 8)  # noqa: DTZ001 - a day
    assert row["appointment_date"] == datetime(2026, 11, 23, 7, 5)  # noqa: DTZ001 - local time
    assert (row["est_hours_lack"], row["archived"], row["vehicle_details.hu_au"]) == (12.5, False, "05/2027")
    assert row["vehicle_details.modelID"] == str(BIG_ID)


def test_a_table_has_all_rows_or_as_many_as_were_asked_for(service: Service) -> None:
    """Beyond the pages of the list, in its order, each order once; with `limit` as many as it says, also over 500."""
    page = service.http.get("/api/orders", params={"limit": "500", "fields": "id"}).json()
    listed = [one["id"] for one in page["orders"]]
    rest = service.http.get("/api/orders", params={"limit": "500", "fields": "id", "cursor": page["next_cursor"]})
    listed += [one["id"] for one in rest.json()["orders"]]
    assert len(listed) > PAGE
    for answer in (get(service, ".csv", fields="id"), get(service, "", CSV, fields="id"), get(service, "", CSV)):
        assert [int(row["id"]) for row in read_german(answer)] == listed
    assert [row["id"] for row in read_workbook(get(service, "", XLSX, fields="id"))] == listed
    for limit in (1, PAGE, PAGE + 7):
        assert len(read_german(get(service, ".csv", limit=str(limit)))) == limit
    rows = read_german(get(service, ".csv", fields="plate,vehicle_details", limit="1"))
    assert "vehicle_details.vin" in rows[0]
    assert rows[0].keys().isdisjoint({"person", "remarks"})
    assert read_german(get(service, ".csv", person="nobody of this name")) == []


def test_parts_and_history(service: Service) -> None:
    """The parts with their prices and dates, and a row for each field that changed, by its kind."""
    (german,) = read_german(get(service, f"/{FIRST}/parts.csv"))
    assert (german["part_no"], german["price_each"], german["order_date"]) == (f"'{TAB}", "1234,5", "20.11.2026")
    (row,) = read_workbook(get(service, f"/{FIRST}/parts", XLSX))
    assert (row["part_no"], row["price_each"], row["is_missing"]) == (TAB, 1234.5, False)
    assert row["order_date"] == datetime(2026, 11, 20)  # noqa: DTZ001 - a day
    assert row.keys() == {*Part.__dataclass_fields__, "is_missing"}

    order_id = service.sandbox.order_ids()[0]
    before = service.order(order_id)
    assert service.put(order_id, shop_date="2027-01-14", person="=1+1").status_code == 200
    changes = {row["field"]: row for row in read_german(get(service, f"/{order_id}/history.csv")) if row["field"]}
    assert (changes["shop_date"]["after"], changes["shop_date"]["by"]) == ("14.01.2027", "connector")
    assert (changes["person"]["before"], changes["person"]["after"]) == (before["person"], "'=1+1")
    found = {row["field"]: row for row in read_workbook(get(service, f"/{order_id}/history", XLSX))}
    assert (found["shop_date"]["after"], found["person"]["after"]) == (datetime(2027, 1, 14), "=1+1")  # noqa: DTZ001


def test_a_long_history_is_whole(service: Service) -> None:
    """Beyond one page of changes, each once; `limit` counts changes."""

    def store(tx: Transaction) -> None:
        for version in range(2, PAGE + 20):
            after = {"remarks": str(version)}
            history.record(tx, FIRST + 1, version, {"remarks": str(version - 1)}, after, now=format_instant(now()))

    service.write_database(store)
    rows = read_german(get(service, f"/{FIRST + 1}/history.csv"))
    assert [int(row["version"]) for row in rows if row["field"] == "remarks"] == [*range(PAGE + 19, 1, -1)]
    assert len({row["version"] for row in read_german(get(service, f"/{FIRST + 1}/history.csv", limit="3"))}) == 3


@pytest.mark.parametrize(
    ("accept", "chosen"),
    [
        ("text/csv", CSV),
        ("text/csv;q=0.5, application/json;q=0.4", CSV),
        ("text/html, application/xhtml+xml, */*;q=0.8", "application/json"),
        ("text/*", CSV),
        ("application/*", "application/json"),
        (f"{XLSX}, application/json;q=0.9", XLSX),
        ("TEXT/CSV; Q=0.3", CSV),
        ("application/json;q=0, */*", CSV),
        ("application/pdf", None),
        ("text/csv;q=0", None),
        ("text/csv;q=x, ,;;", None),
    ],
)
def test_accept_chooses_the_format(accept: str, chosen: str | None) -> None:
    """The highest weight, by the most specific range; JSON where several are equal; none where none is admitted."""
    assert choose_type(accept, ("application/json", CSV, XLSX)) == chosen


def test_what_can_not_be_had_is_refused(service: Service) -> None:
    """406 names the formats; filters and paths are checked as in the list; where there is one format, it is sent."""
    refused = service.http.get("/api/orders", headers={"Accept": "application/pdf"})
    assert (refused.status_code, refused.json()["success"]) == (406, False)
    assert "text/csv" in refused.json()["message"]
    for path, status in (
        ("/api/orders.csv?after=31.02.2026", 422),
        ("/api/orders.csv?total=true", 422),
        ("/api/orders.csv?limit=0", 422),
        ("/api/orders.csv?fields=nonsense", 422),
        ("/api/orders.xlsx?dialect=standard", 422),
        ("/api/orders/999999/parts.csv", 404),
        ("/api/orders/999999/history.xlsx", 404),
        ("/api/orders.pdf", 404),
        (f"/api/orders/{FIRST}/sections", 200),
    ):
        assert service.http.get(path, headers={"Accept": "text/csv, application/json"}).status_code == status, path


def test_only_the_head(service: Service) -> None:
    """HEAD has the headers of GET and no body, and shows nobody's data."""
    service.read_access_log()
    entries = len(service.read_access_log())
    for suffix in (".csv", ".xlsx"):
        answer = service.http.head(f"/api/orders{suffix}")
        assert (answer.status_code, answer.content) == (200, b"")
        assert answer.headers["content-disposition"] == f'attachment; filename="orders{suffix}"'
        assert answer.headers["cache-control"] == "no-store"
    assert len(service.read_access_log()) == entries


def test_every_order_of_a_table_is_in_the_access_log(service: Service) -> None:
    """Each order that was shown, by the route that was asked for; of a part list, the order of its path."""
    known = service.read_access_log()
    shown = {int(row["id"]) for row in read_german(get(service, ".csv", fields="id"))}
    assert len(shown) > PAGE
    get(service, f"/{FIRST}/parts.csv")

    def find_new(route: str) -> list[tuple[int, ...]]:
        entries = [entry for entry in service.read_access_log() if entry not in known]
        return [entry.order_ids for entry in entries if entry.route == route]

    assert {order_id for ids in find_new("GET /api/orders.csv") for order_id in ids} == shown
    # Recorded once the response is sent.
    wait_until(lambda: find_new("GET /api/orders/{order_id}/parts.csv") == [(FIRST,)], "the entry of the parts")


def test_a_fault_never_looks_like_a_whole_table(service: Service) -> None:
    """Behind the first page CSV breaks off without its end; a workbook, which is not begun then, is a failure."""
    last = read_german(get(service, ".csv", fields="id"))[-1]["id"]
    is_last = (rows.c.workshop == "default", rows.c.id == int(last))
    documents: list[str] = []

    def damage(tx: Transaction) -> None:
        documents.extend(row["document"] for row in tx.fetch_all(select(rows.c.document).where(*is_last)))
        tx.execute(update(rows).where(*is_last).values(document="{"))

    def mend(tx: Transaction) -> None:
        tx.execute(update(rows).where(*is_last).values(document=documents[0]))

    service.write_database(damage)
    try:
        with pytest.raises(httpx2.RemoteProtocolError):
            service.http.get("/api/orders.csv")
        failed = service.http.get("/api/orders.xlsx")
        assert (failed.status_code, failed.json()["success"]) == (500, False)
    finally:
        service.write_database(mend)
    assert read_german(get(service, ".csv", fields="id"))[-1]["id"] == last


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # zipfile's own, as it is collected
def test_no_room_for_a_workbook(tmp_path: Path) -> None:
    """A full disk is an OSError, by which the route answers 503."""
    with Path("/dev/full").open("r+b", buffering=0) as full:
        table = XlsxTable(PART_COLUMNS, full, str(tmp_path))
        table.write_rows([["x"]])
        with pytest.raises(OSError, match="No space left"):
            table.finish()
        table.abandon()
