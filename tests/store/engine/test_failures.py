"""Failures of the database are StoreUnavailable with a reason, and what was committed stays."""

from __future__ import annotations

import asyncio
import os
import shutil
import socket
import stat
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import apsw
import pytest
from sqlalchemy import insert

from planso_connector.domain.errors import StoreUnavailable
from planso_connector.store.engine.database import Database, Transaction
from planso_connector.store.maintenance import migrate
from planso_connector.store.tables import rejected_logins
from tests.databases import Store
from tests.store import counting
from tests.store.engine.file_faults import LOCK, limit_pages, opened


def test_a_new_database_is_its_owners_alone(tmp_path: Path) -> None:
    """Whatever the umask, the file and its log are 0600; an existing file keeps its mode."""
    path, own = tmp_path / "new.db", tmp_path / "own.db"
    own.touch()
    own.chmod(0o640)
    umask = os.umask(0o022)
    try:
        for one in (path, own):
            migrate.migrate(f"sqlite:///{one}")
            with opened(one) as store:
                store.write(counting.put("a"))
                modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in tmp_path.glob(f"{one.name}*")}
            assert set(modes.values()) == {0o600 if one == path else 0o640}, modes
            assert len(modes) == 3
    finally:
        os.umask(umask)


def test_a_full_disk_is_reported_and_costs_only_who_needs_room(sqlite_path: Path) -> None:
    """Of units in one batch, the one that finds no room fails; those that need none are committed."""
    with opened(sqlite_path) as store:
        store.write(counting.put("before"))
        store.write(lambda tx: limit_pages(tx, 1))

        async def together() -> list[object]:
            units = [counting.put("a"), counting.put("big", "x" * 100_000), counting.put("b")]
            waiting = [asyncio.ensure_future(store.database.write(unit)) for unit in units]
            return await asyncio.gather(*waiting, return_exceptions=True)

        first, full, last = store.runner.run(together())

        assert (first, last) == (None, None)
        assert isinstance(full, StoreUnavailable)
        assert "full" in str(full)
        assert [store.read(counting.read(name)) for name in ("before", "a", "big", "b")] == ["1", "1", None, "1"]
        store.write(lambda tx: limit_pages(tx, 1000))
        store.write(counting.put("big", "x" * 100_000))


def test_units_survive_one_that_takes_the_whole_transaction_down(sqlite_path: Path) -> None:
    """When SQLite rolls back the transaction of a batch, the units that did not fail are run again."""
    doomed = insert(rejected_logins).prefix_with("OR ROLLBACK").values(workshop="a", fingerprint="2", rejected_at="")

    with opened(sqlite_path) as store:

        async def together() -> list[object]:
            units: list[Callable[[Transaction], object]]
            units = [counting.put("a"), lambda tx: tx.execute(doomed), counting.put("b")]
            waiting = [asyncio.ensure_future(store.database.write(unit)) for unit in units]
            return list(await asyncio.gather(*waiting, return_exceptions=True))

        for _ in range(20):  # they may happen not to share one
            first, failed, last = store.runner.run(together())
            assert (first, last) == (None, None)
            assert isinstance(failed, apsw.ConstraintError)

        assert [store.read(counting.read(name)) for name in ("a", "b")] == ["1", "1"]


def test_another_process_that_holds_the_lock_is_waited_for_then_told(sqlite_path: Path) -> None:
    """While another process holds the write lock, reads go on; a write is StoreUnavailable after 5 s, then well."""
    command = [sys.executable, "-c", LOCK, str(sqlite_path)]
    with (
        opened(sqlite_path) as store,
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other,
    ):
        assert other.stdin is not None
        assert other.stdout is not None
        assert other.stdout.readline() == b"locked\n"

        async def while_locked() -> tuple[list[object], object]:
            writes = [asyncio.ensure_future(store.database.write(counting.put(f"n{n}"))) for n in range(3)]
            read = await store.database.read(counting.read("n1"))
            return await asyncio.gather(*writes, return_exceptions=True), read

        ends, read = store.runner.run(while_locked())

        assert read is None
        assert all(isinstance(end, StoreUnavailable) and "another process" in str(end) for end in ends), ends
        other.stdin.close()
        other.wait(90)
        store.write(counting.put("after"))
        assert store.read(counting.read("after")) == "1"


READ_ONLY = """
import asyncio, os, sys
from planso_connector.domain.errors import StoreUnavailable
from planso_connector.store.engine.database import Database
from tests.store import counting
from tests.store.engine.file_faults import LOCK, limit_pages, opened

async def main():
    try:
        database = Database.open(f"sqlite:///{sys.argv[1]}")
        await database.write(counting.put("x"))
    except StoreUnavailable as error:
        print("told:", error)

if os.geteuid() == 0:
    os.setgid(65534)
    os.setuid(65534)
asyncio.run(main())
"""


