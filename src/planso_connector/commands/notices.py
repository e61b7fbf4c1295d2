"""`planso-connector notices`: what phone agents left for the workshop's people."""

from typing import Annotated

import typer

from planso_connector.commands.console import (
    AsJson,
    OfWorkshop,
    out,
    print_json,
    print_table,
    run_with_database,
    whole_number,
)
from planso_connector.flows.operating.database_clock import DatabaseClock
from planso_connector.flows.operating.notices import Notices
from planso_connector.store.engine.database import Database
from planso_connector.store.notices import Notice

cli = typer.Typer(
    name="notices",
    help="What callers asked a phone agent for that a person has to take care of: see docs/agents.md.",
    no_args_is_help=True,
)
_SHOWN = ("id", "created_at", "reason", "name", "phone", "plate", "order_id", "operation", "done_at")


@cli.command(name="list")
def list_notices(
    done: Annotated[bool, typer.Option("--done", help="Those that are done instead of the open ones.")] = False,
    limit: Annotated[int, typer.Option(parser=whole_number(1, 10_000), metavar="COUNT")] = 100,
    as_json: AsJson = False,
    workshop: OfWorkshop = None,
) -> None:
    """List open notices, oldest first."""

    async def work(database: Database) -> list[Notice]:
        notices = Notices(database, await DatabaseClock.create(database))
        return list(await notices.list(done=done, limit=limit))

    found = [_describe(notice) for notice in run_with_database(work, workshop=workshop)]
    if as_json:
        print_json(found)
    elif found:
        print_table([[str(cell if cell is not None else "") for cell in one.values()] for one in found], _SHOWN)
    else:
        out.print("None.")


@cli.command()
def done(
    notice_id: Annotated[str, typer.Argument(metavar="NOTICE", help="The notice's id.")], workshop: OfWorkshop = None
) -> None:
    """Mark a notice as done."""

    async def work(database: Database) -> Notice:
        return await Notices(database, await DatabaseClock.create(database)).close(notice_id, caller="command line")

    notice = run_with_database(work, workshop=workshop)
    out.print(f"Done since {str(notice.done_at)[:19]}Z: {notice.id}")


def _describe(notice: Notice) -> dict[str, str | int | None]:
    return {name: getattr(notice, name) for name in _SHOWN}
