"""The sandbox's routes: those of PlanSo, the pages for people, and the tools under `/sandbox`."""

import json
from collections.abc import Collection, Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp

from planso_connector.sandbox import board_page, login_page
from planso_connector.sandbox.hanging_requests import TransportMiddleware
from planso_connector.sandbox.knobs import KnobError
from planso_connector.sandbox.orders import SandboxOrder
from planso_connector.sandbox.planso_app import PlansoApp
from planso_connector.sandbox.same_origin import SameOriginMiddleware
from planso_connector.sandbox.workshop import Workshop

_SCRIPT_FILE = Path(__file__).with_name("planso.js")


def create_app(routes: ASGIApp, allowed_hosts: Iterable[str] = (), workshops: Collection[str] = ()) -> ASGIApp:
    """The ASGI app. `workshops`: names that may come before an allowed host name."""
    return TransportMiddleware(SameOriginMiddleware(routes, allowed_hosts, workshops))


def create_routes(workshop: Workshop, planso: PlansoApp) -> ASGIApp:
    """The routes of one workshop."""
    routes: list[BaseRoute] = [
        Route("/app", planso.handle_app, methods=["GET", "POST"]),
        Route("/do", planso.handle_do, methods=["GET", "POST"]),
        Route("/save", planso.handle_do, methods=["GET", "POST"]),
        *_pages(workshop),
        *_tools(workshop, planso),
        *_order_tools(workshop),
    ]
    return Starlette(routes=routes)


def _pages(workshop: Workshop) -> list[BaseRoute]:
    async def board(request: Request) -> Response:
        return HTMLResponse(board_page.render_board_page(workshop, str(request.base_url).rstrip("/")))

    async def order(request: Request) -> Response:
        order_id = request.path_params["order_id"]
        shown = workshop.find_order(order_id)
        if shown is None:
            return HTMLResponse(board_page.render_missing_page(order_id), 404)
        return HTMLResponse(board_page.render_order_page(workshop, shown))

    async def script(_: Request) -> Response:
        return FileResponse(_SCRIPT_FILE, media_type="text/javascript; charset=utf-8")

    async def icon(_: Request) -> Response:
        return Response(status_code=204)

    async def index(_: Request) -> Response:
        return RedirectResponse("/")

    return [
        Route("/", board),
        Route("/orders", index),
        Route("/orders/{order_id:int}", order),
        Route("/favicon.ico", icon),
        Route(f"/{login_page.SCRIPT_PATH}", script),
    ]


def _tools(workshop: Workshop, planso: PlansoApp) -> list[BaseRoute]:
    async def board(_: Request) -> Response:
        with workshop.lock:
            return JSONResponse({"version": workshop.version, "html": board_page.render_live_part(workshop)})

    async def knobs(request: Request) -> Response:
        if request.method == "POST":
            try:
                body = json.loads(await request.body())
                with workshop.lock:
                    workshop.knobs.set_json(body, workshop.form.known_labels())
            except (KnobError, ValueError) as error:
                return JSONResponse({"error": str(error)}, 400)
        with workshop.lock:
            return JSONResponse(workshop.knobs.as_json())

    async def meanings(_: Request) -> Response:
        return JSONResponse(workshop.knobs.descriptions())

    async def changes(_: Request) -> Response:
        with workshop.lock:
            listed = [{**asdict(change), "at": change.at.isoformat()} for change in reversed(workshop.changes)]
        return JSONResponse({"changes": listed})

    async def requests(_: Request) -> Response:
        with workshop.lock:
            entries = [asdict(entry) for entry in planso.requests]
        sessions = planso.sessions
        return JSONResponse(
            {
                "requests": entries,
                "in_flight_peak": planso.in_flight_peak,
                "logins": sessions.logins,
                "rejected_logins": sessions.rejected_logins,
            }
        )

    async def sessions(_: Request) -> Response:
        with workshop.lock:
            records = planso.sessions.records
            return JSONResponse(
                {
                    "sessions": [record.as_json() for record in records.to_list()],
                    "foreign_sessions": sorted(records.foreign_ids),
                }
            )

    return [
        Route("/sandbox/board", board),
        Route("/sandbox/knobs", knobs, methods=["GET", "POST"]),
        Route("/sandbox/knobs/meanings", meanings),
        Route("/sandbox/changes", changes),
        Route("/sandbox/requests", requests),
        Route("/sandbox/sessions", sessions),
    ]


def _order_tools(workshop: Workshop) -> list[BaseRoute]:
    async def order(request: Request) -> Response:
        shown = workshop.find_order(request.path_params["order_id"])
        if shown is None:
            return JSONResponse({"error": "Diesen Auftrag gibt es nicht."}, 404)
        if request.method == "DELETE":
            workshop.delete(shown.id)
            return Response(status_code=204)
        if request.method == "POST":
            try:
                body = json.loads(await request.body())
                workshop.edit(shown.id, str(body["label"]), str(body["value"]))
                shown = workshop.get_order(shown.id)
            except (KeyError, TypeError, ValueError) as error:
                return JSONResponse({"error": str(error)}, 400)
        return JSONResponse(_order(workshop, shown))

    async def orders(request: Request) -> Response:
        if request.method == "POST":
            try:
                body = json.loads(await request.body())
                order_id = int(body.pop("id")) if "id" in body else None
                new_id = workshop.add({str(label): str(text) for label, text in body.items()}, order_id)
            except (AttributeError, KeyError, TypeError, ValueError) as error:
                return JSONResponse({"error": str(error)}, 400)
            return JSONResponse(_order(workshop, workshop.get_order(new_id)), 201)
        return JSONResponse({"orders": [_order(workshop, order) for order in workshop.all_orders()]})

    return [
        Route("/sandbox/orders", orders, methods=["GET", "POST"]),
        Route("/sandbox/orders/{order_id:int}", order, methods=["GET", "POST", "DELETE"]),
    ]


def _order(workshop: Workshop, order: SandboxOrder) -> dict[str, Any]:
    """The values as people read them, and the form as a browser would submit it."""
    with workshop.lock:
        controls = workshop.form.controls(order)
        return {
            "id": order.id,
            "archived": order.archived,
            "station": order.station,
            "values": {c.label: workshop.field_text(order, c.usual_label) for c in controls if c.label},
            "snapshot": [list(pair) for control in controls for pair in control.serialize()],
        }
