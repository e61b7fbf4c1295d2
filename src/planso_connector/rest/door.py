"""The REST application, put together from its routes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from fastapi import FastAPI

from planso_connector import __version__
from planso_connector.flows.dry_run import DryRun
from planso_connector.flows.freshness import Freshness
from planso_connector.flows.lookup import Lookup
from planso_connector.flows.recognise import Recognition
from planso_connector.flows.standing import Standings
from planso_connector.flows.status import Status
from planso_connector.flows.sync import Sync
from planso_connector.flows.write import Writer
from planso_connector.rest import (
    docs_page,
    health,
    lookup,
    operations,
    order_writes,
    orders,
    planso_session,
    problems,
    progress,
    requests_log,
    sync,
)
from planso_connector.rest.examples import Documented, with_headers

TITLE = "PlanSo Connector"

_DESCRIPTION = """\
A REST service for a workshop that runs on PlanSo. Reads are answered from the connector's own database in
milliseconds; a write is answered with 200 only once PlanSo was seen to have it.
"""


@dataclass(frozen=True, slots=True)
class Flows:
    lookup: Lookup
    writer: Writer
    dry_run: DryRun
    sync: Sync
    status: Status
    freshness: Freshness
    standings: Standings
    recognition: Recognition
    next_run_at: Callable[[], datetime | None]


def build(flows: Flows, *, lookup_shows_all: bool = False) -> FastAPI:
    app = Documented(
        title=TITLE,
        version=__version__,
        description=_DESCRIPTION,
        docs_url=None,
        redoc_url=None,
        separate_input_output_schemas=False,
        redirect_slashes=False,
        responses=with_headers(problems.failures(429, 503), 429, "RateLimit", "RateLimit-Policy", "Retry-After"),
    )
    problems.install(app)
    for router in (
        orders.routes(flows.lookup, flows.freshness),
        progress.routes(flows.standings),
        lookup.routes(flows.recognition, shows_all=lookup_shows_all),
        order_writes.routes(flows.lookup, flows.writer, flows.dry_run),
        operations.routes(flows.writer, flows.dry_run, order_writes.Answers(flows.lookup)),
        planso_session.routes(flows.status),
        sync.routes(flows.sync, flows.next_run_at),
        health.routes(flows.status),
        docs_page.routes(TITLE),
    ):
        app.include_router(router)
    app.add_middleware(requests_log.RequestLog)
    return app
