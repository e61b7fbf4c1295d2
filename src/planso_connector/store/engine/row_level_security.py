"""
Row-level security of PostgreSQL: a transaction reads and writes its own workshop's rows, also by a statement that lacks
the condition.

Every transaction sets the parameter `SETTING`, which the tables' policies compare with `workshop`; unset or empty, no
row is there. It acts as `ROLE`, which owns nothing and so can't alter a policy, wherever the connected role may.
`store/maintenance/row_level_security.py` builds what this relies on, and says what is missing.
"""

from psycopg import Connection, sql

from planso_connector.store.engine.postgresql_pool import TimeoutConnection
from planso_connector.store.engine.transaction import EVERY_WORKSHOP, Row

SETTING = "planso_connector.workshop"
ROLE = "planso_connector_app"
"""Transactions act as this role, which no one logs in as."""
SEARCH_ROLE = "planso_connector_search"
"""Owns the function that searches texts: the only role whose policy is to see all, which `LIKE` needs for its index."""

USE_WORKSHOP = f"SELECT set_config('{SETTING}', %s, true)"

_SESSION = """
SELECT pg_backend_pid() AS pid, current_schemas(false)::text[] AS schemas, EXISTS (
    SELECT 1 FROM pg_roles JOIN pg_class ON pg_class.oid = to_regclass('orders')
    WHERE rolname = %s AND pg_has_role(current_user, pg_roles.oid, %s)
        AND relrowsecurity AND has_table_privilege(pg_roles.oid, pg_class.oid, 'INSERT')
) AS may_act
"""


def setting_value(workshop: str | None) -> str:
    """The parameter's value; None: the whole installation."""
    return EVERY_WORKSHOP if workshop is None else workshop


def prepare_session(connection: TimeoutConnection) -> bool:
    """
    Find out how this connection's transactions act as `ROLE`, if they may. Returns whether a pooler such as PgBouncer
    is in between, which reports process numbers of its own.
    """
    found = connection.execute(_SESSION, (ROLE, set_privilege(connection))).fetchone()
    assert found is not None, "it selects one row"
    connection.act_as_role = _act_as_role(found) if found["may_act"] else ()
    return bool(found["pid"] != connection.info.backend_pid)


def set_privilege(connection: Connection[Row]) -> str:
    """The privilege of `pg_has_role` to `SET ROLE`; before PostgreSQL 16, every member had it."""
    return "SET" if connection.info.server_version >= 160_000 else "MEMBER"


def _act_as_role(found: Row) -> tuple[str, ...]:
    # `$user` in a search_path is the role that acts: it would lead to other tables, or to none.
    schemas = sql.SQL(", ").join(map(sql.Identifier, found["schemas"]))
    path = sql.SQL("SET LOCAL search_path = {}").format(schemas).as_string()
    return (path, f"SET LOCAL ROLE {ROLE}") if found["schemas"] else (f"SET LOCAL ROLE {ROLE}",)


def statements_to_begin(connection: TimeoutConnection, workshop: str | None, *, act_as_role: bool) -> list[str]:
    """To be sent with BEGIN, as text: several statements in one message have no parameters."""
    value = sql.quote(setting_value(workshop), connection)
    return [f"SELECT set_config('{SETTING}', {value}, true)", *(connection.act_as_role if act_as_role else ())]
