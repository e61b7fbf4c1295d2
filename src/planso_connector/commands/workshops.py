"""`planso-connector workshops`: the registry of workshops that one installation serves."""

import os
import sys
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, TypeVar

import typer

from planso_connector import configuration
from planso_connector.commands.console import (
    AsJson,
    err,
    fail,
    out,
    print_json,
    print_table,
    report_errors,
    require_file,
    run_with_database,
    whole_number,
)
from planso_connector.commands.workshop_file import read_text, read_workshops
from planso_connector.domain.errors import Invalid, Problem
from planso_connector.domain.workshop import SettingValue
from planso_connector.flows.operating.database_clock import DatabaseClock
from planso_connector.flows.operating.password_encryption import generate_key
from planso_connector.flows.operating.workshop_overview import WorkshopOverview, WorkshopStatus
from planso_connector.flows.operating.workshops import NewWorkshop, WorkshopChanges, WorkshopRegistry
from planso_connector.rest.schemas.workshops import serialize_workshop
from planso_connector.settings import Settings
from planso_connector.store.engine.database import Database

T = TypeVar("T")

STANDARD_INPUT = "-"

cli = typer.Typer(
    help="Workshops that one connector serves besides the one of its environment; a running one notices changes within "
    "seconds.",
    no_args_is_help=True,
)

Name = Annotated[str, typer.Argument(metavar="NAME", help="The workshop's name.")]
Yes = Annotated[bool, typer.Option("--yes", help="Do it without asking.")]
PasswordFile = Annotated[
    str | None,
    typer.Option(metavar="FILE", help="File with the PlanSo password, - for standard input; else it is asked for."),
]
ProfileFile = Annotated[
    Path | None, typer.Option(metavar="FILE", help="Profile of its PlanSo, TOML; its text is stored.")
]
Setting = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="NAME=VALUE", help="A setting of its own, CONNECTOR_SYNC_HOURS=...; repeatable."),
]
TableId = Annotated[int | None, typer.Option(parser=whole_number(1), metavar="N", help="`tableID` of its order form.")]


@dataclass(frozen=True, slots=True)
class _Flows:
    registry: WorkshopRegistry
    overview: WorkshopOverview


@cli.command()
def add(
    name: Annotated[str, typer.Argument(metavar="NAME", help="1 to 63 of a-z, 0-9 and -; it can't be changed later.")],
    url: Annotated[str, typer.Option(help="Address of its PlanSo, https://<customer>.planso.de.")],
    user: Annotated[str, typer.Option(help="User name for PlanSo.")],
    password_file: PasswordFile = None,
    table_id: TableId = None,
    profile: ProfileFile = None,
    setting: Setting = None,
) -> None:
    """Register a workshop. Its password is stored encrypted; its API keys are made with `keys create --workshop`."""
    with report_errors():
        new = NewWorkshop(
            name,
            url,
            user,
            _read_password(password_file),
            table_id,
            _read_profile(profile),
            _parse_settings(setting or ()),
        )
    _with_flows(lambda flows: flows.registry.add(new), create=True)
    out.print(f"Workshop '{name}' is registered.")
    err.print(
        f"Next: `planso-connector doctor --workshop {name}` tries its PlanSo; `planso-connector keys create CALLER "
        f"--workshop {name} --scope orders:read` makes a key."
    )


@cli.command(name="import")
def import_file(
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="TOML, a table for each workshop: see docs/workshops.md.")
    ],
) -> None:
    """Register all workshops of a file, or none; what is wrong is named with its workshop."""
    require_file(file)
    with report_errors():
        new = read_workshops(file)
    added = _with_flows(lambda flows: flows.registry.import_all(new), create=True)
    out.print("1 workshop is registered." if len(added) == 1 else f"{len(added)} workshops are registered.")


@cli.command(name="list")
def list_workshops(as_json: AsJson = False) -> None:
    """List all workshops, the one of the environment too, with the state of each."""
    found = _with_flows(_list_all)
    if as_json:
        print_json([serialize_workshop(status) for status in found])
        return
    if not found:
        err.print("There is no workshop yet.")
        return
    rows = [
        (
            status.workshop.name,
            _format_state(status),
            status.workshop.planso_url,
            _format_age(status.sync_age),
            str(status.state.pending),
            status.fault.message if status.fault is not None else "",
        )
        for status in found
    ]
    print_table(rows, ("name", "state", "PlanSo", "synced", "pending", "fault"))


