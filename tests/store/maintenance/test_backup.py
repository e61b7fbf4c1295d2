"""Backup and restore, of a connector at work: what is kept, what is refused, and that nothing is done twice."""

from __future__ import annotations

import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import apsw
import pytest

from planso_connector.domain import clock
from planso_connector.domain.errors import NotAuthenticated, StoreUnavailable
from planso_connector.domain.scopes import Scope
from planso_connector.flows.operating.api_keys import ApiKeys
from planso_connector.flows.operating.authenticate import Authenticator
from planso_connector.sandbox import Sandbox
from planso_connector.store import write_stops
from planso_connector.store.engine import postgresql
from planso_connector.store.engine.database import Transaction, parse_database_url
from planso_connector.store.engine.postgresql_url import PostgresqlUrl
from planso_connector.store.maintenance import backup, migrate, postgresql_backup
from planso_connector.store.maintenance.after_restore import RestoreMarks
from tests.command_line import command
from tests.databases import Store, make_as_of, run_script
from tests.service import running, settings_for
from tests.store import counting
from tests.store.samples import at


def one(path: Path, sql: str) -> object:
    with closing(apsw.Connection(str(path))) as connection:
        return connection.execute(sql).get


@pytest.fixture
def written(sqlite_path: Path) -> Path:
    with closing(Store(f"sqlite:///{sqlite_path}", workshop="default")) as store:
        store.write(counting.put("before"))
    return sqlite_path


def test_a_backup_is_what_was_committed_at_one_instant(sqlite_path: Path, tmp_path: Path) -> None:
    """While units of two rows are written, each backup holds whole units, is one file, and only its owner reads it."""
    stop = threading.Event()

    def write() -> None:
        with closing(Store(f"sqlite:///{sqlite_path}", workshop="default")) as store:
            number = 0
            while not stop.is_set():
                number += 1

                def both(tx: Transaction, at: int = number) -> None:
                    counting.put(f"a{at}", "x" * 3000)(tx)
                    counting.put(f"b{at}")(tx)

                store.write(both)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        copies = [tmp_path / f"copy{number}.db" for number in range(5)]
        for copy in copies:
            backup.copy_database(sqlite_path, copy)
    finally:
        stop.set()
        writer.join()
    for copy in copies:
        assert stat.S_IMODE(copy.stat().st_mode) == 0o600
        lone = (
            "SELECT count(*) FROM rejected_logins WHERE workshop LIKE '{0}%' AND '{1}' || substr(workshop, 2) NOT IN "
        )
        lone += "(SELECT workshop FROM rejected_logins)"
        assert (one(copy, lone.format("a", "b")), one(copy, lone.format("b", "a"))) == (0, 0)
        assert backup.verify(copy).revision == migrate.head_revision()
    kept = {path.name for path in tmp_path.iterdir()}
    assert kept <= {
        sqlite_path.name,
        *(f"{sqlite_path.name}{end}" for end in ("-wal", "-shm")),
        *(c.name for c in copies),
    }


def test_a_backup_takes_no_files_place(written: Path, tmp_path: Path) -> None:
    """A file that is there already, the database itself among them, and a missing database are refused, untouched."""
    with pytest.raises(StoreUnavailable, match="there already"):
        backup.copy_database(written, written)
    with pytest.raises(StoreUnavailable, match="no database"):
        backup.copy_database(tmp_path / "none.db", tmp_path / "copy.db")
    with pytest.raises(StoreUnavailable, match="can't be written"):
        backup.copy_database(written, tmp_path / "nowhere" / "copy.db")
    assert {path.name for path in tmp_path.iterdir()} == {written.name}


