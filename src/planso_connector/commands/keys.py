"""`keys`: the API keys. `accesses`: who was shown which order."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import asdict
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer
from pydantic import TypeAdapter, ValidationError
from rich.markup import escape
from rich.table import Column, Table

from planso_connector import app as root
from planso_connector.commands.console import (
    configure_logs,
    err,
    fail,
    load_settings,
    out,
    print_json,
    report_errors,
    require_database,
    run,
)
from planso_connector.domain import clock
from planso_connector.domain.caller import SCOPE_DESCRIPTIONS, Scope
from planso_connector.flows.operating.access_log import AccessLog
from planso_connector.flows.operating.api_keys import ApiKeys
from planso_connector.flows.operating.database_clock import DatabaseClock
from planso_connector.settings import Duration, Settings
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
KeyId = Annotated[str, typer.Argument(metavar="ID", help="The key's id: what stands between `pc_` and the next `_`.")]
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
    """Make a key and print it, once: only its hash is kept. The first one closes the API to everyone without a key."""
    expires_in = _duration(expires, "--expires")

    async def make(made: ApiKeys) -> tuple[bool, ApiKey, str]:
        try:
            return not await made.has_any(), *await made.create(name, scope, expires_in)
        except ValueError as error:
            fail(f"NAME: {error}", code=2)

    is_first, key, text = _with_keys(make, anew=True)
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
    """Every key with its scopes, expiry and last use, never a secret; revoked and expired ones too."""
    found = _with_keys(ApiKeys.list_all)
    if as_json:
        print_json([_shown(key) for key in found])
        return
    whole = [Column(name, no_wrap=True, overflow="fold") for name in ("id", "name")]
    table = Table(*whole, "scopes", "state", "created", "expires", "last use")
    for key in found:
        shown = _shown(key)
        times = [str(shown[name] or "never")[:16].replace("T", " ") for name in _TIMES]
        table.add_row(key.id, escape(key.name), ", ".join(shown["scopes"]), shown["state"], *times)
    out.print(table)


@keys.command()
def revoke(key_id: KeyId) -> None:
    """End a key, at once and for good."""
    key = _with_keys(lambda made: made.revoke(key_id))
    out.print(f"Key {key.id} ({escape(key.name)}) is revoked.", highlight=False)


@keys.command()
def rotate(
    key_id: KeyId,
    overlap: Annotated[str, typer.Option(help="How long the secret before stays valid beside the new one.")] = "0s",
    expires: Expires = None,
) -> None:
    """Give a key a new secret and print it, once. Id, name and scopes stay, and the expiry unless it is given."""
    if expires == "never":
        fail("--expires: accepted: a time such as 90d; a key that never expires is a new one", code=2)
    together, expires_in = _duration(overlap, "--overlap") or timedelta(0), _duration(expires, "--expires")
    key, text = _with_keys(lambda made: made.rotate(key_id, overlap=together, expires_in=expires_in))
    _print_once(key, text)
    if key.expires_at is not None and key.expires_at <= clock.format_instant(clock.now()):
        err.print(f"It expired on {key.expires_at[:10]}: give it a new time with --expires.", style="yellow")


def accesses(
    order: Annotated[int | None, typer.Option(min=1, help="Only of this order.")] = None,
    key: Annotated[str | None, typer.Option(help="Only by this key, its id; empty for requests without one.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=100_000, help="Rows at most, the newest.")] = 50,
    as_json: AsJson = False,
) -> None:
    """Who was shown which order, newest first. A running connector writes it down within 15 seconds."""

    async def read(database: Database) -> tuple[Sequence[Any], dict[str, str]]:
        found = await AccessLog(database, clock.now).list_entries(order, key, limit)
        return found, {one.id: one.name for one in await ApiKeys(database, clock.now).list_all()}

    found, names = _with_database(read)
    if as_json:
        print_json([asdict(one) for one in found])
        return
    table = Table("at (UTC)", "key", "route", "orders", "times")
    for one in found:
        caller = f"{escape(names.get(one.caller, '?'))} ({one.caller})" if one.caller else "no key"
        ids = [str(order)] if order is not None else [str(order_id) for order_id in one.order_ids]
        more = f" and {len(ids) - 10} more" if len(ids) > 10 else ""
        table.add_row(one.at[:19].replace("T", " "), caller, one.route, ", ".join(ids[:10]) + more, str(one.times))
    out.print(table)


_TIMES = ("created_at", "expires_at", "last_used_at")


def _shown(key: ApiKey) -> dict[str, Any]:
    now = clock.format_instant(clock.now())
    state = "revoked" if key.revoked_at else "expired" if key.expires_at and key.expires_at <= now else "valid"
    return {
        "id": key.id,
        "name": key.name,
        "scopes": sorted(key.scopes),
        "state": state,
        "created_at": key.created_at,
        "expires_at": key.expires_at,
        "last_used_at": key.last_used_at,
        "revoked_at": key.revoked_at,
    }


def _print_once(key: ApiKey, text: str) -> None:
    err.print(f"Key {key.id} ({escape(key.name)}). It is shown this once, keep it well:", highlight=False)
    typer.echo(text)


def _duration(given: str | None, option: str) -> timedelta | None:
    if given is None or given == "never":
        return None
    try:
        return TypeAdapter[timedelta](Duration).validate_python(given)
    except (ValidationError, OverflowError):
        fail(f"{option}: accepted: a time such as 30s, 12h or 90d", code=2)


def _with_keys(work: Callable[[ApiKeys], Awaitable[T]], *, anew: bool = False) -> T:
    async def ask(database: Database) -> T:
        return await work(ApiKeys(database, await DatabaseClock.create(database)))

    return _with_database(ask, anew=anew)


def _with_database(work: Callable[[Database], Awaitable[T]], *, anew: bool = False) -> T:
    """`anew`: the database may be made for it."""

    async def ask(settings: Settings) -> T:
        async with root.open_database(settings) as database:
            return await work(database)

    with report_errors():
        settings = load_settings() if anew else require_database(load_settings())
        configure_logs(settings, quiet=True)
        return run(ask(settings))
