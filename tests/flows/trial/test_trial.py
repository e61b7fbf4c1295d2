"""
`doctor --try-write ORDER`: the order is afterwards as it was before, to the letter, or what it lost can be written back
and nothing is written any more; what was found is known from then on.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import aclosing, contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx2
import pytest
from typer.testing import Result

from planso_connector import app
from planso_connector.domain import clock
from planso_connector.domain.clock import format_instant
from planso_connector.domain.errors import NotPossible
from planso_connector.domain.operation import Action, Operation
from planso_connector.sandbox import Sandbox
from planso_connector.settings import Settings
from planso_connector.store import leases, operations
from tests.command_line import command_here
from tests.service import Service, running, settings_for

ORDER = 123
WORKSHOP = "default"


class Stand:
    """A sandbox and a database, in which connectors come and go."""

    def __init__(self, folder: Path, sandbox: Sandbox, url: str) -> None:
        self.folder = folder
        self.sandbox = sandbox
        self.url = url
        database = f"sqlite:///{folder}/connector.db"
        self.settings = settings_for(sandbox, url, database, connector_sync_parts=False, planso_timeout=2.0)
        self.environment = {
            "PLANSO_URL": url,
            "PLANSO_USER": sandbox.installation.username,
            "PLANSO_PASSWORD": sandbox.installation.password,
            "PLANSO_TIMEOUT": "2",
            "CONNECTOR_DATABASE_URL": database,
        }

    def knobs(self, **changes: Any) -> None:
        answer = httpx2.post(f"{self.url}/sandbox/knobs", json=changes)
        assert answer.status_code == 200, answer.text

    def doctor(self, *arguments: str, **environment: str) -> Result:
        return command_here(self.folder, "doctor", *arguments, **{**self.environment, **environment})

    def tried(self, *arguments: str, order: int = ORDER) -> Result:
        return self.doctor("--try-write", str(order), "--yes", *arguments)

    @contextmanager
    def service(self) -> Iterator[Service]:
        with running(self.settings, self.sandbox) as service:
            service.filled()
            yield service

    @property
    def saves(self) -> int:
        return sum(request.saving for request in self.sandbox.requests)


@pytest.fixture
def stand(tmp_path: Path) -> Iterator[Stand]:
    sandbox = Sandbox(orders=12)
    with sandbox.serve() as url:
        yield Stand(tmp_path, sandbox, url)


def saving(service: Service) -> tuple[str, str]:
    """How saving is known, by each of the three routes that say it, and why."""
    told = service.http.get("/api/writes").json()
    status = service.http.get("/api/auth/status").json()
    assert (status["saving"], status["saving_reason"]) == (told["saving"], told["saving_reason"])
    checks = {check["name"]: check["words"] for check in service.http.get("/health/ready").json()["checks"]}
    assert f"how this PlanSo saves is {told['saving']}" in checks["writes"]
    return told["saving"], told["saving_reason"]


WHOLE: dict[str, dict[str, Any]] = {
    "as assumed": {},
    "a form full of what differs": {
        "change_per_read": True,
        "child_rows": 3,
        "twin_labels": ["Bemerkungen", "Telefon"],
    },
    "derived fields": {"derive": ["week", "copy"]},
    "one request at a time": {"session_lock": True, "latency": 0.1, "one_session_per_account": True},
}


@pytest.mark.parametrize("knobs", WHOLE.values(), ids=WHOLE)
def test_the_order_is_as_it_was_and_that_is_known(stand: Stand, knobs: dict[str, Any]) -> None:
    """To the letter, without a serving connector; the whole form goes, as PlanSo empties what does not arrive."""
    stand.knobs(**knobs)
    before = kept(stand)
    done = stand.tried()
    assert done.exit_code == 0, done.output
    assert kept(stand) == before
    assert "PlanSo empties what does not arrive" in done.stdout
    assert "tried on order 123" in done.stdout
    if "session_lock" in knobs:
        assert "serves two requests of one session at once" not in done.stdout
        assert "One session: a second login of this account ends the first" in done.stdout
    assert stand.sandbox.value(ORDER, "Kennzeichen") in done.stdout  # so that a person sees whose order it is


def kept(stand: Stand) -> list[tuple[str, str]]:
    """What a browser would send, without what PlanSo numbers anew with each reading or save."""
    found = stand.sandbox.snapshot(ORDER)
    return [("row" if name.startswith("pos[") else name, value) for name, value in found if name not in ANEW]


ANEW = ("form_age", "geaendert_von")


def test_a_trial_beside_a_serving_connector(stand: Stand) -> None:
    """
    Its outcome is known at once by /api/writes, auth status and readiness; writes need not go one at a time any more.
    Another set of controls, seen by a write, makes it assumed again and says which; the same as then, tried.
    """
    with stand.service() as service:
        assert saving(service)[0] == "assumed"
        before = stand.sandbox.snapshot(ORDER)
        assert stand.tried().exit_code == 0
        assert stand.sandbox.snapshot(ORDER) == before
        assert saving(service)[0] == "tried"
        assert service.http.get("/api/writes").json()["clean_saves"] > 0
        assert service.http.get("/api/writes").json()["stops"] == []

        other = next(one for one in stand.sandbox.order_ids() if one != ORDER)
        stand.knobs(missing_labels=["ExpressLink"])
        assert service.put(other, remarks="a").status_code == 200
        state, reason = saving(service)
        assert (state, "changed since: gone f_" in reason) == ("assumed", True), reason
        stand.knobs(missing_labels=[])
        assert service.put(ORDER, remarks="b").status_code == 200
        assert saving(service)[0] == "tried"
        assert service.order(ORDER)["remarks"] == "b"


def test_an_edit_by_somebody_meanwhile_is_no_damage_and_stays(stand: Stand) -> None:
    """In a field that the trial does not touch."""
    stand.knobs(edit_after_next_save=[[ORDER, "Farbton", "Rot von jemandem"]])
    before = stand.sandbox.snapshot(ORDER)
    was = stand.sandbox.value(ORDER, "Farbton")
    assert stand.tried().exit_code == 0
    expected = [(name, "Rot von jemandem" if value == was else value) for name, value in before]
    assert stand.sandbox.snapshot(ORDER) == expected


LEARNED: list[tuple[dict[str, Any], str]] = [
    ({"body": "json", "sends": "changed"}, 'sends = "changed"\nunchecked = ""\nbody = "json"'),
    ({"body": "multipart"}, 'body = "multipart"'),
    ({"body": "fields_json_pairs", "sends": "changed"}, 'body = "fields_json_pairs"'),
]


@pytest.mark.parametrize(("style", "save"), LEARNED)
def test_a_learned_style_is_tried_as_it_was_learned(stand: Stand, style: dict[str, str], save: str) -> None:
    """`learned` before, `tried` after, `learned` again with another profile."""
    stand.knobs(save_style=style)
    profile = stand.folder / "profile.toml"
    head = '[save]\nsource = "learned"\n'
    always = 'always = ["rowID"]\n'
    profile.write_text(f"{head}{save}\n")
    stand.environment["PLANSO_PROFILE"] = str(profile)
    before = stand.sandbox.snapshot(ORDER)
    done = stand.tried()
    assert done.exit_code == 0, done.output
    assert stand.sandbox.snapshot(ORDER) == before
    assert ("only what changes is sent" in done.stdout) == (style.get("sends") == "changed")
    assert "tried: tried on order 123" in done.stdout
    profile.write_text(f"{head}{always}{save}\n")
    status = command_here(stand.folder, "writes", "status", **stand.environment)
    assert "is learned: learned from a recording; it was tried" in " ".join(status.stdout.split())


def test_where_planso_keeps_what_does_not_arrive_only_changes_are_sent(stand: Stand) -> None:
    """
    Also where a token has to go along. A connector started from then on overwrites nobody's edit, and unchecks boxes;
    forgetting the trial takes it back.
    """
    stand.knobs(save_style={"sends": "changed", "tokens": ["form"]})
    before = stand.sandbox.snapshot(ORDER)
    done = stand.tried()
    assert (done.exit_code, "only what changes is sent" in done.stdout) == (0, True), done.output
    assert stand.sandbox.snapshot(ORDER) == before

    with stand.service() as service:
        assert saving(service)[0] == "tried"
        stand.knobs(edit_before_next_save=[[ORDER, "Farbton", "Rot von jemandem"]])
        answer = service.put(ORDER, remarks="Ruft an.", vehicle_details={"all_details": True})
        assert answer.status_code == 200, answer.text
        assert stand.sandbox.value(ORDER, "Farbton") == "Rot von jemandem"
        assert service.put(ORDER, vehicle_details={"all_details": False}).status_code == 200
        assert service.order(ORDER)["vehicle_details"]["all_details"] is False
        assert saving(service)[0] == "tried"

    assert stand.doctor("--forget-trial").exit_code == 0
    with stand.service() as service:
        assert saving(service)[0] == "assumed"
        stand.knobs(edit_before_next_save=[[ORDER, "Farbton", "Blau von jemandem"]])
        service.put(ORDER, remarks="Ruft nicht an.")
        assert stand.sandbox.value(ORDER, "Farbton") == "Rot von jemandem"


def test_what_a_script_fills_is_not_emptied(stand: Stand) -> None:
    """
    Refused by name, and nothing is sent, unless the order's values may be lost: then what the script fills in goes
    along, and where PlanSo keeps it, such a form can be saved from then on. A value that is lost is damage.
    """
    stand.knobs(script_filled=["Werkstattstart", "Farbton"])
    before = stand.sandbox.snapshot(ORDER)
    refused = stand.tried()
    assert (refused.exit_code, stand.saves) == (1, 0)
    assert all(word in refused.stderr for word in ("Werkstattstart", "Farbton", "--may-lose")), refused.stderr
    with stand.service() as service:
        assert service.put(ORDER, remarks="x").status_code == 422

    done = stand.tried("--may-lose")
    assert done.exit_code == 0, done.output
    assert stand.sandbox.snapshot(ORDER) == before
    with stand.service() as service:
        assert service.put(ORDER, remarks="x").status_code == 200
        expected = [(name, "x" if value == before_text(before) else value) for name, value in before]
        assert stand.sandbox.snapshot(ORDER) == expected

    stand.knobs(lose_on_save=["Farbton"])
    damaged = stand.tried("--may-lose")
    assert (damaged.exit_code, "Farbton" in damaged.stdout) == (1, True), damaged.output


def before_text(pairs: list[tuple[str, str]]) -> str:
    """The README order's remarks."""
    return next(value for _, value in pairs if value.startswith("Kundin ruft"))


