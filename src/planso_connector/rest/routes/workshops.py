"""/api/workshops: the registry of workshops and each one's state, for keys with the scope `installation`."""

from typing import Annotated

from fastapi import APIRouter, Body, Path, Query, Response

from planso_connector.domain.errors import Problem
from planso_connector.domain.workshop import MAX_NAME_LENGTH, NAME_ACCEPTED
from planso_connector.flows.operating.workshop_overview import WorkshopOverview, WorkshopStatus
from planso_connector.flows.operating.workshops import WorkshopRegistry
from planso_connector.rest.json_body import JsonRoute, MergePatchRoute
from planso_connector.rest.routes.router import make_router, success_response
from planso_connector.rest.schemas.errors import EXAMPLE_MESSAGES, document_failures
from planso_connector.rest.schemas.examples import build_example, build_examples, document_success
from planso_connector.rest.schemas.workshops import (
    ChangeWorkshop,
    CreateWorkshop,
    RemovedWorkshop,
    WorkshopAnswer,
    WorkshopResponse,
    WorkshopsResponse,
    serialize_workshop,
    serialize_workshops,
)
from planso_connector.store import cursors

_PREFIX, _TAG = "/api/workshops", "workshops"
_NO_WORKSHOP = {404: {"no_such_workshop": "There is no workshop 'reit' in the registry."}}
_TAKEN = {
    409: {"taken": "There is a workshop 'reit' already; accepted: another name, or change that one"},
    503: {
        **EXAMPLE_MESSAGES[503],
        "no_key": "CONNECTOR_SECRETS_KEY: not set, so no password can be encrypted or decrypted; `planso-connector "
        "workshops new-key FILE` makes one, CONNECTOR_SECRETS_KEY_FILE names the file.",
    },
}
_PENDING = {
    409: {
        "pending": "3 writes wait for PlanSo in the workshop 'reit', and would be lost. Wait until none is pending, "
        "cancel, or remove it with `--discard-pending-writes` (API: `?discard_pending_writes=true`)."
    }
}
_WRONG_NAME = Problem(("body", "name"), NAME_ACCEPTED, "value_error")
_NO_PASSWORD = Problem(
    ("body", "password"),
    "required with another planso_url: the stored password is only sent to the address it was set for",
    "missing",
)
_LONG_NAME = Problem(("path", "name"), f"must have at most {MAX_NAME_LENGTH} characters", "string_too_long")
_PAGE_LIMIT = Problem(("query", "limit"), "must be 500 or less", "less_than_equal")
_PAUSED = "Paused. Every process notices within seconds, and sends nothing to its PlanSo; reads go on."

_LOGIN = {"planso_url": "https://reit.planso.de", "planso_user": "connector", "password": "secret"}
_OWN_HOURS = {"settings": {"CONNECTOR_SYNC_HOURS": "Mo-Sa 06:00-20:00"}}
_NEW = build_examples(login={"name": "reit", **_LOGIN}, own_hours={"name": "reit", **_LOGIN, **_OWN_HOURS})
_CHANGES = build_examples(own_hours=_OWN_HOURS, another_password={"password": "secret"})

WorkshopName = Annotated[str, Path(max_length=MAX_NAME_LENGTH, description="The workshop's name.", examples=["reit"])]


def routes(registry: WorkshopRegistry, overview: WorkshopOverview) -> list[APIRouter]:
    read_router, router = make_router(_PREFIX, _TAG), make_router(_PREFIX, _TAG, JsonRoute)
    patch_router = make_router(_PREFIX, _TAG, MergePatchRoute)
    _add_reads(read_router, overview)
    _add_create(router, registry, overview)
    _add_change(patch_router, registry, overview)
    _add_pause_and_removal(router, registry, overview)
    return [read_router, router, patch_router]


def _add_reads(router: APIRouter, overview: WorkshopOverview) -> None:
    @router.get(
        "",
        summary="List workshops",
        response_model=WorkshopsResponse,
        response_description="The workshops, by name",
        responses=document_success(workshops=build_example(WorkshopsResponse))
        | document_failures(422, 503, invalid=_PAGE_LIMIT),
    )
    async def list_workshops(
        limit: Annotated[int, Query(ge=1, le=500, description="Workshops in one answer.")] = 50,
        cursor: Annotated[str | None, Query(max_length=200, description="`next_cursor` of the page before.")] = None,
    ) -> Response:
        """All workshops of the installation, the one of the environment too, each with its state."""
        found = await overview.list_page(_parse_cursor(cursor) if cursor else "", limit + 1)
        page = serialize_workshops(found[:limit])
        next_cursor = cursors.encode([found[limit].workshop.name]) if len(found) > limit else None
        return success_response(workshops=page, count=len(page), next_cursor=next_cursor)

    @router.get(
        "/{name}",
        summary="Get workshop",
        response_model=WorkshopResponse,
        response_description="The workshop",
        responses=document_success(workshop=build_example(WorkshopResponse))
        | document_failures(404, 422, 503, invalid=_LONG_NAME, shown=_NO_WORKSHOP),
    )
    async def get_workshop(name: WorkshopName) -> Response:
        """One workshop and its state; never its password."""
        return _response(await overview.get(name))


