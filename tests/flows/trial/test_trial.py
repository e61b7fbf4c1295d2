"""
`doctor --try-write ORDER`: afterwards the order is identical to before and the save style is known, or what it lost can
be restored and writes are stopped.
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


class Setup:
    """A sandbox and a database, on which connectors are started and stopped."""

    def __init__(self, folder: Path, sandbox: Sandbox, url: str) -> None:
        self.folder = folder
        self.sandbox = sandbox
        self.url = url
        database = f"sqlite:///{folder}/connector.db"
        self.settings = settings_for(sandbox, url, database, connector_sync_parts=False, planso_timeout=30.0)
        self.environment = {
            "PLANSO_URL": url,
            "PLANSO_USER": sandbox.installation.username,
            "PLANSO_PASSWORD": sandbox.installation.password,
            "PLANSO_TIMEOUT": "30",
            "CONNECTOR_DATABASE_URL": database,
        }

    def set_knobs(self, **changes: Any) -> None:
        response = httpx2.post(f"{self.url}/sandbox/knobs", json=changes, verify=False)
        assert response.status_code == 200, response.text

    def doctor(self, *arguments: str, **environment: str) -> Result:
        return command_here(self.folder, "doctor", *arguments, **{**self.environment, **environment})

    def run_trial(self, *arguments: str, order: int = ORDER) -> Result:
        return self.doctor("--try-write", str(order), "--yes", *arguments)

    @contextmanager
    def service(self) -> Iterator[Service]:
        with running(self.settings, self.sandbox) as service:
            service.fill_mirror()
            yield service

    @property
    def save_count(self) -> int:
        return sum(request.saving for request in self.sandbox.requests)


@pytest.fixture
def setup(tmp_path: Path) -> Iterator[Setup]:
    sandbox = Sandbox(orders=12)
    with sandbox.serve() as url:
        yield Setup(tmp_path, sandbox, url)


def style_status(service: Service) -> tuple[str, str]:
    """State and reason of the save style, after checking that three routes agree on it."""
    writes = service.http.get("/api/writes").json()
    status = service.http.get("/api/auth/status").json()
    assert (status["saving"], status["saving_reason"]) == (writes["saving"], writes["saving_reason"])
    checks = {check["name"]: check["words"] for check in service.http.get("/health/ready").json()["checks"]}
    assert f"how this PlanSo saves is {writes['saving']}" in checks["writes"]
    return writes["saving"], writes["saving_reason"]


WHOLE_FORM_KNOBS: dict[str, dict[str, Any]] = {
    "as assumed": {},
    "a form full of what differs": {
        "change_per_read": True,
        "child_rows": 3,
        "twin_labels": ["Bemerkungen", "Telefon"],
    },
    "derived fields": {"derive": ["week", "copy"]},
    "one request at a time": {"session_lock": True, "latency": 0.1, "one_session_per_account": True},
}


@pytest.mark.parametrize("knobs", WHOLE_FORM_KNOBS.values(), ids=WHOLE_FORM_KNOBS)
def test_a_clean_trial_leaves_the_order_identical(setup: Setup, knobs: dict[str, Any]) -> None:
    """The order is identical afterwards. The whole form is sent, as PlanSo empties what does not arrive."""
    setup.set_knobs(**knobs)
    before = read_stable_pairs(setup)
    done = setup.run_trial()
    assert done.exit_code == 0, done.output
    assert read_stable_pairs(setup) == before
    assert "PlanSo empties what does not arrive" in done.stdout
    assert "tried on order 123" in done.stdout
    if "session_lock" in knobs:
        assert "serves two requests of one session at once" not in done.stdout
        assert "One session: a second login of this account ends the first" in done.stdout
    assert setup.sandbox.value(ORDER, "Kennzeichen") in done.stdout  # so that a person sees whose order it is


def read_stable_pairs(setup: Setup) -> list[tuple[str, str]]:
    """What a browser would send, without what PlanSo changes with each reading or save."""
    found = setup.sandbox.snapshot(ORDER)
    return [("row" if name.startswith("pos[") else name, value) for name, value in found if name not in VOLATILE]


VOLATILE = ("form_age", "geaendert_von")


def test_a_running_connector_knows_the_outcome(setup: Setup) -> None:
    """
    /api/writes, auth status and readiness know the outcome at once. Once a write reads a form with other controls, the
    style is assumed again and the reason names them; with the same controls it is tried.
    """
    with setup.service() as service:
        assert style_status(service)[0] == "assumed"
        before = setup.sandbox.snapshot(ORDER)
        assert setup.run_trial().exit_code == 0
        assert setup.sandbox.snapshot(ORDER) == before
        assert style_status(service)[0] == "tried"
        assert service.http.get("/api/writes").json()["clean_saves"] > 0
        assert service.http.get("/api/writes").json()["stops"] == []

        other = next(order_id for order_id in setup.sandbox.order_ids() if order_id != ORDER)
        setup.set_knobs(missing_labels=["ExpressLink"])
        assert service.put(other, remarks="a").status_code == 200
        state, reason = style_status(service)
        assert (state, "changed since: gone f_" in reason) == ("assumed", True), reason
        setup.set_knobs(missing_labels=[])
        assert service.put(ORDER, remarks="b").status_code == 200
        assert style_status(service)[0] == "tried"
        assert service.order(ORDER)["remarks"] == "b"


def test_an_edit_during_a_trial_is_no_damage_and_stays(setup: Setup) -> None:
    """An edit of another field during the trial is kept and does not count as damage."""
    setup.set_knobs(edit_after_next_save=[[ORDER, "Farbton", "Rot von jemandem"]])
    before = setup.sandbox.snapshot(ORDER)
    was = setup.sandbox.value(ORDER, "Farbton")
    assert setup.run_trial().exit_code == 0
    expected = [(name, "Rot von jemandem" if value == was else value) for name, value in before]
    assert setup.sandbox.snapshot(ORDER) == expected


LEARNED_STYLES: list[tuple[dict[str, Any], str]] = [
    ({"body": "json", "sends": "changed"}, 'sends = "changed"\nunchecked = ""\nbody = "json"'),
    ({"body": "multipart"}, 'body = "multipart"'),
    ({"body": "fields_json_pairs", "sends": "changed"}, 'body = "fields_json_pairs"'),
]


@pytest.mark.parametrize(("style", "save"), LEARNED_STYLES)
def test_a_learned_style_can_be_tried(setup: Setup, style: dict[str, str], save: str) -> None:
    """A learned style is `tried` after the trial, and `learned` again with another profile."""
    setup.set_knobs(save_style=style)
    profile = setup.folder / "profile.toml"
    head = '[save]\nsource = "learned"\n'
    always = 'always = ["rowID"]\n'
    profile.write_text(f"{head}{save}\n")
    setup.environment["PLANSO_PROFILE"] = str(profile)
    before = setup.sandbox.snapshot(ORDER)
    done = setup.run_trial()
    assert done.exit_code == 0, done.output
    assert setup.sandbox.snapshot(ORDER) == before
    assert ("only what changes is sent" in done.stdout) == (style.get("sends") == "changed")
    assert "tried: tried on order 123" in done.stdout
    profile.write_text(f"{head}{always}{save}\n")
    status = command_here(setup.folder, "writes", "status", **setup.environment)
    assert "is learned: learned from a recording; it was tried" in " ".join(status.stdout.split())


def test_only_changes_are_sent_where_planso_keeps_the_rest(setup: Setup) -> None:
    """
    Where PlanSo keeps what is not sent, a connector started after the trial sends only changes, with tokens: it
    overwrites nobody's edit and unchecks boxes. Forgetting the trial reverts that.
    """
    setup.set_knobs(save_style={"sends": "changed", "tokens": ["form"]})
    before = setup.sandbox.snapshot(ORDER)
    done = setup.run_trial()
    assert (done.exit_code, "only what changes is sent" in done.stdout) == (0, True), done.output
    assert setup.sandbox.snapshot(ORDER) == before

    with setup.service() as service:
        assert style_status(service)[0] == "tried"
        setup.set_knobs(edit_before_next_save=[[ORDER, "Farbton", "Rot von jemandem"]])
        response = service.put(ORDER, remarks="Ruft an.", vehicle_details={"all_details": True})
        assert response.status_code == 200, response.text
        assert setup.sandbox.value(ORDER, "Farbton") == "Rot von jemandem"
        assert service.put(ORDER, vehicle_details={"all_details": False}).status_code == 200
        assert service.order(ORDER)["vehicle_details"]["all_details"] is False
        assert style_status(service)[0] == "tried"

    assert setup.doctor("--forget-trial").exit_code == 0
    with setup.service() as service:
        assert style_status(service)[0] == "assumed"
        setup.set_knobs(edit_before_next_save=[[ORDER, "Farbton", "Blau von jemandem"]])
        service.put(ORDER, remarks="Ruft nicht an.")
        assert setup.sandbox.value(ORDER, "Farbton") == "Rot von jemandem"


def test_script_filled_controls_are_not_emptied(setup: Setup) -> None:
    """
    A form with script-filled controls is refused, naming them, unless its values may be lost: then what the script
    fills in is sent, and where PlanSo keeps it, such forms can be saved afterwards. A lost value is damage.
    """
    setup.set_knobs(script_filled=["Werkstattstart", "Farbton"])
    before = setup.sandbox.snapshot(ORDER)
    refused = setup.run_trial()
    assert (refused.exit_code, setup.save_count) == (1, 0)
    assert all(word in refused.stderr for word in ("Werkstattstart", "Farbton", "--may-lose")), refused.stderr
    with setup.service() as service:
        assert service.put(ORDER, remarks="x").status_code == 422

    done = setup.run_trial("--may-lose")
    assert done.exit_code == 0, done.output
    assert setup.sandbox.snapshot(ORDER) == before
    with setup.service() as service:
        assert service.put(ORDER, remarks="x").status_code == 200
        expected = [(name, "x" if value == find_remarks(before) else value) for name, value in before]
        assert setup.sandbox.snapshot(ORDER) == expected

    setup.set_knobs(lose_on_save=["Farbton"])
    damaged = setup.run_trial("--may-lose")
    assert (damaged.exit_code, "Farbton" in damaged.stdout) == (1, True), damaged.output


def find_remarks(pairs: list[tuple[str, str]]) -> str:
    """The remarks of order 123."""
    return next(value for _, value in pairs if value.startswith("Kundin ruft"))


DAMAGING_KNOBS: dict[str, dict[str, Any]] = {
    "a part of the form": {"take_pairs": 20},
    "one label": {"lose_on_save": ["VIN"]},
    "broken letters": {"garble_encoding": "question"},
}


@pytest.mark.parametrize("knobs", DAMAGING_KNOBS.values(), ids=DAMAGING_KNOBS)
def test_damage_stops_all_writes_and_can_be_restored(setup: Setup, knobs: dict[str, Any]) -> None:
    """Damage by the first save stops all writes, also after a restart; a restore makes the order identical."""
    before = setup.sandbox.snapshot(ORDER)
    lost = setup.sandbox.value(ORDER, "VIN" if "lose_on_save" in knobs else "Schadenbeschreibung")
    setup.set_knobs(**knobs)
    done = setup.run_trial()
    assert (done.exit_code, setup.save_count) == (1, 1), done.output
    assert lost.split()[0] in done.stdout
    setup.set_knobs(**dict.fromkeys(knobs, None) | {"lose_on_save": [], "garble_encoding": "none"})

    with setup.service() as service:
        state, reason = style_status_when_stopped(service)
        assert (state, "did damage" in reason) == ("assumed", True)
        other = next(order_id for order_id in setup.sandbox.order_ids() if order_id != ORDER)
        assert service.put(other, remarks="a").status_code == 503
        (stop,) = service.http.get("/api/writes").json()["stops"]
        assert stop["order_id"] is None
        assert stop["operation"] in done.stdout
        again = setup.run_trial(order=other)
        assert (again.exit_code, "writes resume" in " ".join(again.stderr.split())) == (1, True)
        restored = command_here(setup.folder, "writes", "restore", stop["operation"], "--yes", **setup.environment)
        assert restored.exit_code == 0, restored.output
        assert setup.sandbox.snapshot(ORDER) == before
        (_, entry, *_) = service.http.get(f"/api/orders/{ORDER}/history").json()["history"] + [None]
        assert entry is None or entry["operation_id"] in (stop["operation"], None)


def style_status_when_stopped(service: Service) -> tuple[str, str]:
    writes = service.http.get("/api/writes").json()
    return writes["saving"], writes["saving_reason"]


def test_refused_and_dropped_saves_stop_nothing(setup: Setup) -> None:
    """After a refusal or a dropped save the order is identical, writes go on, and the style stays assumed."""
    before = setup.sandbox.snapshot(ORDER)
    cases: list[tuple[dict[str, Any], str]] = [
        ({"save_style": {"body": "json"}}, "PlanSo refused"),
        ({"save_style": {}, "locked_orders": [ORDER]}, "bearbeitet"),
        ({"locked_orders": [], "drop_saves_next": 2}, "holds another value in 'Bemerkungen'"),
    ]
    for knobs, message in cases:
        setup.set_knobs(**knobs)
        done = setup.run_trial()
        assert (done.exit_code, message in done.stdout) == (1, True), (knobs, done.output)
        assert "assumed: nobody has seen" in done.stdout
        assert setup.sandbox.snapshot(ORDER) == before, knobs
    status = command_here(setup.folder, "writes", "status", **setup.environment)
    assert (status.exit_code, "Writes: on" in status.stdout) == (0, True)


def test_an_order_that_can_not_be_reverted_stays_stopped(setup: Setup) -> None:
    """Where PlanSo truncates changed texts, writes to the order stay stopped, and a restore makes it identical."""
    before = setup.sandbox.snapshot(ORDER)
    setup.set_knobs(cut_text=20)
    done = setup.run_trial()
    assert (done.exit_code, "'Bemerkungen' could not be put back" in done.stdout) == (1, True), done.output
    assert f"writes resume --order {ORDER}" in done.stdout
    setup.set_knobs(cut_text=None)
    with setup.service() as service:
        (stop,) = service.http.get("/api/writes").json()["stops"]
        assert stop["order_id"] == ORDER
        assert service.put(ORDER, remarks="x").status_code == 503
        restored = command_here(setup.folder, "writes", "restore", stop["operation"], "--yes", **setup.environment)
        assert restored.exit_code == 0, restored.output
        assert setup.sandbox.snapshot(ORDER) == before


def test_a_trial_is_refused_where_it_could_interfere(setup: Setup) -> None:
    """Unconfirmed, with writes off, with a pending write or beside another trial, nothing is sent."""
    unconfirmed = command_here(setup.folder, "doctor", "--try-write", str(ORDER), **setup.environment)
    assert (unconfirmed.exit_code, "Begin?" in unconfirmed.stdout) == (1, True)
    shadow = setup.doctor("--try-write", str(ORDER), "--yes", CONNECTOR_WRITES="shadow")
    assert (shadow.exit_code, "CONNECTOR_WRITES is shadow" in shadow.stderr) == (1, True)
    assert setup.doctor("--yes").exit_code == 2
    assert setup.run_trial(order=99_999).exit_code == 1

    now = clock.now()
    ahead = format_instant(now + timedelta(minutes=5))
    pending = Operation(
        "op_1", Action.UPDATE, ORDER, {"remarks": "x"}, created_at=format_instant(now), next_at=ahead, deadline_at=ahead
    )

    async def record_pending_and_lease() -> None:
        async with app.open_database(setup.settings) as database:
            await database.write(lambda tx: operations.record(tx, pending))
            start = format_instant(now)
            await database.write(lambda tx: leases.acquire(tx, "trial", holder="another", now=start, until=ahead))

    asyncio.run(record_pending_and_lease())
    waiting = setup.run_trial()
    assert (waiting.exit_code, "1 writes to order 123 are pending" in waiting.stderr) == (1, True)
    other = next(order_id for order_id in setup.sandbox.order_ids() if order_id != ORDER)
    beside = setup.run_trial(order=other)
    assert (beside.exit_code, "Another trial is running" in beside.stderr) == (1, True)
    assert setup.save_count == 0


def test_writes_to_the_order_are_stopped_during_a_trial(setup: Setup) -> None:
    """During a trial writes to its order alone are 503; after one that was broken off, until somebody resumes them."""
    other = next(order_id for order_id in setup.sandbox.order_ids() if order_id != ORDER)

    async def break_off(settings: Settings, service: Service) -> None:
        async with app.open_connector(settings, beside_others=True) as built:
            plan = await built.default.trial.prepare(ORDER)
            async with aclosing(built.default.trial.run(plan)) as findings:
                assert (await anext(findings)).step == "unchanged"
                refused = await asyncio.to_thread(service.put, ORDER, remarks="meanwhile")
                assert (refused.status_code, "a trial of saving is running" in refused.text) == (503, True)
                assert (await asyncio.to_thread(service.put, other, remarks="x")).status_code == 200
            with pytest.raises(NotPossible, match="trial"):
                await built.default.trial.prepare(ORDER)

    with setup.service() as service:
        asyncio.run(break_off(setup.settings, service))
        assert service.put(ORDER, remarks="after").status_code == 503
        resumed = service.http.post("/api/writes/resume", json={"order_id": ORDER})
        assert resumed.status_code == 200
        assert service.put(ORDER, remarks="after").status_code == 200


def test_doctor_reports_the_save_style_and_the_next_step(setup: Setup) -> None:
    """Without a save, `doctor` ends with the ways to know the style better; after a trial with `tried`."""
    report = setup.doctor().stdout.rpartition("saving:")[2]
    assert all(word in report for word in ("assumed", "docs/learning.md", "--try-write", "CONNECTOR_WRITES=shadow")), (
        report
    )
    assert setup.save_count == 0
    assert setup.run_trial().exit_code == 0
    assert "tried on order 123" in setup.doctor().stdout
    setup.set_knobs(missing_labels=["Farbton"])
    assert "controls changed since: gone" in setup.doctor().stdout
