"""`keys`: manage API keys. `accesses`: print the access log."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import asdict
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer
from pydantic import TypeAdapter, ValidationError
from rich.markup import escape
from rich.table import Column, Table

from planso_connector.commands.console import err, fail, out, print_json, run_with_database
from planso_connector.domain import clock
from planso_connector.domain.notes import join_names
from planso_connector.domain.scopes import SCOPE_DESCRIPTIONS, Scope
from planso_connector.flows.operating.access_log import AccessLog
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

_SCOPES_HELP = "What it is for; may be given again. " + " ".join(
    f"`{s}`: {SCOPE_DESCRIPTIONS[s].lower()}" for s in Scope
)
KeyId = Annotated[str, typer.Argument(metavar="ID", help="The key's id: the part between `pc_` and the next `_`.")]
AsJson = Annotated[bool, typer.Option("--json", help="As JSON, for programs.")]
Expires = Annotated[
    str | None, typer.Option(help="How long it is valid, `90d`, `12h`; `never` is the default of a new key.")
]


@keys.command()
def create(
    name: Annotated[str, typer.Argument(help="Who calls with it: `phone agent`. It is shown in operations.")],
    scope: Annotated[list[Scope], typer.Option(help=_SCOPES_HELP)],
    expires: Expires = None,
) -> None:
    """Create a key and print it, once: only its hash is kept. After the first one, the API refuses requests without."""
    expires_in = _duration(expires, "--expires")

    async def create_key(api_keys: ApiKeys) -> tuple[bool, ApiKey, str]:
        try:
            return not await api_keys.has_any(), *await api_keys.create(name, scope, expires_in)
        except ValueError as error:
            fail(f"NAME: {error}", code=2)

    is_first, key, text = _with_keys(create_key, create=True)
    _print_once(key, text)
    if is_first:
        where = parse_database_url(Settings.load().connector_database_url)
        place = f"'{where}'" if isinstance(where, Path) else f"'{where.parameters.get('dbname', '')}'"
        err.print(
            f"It is the first one in the database {place}: from now on every request to /api of the connector on it "
            "needs a key.",
            highlight=False,
            soft_wrap=True,
        )


@keys.command(name="list")
def list_keys(as_json: AsJson = False) -> None:
    """List all keys with scopes, expiry and last use, revoked and expired ones too; never a secret."""
    found = _with_keys(ApiKeys.list_all)
    if as_json:
        print_json([_describe(key) for key in found])
        return
    unwrapped = [Column(name, no_wrap=True, overflow="fold") for name in ("id", "name")]
    table = Table(*unwrapped, "scopes", "state", "created", "expires", "last use")
    for key in found:
        times = [
            str(time or "never")[:16].replace("T", " ") for time in (key.created_at, key.expires_at, key.last_used_at)
        ]
        table.add_row(key.id, escape(key.name), ", ".join(sorted(key.scopes)), _state(key), *times)
    out.print(table)


@keys.command()
def revoke(key_id: KeyId) -> None:
    """Revoke a key, at once and for good."""
    key = _with_keys(lambda api_keys: api_keys.revoke(key_id))
    out.print(f"Key {key.id} ({escape(key.name)}) is revoked.", highlight=False)


@keys.command()
def rotate(
    key_id: KeyId,
    overlap: Annotated[str, typer.Option(help="How long the previous secret stays valid too.")] = "0s",
    expires: Expires = None,
) -> None:
    """Give a key a new secret and print it, once. Id, name and scopes stay; the expiry too, unless it is given."""
    if expires == "never":
        fail("--expires: accepted: a time such as 90d; a key that never expires is a new one", code=2)
    overlap_for, expires_in = _duration(overlap, "--overlap") or timedelta(0), _duration(expires, "--expires")
    key, text = _with_keys(lambda api_keys: api_keys.rotate(key_id, overlap=overlap_for, expires_in=expires_in))
    _print_once(key, text)
    if _state(key) == "expired":
        err.print(f"It expired on {str(key.expires_at)[:10]}: give it a new time with --expires.", style="yellow")


def accesses(
    order: Annotated[int | None, typer.Option(min=1, help="Only of this order.")] = None,
    key: Annotated[str | None, typer.Option(help="Only by this key, its id; empty for requests without one.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=100_000, help="Rows at most, the newest.")] = 50,
    as_json: AsJson = False,
) -> None:
    """Print who was shown which order, newest first. A running connector writes its access log within 15 seconds."""

    async def read(database: Database) -> tuple[Sequence[Access], dict[str, str]]:
        entries = await AccessLog(database, clock.now).list_entries(order, key, limit)
        return entries, {key.id: key.name for key in await ApiKeys(database, clock.now).list_all()}

    entries, names = run_with_database(read)
    if as_json:
        print_json([asdict(entry) for entry in entries])
        return
    table = Table("at (UTC)", "key", "route", "orders", "times")
    for entry in entries:
        caller = f"{escape(names.get(entry.caller, '?'))} ({entry.caller})" if entry.caller else "no key"
        ids = [str(order)] if order is not None else [str(order_id) for order_id in entry.order_ids]
        table.add_row(entry.at[:19].replace("T", " "), caller, entry.route, join_names(ids, 10), str(entry.times))
    out.print(table)


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
    err.print(f"Key {key.id} ({escape(key.name)}). It is shown this once, keep it well:", highlight=False)
    typer.echo(text)


def _duration(text: str | None, option: str) -> timedelta | None:
    if text is None or text == "never":
        return None
    try:
        return TypeAdapter[timedelta](Duration).validate_python(text)
    except (ValidationError, OverflowError):
        fail(f"{option}: accepted: a time such as 30s, 12h or 90d", code=2)


def _with_keys(work: Callable[[ApiKeys], Awaitable[T]], *, create: bool = False) -> T:
    async def make_and_work(database: Database) -> T:
        return await work(ApiKeys(database, await DatabaseClock.create(database)))

    return run_with_database(make_and_work, create=create)
