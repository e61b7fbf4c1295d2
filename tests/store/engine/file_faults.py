"""Stores on a SQLite file, and what can happen to the file: deleted, moved, overwritten, locked, out of room."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from planso_connector.store.engine import sqlite
from planso_connector.store.engine.database import Transaction
from tests.databases import Store

LOCK = """
import sys, apsw
connection = apsw.Connection(sys.argv[1])
connection.execute("BEGIN IMMEDIATE")
print("locked", flush=True)
sys.stdin.read()
connection.close()
"""
"""A program that holds the write lock of the file in its first argument until its input ends."""


@contextmanager
def opened(path: Path) -> Iterator[Store]:
    store = Store(f"sqlite:///{path}")
    try:
        yield store
    finally:
        store.close()


def limit_pages(tx: Transaction, more: int) -> None:
    """Leaves room for `more` pages: to SQLite it is a full disk."""
    assert isinstance(tx, sqlite.SqliteTransaction)
    connection = tx._connection  # noqa: SLF001 - a test's hand on the disk
    pages = int(str(connection.execute("PRAGMA page_count").get))
    connection.execute(f"PRAGMA max_page_count = {pages + more}")


def delete(path: Path) -> None:
    path.unlink()


def delete_all(path: Path) -> None:
    for file in path.parent.glob(f"{path.name}*"):
        file.unlink()


def delete_log(path: Path) -> None:
    Path(f"{path}-wal").unlink()


def delete_index(path: Path) -> None:
    Path(f"{path}-shm").unlink()


def replace(path: Path) -> None:
    Path(shutil.copy(path, path.with_name("other"))).replace(path)


def overwrite(path: Path) -> None:
    shutil.copyfile(shutil.copy(path, path.with_name("other")), path)


def truncate(path: Path) -> None:
    os.truncate(path, 0)


def move_folder(path: Path) -> None:
    path.parent.rename(f"{path.parent}-moved")


FAULTS: dict[str, tuple[Callable[[Path], None], str]] = {
    "deleted": (delete, "no longer at its place"),
    "all deleted": (delete_all, "no longer at its place"),
    "folder moved": (move_folder, "no longer at its place"),
    "replaced": (replace, "replaced by another file"),
    "log deleted": (delete_log, "lost its write-ahead log"),
    "index deleted": (delete_index, "lost its write-ahead log"),
    "overwritten": (overwrite, "another program than SQLite"),
    "truncated": (truncate, "another program than SQLite"),
}
