"""What PostgreSQL or psycopg reports, as errors of the connector that say what is wrong in words."""

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
from psycopg import errors

from planso_connector.domain.errors import StoreTimeout, StoreUnavailable
from planso_connector.store.engine.postgresql_pool import ResponseTimeout
from planso_connector.store.engine.postgresql_url import PostgresqlUrl

_LOCKED = (
    "another transaction holds a lock and did not finish in time: another program's, or one that waits for the "
    "synchronous standby"
)
_NOT_POOLED = (
    "the pooler before it gives no connection: its server is down, or all are in use, or its pool_mode is none of "
    "`transaction` and `session`"
)
_UNAVAILABLE: tuple[tuple[type[psycopg.Error] | tuple[type[psycopg.Error], ...], str], ...] = (
    (errors.DiskFull, "its disk is full"),
    (errors.OutOfMemory, "it has no memory left"),
    (errors.TooManyConnections, "it has too many connections already"),
    (errors.LockNotAvailable, _LOCKED),
    (errors.QueryCanceled, "a statement took too long, or was cancelled"),
    (
        errors.ReadOnlySqlTransaction,
        "it is read-only, as a standby is: name the server that takes writes, or each of them",
    ),
    ((errors.InvalidPassword, errors.InvalidAuthorizationSpecification), "it rejects the user name or the password"),
    (errors.InvalidCatalogName, "there is no such database on this server"),
    ((errors.AdminShutdown, errors.CrashShutdown, errors.CannotConnectNow), "it is shutting down or starting up"),
    ((errors.DeadlockDetected, errors.SerializationFailure), "other writes block it repeatedly"),
    (errors.ProtocolViolation, _NOT_POOLED),
    ((errors.DataCorrupted, errors.IndexCorrupted), "it is damaged"),
)
_SILENT = "it has not answered in time"
_UNREACHED = "it can't be reached, or does not let this user into this database, or has no connection left"
"""libpq keeps the server's reason for a refused connection to itself, but for a text in the server's language."""
_OPTIONS_HINT = "; PgBouncer refuses `options` in the URL: ALTER ROLE ... SET ... instead"
_MISSING = (
    errors.UndefinedTable,
    errors.UndefinedColumn,
    errors.UndefinedFunction,
    errors.UndefinedObject,
    errors.InvalidSchemaName,
)
_OURS = (
    psycopg.OperationalError,
    psycopg.InternalError,
    psycopg.InterfaceError,
    errors.InsufficientPrivilege,
    *_MISSING,
)


@contextmanager
def translate_errors(url: PostgresqlUrl, *, verbose: bool = False) -> Iterator[None]:
    """
    Raise StoreUnavailable for what the database can't do; programming errors pass. `verbose`: with the server's own
    message, for operators.
    """
    try:
        yield
    except (ResponseTimeout, errors.ConnectionTimeout) as error:
        raise StoreTimeout(f"The connector's database ({url.location}) can't be used: {_SILENT}.") from error
    except _OURS as error:
        reason = next((reason for kind, reason in _UNAVAILABLE if isinstance(error, kind)), None)
        if reason is None and isinstance(error, errors.InsufficientPrivilege):
            reason = "this user may not do that"
        if isinstance(error, _MISSING):  # by the connector's own statements: somebody renamed or dropped it
            reason = f"what the connector made there is missing ({error.diag.message_primary}): put it back"
        if reason is None:
            unreached = _UNREACHED + (_OPTIONS_HINT if "options" in url.parameters else "")
            reason = unreached if error.sqlstate is None else f"it reports {type(error).__name__}"
        if verbose:
            reason = f"{reason}. It says: {in_one_line(error, url)}"
        raise StoreUnavailable(f"The connector's database ({url.location}) can't be used: {reason}.") from error


def in_one_line(error: psycopg.Error, url: PostgresqlUrl) -> str:
    """Its message without the secrets of the URL."""
    line = " ".join(str(error).split())
    for secret in url.secrets:
        line = line.replace(secret, "***")
    return line.rstrip(".?")[:1000]
