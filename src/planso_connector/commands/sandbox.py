"""`planso-connector sandbox`."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Annotated, Any

import typer

from planso_connector.commands.console import err, fail, report_errors, require_file, seconds, whole_number
from planso_connector.commands.listening import MAX_PORT, listen
from planso_connector.server import listening_sockets


@contextmanager
def import_sandbox() -> Iterator[ModuleType]:
    """Import the sandbox only where it is needed, for a faster start, and turn its errors into messages."""
    from planso_connector import sandbox

    try:
        yield sandbox
    except (sandbox.PortTakenError, sandbox.StyleError) as error:
        fail(str(error), code=2)
    except (sandbox.RecordingError, sandbox.StateFileError) as error:
        fail(str(error))


def run_sandbox(
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[
        int, typer.Option(parser=whole_number(0, MAX_PORT), metavar="PORT", help="Port to listen on.")
    ] = 8190,
    workshops: Annotated[
        int,
        typer.Option(
            parser=whole_number(1, 1000),
            metavar="N",
            help="Number of workshops; several have a login each, and the addresses /w/w001, /w/w002 and so on.",
        ),
    ] = 1,
    state: Annotated[
        Path | None, typer.Option(help="File to keep changes in after this run; a folder for several workshops.")
    ] = None,
    orders: Annotated[
        int, typer.Option(parser=whole_number(1, 100_000), metavar="N", help="Number of invented orders of a workshop.")
    ] = 260,
    seed: Annotated[int, typer.Option(help="Seed of the invented orders.")] = 1,
    latency: Annotated[
        float, typer.Option(parser=seconds(600), metavar="SECONDS", help="Seconds each response takes.")
    ] = 0.0,
    save_style: Annotated[
        str, typer.Option(help="Save style, such as `body=json,sends=changed`; see docs/sandbox.md.")
    ] = "",
    like: Annotated[
        Path | None,
        typer.Option(help="Imitate the PlanSo recorded in a browser's network log (HAR), with invented values."),
    ] = None,
    allowed_host: Annotated[
        list[str] | None, typer.Option(help="Host name to accept besides localhost and addresses; repeatable.")
    ] = None,
) -> None:
    """
    Run the sandbox, a small stand-in for PlanSo: user `werkstatt`, password `demo`.

    Of several workshops: user `werkstatt-w001`, password `demo-w001` and so on; `/` lists them.
    """
    with report_errors(), import_sandbox() as sandbox:
        installation = _load_installation(sandbox, like, save_style)
        options: dict[str, Any] = {
            "orders": orders,
            "seed": seed,
            "state": state,
            "installation": installation,
            "allowed_hosts": [host, *(allowed_host or [])],
        }
        planso = sandbox.Sandbox(**options) if workshops == 1 else sandbox.Sandboxes(workshops, **options)
        planso.set_knobs({"latency": latency})
        with listen(host, port, "--host", "--port") as sockets:
            shown = listening_sockets.format_urls(sockets)
            login = f"user {installation.username}, password {installation.password}"
            if workshops > 1:
                first, last = planso.names[0], planso.names[-1]
                shown = f"{shown}{planso.path(first)} to {planso.path(last)}"
                login = f"user werkstatt-{first}, password demo-{first} and so on"
            err.print(f"The sandbox stands in for PlanSo at {shown} ({login}).")
            planso.run(sockets)


def _load_installation(sandbox: ModuleType, like: Path | None, save_style: str) -> Any:
    """The PlanSo to imitate, a `sandbox.Installation`."""
    if like is not None:
        require_file(like)
    installation = sandbox.Installation() if like is None else sandbox.load_recorded_installation(like)
    if save_style:
        return replace(installation, save_style=sandbox.SaveStyle.from_text(save_style))
    return installation
