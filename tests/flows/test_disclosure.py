"""What a write discloses to a caller that may not read orders: every write, with every scope."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import httpx2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from planso_connector.domain import errors, stored_errors
from planso_connector.domain.caller import Caller
from planso_connector.domain.errors import ConnectorError, FieldMismatch, Problem
from planso_connector.domain.notes import RequestNote
from planso_connector.domain.operation import Action, Conflict, Operation, OperationState
from planso_connector.domain.scopes import Scope
from planso_connector.flows.writing import disclosure
from planso_connector.rest.schemas.errors import error_response, get_status
from planso_connector.sandbox import Sandbox
from tests.rest.keys import make_key as make
from tests.rest.routes.write_requests import hide_forms
from tests.service import Service, running_on_sqlite

SECRET = "Geheim"
HELD = {
    "Fahrername": f"{SECRET} Person",
    "Telefon": f"0711 {SECRET}",
    "Kunden E-Mail": f"{SECRET}@example.de",
    "Bemerkungen": f"{SECRET} bleibt hier",
    "Schadenbeschreibung": f"{SECRET} am Heck",
    "Kennzeichen": f"{SECRET} 1",
    "VIN": f"{SECRET}VIN",
    "Motor": f"{SECRET} Motor",
    "Werkstattstart": "03.02.2031",
    "Lackiertermin": "04.02.2031",
}
DAYS = ("03.02.2031", "2031-02-03", "04.02.2031", "2031-02-04")
WRITERS = {
    "orders": (Scope.ORDERS_WRITE,),
    "appointments": (Scope.APPOINTMENTS_WRITE,),
    "all but reading": (Scope.ORDERS_WRITE, Scope.APPOINTMENTS_WRITE, Scope.SYNC, Scope.METRICS),
}
READERS = {"reader": (Scope.ORDERS_READ, Scope.ORDERS_WRITE), "admin": (Scope.ADMIN,)}
MEMBERS = WRITERS | READERS

DRY = {"dry_run": "true"}

Answered = list[httpx2.Response]
Scenario = Callable[["Stage"], Answered]


class Stage:
    """One order full of secrets, the caller, and the body that this caller may send."""

    def __init__(self, service: Service, caller: httpx2.Client, order_id: int, scopes: Sequence[Scope]) -> None:
        self.service, self.caller, self.order_id = service, caller, order_id
        self.knobs = service.sandbox.knobs
        dates_alone = Scope.APPOINTMENTS_WRITE in scopes and Scope.ORDERS_WRITE not in scopes
        self.field, self.label = ("shop_date", "Werkstattstart") if dates_alone else ("person", "Fahrername")
        self.value, self.held = ("2026-12-09", "2031-02-03") if dates_alone else ("Neu Neu", HELD["Fahrername"])
        self.address = f"/api/orders/{order_id}"

    def put(self, value: str | None = None, **more: Any) -> httpx2.Response:
        body = {"order_id": self.order_id, self.field: self.value if value is None else value}
        return self.caller.put(self.address, json=body, **more)

    def patch(self, value: str | None = None, **more: Any) -> httpx2.Response:
        return self.caller.patch(self.address, json={self.field: self.value if value is None else value}, **more)

    def edit(self) -> None:
        self.service.sandbox.edit_field(
            self.order_id, self.label, "05.02.2031" if "date" in self.field else f"{SECRET} neu"
        )

    def own(self, written: httpx2.Response) -> Answered:
        """The answer, and its operation as the same caller reads it."""
        name = written.headers.get("Operation-Id")
        return [written, *([self.caller.get(f"/api/operations/{name}")] if name else [])]

    def others(self, **fields: Any) -> str:
        """A write that somebody else did; its operation."""
        done = self.service.http.patch(self.address, json=fields)
        assert done.status_code == 200, done.text
        return done.headers["Operation-Id"]


def changed_at_the_same_time(stage: Stage) -> Answered:
    order = stage.order_id
    stage.knobs.edit_after_next_read = [(order, "Bemerkungen", f"{SECRET} eben"), (order, "Telefon", f"07 {SECRET}")]
    return stage.own(stage.put())


def written_and_written_again(stage: Stage) -> Answered:
    return [*stage.own(stage.put()), *stage.own(stage.patch()), *stage.own(stage.put(stage.held))]


def cleared(stage: Stage) -> Answered:
    return [*stage.own(stage.put("")), *stage.own(stage.patch(""))]


def relied_on_another_version(stage: Stage) -> Answered:
    return stage.own(stage.patch(headers={"If-Match": '"99"'}))


def relied_on_what_somebody_changed(stage: Stage) -> Answered:
    version = stage.service.order(stage.order_id)["version"]
    stage.edit()
    return stage.own(stage.patch(headers={"If-Match": f'"{version}"'}))


def kept_another_value(stage: Stage) -> Answered:
    stage.knobs.alter_saved = {stage.label: "06.02.2031" if "date" in stage.field else f"{SECRET} behalten"}
    return stage.own(stage.patch())


def refused_in_words(stage: Stage) -> Answered:
    stage.knobs.refuse_saves = f"Der Kunde {SECRET} ist gesperrt."
    return [*stage.own(stage.put()), *stage.own(stage.caller.delete(stage.address))]


def pending(stage: Stage) -> Answered:
    with hide_forms(stage.service, stage.order_id):
        sent = stage.put(headers={"Prefer": "respond-async"})
        return [*stage.own(sent), stage.caller.post(f"/api/operations/{sent.headers['Operation-Id']}/cancel")]


def tried_only(stage: Stage) -> Answered:
    values = (None, stage.held, "")
    deleted = stage.caller.delete(stage.address, params=DRY)
    return [*(stage.put(value, params=DRY) for value in values), stage.patch(params=DRY), deleted]


def tried_only_on_what_cannot_be_taken(stage: Stage) -> Answered:
    if stage.field == "shop_date":
        return [stage.patch("31.02.2026")]
    return [
        stage.caller.patch(stage.address, json={"vehicle_details": {"makeID": 999999}}, params=dry) for dry in (DRY, {})
    ]


def undone(stage: Stage) -> Answered:
    undo = f"/api/operations/{stage.others(person='Neu Neu', shop_date='2026-12-09')}/undo"
    return [stage.caller.post(undo, params=DRY), *stage.own(stage.caller.post(undo))]


def undone_where_somebody_was_at_it(stage: Stage) -> Answered:
    undo = f"/api/operations/{stage.others(person='Neu Neu', remarks='Neu')}/undo"
    stage.service.sandbox.edit_field(stage.order_id, "Fahrername", f"{SECRET} von Hand")
    partly = [stage.caller.post(undo, params=DRY), *stage.own(stage.caller.post(undo))]
    stage.service.sandbox.edit_field(stage.order_id, "Bemerkungen", f"{SECRET} auch")
    return [*partly, stage.caller.post(undo, params=DRY), *stage.own(stage.caller.post(undo))]


def undone_and_kept_otherwise(stage: Stage) -> Answered:
    undo = f"/api/operations/{stage.others(person='Neu Neu')}/undo"
    stage.knobs.alter_saved = {"Fahrername": f"{SECRET} behalten"}
    return stage.own(stage.caller.post(undo))


def cancelled_anothers(stage: Stage) -> Answered:
    with hide_forms(stage.service, stage.order_id):
        body, asynchronous = {"person": f"{SECRET} wartet"}, {"Prefer": "respond-async"}
        sent = stage.service.http.patch(stage.address, json=body, headers=asynchronous)
        name = sent.headers["Operation-Id"]
        address = f"/api/operations/{name}"
        cancelled = [
            stage.caller.get(address),
            stage.caller.post(f"{address}/cancel"),
            stage.caller.post(f"{address}/cancel"),
        ]
        stage.service.http.post(f"{address}/cancel")
        return cancelled


def created(stage: Stage) -> Answered:
    """The like of it stands there already; then with a value that PlanSo keeps otherwise."""
    body = {
        "vehicle_details": {"number_plate": HELD["Kennzeichen"].replace(SECRET, "WN-XY")},
        "shop_date": "2026-12-09",
    }
    first = stage.service.http.post("/api/orders", json=body | {"person": f"{SECRET} Zuerst"}).json()["order_id"]
    once, strict = stage.caller.post("/api/orders", json=body), {"Prefer": "handling=strict"}
    again = stage.caller.post("/api/orders", json=body, headers=strict)
    dry = stage.caller.post("/api/orders", json=body, params=DRY)
    stage.knobs.alter_saved = {"Fahrername": f"{SECRET} behalten"}
    other = stage.caller.post("/api/orders", json={"person": "Neu Neu"})
    for answer in (once, again, dry):
        assert f" {first}" not in answer.json()["message"] or "Authorization" in answer.request.headers
    return [*stage.own(once), again, dry, *stage.own(other)]


def deleted(stage: Stage) -> Answered:
    return [*stage.own(stage.caller.delete(stage.address)), *stage.own(stage.put()), stage.patch(params=DRY)]


def repeated_with_its_key(stage: Stage) -> Answered:
    keyed = {"Idempotency-Key": "once"}
    return [stage.put(headers=keyed), *stage.own(stage.put(headers=keyed)), stage.patch(stage.held, headers=keyed)]


def appended(stage: Stage) -> Answered:
    if stage.field == "shop_date":
        return [stage.caller.patch(stage.address, json={"remarks_append": "Ruft an."})]
    line = {"remarks_append": "Ruft an."}
    tried = stage.caller.patch(stage.address, json=line, params=DRY)
    done = stage.own(stage.caller.patch(stage.address, json=line))
    undo = f"/api/operations/{done[0].headers['Operation-Id']}/undo"
    undone = [stage.caller.post(undo, params=DRY), *stage.own(stage.caller.post(undo))]
    stage.knobs.normalise = {"blanks"}
    stage.service.sandbox.edit_field(stage.order_id, "Bemerkungen", f"{SECRET}  zwei  Blanks")
    collapsed = stage.own(stage.caller.patch(stage.address, json=line))
    stage.knobs.alter_saved = {"Bemerkungen": f"{SECRET} behalten"}
    return [tried, *done, *undone, *collapsed, *stage.own(stage.caller.patch(stage.address, json=line))]


SCENARIOS: list[Scenario] = [
    appended,
    changed_at_the_same_time,
    written_and_written_again,
    cleared,
    relied_on_another_version,
    relied_on_what_somebody_changed,
    kept_another_value,
    refused_in_words,
    pending,
    tried_only,
    tried_only_on_what_cannot_be_taken,
    undone,
    undone_where_somebody_was_at_it,
    undone_and_kept_otherwise,
    cancelled_anothers,
    created,
    deleted,
    repeated_with_its_key,
]
IDS = sorted(Sandbox(orders=len(SCENARIOS) * len(MEMBERS) + 20).order_ids())


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A connector with keys, `http` with an admin's, and orders full of secrets."""
    sandbox = Sandbox(orders=len(IDS))
    for order_id in IDS:
        for label, text in HELD.items():
            sandbox.edit_field(order_id, label, text)
    with running_on_sqlite(tmp_path_factory.mktemp("disclosure"), sandbox) as running:
        running.http.headers |= make(running, Scope.ADMIN, name="admin")
        yield running


