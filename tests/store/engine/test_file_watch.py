"""The files of an open SQLite database are deleted, moved, replaced or overwritten: nothing is accepted any more."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import apsw
import pytest

from planso_connector.domain.errors import CommitUnknown, StoreUnavailable
from planso_connector.store.engine import file_system
from planso_connector.store.engine.database import Transaction
from tests.databases import Store
from tests.service import wait_until
from tests.store import counting
from tests.store.engine.file_faults import FAULTS, delete_all, delete_log, move_folder, opened


@pytest.fixture
def path(sqlite_path: Path) -> Path:
    """A database in a folder of its own."""
    folder = sqlite_path.parent / "data"
    folder.mkdir()
    return sqlite_path.rename(folder / "store.db")


def lost(store: Store) -> str:
    """The message once the fault is detected."""
    wait_until(lambda: store.database.file_fault, "the fault")
    assert store.database.file_fault is not None
    return store.database.file_fault.message


@pytest.mark.parametrize("fault", FAULTS)
def test_a_lost_file_is_noticed_and_nothing_is_accepted(path: Path, fault: str) -> None:
    """It is detected without any write; writes are refused with the cause and since when."""
    do, words = FAULTS[fault]
    with opened(path) as store:
        store.write(counting.put("before"))
        do(path)

        assert words in lost(store)
        with pytest.raises(StoreUnavailable, match=words) as told:
            store.write(counting.put("after"))

        assert not isinstance(told.value, CommitUnknown)
        assert "Noticed at 2" in str(told.value)
        if words != FAULTS["overwritten"][1]:
            assert (store.read(counting.read("before")), store.read(counting.read("after"))) == ("1", None)
        else:
            with pytest.raises(StoreUnavailable, match=words):
                store.read(counting.read("before"))


@pytest.mark.parametrize("fault", FAULTS)
def test_a_commit_while_the_file_goes_is_not_reported_as_done(path: Path, fault: str) -> None:
    """If the file disappears during a transaction, the commit is reported as unknown."""
    do, words = FAULTS[fault]

    def work(tx: Transaction) -> None:
        counting.put("meanwhile")(tx)
        do(path)

    with opened(path) as store:
        store.write(counting.put("before"))

        with pytest.raises(CommitUnknown, match=words):
            store.write(work)


def test_units_that_share_the_commit_are_reported_too(path: Path) -> None:
    """None of the writes that share such a commit is reported as done; one that failed by itself says why."""
    with opened(path) as store:

        async def together() -> list[object]:
            units: list[Callable[[Transaction], object]]
            units = [counting.put("a"), lambda _: path.unlink(), counting.fail_after("b"), counting.put("c")]
            waiting = [asyncio.ensure_future(store.database.write(unit)) for unit in units]
            return list(await asyncio.gather(*waiting, return_exceptions=True))

        first, _, failed, last = store.runner.run(together())

    assert isinstance(last, StoreUnavailable)
    assert isinstance(failed, (ZeroDivisionError, StoreUnavailable))
    assert first is None or isinstance(first, StoreUnavailable)


def test_a_lost_log_is_copied_into_the_database(path: Path) -> None:
    """What was accepted before the log was deleted is there at the next start, also after a kill."""
    with opened(path) as store:
        store.write(counting.put("before"))
        delete_log(path)
        lost(store)
        wait_until(lambda: _rows(Path(shutil.copy(path, path.with_name("killed")))) == ["before"], "the copy")

    with opened(path) as store:
        assert store.read(counting.read("before")) == "1"
        store.write(counting.put("after"))


def test_a_file_that_was_moved_aside_is_whole_and_goes_on_where_it_was_put_back(path: Path) -> None:
    """A database that is moved away without its log holds all that was accepted."""
    aside = path.with_name("aside.db")
    with opened(path) as store:
        store.write(counting.put("before"))
        path.rename(aside)
        lost(store)

    assert _rows(aside) == ["before"]
    aside.rename(path)
    with opened(path) as store:
        store.write(counting.put("after"))


def test_a_folder_that_comes_back_is_used_again(path: Path) -> None:
    """The very same files are back: writes are accepted again, and nothing is missing."""
    with opened(path) as store:
        store.write(counting.put("before"))
        move_folder(path)
        lost(store)
        Path(f"{path.parent}-moved").rename(path.parent)

        wait_until(lambda: store.database.file_fault is None, "the file's return")
        store.write(counting.put("after"))

    assert _rows(path) == ["after", "before"]


def test_the_worst_that_happened_is_reported(path: Path) -> None:
    """Log and then database disappear: no restart is advised. Both come back: only a restart repairs it."""
    log, aside, log_aside = Path(f"{path}-wal"), path.with_name("aside"), path.with_name("log-aside")
    with opened(path) as store:
        store.write(counting.put("before"))

        def says(fault: str) -> bool:
            return store.database.file_fault is not None and FAULTS[fault][1] in store.database.file_fault.message

        log.rename(log_aside)
        wait_until(lambda: says("log deleted"), "the log's loss")
        path.rename(aside)
        wait_until(lambda: says("deleted"), "the database's loss")
        log_aside.rename(log)
        aside.rename(path)
        wait_until(lambda: says("log deleted"), "its return")
        with pytest.raises(StoreUnavailable, match="restart"):
            store.write(counting.put("after"))

    assert _rows(path) == ["before"]


WRITE_AND_DIE = """
import apsw, os, sys
connection = apsw.Connection(sys.argv[1])
connection.execute("PRAGMA journal_mode = WAL")
connection.execute("INSERT INTO rejected_logins VALUES ('other', '1', '')")
os._exit(0)
"""


@pytest.mark.parametrize("fault", ["replaced", "deleted", "all deleted"])
def test_a_file_put_in_place_is_left_alone(path: Path, migrated_file: Path, fault: str) -> None:
    """Neither the log of the database before nor its end spoils the new one, whose own log is whole after a crash."""
    with opened(path) as store:
        store.write(counting.put("before"))
        if fault == "deleted":
            path.unlink()
            lost(store)
        if fault != "all deleted":
            Path(shutil.copy(migrated_file, path.with_name("other"))).replace(path)
            wait_until(lambda: not Path(f"{path}-shm").exists(), "the end of the log before")
        else:
            delete_all(path)
            shutil.copy(migrated_file, path)
        subprocess.run([sys.executable, "-c", WRITE_AND_DIE, path], check=True)

    connection = apsw.Connection(str(path))
    assert connection.execute("PRAGMA integrity_check").get == "ok"
    assert connection.execute("SELECT workshop FROM rejected_logins").fetchall() == [("other",)]
    connection.close()


def test_a_deleted_database_can_be_copied_from_the_process(path: Path, tmp_path: Path) -> None:
    """The recipe of docs/backup.md: one file of the process, whole, with all that was accepted."""
    rescued = tmp_path / "rescued.db"
    with opened(path) as store:
        store.write(counting.put("before"))
        delete_all(path)
        lost(store)
        script = (
            f"for file in /proc/{os.getpid()}/fd/*; do "
            f"case $(readlink $file) in {path}' (deleted)') cp $file {rescued}; esac; done"
        )

        def copied() -> bool:
            subprocess.run(["sh", "-c", script], check=True)
            return _rows(rescued) == ["before"]

        wait_until(copied, "a copy with all that was accepted")


CHECKPOINTS = """
import apsw, sys
for number in range(40):
    connection = apsw.Connection(sys.argv[1])
    connection.set_busy_timeout(90_000)
    connection.execute(f"INSERT INTO rejected_logins VALUES ('other {number}', '', hex(randomblob(9000)))")
    connection.wal_checkpoint(mode=number % 4)
    if number % 10 == 9:
        connection.execute("DELETE FROM rejected_logins WHERE workshop LIKE 'other%'")
        connection.execute("VACUUM")
    connection.close()