DAMAGES: dict[str, dict[str, Any]] = {
    "a part of the form": {"take_pairs": 20},
    "one label": {"lose_on_save": ["VIN"]},
    "broken letters": {"garble_encoding": "question"},
}


@pytest.mark.parametrize("knobs", DAMAGES.values(), ids=DAMAGES)
def test_damage_in_a_trial_stops_all_writes_and_can_be_written_back(stand: Stand, knobs: dict[str, Any]) -> None:
    """At the first save; over restarts, until a person has written the values back and resumed."""
    before = stand.sandbox.snapshot(ORDER)
    lost = stand.sandbox.value(ORDER, "VIN" if "lose_on_save" in knobs else "Schadenbeschreibung")
    stand.knobs(**knobs)
    done = stand.tried()
    assert (done.exit_code, stand.saves) == (1, 1), done.output
    assert lost.split()[0] in done.stdout
    stand.knobs(**dict.fromkeys(knobs, None) | {"lose_on_save": [], "garble_encoding": "none"})

    with stand.service() as service:
        state, reason = saving_when_stopped(service)
        assert (state, "did damage" in reason) == ("assumed", True)
        other = next(one for one in stand.sandbox.order_ids() if one != ORDER)
        assert service.put(other, remarks="a").status_code == 503
        (stop,) = service.http.get("/api/writes").json()["stops"]
        assert stop["order_id"] is None
        assert stop["operation"] in done.stdout
        again = stand.tried(order=other)
        assert (again.exit_code, "writes resume" in " ".join(again.stderr.split())) == (1, True)
        restored = command_here(stand.folder, "writes", "restore", stop["operation"], "--yes", **stand.environment)
        assert restored.exit_code == 0, restored.output
        assert stand.sandbox.snapshot(ORDER) == before
        (_, entry, *_) = service.http.get(f"/api/orders/{ORDER}/history").json()["history"] + [None]
        assert entry is None or entry["operation_id"] in (stop["operation"], None)


