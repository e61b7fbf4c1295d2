"""
An installation of many workshops: a PostgreSQL server with their mirrors, and a PlanSo for each in another process.

Only the first mirror is filled by a sync; the others are copies of its rows, and each workshop's PlanSo shows the same
orders. `python -m bench.many_workshops PORT WORKSHOPS ORDERS` serves these PlanSos.
"""

from __future__ import annotations

import asyncio
import socket
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import psycopg
from cryptography.fernet import Fernet
from psycopg import sql
from pydantic import SecretStr
from starlette.types import ASGIApp
from tests.databases import PostgresqlServer, running_server
from tests.many_workshops import make_key
from tests.process import ConnectorProcess, connector_process, free_port

from bench.processes import run_server
from planso_connector import app, configuration, logs
from planso_connector.domain import clock
from planso_connector.domain.scopes import Scope
from planso_connector.flows.operating.workshops import NewWorkshop
from planso_connector.sandbox import Sandboxes
from planso_connector.settings import Settings
from planso_connector.store.engine.database import Database
from planso_connector.store.sync_runs import RunState, Trigger
from planso_connector.store.tables import INSTALLATION_TABLES, metadata

NOT_COPIED = INSTALLATION_TABLES | {"api_keys", "access_log", "leases", "forwarded_calls", "operations"}
SECRETS_KEY = Fernet.generate_key().decode()


class SameOrders(Sandboxes):
    """Each workshop has the orders of the first one, so that a mirror of one is a mirror of all."""

    def _find_routes(self, name: str) -> ASGIApp:
        return super()._find_routes(self.names[0])


@dataclass(frozen=True)
class Installation:
    """The first workshop is the environment's, the others are registered."""

    server: PostgresqlServer
    database_url: str
    planso: str
    """Base URL of the sandbox."""
    names: Sequence[str]

    def environment(self, **settings: str) -> dict[str, str]:
        account = Sandboxes(self.names[:1]).installation(self.names[0])
        return {
            "PLANSO_URL": self.planso + f"/w/{self.names[0]}",
            "PLANSO_USER": account.username,
            "PLANSO_PASSWORD": account.password,
            "CONNECTOR_WORKSHOP": self.names[0],
            "CONNECTOR_SECRETS_KEY": SECRETS_KEY,
            "CONNECTOR_DATABASE_URL": self.database_url,
            "CONNECTOR_SYNC_HOURS": "00:00-24:00",
            "CONNECTOR_SYNC_HOLIDAYS": "",
            "CONNECTOR_SYNC_REREAD": "7 d",
            "CONNECTOR_SYNC_REREAD_SOON": "7 d",
            "CONNECTOR_LOG_LEVEL": "error",
            "CONNECTOR_RATE_LIMIT": "0",
            **settings,
        }

    @contextmanager
    def connector(self, **settings: str) -> Iterator[ConnectorProcess]:
        """Run a connector as an operator would start it."""
        environment = self.environment(**settings)
        with (
            tempfile.TemporaryDirectory() as folder,
            connector_process(environment, Path(folder), is_new_interpreter=True) as running,
        ):
            yield running

    def create_keys(self, names: Sequence[str]) -> dict[str, str]:
        return {name: make_key(self.database_url, name, Scope.ADMIN) for name in names}

    def query(self, statement: str, *parameters: object) -> list[tuple[object, ...]]:
        with psycopg.connect(self.database_url, autocommit=True) as connection:
            return connection.execute(statement.encode(), parameters).fetchall()


@contextmanager
def running_installation(workshops: int, orders: int) -> Iterator[Installation]:
    """Fill a database and serve the PlanSos. A thousand workshops of 300 orders take minutes."""
    logs.configure("error", [])
    names = [f"w{number:03d}" for number in range(1, workshops + 1)]
    port = free_port()
    command = [sys.executable, "-m", "bench.many_workshops", str(port), str(workshops), str(orders)]
    with running_server() as server, run_server(command, port):
        url = server.url(server.create_database())
        installation = Installation(server, url, f"http://127.0.0.1:{port}", names)
        asyncio.run(_fill_first(installation))
        if len(names) > 1:
            _copy(url, names[0], names[1:])
        yield installation


async def _fill_first(installation: Installation) -> None:
    """Sync the first workshop and register the others."""
    given = installation.environment()
    settings = Settings(
        _env_file=None,
        planso_url=given["PLANSO_URL"],
        planso_user=given["PLANSO_USER"],
        planso_password=SecretStr(given["PLANSO_PASSWORD"]),
        connector_workshop=installation.names[0],
        connector_secrets_key=SecretStr(SECRETS_KEY),
        connector_database_url=installation.database_url,
        connector_sync_interval=timedelta(0),
        connector_planso_concurrency=8,
    )
    async with app.open_connector(settings, beside_others=True) as built:
        await built.default.reindexer.run()
        run = await built.default.sync.run(Trigger.COMMAND)
        assert run is not None, "another process is syncing"
        assert run.state is RunState.DONE, run
        again = await built.default.sync.run(Trigger.COMMAND)
        assert again is not None, "another process is syncing"
        assert again.requests == 1, again
    database = Database.open(installation.database_url)
    try:
        registry = configuration.workshop_registry(settings, database, clock.now)
        await registry.import_all(
            [
                NewWorkshop(
                    name, f"{installation.planso}/w/{name}", given["PLANSO_USER"], given["PLANSO_PASSWORD"], None
                )
                for name in installation.names[1:]
            ]
        )
    finally:
        await database.close()


def _copy(url: str, source: str, names: Sequence[str]) -> None:
    """Copy the rows of one workshop for others."""
    with psycopg.connect(url, autocommit=True) as connection:
        index = connection.execute("SELECT indexdef FROM pg_indexes WHERE indexname = 'orders_by_text'").fetchall()
        connection.execute("DROP INDEX IF EXISTS orders_by_text")
        for table in metadata.sorted_tables:
            if table.name in NOT_COPIED:
                continue
            others = [sql.Identifier(column.name) for column in table.c if column.name != "workshop"]
            statement = sql.SQL(
                "INSERT INTO {table} (workshop, {columns}) SELECT copied, {columns} FROM {table}, "
                "unnest(%s::text[]) copied WHERE workshop = %s"
            ).format(table=sql.Identifier(table.name), columns=sql.SQL(", ").join(others))
            connection.execute(statement, (list(names), source))
        for (definition,) in index:
            connection.execute("SET maintenance_work_mem = '1GB'")
            connection.execute(definition)
        connection.execute("VACUUM ANALYZE")


def main(port: str, workshops: str, orders: str) -> None:
    listening = socket.create_server(("127.0.0.1", int(port)), backlog=512)
    SameOrders(int(workshops), orders=int(orders)).run([listening])


if __name__ == "__main__":
    main(*sys.argv[1:])
