"""`planso-connector capacity`: show and set the workshop's capacity."""

import tomllib
from pathlib import Path
from typing import Annotated, Any

import typer

from planso_connector.commands.console import AsJson, OfWorkshop, fail, out, print_json, require_file, run_with_database
from planso_connector.domain.capacity.capacity_document import WEEKDAYS
from planso_connector.domain.errors import Invalid, Problem
from planso_connector.flows.operating.capacity import CapacityFlow, CapacityState
from planso_connector.flows.operating.database_clock import DatabaseClock
from planso_connector.store.engine.database import Database

cli = typer.Typer(
    name="capacity",
    help="The workshop's capacity, which /api/availability measures against: see docs/availability.md.",
    no_args_is_help=True,
)


@cli.command()
def show(as_json: AsJson = False, workshop: OfWorkshop = None) -> None:
    """Print the capacity. Exit code 1 where the workshop set none."""
    state = run_with_database(lambda database: _get(database), workshop=workshop)
    if state.document is None:
        fail("The workshop has not set its capacity; `planso-connector capacity set FILE` sets it.")
    if as_json:
        print_json(state.document)
    else:
        _print(state, state.document)


@cli.command(name="set")
def set_capacity(
    file: Annotated[Path, typer.Argument(help="TOML, in the form that docs/availability.md shows.")],
    workshop: OfWorkshop = None,
) -> None:
    """Replace the capacity by that of a file."""
    require_file(file)

    async def work(database: Database) -> CapacityState:
        flow = CapacityFlow(database, await DatabaseClock.create(database))
        return await flow.set(_read(file), caller="command line", loc=("file",))

    state = run_with_database(work, workshop=workshop)
    assert state.document is not None, "it was set"
    _print(state, state.document)


async def _get(database: Database) -> CapacityState:
    return await CapacityFlow(database, await DatabaseClock.create(database)).get()


def _read(path: Path) -> dict[str, Any]:
    """Raises Invalid."""
    try:
        return tomllib.loads(path.read_bytes().decode("utf-8-sig"))
    except OSError as error:
        raise Invalid([Problem(("file",), f"'{path}' can't be read: {error.strerror or error}", "file")]) from error
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise Invalid([Problem(("file",), f"'{path}' is not TOML: {error}", "file")]) from error


def _print(state: CapacityState, document: dict[str, Any]) -> None:
    days = document["weekdays"]
    for name in WEEKDAYS:
        hours = days.get(name)
        out.print(f"{name}  " + ("closed" if hours is None else ", ".join(map(_describe_limit, hours.items()))))
    for kind in ("estimate", "drop_off", "pick_up"):
        limits = {name: value for name, value in document.get(kind, {}).items() if value not in (None, [], 0)}
        out.print(f"{kind}  {', '.join(map(_describe_limit, limits.items())) or 'not limited'}")
    for one in document["exceptions"]:
        hours = ", ".join(_describe_limit((name, one[name])) for name in ("karo", "lack"))
        shown = "closed" if one["closed"] else hours
        out.print(f"{one['from']} to {one['to']}  {shown}  {one['reason']}".rstrip())
    out.print(
        f"Bookable {document['horizon_days']} days ahead; tight from {document['tight_from']:.0%} on; holidays of "
        f"{document['federal_state'] or 'all states'}. Set {str(state.changed_at)[:19]}Z."
    )


def _describe_limit(limit: tuple[str, Any]) -> str:
    name, value = limit
    shown = "not limited" if value is None else " ".join(value) if isinstance(value, list) else f"{value}"
    return f"{name} {shown}"