def values_in(body: bytes) -> list[str]:
    """The texts that a request sent."""
    whole = json.loads(body) if body else {}
    return [value for value in whole.values() if isinstance(value, str) and value]


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.__name__)
def test_no_write_discloses_more_than_its_caller_may_read(service: Service, scenario: Scenario) -> None:
    """
    The same deed by callers that may read orders and by those that may not: the same statuses where both may do it, and
    no secret in any answer to the latter; what they sent themselves, names of fields and the outcome are told.
    """
    statuses: dict[str, list[int]] = {}
    for who, scopes in MEMBERS.items():
        order_id = IDS[SCENARIOS.index(scenario) * len(MEMBERS) + list(MEMBERS).index(who)]
        headers = make(service, *scopes, name=who)
        with httpx2.Client(base_url=service.address, headers=headers, timeout=90, verify=False) as client:
            try:
                answers = scenario(Stage(service, client, order_id, scopes))
            finally:
                service.sandbox.knobs.alter_saved, service.sandbox.knobs.refuse_saves = {}, None
                service.sandbox.knobs.normalise = set()
        deeds = [answer for answer in answers if answer.request.method != "GET"]
        statuses[who] = [answer.status_code for answer in deeds]
        assert 500 not in [answer.status_code for answer in answers]
        if who in WRITERS:
            sent = [value for answer in deeds for value in values_in(answer.request.content)]
            for answer in answers:
                shown = answer.text + str(answer.headers)
                for value in sent:
                    shown = shown.replace(value, "")
                assert not [secret for secret in (SECRET, *DAYS) if secret in shown], answer.text
    assert statuses["orders"] == statuses["all but reading"] == statuses["reader"] == statuses["admin"]


