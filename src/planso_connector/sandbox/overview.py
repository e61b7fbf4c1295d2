"""What is served beside the workshops: their list, and the knobs of all."""

import json
from typing import TYPE_CHECKING, Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from planso_connector.sandbox.board_page import render_workshops_page
from planso_connector.sandbox.knobs import KnobError, Knobs

if TYPE_CHECKING:
    from planso_connector.sandbox.sandboxes import Sandboxes


def create_overview(sandboxes: "Sandboxes") -> ASGIApp:
    """The ASGI app for requests to no workshop."""

    async def page(_: Request) -> Response:
        return HTMLResponse(render_workshops_page([(name, sandboxes.installation(name)) for name in sandboxes.names]))

    async def workshops(request: Request) -> Response:
        base = str(request.base_url).rstrip("/")
        opened = set(sandboxes.opened)
        return JSONResponse({"workshops": [_describe(sandboxes, name, base, opened) for name in sandboxes.names]})

    async def knobs(request: Request) -> Response:
        if request.method == "POST":
            try:
                sandboxes.set_knobs(json.loads(await request.body()))
            except (KnobError, ValueError) as error:
                return JSONResponse({"error": str(error)}, 400)
        return JSONResponse(sandboxes.knobs_of_all)

    async def meanings(_: Request) -> Response:
        return JSONResponse(Knobs.descriptions())

    async def shared_use(_: Request) -> Response:
        shared = {
            name: [[record.as_json() for record in pair] for pair in pairs]
            for name, pairs in sandboxes.find_shared_use().items()
        }
        foreign = {name: sorted(ids) for name, ids in sandboxes.find_foreign_sessions().items()}
        return JSONResponse({"shared_use": shared, "foreign_sessions": foreign})

    return Starlette(
        routes=[
            Route("/", page),
            Route("/sandbox/workshops", workshops),
            Route("/sandbox/knobs", knobs, methods=["GET", "POST"]),
            Route("/sandbox/knobs/meanings", meanings),
            Route("/sandbox/sessions", shared_use),
        ]
    )


def _describe(sandboxes: "Sandboxes", name: str, base: str, opened: set[str]) -> dict[str, Any]:
    installation = sandboxes.installation(name)
    described: dict[str, Any] = {
        "name": name,
        "planso_url": base + sandboxes.path(name),
        "planso_user": installation.username,
        "planso_password": installation.password,
        "planso_table_id": installation.table_id,
        "opened": name in opened,
    }
    if name in opened:
        sandbox = sandboxes[name]
        described |= {
            "holds_orders": sandbox.holds_orders,
            "logins": sandbox.logins,
            "rejected_logins": sandbox.rejected_logins,
            "sessions": sum(record.ended_at is None for record in sandbox.sessions),
        }
    return described