def _add_create(router: APIRouter, registry: WorkshopRegistry, overview: WorkshopOverview) -> None:
    @router.post(
        "",
        summary="Register a workshop",
        response_model=WorkshopResponse,
        response_description="The workshop",
        responses=document_success(created=build_example(WorkshopResponse))
        | document_failures(409, 413, 415, 422, 503, invalid=_WRONG_NAME, shown=_TAKEN),
    )
    async def create_workshop(body: Annotated[CreateWorkshop, Body(openapi_examples=_NEW)]) -> Response:
        """
        Each process serves it within seconds. Its login is tried when PlanSo is first asked; make a key for it with
        `planso-connector keys create NAME --workshop NAME --scope ...`.
        """
        added = await registry.add(body.to_new_workshop())
        return _response(await overview.get(added.name))


def _add_change(router: APIRouter, registry: WorkshopRegistry, overview: WorkshopOverview) -> None:
    @router.patch(
        "/{name}",
        summary="Change a workshop",
        response_model=WorkshopResponse,
        response_description="The workshop",
        responses=document_success(changed=build_example(WorkshopResponse))
        | document_failures(404, 413, 415, 422, 503, invalid=_NO_PASSWORD, shown=_NO_WORKSHOP),
    )
    async def change_workshop(
        name: WorkshopName, body: Annotated[ChangeWorkshop, Body(openapi_examples=_CHANGES)]
    ) -> Response:
        """
        Absent members stay. Another `planso_url` needs the password again: the stored one is only sent to the address
        that it was set for.
        """
        await registry.change(name, body.to_changes())
        return _response(await overview.get(name))


def _add_pause_and_removal(router: APIRouter, registry: WorkshopRegistry, overview: WorkshopOverview) -> None:
    @router.post(
        "/{name}/pause",
        summary="Pause a workshop",
        response_model=WorkshopResponse,
        response_description="The workshop, `paused`",
        responses=document_success(
            paused=build_example(
                WorkshopResponse, message=_PAUSED, workshop=build_example(WorkshopAnswer, state="paused")
            )
        )
        | document_failures(404, 422, 503, invalid=_LONG_NAME, shown=_NO_WORKSHOP),
    )
    async def pause_workshop(name: WorkshopName) -> Response:
        """
        From the answer on its writes are 503 in every process. Pending ones wait, and their deadlines with them; reads
        are answered from the database as it is.
        """
        await registry.pause(name)
        return _response(await overview.get(name), _PAUSED)

    @router.post(
        "/{name}/resume",
        summary="End a workshop's pause",
        response_model=WorkshopResponse,
        response_description="The workshop, `active`",
        responses=document_success(resumed=build_example(WorkshopResponse))
        | document_failures(404, 422, 503, invalid=_LONG_NAME, shown=_NO_WORKSHOP),
    )
    async def resume_workshop(name: WorkshopName) -> Response:
        """What the pause lasted is added to the deadlines of its pending writes."""
        await registry.resume(name)
        return _response(await overview.get(name))

    @router.delete(
        "/{name}",
        summary="Remove a workshop",
        response_model=RemovedWorkshop,
        response_description="It is removed",
        responses=document_success(removed=build_example(RemovedWorkshop))
        | document_failures(404, 409, 422, 503, invalid=_LONG_NAME, shown=_NO_WORKSHOP | _PENDING),
    )
    async def remove_workshop(
        name: WorkshopName,
        discard_pending_writes: Annotated[
            bool, Query(description="Remove it although writes are pending, which are lost.")
        ] = False,
    ) -> Response:
        """
        Its keys are revoked at once; its rows are deleted in the background: orders, history, operations, access log.
        Nothing changes in PlanSo. While writes are pending it is 409.
        """
        discarded = await registry.remove(name, discard_pending=discard_pending_writes)
        message = "Its keys are revoked; its rows are deleted in the background."
        return success_response(message, name=name, discarded_writes=discarded)


def _response(status: WorkshopStatus, message: str = "") -> Response:
    return success_response(message, workshop=serialize_workshop(status))


def _parse_cursor(cursor: str) -> str:
    match cursors.decode(cursor):
        case [str(name)]:
            return name
    raise cursors.invalid_cursor()
