"""`planso-connector webhooks`: the receivers of events."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Annotated, Any, TypeVar

import typer

from planso_connector import configuration
from planso_connector.commands.console import (
    AsJson,
    OfWorkshop,
    load_settings,
    out,
    print_json,
    print_table,
    run_with_database,
    whole_number,
)
from planso_connector.domain.clock import format_instant
from planso_connector.domain.events import EventType
from planso_connector.flows.delivering.receivers import WebhookReceivers
from planso_connector.flows.operating.database_clock import DatabaseClock
from planso_connector.store.engine.database import Database
from planso_connector.store.webhooks import Attempt, Webhook
from planso_connector.webhooks.sender import WebhookSender

T = TypeVar("T")

cli = typer.Typer(name="webhooks", help="Where events are sent to, signed: see docs/events.md.", no_args_is_help=True)
WebhookId = Annotated[str, typer.Argument(metavar="WEBHOOK", help="The webhook's id.")]
_LISTED = ("id", "url", "types", "fields", "state", "delivered_at", "failing_since")
_ATTEMPTS = ("id", "at", "type", "order_id", "status", "outcome", "milliseconds")


def _run(work: Callable[[WebhookReceivers], Awaitable[T]], workshop: str | None) -> T:
    async def with_receivers(database: Database) -> T:
        sender = WebhookSender(configuration.webhook_networks(load_settings()))
        try:
            return await work(WebhookReceivers(database, sender, await DatabaseClock.create(database)))
        finally:
            await sender.close()

    return run_with_database(with_receivers, workshop=workshop)


@cli.command()
def add(
    url: Annotated[str, typer.Argument(help="https://...")],
    types: Annotated[list[EventType] | None, typer.Option("--type", help="Only these events.")] = None,
    fields: Annotated[bool, typer.Option("--fields", help="With the values that changed.")] = False,
    workshop: OfWorkshop = None,
) -> None:
    """Send events to this address from now on. Its secret is printed this once."""
    webhook = _run(lambda receivers: receivers.create(url, types or [], has_fields=fields), workshop)
    out.print(f"Added: {webhook.id}\nSecret, shown this once: {webhook.secret}")


@cli.command(name="list")
def list_webhooks(as_json: AsJson = False, workshop: OfWorkshop = None) -> None:
    """List receivers, and how they do."""
    found = [_describe(webhook) for webhook in _run(lambda receivers: receivers.list(), workshop)]
    _print(found, _LISTED, as_json=as_json)


@cli.command()
def attempts(
    webhook_id: WebhookId,
    limit: Annotated[int, typer.Option(parser=whole_number(1, 10_000), metavar="COUNT")] = 50,
    as_json: AsJson = False,
    workshop: OfWorkshop = None,
) -> None:
    """List what came of deliveries, the last one first."""
    found = _run(lambda receivers: receivers.list_attempts(webhook_id, limit), workshop)
    _print([_describe_attempt(attempt) for attempt in found], _ATTEMPTS, as_json=as_json)


@cli.command()
def rotate(webhook_id: WebhookId, workshop: OfWorkshop = None) -> None:
    """Make a new secret, printed this once; the former one signs too for 24 hours."""
    out.print(f"Secret, shown this once: {_run(lambda receivers: receivers.rotate(webhook_id), workshop).secret}")


@cli.command()
def enable(webhook_id: WebhookId, workshop: OfWorkshop = None) -> None:
    """Switch on again; it goes on where it ended."""
    _run(lambda receivers: receivers.change(webhook_id, enabled=True), workshop)
    out.print(f"Switched on: {webhook_id}")


@cli.command()
def disable(webhook_id: WebhookId, workshop: OfWorkshop = None) -> None:
    """Switch off, until somebody switches on again."""
    _run(lambda receivers: receivers.change(webhook_id, enabled=False), workshop)
    out.print(f"Switched off: {webhook_id}")


@cli.command(name="send-example")
def send_example(webhook_id: WebhookId, workshop: OfWorkshop = None) -> None:
    """Send an example event now. Exit code 1 unless the receiver takes it."""
    attempt = _run(lambda receivers: receivers.send_example(webhook_id), workshop)
    out.print(f"{attempt.outcome}, after {attempt.milliseconds} ms")
    if attempt.status is None or not 200 <= attempt.status < 300:
        raise typer.Exit(1)


@cli.command()
def recover(
    webhook_id: WebhookId,
    since: Annotated[datetime, typer.Argument(help="UTC, as 2026-11-23T08:00:00.")],
    workshop: OfWorkshop = None,
) -> None:
    """Deliver all events since then once more."""
    instant = format_instant(since.replace(tzinfo=UTC))
    _run(lambda receivers: receivers.recover(webhook_id, instant), workshop)
    out.print(f"Delivered again since {instant[:19]}Z: {webhook_id}")


@cli.command()
def remove(webhook_id: WebhookId, workshop: OfWorkshop = None) -> None:
    """Remove a receiver with its attempts."""
    _run(lambda receivers: receivers.remove(webhook_id), workshop)
    out.print(f"Removed: {webhook_id}")


def _print(found: list[dict[str, Any]], names: tuple[str, ...], *, as_json: bool) -> None:
    if as_json:
        print_json(found)
    elif found:
        print_table([[str(cell if cell is not None else "") for cell in one.values()] for one in found], names)
    else:
        out.print("None.")


def _describe(webhook: Webhook) -> dict[str, Any]:
    state = "on" if webhook.disabled_at is None else f"off: {webhook.disabled_reason}"
    cells = (
        webhook.id,
        webhook.url,
        ", ".join(webhook.types) or "all",
        webhook.has_fields,
        state,
        webhook.delivered_at,
        webhook.failing_since,
    )
    return dict(zip(_LISTED, cells, strict=True))


def _describe_attempt(attempt: Attempt) -> dict[str, Any]:
    return {name: getattr(attempt, name) for name in _ATTEMPTS}