def saving_when_stopped(service: Service) -> tuple[str, str]:
    told = service.http.get("/api/writes").json()
    return told["saving"], told["saving_reason"]


def test_a_planso_that_saves_otherwise_refuses_and_nothing_is_stopped(stand: Stand) -> None:
    """Another style, a refusal, a save that keeps nothing: the order is as it was, and as little is known as before."""
    before = stand.sandbox.snapshot(ORDER)
    troubles: list[tuple[dict[str, Any], str]] = [
        ({"save_style": {"body": "json"}}, "PlanSo refused"),
        ({"save_style": {}, "locked_orders": [ORDER]}, "bearbeitet"),
        ({"locked_orders": [], "drop_saves_next": 2}, "holds another value in 'Bemerkungen'"),
    ]
    for knobs, words in troubles:
        stand.knobs(**knobs)
        done = stand.tried()
        assert (done.exit_code, words in done.stdout) == (1, True), (knobs, done.output)
        assert "assumed: nobody has seen" in done.stdout
        assert stand.sandbox.snapshot(ORDER) == before, knobs
    status = command_here(stand.folder, "writes", "status", **stand.environment)
    assert (status.exit_code, "Writes: on" in status.stdout) == (0, True)


def test_what_can_not_be_put_back_stays_stopped_and_can_be_restored(stand: Stand) -> None:
    """A PlanSo that cuts every text that changes: the order's writes stop, others go on; what it held is kept."""
    before = stand.sandbox.snapshot(ORDER)
    stand.knobs(cut_text=20)
    done = stand.tried()
    assert (done.exit_code, "'Bemerkungen' could not be put back" in done.stdout) == (1, True), done.output
    assert f"writes resume --order {ORDER}" in done.stdout
    stand.knobs(cut_text=None)
    with stand.service() as service:
        (stop,) = service.http.get("/api/writes").json()["stops"]
        assert stop["order_id"] == ORDER
        assert service.put(ORDER, remarks="x").status_code == 503
        restored = command_here(stand.folder, "writes", "restore", stop["operation"], "--yes", **stand.environment)
        assert restored.exit_code == 0, restored.output
        assert stand.sandbox.snapshot(ORDER) == before