def test_readers_get_the_values(service: Service) -> None:
    """Readers get what others do not: the order's values, PlanSo's wording, the duplicate's number."""
    reader = service.http
    stage = Stage(service, reader, IDS[-1], (Scope.ADMIN,))
    for scenario, place in (
        (kept_another_value, 0),
        (relied_on_what_somebody_changed, 0),
        (tried_only, 0),
        (undone, 0),
    ):
        answers = scenario(stage)
        service.sandbox.knobs.alter_saved = {}
        assert SECRET in answers[place].text, scenario
    refused = refused_in_words(stage)
    service.sandbox.knobs.refuse_saves = None
    assert SECRET in refused[0].text


def test_a_dry_run_does_not_let_callers_guess_values(service: Service) -> None:
    """A value that it holds and one that it does not: to a key that may only write both answers are the same."""
    headers = make(service, Scope.APPOINTMENTS_WRITE)
    with httpx2.Client(base_url=service.address, headers=headers, timeout=90, verify=False) as client:
        answers = [
            client.patch(f"/api/orders/{IDS[-2]}", params=DRY, json={"paint_date": day})
            for day in ("2031-02-04", "2031-02-05")
        ]
    held, other = (answer.json() for answer in answers)
    assert other["changes"][0].pop("after") == "2031-02-05"
    assert held["changes"][0].pop("after") == "2031-02-04"
    assert held == other