"""


def test_another_process_on_the_same_file_is_no_fault(path: Path) -> None:
    """Two connectors on one volume: commits, checkpoints of every kind and VACUUM of the other are as ever."""
    with opened(path) as store, subprocess.Popen([sys.executable, "-c", CHECKPOINTS, path]) as other:
        number = 0
        while other.poll() is None:
            number += 1
            store.write(counting.put(f"n{number}", "x" * 5000))
        assert other.returncode == 0
        assert store.database.file_fault is None


MOUNTS = """\
22 1 254:0 / / rw,relatime - ext4 /dev/vda rw
30 22 0:30 / /srv rw - nfs4 server:/export rw
31 22 0:31 / /mnt/with\\040blank rw - fuse.sshfs host: rw
32 30 0:32 / /srv/local rw - xfs /dev/vdb rw
"""


@pytest.mark.parametrize(
    ("folder", "kind"),
    [("/srv/data", "nfs4"), ("/mnt/with blank", "fuse.sshfs"), ("/srv/local/deep", ""), ("/srvx", ""), ("/", "")],
)
def test_a_network_share_is_reported_at_the_start(tmp_path: Path, folder: str, kind: str) -> None:
    """File systems of the network and of FUSE are named, the mount that is nearest counts; local ones are not."""
    mounts = tmp_path / "mountinfo"
    mounts.write_text(MOUNTS)

    told = file_system.shared_file_system_warning(Path(folder) / "connector.db", mounts)

    assert (f"of type {kind}" in (told or "")) if kind else (told is None), told
    assert file_system.shared_file_system_warning(Path(folder) / "connector.db", tmp_path / "none") is None


def _rows(path: Path) -> list[str]:
    """The names in the file as it is, without its log."""
    connection = apsw.Connection(f"file:{path}?immutable=1", flags=apsw.SQLITE_OPEN_READONLY | apsw.SQLITE_OPEN_URI)
    try:
        return [str(row[0]) for row in connection.execute("SELECT workshop FROM rejected_logins ORDER BY 1")]
    finally:
        connection.close()