@cli.command()
def show(name: Name, as_json: AsJson = False) -> None:
    """Show a workshop with its settings and state; never its password."""
    status = _with_flows(lambda flows: flows.overview.get(name))
    if as_json:
        print_json(serialize_workshop(status))
        return
    workshop, state = status.workshop, status.state
    rows = [
        ("name", workshop.name),
        ("state", _format_state(status)),
        ("PlanSo", workshop.planso_url),
        ("user", workshop.planso_user),
        ("table", str(workshop.table_id) if workshop.table_id is not None else "the profile's"),
        ("profile", f"{len(workshop.profile.splitlines())} lines" if workshop.profile else "built in"),
        ("synced", _format_age(status.sync_age)),
        ("pending", str(state.pending)),
        ("fault", status.fault.message if status.fault is not None else "none"),
        *((key, str(value)) for key, value in sorted(workshop.settings.items())),
    ]
    print_table(rows)


@cli.command()
def change(
    name: Name,
    url: Annotated[str | None, typer.Option(help="Another address of its PlanSo; needs the password again.")] = None,
    user: Annotated[str | None, typer.Option(help="Another user name for PlanSo.")] = None,
    password_file: PasswordFile = None,
    table_id: TableId = None,
    profile: ProfileFile = None,
    setting: Setting = None,
    unset: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="A setting that follows the process's again; repeatable.")
    ] = None,
) -> None:
    """Change what is given; the rest stays. A running connector applies it within seconds."""
    changes: WorkshopChanges = {}
    with report_errors():
        if url is not None:
            changes["planso_url"] = url
        if user is not None:
            changes["planso_user"] = user
        if password_file is not None or url is not None:
            changes["password"] = _read_password(password_file)
        if table_id is not None:
            changes["table_id"] = table_id
        if profile is not None:
            changes["profile"] = _read_profile(profile)
        if setting or unset:
            removed = dict.fromkeys(map(str.upper, unset or ()))
            changes["settings"] = {**_parse_settings(setting or ()), **removed}
    if not changes:
        fail("accepted: at least one of --url, --user, --password-file, --table-id, --profile, --set, --unset", code=2)
    _with_flows(lambda flows: flows.registry.change(name, changes))
    out.print(f"Workshop '{name}' is changed.")


@cli.command()
def pause(name: Name) -> None:
    """Pause a workshop: its writes are refused at once, nothing is sent to its PlanSo, reads go on."""
    paused = _with_flows(lambda flows: flows.registry.pause(name))
    out.print(
        f"Workshop '{name}' is paused since {str(paused.paused_at)[:19]}Z. Pending writes wait for its resumption."
    )


@cli.command()
def resume(name: Name) -> None:
    """End a pause. Its time is added to the deadlines of pending writes."""
    _with_flows(lambda flows: flows.registry.resume(name))
    out.print(f"Workshop '{name}' is active.")


@cli.command()
def remove(
    name: Name,
    yes: Yes = False,
    discard_pending_writes: Annotated[
        bool, typer.Option("--discard-pending-writes", help="Remove it although writes are pending: they are lost.")
    ] = False,
) -> None:
    """
    Remove a workshop: revoke its keys, delete its mirror, history, operations and access log here. Nothing changes in
    PlanSo. Given again, it deletes what is left.
    """
    if not yes and not typer.confirm(
        f"Remove '{name}'? Its keys are revoked, and all that is held of it here is deleted; PlanSo stays as it is."
    ):
        fail("Nothing was done.")

    async def work(flows: _Flows) -> tuple[int, int]:
        discarded = 0
        if not await flows.registry.is_being_removed(name):
            discarded = await flows.registry.remove(name, discard_pending=discard_pending_writes)
        with err.status(f"Deleting the rows of '{name}'"):
            return discarded, await flows.registry.purge(name)

    discarded, rows = _with_flows(work)
    out.print(f"Workshop '{name}' is removed, {rows} rows are deleted.")
    if discarded:
        writes = "1 pending write is" if discarded == 1 else f"{discarded} pending writes are"
        err.print(f"{writes} lost.", style="yellow")


