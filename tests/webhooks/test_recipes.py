"""The receivers of docs/recipes.md check the signatures that the connector makes."""

from __future__ import annotations

import asyncio
import ipaddress
import os
import re
import shutil
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from planso_connector.webhooks.sender import SendResult, WebhookSender
from tests.process import free_port
from tests.receiver import LOOPBACK
from tests.service import wait_until

PAGE = (Path(__file__).parents[2] / "docs" / "recipes.md").read_text("utf-8")
SECRET, OTHER = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_AAAA9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
BODY = '{"type":"order.updated","data":{"order_id":130}}'


@pytest.mark.parametrize(("language", "program"), [("python", sys.executable), ("js", shutil.which("node") or "")])
def test_the_recipe_takes_what_is_signed(language: str, program: str, tmp_path: Path) -> None:
    """204 for the secret, the former one beside it too; 401 for another one and for an old request."""
    if not program:
        pytest.skip("there is no Node.js on this machine")
    (code,) = re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)
    script = tmp_path / f"receiver.{language}"
    script.write_text(code, "utf-8")
    port = free_port()
    environment = {**os.environ, "SECRET": SECRET, "PORT": str(port)}
    with subprocess.Popen([program, str(script)], env=environment, stdout=subprocess.PIPE, text=True) as process:
        try:

            def send(*secrets: str, now: datetime | None = None) -> SendResult:
                async def body() -> SendResult:
                    sender = WebhookSender([ipaddress.ip_network(LOOPBACK)])
                    try:
                        at = now or datetime.now(UTC)
                        return await sender.send(f"http://127.0.0.1:{port}/", secrets, "evt_1", BODY, at)
                    finally:
                        await sender.close()

                return asyncio.run(body())

            wait_until(lambda: send(SECRET).status is not None, "the receiver")
            assert send(SECRET).status == 204
            assert send(OTHER, SECRET).status == 204
            assert send(OTHER).status == 401
            assert send(SECRET, now=datetime.now(UTC) - timedelta(hours=1)).status == 401
            assert process.stdout is not None
            assert process.stdout.readline() == "order.updated 130\n"
        finally:
            process.kill()
