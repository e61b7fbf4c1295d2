"""What there is of row-level security in a PostgreSQL database, and what an operator has to do for the rest."""

from dataclasses import dataclass

from psycopg import sql
from sqlalchemy import text

from planso_connector.store.engine.row_level_security import ROLE, SEARCH_ROLE
from planso_connector.store.engine.transaction import Row, Transaction
from planso_connector.store.tables import INSTALLATION_TABLES, metadata

POLICY, SEARCH_POLICY = "own_workshop", "search_function"
FUNCTION = "text_candidates(text, json, bigint)"

TABLES = [table.name for table in metadata.sorted_tables]
_LISTED = ", ".join(f"('{name}', {name not in INSTALLATION_TABLES})" for name in TABLES)
_IS_GRANTED = " AND ".join(
    f"has_table_privilege(app.oid, pg_class.oid, '{right}')" for right in ("SELECT", "INSERT", "UPDATE", "DELETE")
)
STATE = f"""
WITH app AS (SELECT oid FROM pg_roles WHERE rolname = '{ROLE}'),
search AS (SELECT oid FROM pg_roles WHERE rolname = '{SEARCH_ROLE}'),
ours AS (
    SELECT relname, relowner, relforcerowsecurity, has_workshop,
        coalesce((SELECT {_IS_GRANTED} FROM app), false) AS is_granted,
        relrowsecurity AND relforcerowsecurity
            AND EXISTS (SELECT 1 FROM pg_policy WHERE polrelid = pg_class.oid AND polname = '{POLICY}') AS is_secured
    FROM (VALUES {_LISTED}) AS listed (name, has_workshop) JOIN pg_class ON pg_class.oid = to_regclass(name)
)
SELECT CAST(current_user AS text) AS role, CAST(session_user AS text) AS login, rolsuper AS is_superuser,
    rolbypassrls AS may_bypass, quote_ident(current_schema()) AS schema,
    EXISTS (SELECT 1 FROM app) AS has_role, EXISTS (SELECT 1 FROM search) AS has_search_role,
    coalesce((SELECT pg_has_role(session_user, oid, CASE WHEN CAST(current_setting('server_version_num') AS int)
        >= 160000 THEN 'SET' ELSE 'MEMBER' END) FROM app), false) AS may_act,
    coalesce((SELECT pg_has_role(current_user, oid, 'USAGE') FROM search), false) AS inherits_search,
    EXISTS (SELECT 1 FROM pg_proc, search WHERE pg_proc.oid = to_regprocedure('{FUNCTION}') AND proowner = search.oid)
        AS has_function,
    EXISTS (SELECT 1 FROM pg_policy WHERE polrelid = to_regclass('orders') AND polname = '{SEARCH_POLICY}')
        AS has_search_policy,
    coalesce((SELECT has_table_privilege(oid, to_regclass('alembic_version'), 'SELECT') FROM app), false)
        AS has_revision,
    (SELECT string_agg(CAST(relname AS text), ',') FROM ours WHERE NOT is_granted) AS not_granted,
    (SELECT string_agg(CAST(relname AS text), ',') FROM ours WHERE has_workshop AND NOT is_secured) AS not_secured,
    (SELECT string_agg(CAST(relname AS text), ', ' ORDER BY relname) FROM ours WHERE has_workshop
        AND NOT relforcerowsecurity AND pg_has_role(current_user, relowner, 'USAGE')) AS owned
FROM pg_roles WHERE rolname = current_user
"""  # noqa: S608 - made of constants


_INSPECT = text(STATE)


@dataclass(frozen=True, slots=True)
class RowSecurity:
    """What is there, for the role that asks. `reason`: why it sees the rows of all workshops; None: it does not."""

    role: str
    login: str
    is_built: bool
    reason: str | None
    missing: tuple[str, ...]
    """Statements for a superuser, in the connector's database."""

    @property
    def advice(self) -> str | None:
        """One sentence for the operator; None where nothing is to be done."""
        if self.is_built and self.reason is None:
            return None
        what = f"'{self.role}' sees the rows of all workshops ({self.reason})" if self.reason else "it is incomplete"
        how = (
            f"As a superuser, in this database: {'; '.join(self.missing)}. Then restart" if self.missing else "Restart"
        )
        return f"Row-level security does not keep workshops apart: {what}. The connector's statements alone do. {how}."


def inspect(tx: Transaction) -> RowSecurity:
    """For the role that units of work act as."""
    return _row_security(tx.fetch_all(_INSPECT)[0])


def check(tx: Transaction) -> list[str]:
    """What the operator should change."""
    advice = inspect(tx).advice
    return [] if advice is None else [advice]


def is_built(found: Row) -> bool:
    names = "has_role", "has_search_role", "may_act", "has_function", "has_search_policy", "has_revision"
    return all(found[name] for name in names) and not found["not_granted"] and not found["not_secured"]


def _row_security(found: Row) -> RowSecurity:
    reasons = {
        "is_superuser": "it is a superuser",
        "may_bypass": "it has BYPASSRLS",
        "inherits_search": f"it is a member of {SEARCH_ROLE}",
        "owned": "it owns tables without FORCE ROW LEVEL SECURITY",
    }
    login = sql.Identifier(found["login"]).as_string()
    needed = {
        "has_role": f"CREATE ROLE {ROLE} NOLOGIN",
        "has_search_role": f"CREATE ROLE {SEARCH_ROLE} NOLOGIN",
        "may_act": f"GRANT {ROLE} TO {login}",
        "has_function": f"ALTER FUNCTION {found['schema']}.{FUNCTION} OWNER TO {SEARCH_ROLE}",
    }
    return RowSecurity(
        role=found["role"],
        login=found["login"],
        is_built=is_built(found),
        reason=next((reason for name, reason in reasons.items() if found[name]), None),
        missing=tuple(statement for name, statement in needed.items() if not found[name]),
    )