@pytest.mark.parametrize("verdict", ["damaged", "edited"])
def test_changes_to_other_fields_are_reported_by_name(tmp_path: Path, verdict: str) -> None:
    """
    Damage, and an edit at the same time: a reader is told label and values, any other caller the label alone, in the
    answer and in the operation.
    """
    with running_on_sqlite(tmp_path, Sandbox(orders=12), connector_sync_parts=False) as service:
        service.http.headers |= make(service, Scope.ADMIN, name="admin")
        first, second = IDS[:2]
        callers = (((Scope.ADMIN,), first, "Motor"), ((Scope.APPOINTMENTS_WRITE,), second, "Bemerkungen"))
        for who, order_id, label in callers:
            for held, text in HELD.items():
                service.sandbox.edit_field(order_id, held, text)
            headers = make(service, *who, name="agent")
            with httpx2.Client(base_url=service.address, headers=headers, timeout=90, verify=False) as client:
                if verdict == "damaged":
                    service.sandbox.knobs.lose_on_save = {"Schadenbeschreibung", label}
                else:
                    service.sandbox.knobs.edit_after_next_save = [(order_id, label, f"{SECRET} danach")]
                answer = client.patch(f"/api/orders/{order_id}", json={"shop_date": "2026-12-09"})
                service.sandbox.knobs.lose_on_save = set()
                operation = client.get(f"/api/operations/{answer.headers['Operation-Id']}")
            assert answer.status_code == (502 if verdict == "damaged" else 200)
            assert f"'{label}'" in answer.json()["message"]
            assert f"'{label}'" in operation.json()["operation"]["message"]
            reads = Scope.ADMIN in who
            assert [SECRET in one.text for one in (answer, operation)] == [reads, reads]
            assert service.http.post("/api/writes/resume").status_code == 200


def test_a_narrow_key_learns_the_outcome_of_its_own_values(service: Service) -> None:
    """What looks wrong, what was cleared, and what was left out of the request."""
    headers = make(service, Scope.ORDERS_WRITE)
    with httpx2.Client(base_url=service.address, headers=headers, timeout=90, verify=False) as client:
        body = {"person": None, "phone": "ruft an", "kennzeichen": "x"}
        answer = client.patch(f"/api/orders/{IDS[-3]}", json=body)
        operation = client.get(f"/api/operations/{answer.headers['Operation-Id']}").json()["operation"]
    for sentence in (
        "phone does not look like a phone number",
        "person is cleared",
        "Left out, not known here: kennzeichen (did you mean vehicle_details.number_plate?).",
    ):
        assert sentence in answer.json()["message"]
        assert sentence in operation["message"]


