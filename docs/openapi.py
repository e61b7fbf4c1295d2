"""Write the OpenAPI document of this version to the file that the argument names, as `GET /openapi.json` answers it."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from pydantic import SecretStr

from planso_connector import app, logs
from planso_connector.settings import Settings


async def _make_document() -> dict[str, Any]:
    with TemporaryDirectory() as folder:
        settings = Settings(
            _env_file=None,
            planso_url="https://workshop.planso.de",  # nothing is sent there: no worker runs
            planso_user="nobody",
            planso_password=SecretStr("none"),
            connector_database_url=f"sqlite:///{folder}/empty.db",
        )
        async with app.open_connector(settings) as built:
            return built.rest.openapi()


if __name__ == "__main__":
    logs.configure("error", [])
    document = json.dumps(asyncio.run(_make_document()), ensure_ascii=False, indent=1)
    Path(sys.argv[1]).write_text(document + "\n", "utf-8")
