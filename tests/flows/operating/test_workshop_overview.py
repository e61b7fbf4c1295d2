"""The state of each workshop of an installation, on both databases."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import SecretStr
from structlog.testing import capture_logs

from planso_connector import logs
from planso_connector.configuration import workshop_overview, workshop_registry
from planso_connector.domain.clock import parse_instant
from planso_connector.domain.errors import NotFound
from planso_connector.flows.operating.password_encryption import generate_key
from planso_connector.flows.operating.workshop_overview import FaultKind, WorkshopStatus
from planso_connector.flows.operating.workshops import NewWorkshop
from planso_connector.settings import Settings
from planso_connector.store import rejected_logins, sync_runs, write_stops
from planso_connector.store.engine.transaction import Transaction
from planso_connector.store.sync_runs import RunState
from planso_connector.workshop_directory import WorkshopDirectory
from tests.databases import Store
from tests.store.filled_workshop import fill
from tests.store.samples import at

SETTINGS = Settings(
    _env_file=None, planso_url="https://base.planso.de", connector_secrets_key=SecretStr(generate_key())
)
NOW = parse_instant(at(100))


class Installation:
    """Registers workshops, and lists their states."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.registry = workshop_registry(SETTINGS, store.database, lambda: NOW)
        self.overview = workshop_overview(SETTINGS, store.database, lambda: NOW)

    def add(self, *names: str) -> None:
        for name in names:
            new = NewWorkshop(name, f"https://{name}.planso.de", "anna", "geheim")
            self.store.runner.run(self.registry.add(new))

    def list_all(self) -> dict[str, WorkshopStatus]:
        found = self.store.runner.run(self.overview.list_page("", 100))
        return {status.workshop.name: status for status in found}


def finish_sync(tx: Transaction, second: int, state: RunState, message: str = "") -> None:
    run = sync_runs.start(tx, now=at(second))
    sync_runs.finish(tx, run.id, state=state, message=message, now=at(second + 1))


def test_each_workshop_has_its_own_state(store: Store) -> None:
    """Pending writes, last sync and faults are each workshop's; what works has none; the environment's is listed."""
    installation = Installation(store)
    installation.add("a", "b", "c", "d", "e")
    store.for_workshop("a").write(fill)
    store.for_workshop("b").write(lambda tx: finish_sync(tx, 10, RunState.DONE))
    store.for_workshop("c").write(lambda tx: finish_sync(tx, 10, RunState.DONE))
    store.for_workshop("c").write(lambda tx: finish_sync(tx, 20, RunState.FAILED, "PlanSo is away"))
    stop: dict[str, Any] = {"operation": "op_1", "reason": "1 value was lost", "columns": (), "now": at(30)}
    store.for_workshop("d").write(lambda tx: write_stops.stop(tx, order_id=None, **stop))
    store.for_workshop("e").write(lambda tx: write_stops.stop(tx, order_id=5, **stop))
    store.for_workshop("default").write(lambda tx: rejected_logins.save(tx, "x", at(40)))

    found = installation.list_all()
    assert list(found) == ["a", "b", "c", "d", "default", "e"]
    assert [name for name, status in found.items() if status.is_default] == ["default"]
    assert found["a"].state.pending == 2
    assert found["a"].state.oldest_pending_at == at(1)
    assert all(status.state.pending == 0 for name, status in found.items() if name != "a")
    assert (found["b"].sync_age, found["b"].fault) == (89.0, None)
    assert found["d"].sync_age is None
    assert found["c"].state.synced_at == at(11)
    faults = {name: status.fault for name, status in found.items() if status.fault is not None}
    kinds = {name: (fault.kind, fault.since) for name, fault in faults.items()}
    assert kinds == {
        "a": (FaultKind.LOGIN_REJECTED, at(1)),
        "c": (FaultKind.SYNC_FAILED, at(21)),
        "d": (FaultKind.WRITES_STOPPED, at(30)),
        "default": (FaultKind.LOGIN_REJECTED, at(40)),
        "e": (FaultKind.WRITES_STOPPED, None),
    }
    assert faults["c"].message == "PlanSo is away"


def test_pages_begin_at_a_name(store: Store) -> None:
    """A page has the workshops from a name on, at most so many; one workshop is found by its name alone."""
    installation = Installation(store)
    installation.add("b", "d", "f")
    run = store.runner.run
    page = run(installation.overview.list_page("c", 2))
    assert [status.workshop.name for status in page] == ["d", "default"]
    assert run(installation.overview.get("f")).workshop.planso_url == "https://f.planso.de"
    run(installation.registry.remove("f"))
    for name in ("f", "e", ""):
        with pytest.raises(NotFound):
            run(installation.overview.get(name))


def test_a_lost_key_shows_at_its_workshop(store: Store) -> None:
    """Without the key of its password a workshop is listed with that fault."""
    installation = Installation(store)
    installation.add("a")
    other = SETTINGS.model_copy(update={"connector_secrets_key": SecretStr(generate_key())})
    overview = workshop_overview(other, store.database, lambda: NOW)
    fault = store.runner.run(overview.get("a")).fault
    assert fault is not None
    assert fault.kind is FaultKind.PASSWORD_UNREADABLE
    assert "CONNECTOR_SECRETS_KEY" in fault.message


def test_a_registered_workshop_with_the_name_of_the_environments(store: Store) -> None:
    """The environment's is the one that is served; the listing and the log say that there is another."""
    installation = Installation(store)
    installation.add("a")
    other = workshop_registry(SETTINGS.model_copy(update={"planso_url": ""}), store.database, lambda: NOW)
    store.runner.run(other.add(NewWorkshop("default", "https://other.planso.de", "anna", "geheim")))
    status = installation.list_all()["default"]
    assert (status.is_default, status.workshop.planso_url) == (True, "https://base.planso.de")
    assert status.fault is not None
    assert (status.fault.kind, "CONNECTOR_WORKSHOP" in status.fault.message) == (FaultKind.NAME_TAKEN, True)
    logs.configure("warning", [])
    try:
        with capture_logs() as logged:
            store.runner.run(WorkshopDirectory(SETTINGS, installation.registry, None).refresh())
    finally:
        logs.configure("error", [])
    assert [(line["event"], line["workshop"]) for line in logged] == [("workshop_name_taken", "default")]
