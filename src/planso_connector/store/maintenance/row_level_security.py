"""
Build what row-level security on PostgreSQL needs, as far as the connected role may.

Not a migration: what the role may do changes (a role is granted later, a backup is restored on another server), so
every start looks. All of it is there or none: without the two roles the tables' owner reads and writes as always.
"""

from typing import cast

import psycopg
import structlog

from planso_connector.store.engine.postgresql_pool import TimeoutConnection
from planso_connector.store.engine.row_level_security import ROLE, SEARCH_ROLE, SETTING
from planso_connector.store.engine.row_security_state import FUNCTION, POLICY, SEARCH_POLICY, STATE, TABLES, is_built
from planso_connector.store.engine.transaction import EVERY_WORKSHOP, Row

log = structlog.get_logger(__name__)


def build(connection: TimeoutConnection) -> None:
    """
    Within a migration's transaction: make roles and policies unless all of it is there. Where the connected role may
    not do so, or others hold a table for long, nothing of it stays; the check at start then says what to do.
    """
    if is_built(found := _fetch_state(connection)):
        return
    connection.execute("SAVEPOINT row_level_security")
    try:
        for statement in _statements(found, connection.info.server_version):
            connection.execute(statement.encode())
        fault = None if is_built(_fetch_state(connection)) else "incomplete"
    except psycopg.DatabaseError as error:
        if connection.closed or connection.has_timed_out:
            raise
        fault = type(error).__name__
    if fault is not None:
        connection.execute("ROLLBACK TO SAVEPOINT row_level_security")
        log.debug("row_level_security_not_built", fault=fault)
    connection.execute("RELEASE SAVEPOINT row_level_security")


def _fetch_state(connection: TimeoutConnection) -> Row:
    return cast("Row", connection.execute(STATE.encode()).fetchone())


def _statements(found: Row, server_version: int) -> list[str]:
    """The statements that build it. Each can be repeated, as long as one transaction has them all."""
    schema = found["schema"]
    statements = []
    if not found["has_role"]:
        statements.append(f"CREATE ROLE {ROLE} NOLOGIN")
    if not found["has_search_role"]:
        statements.append(f"CREATE ROLE {SEARCH_ROLE} NOLOGIN")
    if not found["may_act"]:
        statements.append(f"GRANT {ROLE} TO CURRENT_USER")
    statements += [
        f"GRANT USAGE ON SCHEMA {schema} TO {ROLE}, {SEARCH_ROLE}",
        f"GRANT SELECT ON alembic_version TO {ROLE}",
        f"GRANT SELECT, INSERT, UPDATE, DELETE ON {', '.join(TABLES)} TO {ROLE}",
    ]
    if not found["has_function"]:
        statements += _give_function(found, server_version)
    for table in filter(None, (found["not_secured"] or "").split(",")):
        statements += [
            f"DROP POLICY IF EXISTS {POLICY} ON {table}",
            f"CREATE POLICY {POLICY} ON {table} USING ({_OWN_ROWS})",
            f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY",
        ]
    return [
        *statements,
        f"GRANT SELECT (workshop, id, text_key) ON orders TO {SEARCH_ROLE}",
        f"DROP POLICY IF EXISTS {SEARCH_POLICY} ON orders",
        f"CREATE POLICY {SEARCH_POLICY} ON orders FOR SELECT TO {SEARCH_ROLE} USING (true)",
    ]


# Subqueries: evaluated once for each statement, not for each row.
_VALUE = f"(SELECT current_setting('{SETTING}', true))"
_OWN_ROWS = f"workshop = {_VALUE} OR {_VALUE} = '{EVERY_WORKSHOP}'"


def _give_function(found: Row, server_version: int) -> list[str]:
    """
    Make the search function the search role's. An owner who is no superuser is its member meanwhile, not longer: a
    member has its policy too.
    """
    give = f"ALTER FUNCTION {FUNCTION} OWNER TO {SEARCH_ROLE}"
    only_we = [f"REVOKE ALL ON FUNCTION {FUNCTION} FROM PUBLIC", f"GRANT EXECUTE ON FUNCTION {FUNCTION} TO {ROLE}"]
    if found["is_superuser"]:
        return [*only_we, give]
    options = " WITH INHERIT FALSE, SET TRUE" if server_version >= 160_000 else ""
    return [
        *only_we,
        f"GRANT {SEARCH_ROLE} TO CURRENT_USER{options}",
        f"GRANT CREATE ON SCHEMA {found['schema']} TO {SEARCH_ROLE}",
        give,
        f"REVOKE CREATE ON SCHEMA {found['schema']} FROM {SEARCH_ROLE}",
        f"REVOKE {SEARCH_ROLE} FROM CURRENT_USER",
    ]
