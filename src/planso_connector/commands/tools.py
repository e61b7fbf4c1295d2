"""`planso-connector tools`: definitions of the agents' tools for phone platforms."""

import json
import sys
from typing import Annotated

import typer

from planso_connector.agents.export import DEFAULT_URL, Platform, export_tools
from planso_connector.agents.toolbox import TOOLS

cli = typer.Typer(name="tools", help="The tools for phone agents: see docs/agents.md.", no_args_is_help=True)


@cli.callback()
def tools() -> None:
    """The tools for phone agents: see docs/agents.md."""


@cli.command()
def export(
    platform: Annotated[
        Platform, typer.Option("--for", help="The platform whose format is printed.", show_default=False)
    ],
    url: Annotated[str, typer.Option("--url", help="Where the platform reaches this connector.")] = DEFAULT_URL,
) -> None:
    """Print the tools as JSON, as the platform imports them; the API key is left to fill in."""
    definitions = export_tools(platform, TOOLS.values(), url)
    sys.stdout.write(json.dumps(definitions, ensure_ascii=False, indent=2) + "\n")
