"""A line added to what stands there: nobody's text is lost, nothing is added twice, and an undo takes out that line."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx2
import pytest

from planso_connector.domain.german_formats import BERLIN
from planso_connector.domain.scopes import Scope
from planso_connector.sandbox import Sandbox
from tests.rest.keys import make_key as make
from tests.service import PATIENCE, Service, running_on_sqlite

ORDERS = 12
IDS = iter(sorted(Sandbox(orders=ORDERS).order_ids()))
FIELDS = [("remarks", "Bemerkungen"), ("damage_description", "Schadenbeschreibung")]
OLD = "Kundin wartet.\nErsatzwagen bestellt."


@pytest.fixture
def order(service: Service) -> int:
    order_id = next(IDS)
    for _, label in FIELDS:
        service.sandbox.edit_field(order_id, label, OLD)
    return order_id


def append(service: Service, order_id: int, verb: str = "PATCH", /, **fields: Any) -> httpx2.Response:
    body = fields | ({"order_id": order_id} if verb == "PUT" else {})
    return service.http.request(verb, f"/api/orders/{order_id}", json=body)


def held(service: Service, order_id: int, label: str = "Bemerkungen") -> list[str]:
    return service.sandbox.value(order_id, label).splitlines()


@pytest.mark.parametrize("verb", ["PUT", "PATCH"])
def test_a_line_is_added_below_what_stands_there(service: Service, order: int, verb: str) -> None:
    """In both fields, to what PlanSo holds now, whatever the mirror knows; into an empty field as its only line."""
    service.sandbox.edit_field(order, "Bemerkungen", f"{OLD}\nEben noch.")
    service.sandbox.edit_field(order, "Schadenbeschreibung", "")
    done = append(service, order, verb, remarks_append="Ruft an.", damage_description_append="Kratzer")
    assert (done.status_code, done.json()["message"]) == (200, "")
    assert held(service, order) == [*OLD.split("\n"), "Eben noch.", "Ruft an."]
    assert held(service, order, "Schadenbeschreibung") == ["Kratzer"]
    assert service.order(order)["remarks"] == f"{OLD}\nEben noch.\nRuft an."
    operation = service.operation(done)
    assert operation["asked"] == {"remarks_append": "Ruft an.", "damage_description_append": "Kratzer"}
    history = service.http.get(f"/api/orders/{order}/history").json()["history"][0]
    assert {one["field"] for one in history["changes"]} >= {"damage_description"}


@pytest.mark.parametrize(
    ("body", "where", "kind"),
    [
        ({"remarks_append": ""}, "remarks_append", "value_error"),
        ({"remarks_append": "  \n "}, "remarks_append", "value_error"),
        ({"remarks_append": "a\x00"}, "remarks_append", "value_error"),
        ({"remarks_append": 5}, "remarks_append", "string_type"),
        ({"remarks_append": "a", "remarks": "b"}, "remarks_append", "conflicting_fields"),
        (
            {"damage_description_append": "a", "damage_description": ""},
            "damage_description_append",
            "conflicting_fields",
        ),
    ],
)
@pytest.mark.parametrize("verb", ["PUT", "PATCH"])
def test_what_is_no_line_to_add_is_422(
    service: Service, verb: str, body: dict[str, Any], where: str, kind: str
) -> None:
    """Nothing, control characters, no text, or a field that is written in the same request."""
    answer = append(service, service.sandbox.order_ids()[0], verb, **body)
    assert answer.status_code == 422
    assert [(entry["loc"], entry["type"]) for entry in answer.json()["detail"]] == [(["body", where], kind)]


def test_null_adds_nothing(service: Service, order: int) -> None:
    """In a merge patch too, where null clears other fields; beside the field itself it is no second value."""
    assert append(service, order, remarks_append=None, person="Neu").status_code == 200
    assert append(service, order, "PUT", remarks_append=None, remarks=None).json()["message"].startswith("Nothing")
    assert held(service, order) == OLD.split("\n")


def test_clients_that_append_lose_nobodys_text(service: Service, order: int) -> None:
    """Several add lines at the same time, without reading: each line of each stands there, once."""
    begin = threading.Barrier(3)

    def work(name: str) -> None:
        with httpx2.Client(base_url=service.address, timeout=PATIENCE, verify=False) as client:
            begin.wait(PATIENCE)
            for at in range(5):
                body = {"remarks_append": f"{name} {at}"}
                assert client.patch(f"/api/orders/{order}", json=body).status_code == 200

    with ThreadPoolExecutor(3) as pool:
        list(pool.map(work, ("Anna", "Bert", "Cleo")))
    lines = held(service, order)
    assert lines[:2] == OLD.split("\n")
    assert sorted(lines[2:]) == sorted(f"{name} {at}" for name in ("Anna", "Bert", "Cleo") for at in range(5))


def test_a_repeated_request_appends_once(service: Service, order: int) -> None:
    """By its key, signed or not; another line with the key is 409, and without a key the same line is another one."""
    for query in ("", "?signed=true"):
        answers = [
            service.http.patch(
                f"/api/orders/{order}{query}",
                json={"remarks_append": "Einmal."},
                headers={"Idempotency-Key": f"key{query}"},
            )
            for _ in range(3)
        ]
        assert {answer.status_code for answer in answers} == {200}
        assert len({answer.headers["Operation-Id"] for answer in answers}) == 1
    assert len(held(service, order)) == 4
    other = {"Idempotency-Key": "key"}
    assert service.http.patch(f"/api/orders/{order}", json={"remarks_append": "B"}, headers=other).status_code == 409
    assert append(service, order, remarks_append="Einmal.").status_code == 200
    assert held(service, order).count("Einmal.") == 2


def test_a_signed_line_ends_with_day_and_name(service: Service, order: int) -> None:
    """In the operation as in PlanSo; a dry run shows it; without a line there is nothing to sign."""
    today = datetime.now(BERLIN)
    address = f"/api/orders/{order}?signed=true"
    dry = service.http.patch(f"{address}&dry_run=true", json={"remarks_append": "Ruft an."}).json()
    (change,) = dry["changes"]
    assert change["after"] in {f"{OLD}\nRuft an. ({day:%d.%m.%Y})" for day in (today, datetime.now(BERLIN))}
    assert (change["field"], change["before"]) == ("remarks", OLD)
    assert held(service, order) == OLD.split("\n")
    done = service.http.patch(address, json={"remarks_append": "Ruft an."})
    assert held(service, order)[-1] in {f"Ruft an. ({day:%d.%m.%Y})" for day in (today, datetime.now(BERLIN))}
    assert service.operation(done)["asked"]["remarks_append"] == held(service, order)[-1]
    refused = service.http.patch(address, json={"remarks": "Ruft an."})
    assert (refused.status_code, refused.json()["detail"][0]["loc"]) == (422, ["query", "signed"])


def test_an_undo_takes_out_that_line(service: Service, order: int) -> None:
    """Also where others added text since, and once; a dry run shows it; undoing the undo adds it again."""
    done = append(service, order, remarks_append="Ruft an.", person="Neu")
    service.sandbox.edit_field(order, "Bemerkungen", f"Oben.\n{OLD}\nRuft an.\nVon Hand.")
    undo = f"/api/operations/{done.headers['Operation-Id']}/undo"
    dry = service.http.post(undo, params={"dry_run": "true"}).json()["changes"]
    assert [one["after"] for one in dry if one["field"] == "remarks"] == [f"Oben.\n{OLD}\nVon Hand."]
    undone = service.http.post(undo)
    assert undone.status_code == 200, undone.text
    assert held(service, order) == ["Oben.", *OLD.split("\n"), "Von Hand."]
    assert service.http.post(f"/api/operations/{undone.headers['Operation-Id']}/undo").status_code == 200
    assert held(service, order)[-1] == "Ruft an."


def test_an_undo_leaves_text_alone_that_does_not_hold_the_line(service: Service, order: int) -> None:
    """Where the line was changed or taken out since it is a conflict, and beside other fields they alone are undone."""
    done = append(service, order, remarks_append="Ruft an.")
    service.sandbox.edit_field(order, "Bemerkungen", f"{OLD}\nRuft morgen an.")
    undo = f"/api/operations/{done.headers['Operation-Id']}/undo"
    for query in ({"dry_run": "true"}, {}):
        answer = service.http.post(undo, params=query)
        assert (answer.status_code, answer.json()["conflicts"][0]["field"]) == (412, "remarks")
    both = append(service, order, remarks_append="Und mehr.", person="Neu Neu")
    person = service.operation(both)["before"]["person"]
    service.sandbox.edit_field(order, "Bemerkungen", "Alles neu.")
    partly = service.http.post(f"/api/operations/{both.headers['Operation-Id']}/undo")
    assert (partly.status_code, "Left alone" in partly.json()["message"]) == (200, True)
    assert (held(service, order), service.order(order)["person"]) == (["Alles neu."], person)


def test_a_line_is_no_conflict_with_what_others_add(service: Service, order: int) -> None:
    """With `If-Match` the version counts when it is accepted; text that is added to the field afterwards does not."""
    service.http.get(f"/api/orders/{order}", params={"max_age": "0"})
    etag = service.http.get(f"/api/orders/{order}").headers["ETag"]
    service.sandbox.edit_field(order, "Bemerkungen", f"{OLD}\nVon Hand.")
    body, headers = {"remarks_append": "Ruft an."}, {"If-Match": etag}
    assert service.http.patch(f"/api/orders/{order}", json=body, headers=headers).status_code == 200
    assert held(service, order) == [*OLD.split("\n"), "Von Hand.", "Ruft an."]
    stale = service.http.patch(f"/api/orders/{order}", json={"remarks_append": "Nie."}, headers=headers)
    assert (stale.status_code, held(service, order)[-1]) == (412, "Ruft an.")


def test_a_line_that_stands_there_is_saved_whatever_else_is_changed(service: Service, order: int) -> None:
    """Somebody adds text between the save and its reading: the line is there, so it is a success."""
    service.sandbox.knobs.edit_after_next_save = [(order, "Bemerkungen", f"{OLD}\nRuft an.\nGleich danach.")]
    done = append(service, order, remarks_append="Ruft an.")
    assert done.status_code == 200, done.text
    assert service.order(order)["remarks"].endswith("Gleich danach.")


def test_appending_needs_what_the_field_needs(service: Service, order: int) -> None:
    """A key that may change dates alone may not add to the remarks; one that may not read is shown its line alone."""
    service.sandbox.edit_field(order, "Bemerkungen", "Geheim")
    dates, writer = make(service, Scope.APPOINTMENTS_WRITE), make(service, Scope.ORDERS_WRITE)
    address = f"/api/orders/{order}"
    with httpx2.Client(base_url=service.address, timeout=PATIENCE, verify=False) as client:
        refused = client.patch(address, json={"remarks_append": "x"}, headers=dates)
        assert (refused.status_code, "remarks_append" in refused.json()["message"]) == (403, True)
        for query in ({"dry_run": "true"}, {"signed": "true"}):
            answer = client.patch(address, json={"remarks_append": "Ruft an."}, headers=writer, params=query)
            assert (answer.status_code, "Geheim" in answer.text) == (200, False)
    assert held(service, order)[-1].endswith(", agent)")


@pytest.fixture
def slow(tmp_path: Path) -> Iterator[Service]:
    with running_on_sqlite(tmp_path, Sandbox(orders=6), planso_timeout=1.0, connector_sync_parts=False) as started:
        yield started


@pytest.mark.parametrize("is_kept", [True, False])
def test_an_answer_that_got_lost_appends_nothing_twice(slow: Service, is_kept: bool) -> None:
    """PlanSo took the line, or did not, and its answer never came: in the end it stands there once."""
    order_id = slow.sandbox.order_ids()[0]
    slow.sandbox.edit_field(order_id, "Bemerkungen", "Ruft an.")
    slow.sandbox.knobs.drop_saves_next = 0 if is_kept else 1
    slow.sandbox.knobs.lose_answers_next = 1
    sent = slow.http.patch(
        f"/api/orders/{order_id}", json={"remarks_append": "Ruft an."}, headers={"Prefer": "respond-async"}
    )
    assert slow.wait_until_settled(sent)["state"] == "confirmed"
    assert held(slow, order_id) == ["Ruft an.", "Ruft an."]
