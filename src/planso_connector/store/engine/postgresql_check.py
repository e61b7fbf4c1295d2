"""Check at start what a PostgreSQL database lacks, with advice."""

from sqlalchemy import text

from planso_connector.domain.errors import StoreUnavailable
from planso_connector.store.engine.postgresql_pool import TimeoutConnection
from planso_connector.store.engine.postgresql_url import PostgresqlUrl
from planso_connector.store.engine.transaction import Transaction

_RIGHTS = """
SELECT current_user::text AS role, current_database()::text AS database, quote_ident(current_schema()) AS schema,
    current_setting('search_path') AS search_path,
    has_schema_privilege(current_schema(), 'CREATE') AS may_create,
    has_database_privilege(current_database(), 'CREATE') AS may_extend,
    (SELECT quote_ident(nspname) FROM pg_extension JOIN pg_namespace ON pg_namespace.oid = extnamespace
        WHERE extname = 'pg_trgm') AS trigrams,
    (SELECT has_schema_privilege(extnamespace, 'USAGE') FROM pg_extension WHERE extname = 'pg_trgm') AS may_use,
    EXISTS (SELECT 1 FROM pg_available_extensions WHERE name = 'pg_trgm') AS has_trigrams
"""

_LIMITS = text("""
SELECT CAST(session_user AS text) AS role, rolconnlimit AS of_role, datconnlimit AS of_database,
    CASE WHEN rolsuper THEN 0 ELSE (SELECT sum(CAST(setting AS int)) FROM pg_settings
        WHERE name IN ('superuser_reserved_connections', 'reserved_connections')) END AS reserved,
    CAST(current_setting('max_connections') AS int) AS of_server, current_setting('fsync') = 'on' AS is_durable
FROM pg_roles, pg_database WHERE rolname = session_user AND datname = current_database()
""")


def prepare_for_migration(connection: TimeoutConnection, url: PostgresqlUrl) -> None:
    """
    Within the migration's transaction: add the schema of the extension `pg_trgm` to the search path. Raises
    StoreUnavailable if tables or the extension can't be created.
    """
    found = connection.execute(_RIGHTS).fetchone()
    assert found is not None, "it selects one row"
    if found["schema"] is None:
        raise _refused(
            url,
            f"none of the schemas of its search_path ({found['search_path']}) is there for '{found['role']}'. Make "
            "one, or set another search_path: CREATE SCHEMA AUTHORIZATION, or ALTER ROLE ... SET search_path",
        )
    if not found["may_create"]:
        raise _refused(
            url,
            f"'{found['role']}' may not make tables in the schema {found['schema']}. As its owner: "
            f'GRANT CREATE, USAGE ON SCHEMA {found["schema"]} TO "{found["role"]}"',
        )
    if found["trigrams"] is not None:
        if not found["may_use"]:
            raise _refused(
                url,
                f"the extension pg_trgm is in the schema {found['trigrams']}, which '{found['role']}' may not use. As "
                f'its owner: GRANT USAGE ON SCHEMA {found["trigrams"]} TO "{found["role"]}"',
            )
        connection.execute(
            "SELECT set_config('search_path', "
            "concat_ws(', ', nullif(current_setting('search_path'), ''), %s::text), true)",
            (found["trigrams"],),
        )
    elif not found["has_trigrams"]:
        raise _refused(
            url, "the server lacks the extension pg_trgm. Install it there (Debian: postgresql-contrib), then start"
        )
    elif not found["may_extend"]:
        raise _refused(
            url,
            f"the extension pg_trgm is not there yet, and '{found['role']}' may not make it. As the database's owner, "
            f"in the database '{found['database']}': CREATE EXTENSION pg_trgm",
        )


def check_server(tx: Transaction, wanted: int) -> list[str]:
    """List what the operator should change. `wanted`: connections that the connector may open."""
    found = tx.fetch_all(_LIMITS)[0]
    usable = found["of_server"] - (found["reserved"] or 0)
    limits = (
        (usable, f"max_connections leaves {usable}"),
        (found["of_role"], f"the role '{found['role']}' has CONNECTION LIMIT {found['of_role']}"),
        (found["of_database"], f"the database has CONNECTION LIMIT {found['of_database']}"),
    )
    short = [words for limit, words in limits if 0 <= limit < wanted]
    warnings = []
    if short:
        warnings.append(
            f"The connector opens up to {wanted} connections to PostgreSQL, and fewer are allowed: {'; '.join(short)}. "
            "Set CONNECTOR_DATABASE_CONNECTIONS to fewer, or allow more. Until then reads come first."
        )
    if not found["is_durable"]:
        warnings.append("The server runs with fsync=off: a power cut there may take writes that were accepted.")
    return warnings


def _refused(url: PostgresqlUrl, why: str) -> StoreUnavailable:
    return StoreUnavailable(f"The connector's database ({url.location}) can't be used: {why}.")