def test_a_read_only_file_is_reported(sqlite_path: Path) -> None:
    """The message says that this user may not write there."""
    folder = Path(tempfile.mkdtemp(prefix="pc-"))  # pytest's own folders let no other user in
    try:
        path = Path(shutil.copy(sqlite_path, folder))
        path.chmod(0o444)
        folder.chmod(0o555)
        ran = subprocess.run(
            [sys.executable, "-c", READ_ONLY, path], check=True, capture_output=True, text=True, timeout=180
        )
    finally:
        folder.chmod(0o755)
        shutil.rmtree(folder)
    assert ran.stdout.startswith("told:"), ran
    assert "read-only" in ran.stdout or "may this user write" in ran.stdout


def test_a_file_that_is_no_database_is_reported(tmp_path: Path) -> None:
    """Another kind of file, a damaged one, a missing folder: opening it says so."""
    (tmp_path / "other.db").write_bytes(b"Kennzeichen;Halter\n" * 1000)
    for path, words in ((tmp_path / "other.db", "not a SQLite database"), (tmp_path / "no" / "x.db", "folder")):
        with pytest.raises(StoreUnavailable, match=words):
            Database.open(f"sqlite:///{path}")
        with pytest.raises(StoreUnavailable, match=words):
            migrate.migrate(f"sqlite:///{path}")


def test_a_damaged_file_is_reported(sqlite_path: Path) -> None:
    """Overwritten pages are reported as damage, not as a programming error."""
    with opened(sqlite_path) as store:
        store.write(counting.put("x", "y" * 50_000))
    size = sqlite_path.stat().st_size
    with sqlite_path.open("r+b") as file:
        file.seek(4096)
        file.write(b"\xff" * (size - 4096))
    with pytest.raises(StoreUnavailable, match="damaged"), opened(sqlite_path) as store:
        store.read(counting.read("x"))


WRITE_UNTIL_KILLED = """
import asyncio, sys
from planso_connector.store.engine.database import Database
from tests.store import counting
from tests.store.engine.file_faults import LOCK, limit_pages, opened

async def main():
    database = Database.open(sys.argv[1])
    n = 0
    async def writer(own):
        nonlocal n
        while n < 100:
            n += 1
            number = n
            await database.write(counting.put(f"n{number}"))
            print(number, flush=True)
    def never_ending(tx):
        counting.put("uncommitted")(tx)
        print("inside", flush=True)
        sys.stdin.read()
    await asyncio.gather(*(writer(w) for w in range(4)))
    await database.write(never_ending)

asyncio.run(main())
"""


def test_a_kill_leaves_what_was_committed_and_nothing_else(database_url: str) -> None:
    """After kill -9 during a write, everything reported as committed is there, and the open unit is not."""
    command = [sys.executable, "-c", WRITE_UNTIL_KILLED, database_url]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        told = []
        for line in process.stdout:
            if line == "inside\n":
                break
            told.append(int(line))
        process.kill()

    assert told
    store = Store(database_url)
    try:
        assert all(store.read(counting.read(f"n{number}")) == "1" for number in told)
        assert store.read(counting.read("uncommitted")) is None
        store.write(counting.put("after"))
    finally:
        store.close()
    if database_url.startswith("sqlite:///"):
        connection = apsw.Connection(database_url.removeprefix("sqlite:///"))
        assert connection.execute("PRAGMA integrity_check").get == "ok"
        connection.close()


def test_a_server_that_is_away_is_reported_without_the_password() -> None:
    """Without a server, StoreUnavailable names its address, not the password; opening itself succeeds."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound, not listening: nobody else gets this port meanwhile
        url = f"postgresql://someone:s3cret@127.0.0.1:{taken.getsockname()[1]}/workshop"
        store = Store(url)
        try:
            with pytest.raises(StoreUnavailable, match="can't be reached") as told:
                store.read(counting.read("x"))
            with pytest.raises(StoreUnavailable, match="can't be reached"):
                migrate.migrate(url)
        finally:
            store.close()
    assert "workshop" in str(told.value)
    assert "s3cret" not in f"{told.value} {told.value.__cause__}"
    assert "SELECT" not in str(told.value)


def test_a_database_that_the_server_lacks_is_reported(postgresql_url: str) -> None:
    """Another name than the server knows: StoreUnavailable says so."""
    name = postgresql_url.partition("@/")[2].partition("?")[0]
    with pytest.raises(StoreUnavailable, match="does not let this user into"):
        migrate.migrate(postgresql_url.replace(name, "nothing_here"))
