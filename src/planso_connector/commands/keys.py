"""`keys`: manage API keys. `accesses`: print the access log."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import asdict
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer
from pydantic import TypeAdapter, ValidationError

from planso_connector.commands.console import (
    AsJson,
    OfWorkshop,
    err,
    fail,
    out,
    print_json,
    print_table,
    run_with_database,
    whole_number,
)
from planso_connector.domain import clock
from planso_connector.domain.notes import join_names
from planso_connector.domain.scopes import SCOPE_DESCRIPTIONS, Scope
from planso_connector.flows.operating.access_log import list_entries
from planso_connector.flows.operating.api_keys import ApiKeys
from planso_connector.flows.operating.database_clock import DatabaseClock
from planso_connector.settings import Duration, Settings
from planso_connector.store.access_log import Access
from planso_connector.store.api_keys import ApiKey
from planso_connector.store.engine.database import Database, parse_database_url

T = TypeVar("T")

keys = typer.Typer(
    name="keys",
    help="API keys: who may call the connector, and for what. Changes hold at once, in a running connector too.",
    no_args_is_help=True,
)


def _parse_scope(text: str) -> Scope:
    try:
        return Scope(text)
    except ValueError:
        raise typer.BadParameter(f"accepted: {', '.join(Scope)}") from None


_SCOPES_HELP = "What it is for; may be given again. " + " ".join(
    f"`{s}`: {SCOPE_DESCRIPTIONS[s].lower()}" for s in Scope
)
KeyId = Annotated[str, typer.Argument(metavar="ID", help="The key's id: the part between `pc_` and the next `_`.")]
Expires = Annotated[
    str | None, typer.Option(help="How long it is valid, `90d`, `12h`; `never` is the default of a new key.")
]


@keys.command()
def create(
    name: Annotated[str, typer.Argument(help="Who calls with it: `phone agent`. It is shown in operations.")],
    scope: Annotated[list[Scope], typer.Option(parser=_parse_scope, metavar="SCOPE", help=_SCOPES_HELP)],
    expires: Expires = None,
    workshop: OfWorkshop = None,
) -> None:
    """Create a key and print it, once: only its hash is kept. After the first one, the API refuses requests without."""
    expires_in = _duration(expires, "--expires")

    async def create_key(api_keys: ApiKeys) -> tuple[bool, ApiKey, str]:
        try:
            return not await api_keys.has_any(), *await api_keys.create(name, scope, expires_in)
        except ValueError as error:
            fail(f"NAME: {error}", code=2)

    is_first, key, text = _with_keys(create_key, workshop, create=True)
    _print_once(key, text)
    if is_first and workshop is None:
        where = parse_database_url(Settings.load().connector_database_url)
        place = f"'{where}'" if isinstance(where, Path) else f"'{where.parameters.get('dbname', '')}'"
        err.print(
            f"It is the first one in the database {place}: from now on every request to /api of the connector on it "
            "needs a key."
        )


@keys.command(name="list")
def list_keys(as_json: AsJson = False, workshop: OfWorkshop = None) -> None:
    """List all keys with scopes, expiry and last use, revoked and expired ones too; never a secret."""
    found = _with_keys(ApiKeys.list_all, workshop)
    if as_json:
        print_json([_describe(key) for key in found])
        return
    if not found:
        err.print("There is no key yet.")
        return
    rows = []
    for key in found:
        times = (_format_time(time) for time in (key.created_at, key.expires_at, key.last_used_at))
        rows.append((key.id, key.name, ", ".join(sorted(key.scopes)), _state(key), *times))
    print_table(rows, ("id", "name", "scopes", "state", "created (UTC)", "expires", "last use"))


@keys.command()
def revoke(key_id: KeyId, workshop: OfWorkshop = None) -> None:
    """Revoke a key, at once and for good."""
    key = _with_keys(lambda api_keys: api_keys.revoke(key_id), workshop)
    out.print(f"Key {key.id} ({key.name}) is revoked.")


@keys.command()
def rotate(
    key_id: KeyId,
    overlap: Annotated[str, typer.Option(help="How long the previous secret stays valid too.")] = "0s",
    expires: Expires = None,
    workshop: OfWorkshop = None,
) -> None:
    """Give a key a new secret and print it, once. Id, name and scopes stay; the expiry too, unless it is given."""
    if expires == "never":
        fail("--expires: accepted: a time such as 90d; a key that never expires is a new one", code=2)
    overlap_for, expires_in = _duration(overlap, "--overlap") or timedelta(0), _duration(expires, "--expires")
    key, text = _with_keys(
        lambda api_keys: api_keys.rotate(key_id, overlap=overlap_for, expires_in=expires_in), workshop
    )
    _print_once(key, text)
    if _state(key) == "expired":
        err.print(f"It expired on {str(key.expires_at)[:10]}: give it a new time with --expires.", style="yellow")


def accesses(
    order: Annotated[
        int | None, typer.Option(parser=whole_number(1), metavar="ORDER", help="Only of this order.")
    ] = None,
    key: Annotated[str | None, typer.Option(help="Only by this key, its id; empty for requests without one.")] = None,
    limit: Annotated[
        int, typer.Option(parser=whole_number(1, 100_000), metavar="N", help="Rows at most, the newest.")
    ] = 50,
    as_json: AsJson = False,
    workshop: OfWorkshop = None,
) -> None:
    """Print who was shown which order, newest first. A running connector writes its access log within 15 seconds."""

    async def read(database: Database) -> tuple[Sequence[Access], dict[str, str]]:
        entries = await list_entries(database, order, key, limit + 1)
        return entries, {key.id: key.name for key in await ApiKeys(database, clock.now).list_all()}

    found, names = run_with_database(read, workshop=workshop)
    entries = found[:limit]
    if as_json:
        print_json([asdict(entry) for entry in entries])
    elif not entries:
        err.print("Nothing was shown to anybody.")
    else:
        rows = []
        for entry in entries:
            caller = f"{names.get(entry.caller, '?')} ({entry.caller})" if entry.caller else "no key"
            ids = [str(order)] if order is not None else [str(order_id) for order_id in entry.order_ids]
            rows.append((_format_time(entry.at), caller, entry.route, join_names(ids, 10), str(entry.times)))
        print_table(rows, ("at (UTC)", "key", "route", "orders", "times"))
    if len(found) > limit:
        err.print(f"Only the newest {limit} are shown; --limit N shows more.")


def _format_time(instant: str | None) -> str:
    return instant[:16].replace("T", " ") if instant else "never"


def _state(key: ApiKey) -> str:
    is_expired = key.expires_at is not None and key.expires_at <= clock.format_instant(clock.now())
    return "revoked" if key.revoked_at else "expired" if is_expired else "valid"


def _describe(key: ApiKey) -> dict[str, Any]:
    return {
        "id": key.id,
        "name": key.name,
        "scopes": sorted(key.scopes),
        "state": _state(key),
        "created_at": key.created_at,
        "expires_at": key.expires_at,
        "last_used_at": key.last_used_at,
        "revoked_at": key.revoked_at,
    }


def _print_once(key: ApiKey, text: str) -> None:
    err.print(f"Key {key.id} ({key.name}). It is shown this once, keep it well:")
    typer.echo(text)


def _duration(text: str | None, option: str) -> timedelta | None:
    if text is None or text == "never":
        return None
    try:
        return TypeAdapter[timedelta](Duration).validate_python(text)
    except (ValidationError, OverflowError):
        fail(f"{option}: accepted: a time such as 30s, 12h or 90d", code=2)


def _with_keys(work: Callable[[ApiKeys], Awaitable[T]], workshop: str | None, *, create: bool = False) -> T:
    async def make_and_work(database: Database) -> T:
        return await work(ApiKeys(database, await DatabaseClock.create(database)))

    return run_with_database(make_and_work, create=create, workshop=workshop)