def _damage(path: Path) -> None:
    size = path.stat().st_size
    with path.open("r+b") as file:
        file.seek(size // 2)
        file.write(b"\xff" * (size // 2))


def _foreign(path: Path) -> None:
    path.unlink()
    with closing(apsw.Connection(str(path))) as connection:
        connection.execute("CREATE TABLE x (y)")


def _newer(path: Path) -> None:
    with closing(apsw.Connection(str(path))) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999', oldest_code = '9999'")


def _half(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2 + 100])


@pytest.mark.parametrize("spoil", [_damage, _foreign, _newer, _half, Path.unlink])
def test_what_is_no_good_backup_is_not_restored(written: Path, tmp_path: Path, spoil: object) -> None:
    """Damaged, cut off, of something else, of a newer version, missing: refused, and the database is as it was."""
    copy = tmp_path / "copy.db"
    backup.copy_database(written, copy)
    assert callable(spoil)
    spoil(copy)
    before = written.read_bytes()
    with pytest.raises(StoreUnavailable):
        backup.restore(copy, written, clock.now())
    assert written.read_bytes() == before
    assert {path.name for path in tmp_path.iterdir()} - {copy.name} == {written.name}


@pytest.mark.parametrize("state", ["there", "missing", "damaged", "no database", "left by a kill"])
def test_a_restore_takes_the_place_of_whatever_is_there(written: Path, tmp_path: Path, state: str) -> None:
    """Whatever became of the database, afterwards it is the backup; what was there is kept, if anything was."""
    copy = tmp_path / "copy.db"
    backup.copy_database(written, copy)
    with closing(Store(f"sqlite:///{written}", workshop="default")) as store:
        store.write(counting.put("after"))
        if state == "left by a kill":
            left = {end: Path(f"{written}{end}").read_bytes() for end in ("", "-wal", "-shm")}
    if state == "left by a kill":
        for end, content in left.items():
            Path(f"{written}{end}").write_bytes(content)
    if state == "missing":
        written.unlink()
    if state == "damaged":
        _damage(written)
    if state == "no database":
        written.write_bytes(b"nothing\n" * 4000)

    done = backup.restore(copy, written, clock.now())

    with closing(Store(f"sqlite:///{written}", workshop="default")) as store:
        assert store.read(counting.read("before")) == "1"
        assert store.read(counting.read("after")) is None
        store.write(counting.put("on"))
    asides = list(tmp_path.glob("*before-restore*"))
    assert bool(asides) == (state != "missing")
    if state in ("there", "left by a kill"):
        assert done.previous_database == asides[0]
        assert one(asides[0], "SELECT count(*) FROM rejected_logins WHERE workshop = 'after'") == 1
    assert not list(tmp_path.glob(".*unfinished*"))


def test_an_older_backup_is_brought_up_to_date(tmp_path: Path) -> None:
    """A backup of the first version: what is restored has today's tables, the backup itself stays as it is."""
    old, path = tmp_path / "old.db", tmp_path / "connector.db"
    make_as_of(f"sqlite:///{old}", "0001")
    before = old.read_bytes()
    backup.restore(old, path, clock.now())
    assert migrate.current_revision(f"sqlite:///{path}") == migrate.head_revision()
    assert old.read_bytes() == before


OLD_KEY_AND_ERASURE = """
INSERT INTO keys (workshop, id, name, scopes, digest, created_at)
VALUES ('default', 'kept', 'agent', '[]', 'digest', '2026-11-23T00:00:01.000000Z');
INSERT INTO erasures (workshop, id, erased_at, kind, salt, fingerprint, order_ids, operation_ids, counts)
VALUES ('default', 'erasure_1', '2026-11-23T00:00:01.000000Z', 'phone', '00', '00', '[]', '[]', '{}');
"""


def test_a_previous_database_of_an_older_version_is_read(sqlite_path: Path, tmp_path: Path) -> None:
    """Its API keys stay valid, its erasures are repeated, though its tables had other names; it is kept unchanged."""
    copy, path = tmp_path / "copy.db", tmp_path / "connector.db"
    backup.copy_database(sqlite_path, copy)
    make_as_of(f"sqlite:///{path}", "0009")
    run_script(f"sqlite:///{path}", OLD_KEY_AND_ERASURE)

    result = backup.restore(copy, path, clock.now())

    assert result.marks == RestoreMarks(pending=0, revoked=0, erasures=1)
    assert one(path, "SELECT count(*) FROM api_keys WHERE id = 'kept' AND revoked_at IS NULL") == 1
    assert result.previous_database is not None
    assert one(result.previous_database, "SELECT count(*) FROM keys") == 1


FULL_DISK = """
import resource, signal, sys
from pathlib import Path
from planso_connector.domain import clock
from planso_connector.domain.errors import StoreUnavailable
from planso_connector.store.maintenance import backup
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, 300_000))
database, copy = map(Path, sys.argv[1:])
for attempt in (lambda: backup.copy_database(database, copy.with_name("full.db")),
                lambda: backup.restore(copy, database, clock.now())):
    try:
        attempt()
    except StoreUnavailable as error:
        print("told:", error)
"""


def test_a_full_disk_leaves_the_database_as_it_was(written: Path, tmp_path: Path) -> None:
    """No room for the copy, or for what is restored: told, nothing is left half, the database is as it was."""
    with closing(Store(f"sqlite:///{written}", workshop="default")) as store:
        store.write(counting.put("large", "x" * 400_000))
    copy = tmp_path / "copy.db"
    backup.copy_database(written, copy)
    with closing(Store(f"sqlite:///{written}", workshop="default")) as store:
        store.write(counting.put("after"))
    done = subprocess.run(
        [sys.executable, "-c", FULL_DISK, written, copy], capture_output=True, text=True, check=True, timeout=180
    )
    assert done.stdout.count("told: ") == 2, done
    assert done.stdout.count("the disk") == 2, done
    assert {path.name.removesuffix("-shm").removesuffix("-wal") for path in tmp_path.iterdir()} == {
        "store.db",
        copy.name,
    }
    with closing(Store(f"sqlite:///{written}", workshop="default")) as store:
        assert store.read(counting.read("after")) == "1"


@pytest.fixture
def sandbox() -> Iterator[tuple[Sandbox, str]]:
    planso = Sandbox(orders=8)
    with planso.serve() as url:
        yield planso, url


def test_nobody_restores_under_a_running_connector(
    sandbox: tuple[Sandbox, str], database_url: str, tmp_path: Path
) -> None:
    """While an idle connector runs, restoring and marking are refused; backing up is not."""
    planso, url = sandbox
    place = parse_database_url(database_url)

    def mark() -> RestoreMarks:
        if isinstance(place, Path):
            return backup.mark_restored(place, clock.now())
        return postgresql_backup.mark_restored(place, clock.now())

    with running(settings_for(planso, url, database_url), planso) as service:
        service.wait_for_sync()
        with pytest.raises(StoreUnavailable, match="stop it first"):
            mark()
        if isinstance(place, Path):
            assert backup.copy_database(place, tmp_path / "b.db").rows["orders"] == 8
        done = command(tmp_path, "restore", "b.db", CONNECTOR_DATABASE_URL=database_url)
        assert done.returncode == 1
        assert ("stop it first" if isinstance(place, Path) else "pg_restore --clean") in done.stderr
        assert service.put(planso.order_ids()[0], person="Weiter Hin").status_code == 200
    assert mark() == RestoreMarks(pending=0, revoked=0)


def test_a_connector_that_is_just_leaving_is_waited_for(postgresql_url: str) -> None:
    """Marking right after the connector was stopped waits until its connections are gone."""
    place = parse_database_url(postgresql_url)
    assert isinstance(place, PostgresqlUrl)
    leaving = postgresql.connect(place)
    going = threading.Timer(0.5, leaving.close)
    going.start()
    try:
        assert postgresql_backup.mark_restored(place, clock.now()) == RestoreMarks(pending=0, revoked=0)
    finally:
        going.join()


def test_nothing_is_done_twice_after_a_restore(sandbox: tuple[Sandbox, str], tmp_path: Path) -> None:
    """
    Pending in the backup, carried through after it: a create, an update that somebody overwrote since, an update that
    stands, a deletion. After the restore nothing is sent: what PlanSo shows is confirmed, what it does not is for a
    person. An ETag of after the backup is nobody's, and the orders that came since are there again.
    """
    planso, url = sandbox
    path, copy = tmp_path / "connector.db", tmp_path / "copy.db"
    settings = settings_for(planso, url, f"sqlite:///{path}", planso_timeout=2.0, connector_write_wait=60.0)
    overwritten, stands, deleted, never, edited = planso.order_ids()[:5]
    asynchronous = {"Prefer": "respond-async"}
    with running(settings, planso) as service:
        service.wait_for_sync()
        planso.knobs.fail_next = 1_000_000
        answers = {
            "create": service.http.post("/api/orders", json={"person": "Nur Einmal"}, headers=asynchronous),
            "overwritten": service.http.patch(
                f"/api/orders/{overwritten}", json={"person": "Alt"}, headers=asynchronous
            ),
            "stands": service.http.patch(f"/api/orders/{stands}", json={"person": "Bleibt"}, headers=asynchronous),
            "deleted": service.http.delete(f"/api/orders/{deleted}", headers=asynchronous),
            "cancelled": service.http.patch(f"/api/orders/{never}", json={"person": "Niemals"}, headers=asynchronous),
        }
        ids = {name: answer.headers["Operation-Id"] for name, answer in answers.items()}
        backup.copy_database(path, copy)
        assert service.http.post(f"/api/operations/{ids['cancelled']}/cancel").status_code in (200, 409)
        planso.knobs.fail_next = 0
        states = {name: service.wait_until_settled(answer)["state"] for name, answer in answers.items()}
        assert set(states.values()) <= {"confirmed", "refused"}, states
        service.put(overwritten, person="Neu")
        service.put(edited, remarks="danach")
        tag = service.http.get(f"/api/orders/{edited}").headers["ETag"]
    holds = {order_id: planso.snapshot(order_id) for order_id in planso.order_ids()}
    assert sum(planso.value(held, "Fahrername") == "Nur Einmal" for held in holds) == 1

    backup.restore(copy, path, clock.now())
    planso.forget_requests()
    with running(settings, planso) as service:
        ended = {name: service.wait_until_settled(answer) for name, answer in answers.items()}
        service.sync()
        assert {name: told["state"] for name, told in ended.items()} == {
            "create": "confirmed",
            "overwritten": "conflict",
            "stands": "confirmed",
            "deleted": "confirmed",
            "cancelled": "conflict",
        }
        assert "restored from a backup" in ended["overwritten"]["message"]
        assert service.order(edited)["remarks"] == "danach"
        assert service.http.get(f"/api/orders/{edited}", headers={"If-None-Match": tag}).status_code == 200
        relied = {"If-Match": tag}
        assert service.http.patch(f"/api/orders/{edited}", json={"person": "X"}, headers=relied).status_code == 412
        assert service.http.get("/api/orders", params={"person": "Nur Einmal"}).json()["count"] == 1
    assert not any(request.saving for request in planso.requests)
    assert {order_id: planso.snapshot(order_id) for order_id in planso.order_ids()} == holds


def refused(store: Store, key: str | None) -> bool:
    try:
        return store.runner.run(Authenticator(store.installation, "default", clock.now).authenticate(key)) is None
    except NotAuthenticated:
        return True


def test_a_restore_does_not_reopen_the_api(sqlite_path: Path, tmp_path: Path) -> None:
    """
    Of keys the database of before knows best: one that was revoked, or got a new secret, after the backup stays so, and
    one that was made since is good. One that it never had, and all where it can't be read, are revoked. Requests
    without a key stay rejected, as since the first key.
    """
    url = f"sqlite:///{sqlite_path}"
    empty, copy = tmp_path / "empty.db", tmp_path / "copy.db"
    backup.copy_database(sqlite_path, empty)
    with closing(Store(url, workshop="default")) as store:
        flow = ApiKeys(store.database, clock.now)
        made = [store.runner.run(flow.create(name, [Scope.ADMIN], None)) for name in ("kept", "revoked", "rotated")]
        (kept, revoked, rotated) = made
        backup.copy_database(sqlite_path, copy)
        store.runner.run(flow.revoke(revoked[0].id))
        renewed = store.runner.run(flow.rotate(rotated[0].id))[1]
        since = store.runner.run(flow.create("since", [Scope.ADMIN], None))[1]
    for source in (copy, empty):
        assert backup.restore(source, sqlite_path, clock.now()).marks.revoked == 0
        with closing(Store(url, workshop="default")) as store:
            told = [refused(store, one) for one in (kept[1], renewed, since, revoked[1], rotated[1], None)]
        assert told == [False, False, False, True, True, True]
    for damage in (Path.unlink, _half, _anew):
        damage(sqlite_path)
        assert backup.restore(copy, sqlite_path, clock.now()).marks.revoked == 3
        with closing(Store(url, workshop="default")) as store:
            assert [refused(store, one[1]) for one in made] == [True] * 3
            with pytest.raises(NotAuthenticated):
                store.runner.run(Authenticator(store.installation, "default", clock.now).authenticate(None))


def test_a_restore_keeps_write_stops(sqlite_path: Path, tmp_path: Path) -> None:
    """Write stops from after the backup are in force in the restored database too."""
    url, copy = f"sqlite:///{sqlite_path}", tmp_path / "copy.db"
    backup.copy_database(sqlite_path, copy)
    with closing(Store(url, workshop="default")) as store:
        for order_id in (None, 7):
            store.write(
                lambda tx, one=order_id: write_stops.stop(  # type: ignore[misc]
                    tx, order_id=one, operation="op_1", reason="lost", columns=["f_1"], now=at(1)
                )
            )
        before = store.read(lambda tx: write_stops.list_active(tx))
    backup.restore(copy, sqlite_path, clock.now())
    with closing(Store(url, workshop="default")) as store:
        assert store.read(lambda tx: write_stops.list_active(tx)) == before
    assert len(before) == 2


def _anew(path: Path) -> None:
    path.unlink()
    migrate.migrate(f"sqlite:///{path}")


def test_marking_revokes_all_keys(database_url: str, tmp_path: Path) -> None:
    """Without a previous database, all API keys are revoked, and the command says so."""
    with closing(Store(database_url, workshop="other")) as store:
        flow = ApiKeys(store.database, clock.now)
        store.runner.run(flow.create("agent", [Scope.ADMIN], None))
    done = command(tmp_path, "restore", "--only-mark", CONNECTOR_DATABASE_URL=database_url)
    assert (done.returncode, "keys create" in done.stderr) == (0, True), done
    with closing(Store(database_url, workshop="other")) as store:
        assert [key.revoked_at is None for key in store.runner.run(ApiKeys(store.database, clock.now).list_all())] == [
            False
        ]
