from __future__ import annotations

from collections.abc import Iterator

import pytest

from planso_connector.sandbox import Sandbox
from tests.service import Service, running_on_sqlite


@pytest.fixture(scope="module")
def service(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """
    One connector for the tests of a file; each uses orders of its own. A file may set how many there are, `ORDERS`, and
    the connector's `SETTINGS`.
    """
    sandbox = Sandbox(orders=getattr(request.module, "ORDERS", 260))
    settings = getattr(request.module, "SETTINGS", {})
    with running_on_sqlite(tmp_path_factory.mktemp("service"), sandbox, **settings) as running:
        yield running
