"""PlanSo installations differ; the connector is right on all of them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from planso_connector.sandbox import Installation, Sandbox
from tests.service import Service, running_on_sqlite

INSTALLATIONS = {
    "table": Installation(table_id=4711, field_names=7, markup="table", list_shape="list", ids_as_text=True),
    "for": Installation(markup="for", escaped_markup=True, parts_script_key="functions", column_order=3),
    "wrapped": Installation(markup="wrapped", parts_markup="plain", plain_selects=True, field_names=99),
    "busy": Installation(markup="busy", charset="iso-8859-1-undeclared", iso_dates=True, column_order=5),
    "passwords": Installation(username="müller & söhne", password="p#a&s=s wörd+%20;", login_redirects=True),
    "names": Installation(
        labels={"Fahrername": "Halter", "Telefon": "Telefonnummer", "Kunden E-Mail": "E-Mail"},
        missing_labels={"Farbton"},
        hidden_zero={"Alle Fahrzeugdaten"},
    ),
}
HOLDER = {"names": "Halter"}


@pytest.fixture(scope="module", params=INSTALLATIONS)
def installed(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[str, Service]]:
    sandbox = Sandbox(orders=24, installation=INSTALLATIONS[request.param])
    with running_on_sqlite(tmp_path_factory.mktemp("installation"), sandbox) as service:
        yield request.param, service


def test_everything_is_read(installed: tuple[str, Service]) -> None:
    """Persons, plates, dates, hours and parts of every order are PlanSo's."""
    name, service = installed
    status = service.wait_for_sync()
    assert (status["state"], status["last_result"]["done"]) == ("idle", 24)
    sandbox = service.sandbox
    for order_id in sandbox.order_ids():
        order = service.order(order_id)
        label = HOLDER.get(name, "Fahrername")
        assert (order["person"] or "") == sandbox.value(order_id, label).strip()
        assert (order["vehicle_details"]["number_plate"] or "") == sandbox.value(order_id, "Kennzeichen").strip()
        assert (order["vehicle"]["vin"] or "") == sandbox.value(order_id, "VIN")
        assert bool(order["vehicle_details"]["all_details"]) == (sandbox.value(order_id, "Alle Fahrzeugdaten") == "1")
        parts = service.http.get(f"/api/orders/{order_id}/parts").json()
        if sandbox.installation.parts_markup == "native":  # a plain table has words alone, no boxes
            assert parts["missing"] == sum(bool(part["missing"]) for part in sandbox.parts(order_id))
        else:
            assert [part["status"] or "" for part in parts["parts"]] == [p["status"] for p in sandbox.parts(order_id)]
        assert len(parts["parts"]) == len(sandbox.parts(order_id))


def test_every_kind_of_field_is_written_and_nothing_else(installed: tuple[str, Service]) -> None:
    """Text, long text, date, time, number, flag and select arrive; every other control comes back byte for byte."""
    name, service = installed
    sandbox = service.sandbox
    order_id = sandbox.order_ids()[3]
    was = sandbox.value(order_id, "Alle Fahrzeugdaten") == "1"
    before = sandbox.snapshot(order_id)
    fields = {
        "person": "Zoë Łukasz-Müßig & <Söhne>",
        "remarks": "eins\nzwei; 100 % + 'drei' \"vier\" €",
        "shop_date": "2026-12-09",
        "repair_date_time_from": "7 Uhr",
        "est_hours_lack": 1234.5,
        "damage": "KL 4",
        "vehicle_details": {"all_details": not was, "vin": "WVWZZZ1KZAW654321"},
    }
    answer = service.put(order_id, **fields)
    assert answer.status_code == 200, answer.text
    order = service.order(order_id)
    assert order["person"] == fields["person"] == sandbox.value(order_id, HOLDER.get(name, "Fahrername"))
    assert order["remarks"] == fields["remarks"]
    assert sandbox.value(order_id, "Werkstattstart") in ("09.12.2026", "2026-12-09")
    assert (order["shop_date"], order["repair_date_time_from"]) == ("2026-12-09", "07:00")
    assert sandbox.value(order_id, "Sollstunden Lack") in ("1234,50", "1.234,50")
    assert order["est_hours_lack"] == 1234.5
    assert order["damage"] == sandbox.value(order_id, "Kategorie") == "KL 4"
    assert order["vehicle_details"]["all_details"] is not was
    after = sandbox.snapshot(order_id)
    untouched = [pair for pair in before if pair in after]
    assert len(before) - len(untouched) <= 8
    again = service.put(order_id, **fields)
    assert "nothing was sent" in again.json()["message"]
    assert sandbox.snapshot(order_id) == after


def test_create_and_delete(installed: tuple[str, Service]) -> None:
    """An order can be created and deleted on every installation."""
    name, service = installed
    answer = service.http.post("/api/orders", json={"person": "Übel Äpfel", "paint_date": "1.12.26"})
    assert answer.status_code == 200, answer.text
    order_id = answer.json()["order_id"]
    assert service.sandbox.value(order_id, HOLDER.get(name, "Fahrername")) == "Übel Äpfel"
    assert service.order(order_id)["paint_date"] == "2026-12-01"
    assert service.http.delete(f"/api/orders/{order_id}").status_code == 200
    assert order_id not in service.sandbox.order_ids()


def test_two_logins_were_enough(installed: tuple[str, Service]) -> None:
    """All of a sync shares one login, and all that callers ask for another one."""
    _, service = installed
    looked = service.http.get(f"/api/orders/{service.sandbox.order_ids()[0]}", params={"max_age": "0"})
    assert (looked.status_code, looked.json()["message"]) == (200, "")
    assert (service.sandbox.logins, service.sandbox.rejected_logins) == (2, 0)
    assert service.sandbox.in_flight_peak <= 4


def test_a_profile_names_other_labels(tmp_path: Path) -> None:
    """A label that the built-in list doesn't know is read and written once the profile names it."""
    profile = tmp_path / "profile.toml"
    profile.write_text('[labels]\nperson = ["Kunde im Haus"]\n', "utf-8")
    sandbox = Sandbox(orders=12, installation=Installation(labels={"Fahrername": "Kunde im Haus"}))
    with running_on_sqlite(tmp_path, sandbox, planso_profile=profile) as service:
        order_id = sandbox.order_ids()[0]
        assert service.put(order_id, person="Petra Profil").status_code == 200
        assert sandbox.value(order_id, "Kunde im Haus") == "Petra Profil"
        assert service.order(order_id)["person"] == "Petra Profil"
