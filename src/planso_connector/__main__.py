"""
Entry point, optimised for a fast start: garbage collection is off during imports, and imported objects are then frozen
(`gc.freeze`). Pydantic models are built on first use, FastAPI's own ones of an OpenAPI document too.
"""

import gc
import os

from planso_connector import signals

gc.disable()
signals.install_sigterm_handler()


def _open_standard_streams() -> None:
    """Started with one closed, as by `2>&-`, the next file or connection would have its number, and take its lines."""
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)


def main() -> None:
    _open_standard_streams()
    from pydantic import BaseModel

    BaseModel.model_config["defer_build"] = True

    from planso_connector.cli import cli
    from planso_connector.commands.console import escape_unencodable

    gc.freeze()
    gc.enable()
    escape_unencodable()
    cli()


if __name__ == "__main__":
    main()