OWNER = Caller("0" * 10, "agent", frozenset({Scope.ORDERS_WRITE}))
OTHER = Caller("1" * 10, "other", frozenset({Scope.ORDERS_WRITE, Scope.APPOINTMENTS_WRITE, Scope.SYNC}))
READER = Caller("2" * 10, "reader", frozenset({Scope.ORDERS_READ}))
FAILURES: list[ConnectorError] = [
    errors.NotFound("There is no order 130 in PlanSo."),
    errors.Invalid([Problem(("body", "person"), f"'{SECRET}' is not offered", "planso_not_offered")]),
    errors.ReadBackMismatch([FieldMismatch("person", "Fahrername", "Neu", SECRET)]),
    errors.EditConflict(f"Changed since: {SECRET}", [Conflict("person", SECRET, SECRET, SECRET)]),
    *(
        kind(f"PlanSo says {SECRET}")
        for kind in (errors.PlansoRefused, errors.Expired, errors.AmbiguousCreate, errors.PlansoError)
    ),
]
SHOWN = {"before": [SECRET], "after": [SECRET], "shown_before": SECRET, "shown_after": SECRET}
OPERATIONS = st.builds(
    Operation,
    id=st.just("op_1"),
    action=st.sampled_from(Action),
    order_id=st.sampled_from([None, 130]),
    requested=st.sampled_from([{"person": "Neu"}, {"person": SECRET}, {}]),
    state=st.sampled_from(OperationState),
    message=st.sampled_from(["", f"Changed at the same time: '{SECRET}'."]),
    notes=st.sampled_from(["", f"{SECRET} looks wrong."]),
    before=st.sampled_from([None, {"person": SECRET}]),
    base=st.sampled_from([None, {"person": SECRET}]),
    undoes=st.sampled_from([None, "op_0"]),
    failure=st.sampled_from([None, *map(stored_errors.serialize_error, FAILURES)]),
    caller=st.just(OWNER.label),
    sent_at=st.sampled_from([None, "2026-11-23T09:41:00.118000Z"]),
    differences=st.sampled_from(
        [None, *([{"column": "f_1", "label": "Telefon", "verdict": one, **SHOWN}] for one in ("lost", "overwritten"))]
    ),
    controls=st.sampled_from([None, {"f_1": [SECRET]}]),
)


@given(OPERATIONS)
def test_no_operation_shows_a_value_to_who_may_not_read_it(operation: Operation) -> None:
    """
    Whatever stands in an operation: to a caller that did not ask for it no value is shown, as a member or as an answer;
    to the one that did those that it sent; a reader is shown them all.
    """
    for caller in (OWNER, OTHER):
        shown = json.dumps(disclosure.serialize_operation(operation, caller))
        if operation.state not in (OperationState.PENDING, OperationState.CONFIRMED):
            shown += bytes(error_response(disclosure.build_error(operation, caller)).body).decode()
        is_own = caller is OWNER and operation.undoes is None
        of_request = (
            str(operation.requested) + operation.notes + str(operation.failure) * ("Invalid" in str(operation.failure))
        )
        assert SECRET not in shown or (is_own and SECRET in of_request)
    everything = json.dumps(disclosure.serialize_operation(operation, READER))
    assert operation.message in everything
    assert json.dumps(operation.before) in everything


def _kinds(kind: type[ConnectorError]) -> Iterator[type[ConnectorError]]:
    yield kind
    for narrower in kind.__subclasses__():
        yield from _kinds(narrower)


@pytest.mark.parametrize("kind", sorted(set(_kinds(errors.PlansoError)), key=str))
def test_the_wording_of_planso_errors_is_not_passed_on(kind: type[ConnectorError]) -> None:
    """A caller that may not read orders gets the connector's own wording, with the same status."""
    error = kind.__new__(kind, SECRET)
    if isinstance(error, errors.LoginRejected):
        return
    shown = disclosure.redact_error(error, OTHER)
    assert (SECRET in str(shown), get_status(shown)) == (False, get_status(error))
    assert disclosure.redact_error(error, READER) is error


def test_a_note_on_the_request_is_for_its_caller() -> None:
    """A pending write that waits for a person says so to its caller, where the text says nothing of the order."""
    operation = Operation("op_1", Action.UPDATE, 130, {"person": "Neu"}, message=RequestNote("Writes are stopped."))
    assert disclosure.serialize_operation(operation, OTHER)["message"] == "Writes are stopped."
