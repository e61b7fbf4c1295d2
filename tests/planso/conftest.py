from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from planso_connector.planso.http.client import PlansoClient
from planso_connector.planso.http.throttle import Throttle
from planso_connector.planso.pages.form import Form
from planso_connector.planso.profile import Profile
from planso_connector.sandbox import Sandbox

PROFILE = Profile.load()
FormOf = Callable[..., Form]


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


def form_of(content: str, profile: Profile = PROFILE) -> Form:
    return Form.parse({"center": {"content": content}, "functions": ""}, profile, 123)


@asynccontextmanager
async def client(
    url: str, username: str = "werkstatt", password: str = "demo", **rest: Any
) -> AsyncIterator[PlansoClient]:
    rest = {"throttle": Throttle(8), "timeout": 60.0, **rest}
    planso = PlansoClient(url, username, password, rest.pop("profile", PROFILE), **rest)
    try:
        yield planso
    finally:
        await planso.aclose()


@pytest.fixture
def sandbox() -> Sandbox:
    return Sandbox(orders=40)


@pytest.fixture
def url(sandbox: Sandbox) -> Iterator[str]:
    with sandbox.serve() as address:
        yield address