def test_a_trial_is_not_begun_where_it_may_meet_somebody(stand: Stand) -> None:
    """Without a yes, with CONNECTOR_WRITES off, with a write pending, beside another trial: nothing is sent."""
    asked = command_here(stand.folder, "doctor", "--try-write", str(ORDER), **stand.environment)
    assert (asked.exit_code, "Begin?" in asked.stdout) == (1, True)
    shadow = stand.doctor("--try-write", str(ORDER), "--yes", CONNECTOR_WRITES="shadow")
    assert (shadow.exit_code, "CONNECTOR_WRITES is shadow" in shadow.stderr) == (1, True)
    assert stand.doctor("--yes").exit_code == 2
    assert stand.tried(order=99_999).exit_code == 1

    now = clock.now()
    ahead = format_instant(now + timedelta(minutes=5))
    pending = Operation(
        "op_1", Action.UPDATE, ORDER, {"remarks": "x"}, created_at=format_instant(now), next_at=ahead, deadline_at=ahead
    )

    async def begin() -> None:
        async with app.opened(stand.settings) as database:
            await database.write(lambda tx: operations.record(tx, pending))
            held = {"holder": "another", "now": format_instant(now), "until": ahead}
            await database.write(lambda tx: leases.acquire(tx, "trial", **held))

    asyncio.run(begin())
    waiting = stand.tried()
    assert (waiting.exit_code, "1 writes to order 123 are pending" in waiting.stderr) == (1, True)
    other = next(one for one in stand.sandbox.order_ids() if one != ORDER)
    beside = stand.tried(order=other)
    assert (beside.exit_code, "Another trial is under way" in beside.stderr) == (1, True)
    assert stand.saves == 0


def test_nobody_writes_to_the_order_meanwhile(stand: Stand) -> None:
    """A serving connector answers 503 for this order alone; one that is broken off leaves it stopped until a person
    looked."""
    other = next(one for one in stand.sandbox.order_ids() if one != ORDER)

    async def break_off(settings: Settings, service: Service) -> None:
        async with app.connector(settings) as built:
            prepared = await built.trial.prepare(ORDER)
            async with aclosing(built.trial.run(prepared)) as findings:
                assert (await anext(findings)).step == "unchanged"
                refused = await asyncio.to_thread(service.put, ORDER, remarks="meanwhile")
                assert (refused.status_code, "a trial of saving is under way" in refused.text) == (503, True)
                assert (await asyncio.to_thread(service.put, other, remarks="x")).status_code == 200
            with pytest.raises(NotPossible, match="trial"):
                await built.trial.prepare(ORDER)

    with stand.service() as service:
        asyncio.run(break_off(stand.settings, service))
        assert service.put(ORDER, remarks="after").status_code == 503
        resumed = service.http.post("/api/writes/resume", json={"order_id": ORDER})
        assert resumed.status_code == 200
        assert service.put(ORDER, remarks="after").status_code == 200


def test_doctor_says_how_saving_is_known_and_what_comes_next(stand: Stand) -> None:
    """Its last sentence, without a write: learn, try, shadow; after a trial that it was tried."""
    told = stand.doctor().stdout.rpartition("saving:")[2]
    assert all(word in told for word in ("assumed", "docs/learning.md", "--try-write", "CONNECTOR_WRITES=shadow")), told
    assert stand.saves == 0
    assert stand.tried().exit_code == 0
    assert "tried on order 123" in stand.doctor().stdout
    stand.knobs(missing_labels=["Farbton"])
    assert "controls changed since: gone" in stand.doctor().stdout
