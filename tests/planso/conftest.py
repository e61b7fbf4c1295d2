"""A profile, a client and forms for the tests of `planso`, and a sandbox to send requests to."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from planso_connector.planso.http.client import PlansoClient
from planso_connector.planso.http.throttle import Throttle
from planso_connector.planso.pages.form_parser import Form
from planso_connector.planso.profile import Profile
from planso_connector.sandbox import Sandbox

PROFILE = Profile.load()


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


def form_of(content: str, profile: Profile = PROFILE) -> Form:
    """The form of order 123 with this markup."""
    return Form.parse({"center": {"content": content}, "functions": ""}, profile, 123)


@asynccontextmanager
async def client(
    url: str, username: str = "werkstatt", password: str = "demo", **options: Any
) -> AsyncIterator[PlansoClient]:
    """A client that waits long enough for a busy machine; `options` are those of PlansoClient, and `profile`."""
    options = {"throttle": Throttle(8), "timeout": 60.0, **options}
    planso = PlansoClient(url, username, password, options.pop("profile", PROFILE), **options)
    try:
        yield planso
    finally:
        await planso.aclose()


@pytest.fixture
def sandbox() -> Sandbox:
    return Sandbox(orders=40)


@pytest.fixture
def url(sandbox: Sandbox) -> Iterator[str]:
    """Where the sandbox is served."""
    with sandbox.serve() as address:
        yield address