@cli.command(name="new-key")
def new_key(
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="File for CONNECTOR_SECRETS_KEY_FILE; keys that it holds stay.")
    ],
) -> None:
    """Put a new key for passwords at the top of a file, which only its owner may read."""
    with report_errors():
        held = read_text(file, ("FILE",)) if file.exists() else ""
        _write_privately(file, "\n".join([generate_key(), *held.split()]) + "\n")
    out.print(f"{file} begins with a new key.")
    if held:
        err.print(
            "Give the file to every process and restart it; then `planso-connector workshops rotate-key` encrypts all "
            "passwords with the new key, and the other keys can be deleted from the file."
        )


@cli.command(name="rotate-key")
def rotate_key() -> None:
    """Encrypt every password with the first key of CONNECTOR_SECRETS_KEY. Exit code 1 if one can't be decrypted."""
    rotation = _with_flows(lambda flows: flows.registry.encrypt_anew())
    passwords = "1 password was" if rotation.encrypted_anew == 1 else f"{rotation.encrypted_anew} passwords were"
    out.print(f"{passwords} encrypted with the first key.")
    if rotation.unreadable:
        fail(
            f"No key decrypts the passwords of: {', '.join(rotation.unreadable)}. Add the key that encrypted them, or "
            "set them again: `workshops change NAME --password-file FILE`."
        )


async def _list_all(flows: _Flows) -> Sequence[WorkshopStatus]:
    found: list[WorkshopStatus] = []
    first: str | None = ""
    while first is not None:
        page = list(await flows.overview.list_page(first, 501))
        found += page[:500]
        first = page[500].workshop.name if len(page) > 500 else None
    return found


def _read_password(file: str | None) -> str:
    """From a file, standard input, or asked for on a terminal. Raises Invalid."""
    if file == STANDARD_INPUT:
        return sys.stdin.readline().removesuffix("\n").removesuffix("\r")
    if file is not None:
        return read_text(Path(file), ("option", "--password-file"))
    if not sys.stdin.isatty():
        message = "required where nobody can be asked: a file, or - for standard input"
        raise Invalid([Problem(("option", "--password-file"), message, "missing")])
    return str(typer.prompt("PlanSo password", hide_input=True, err=True))


def _read_profile(file: Path | None) -> str:
    return read_text(file, ("option", "--profile")) if file is not None else ""


def _parse_settings(given: Sequence[str]) -> dict[str, SettingValue]:
    """Raises Invalid."""
    parsed: dict[str, SettingValue] = {}
    for text in given:
        name, separator, value = text.partition("=")
        if not separator:
            raise Invalid(
                [Problem(("option", "--set"), "accepted: NAME=VALUE, as CONNECTOR_PENDING=500", "value_error")]
            )
        parsed[name.strip().upper()] = value.strip()
    return parsed


def _write_privately(file: Path, text: str) -> None:
    """Replace the file whole. Raises Invalid."""
    draft = file.with_name(f".{file.name}.new")
    try:
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as opened:
            opened.write(text)
            opened.flush()
            os.fsync(opened.fileno())
        draft.replace(file)
    except OSError as error:
        message = f"'{file}' can't be written: {error.strerror or error}"
        raise Invalid([Problem(("argument", "FILE"), message, "file")]) from error


def _format_state(status: WorkshopStatus) -> str:
    state = "paused" if status.workshop.is_paused else "active"
    return f"{state}, of the environment" if status.is_default else state


def _format_age(seconds: float | None) -> str:
    if seconds is None:
        return "never"
    minutes = int(seconds // 60)
    if minutes < 120:
        return f"{minutes} min ago"
    return f"{minutes // 60} h ago" if minutes < 48 * 60 else f"{minutes // 60 // 24} d ago"


def _with_flows(work: Callable[[_Flows], Awaitable[T]], *, create: bool = False) -> T:
    async def build_and_work(database: Database) -> T:
        settings, clock = Settings.load(), await DatabaseClock.create(database)
        registry = configuration.workshop_registry(settings, database, clock)
        return await work(_Flows(registry, configuration.workshop_overview(settings, database, clock)))

    return run_with_database(build_and_work, create=create)
