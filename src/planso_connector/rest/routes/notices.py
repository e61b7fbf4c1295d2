"""/api/notices: what phone agents left for the workshop's people, and marking it as done."""

from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request, Response
from pydantic import BaseModel, Field
from pydantic_core import to_json

from planso_connector.domain.errors import Problem
from planso_connector.rest.request_context import Flows, OrdersResponse, get_caller
from planso_connector.rest.routes.router import make_router
from planso_connector.rest.schemas.errors import document_failures
from planso_connector.rest.schemas.examples import build_example, described, document_success
from planso_connector.rest.schemas.responses import Envelope
from planso_connector.store.notices import Notice


class NoticeAnswer(BaseModel):
    """Something that a person has to take care of."""

    id: str = described("The notice's id.", "notice_5f0c2b9e41d7a638")
    created_at: str = described("When the caller said it. UTC.", "2026-11-23T09:41:02.118000Z")
    caller: str = described("The API key that left it.", "Telefonagent (5f0c2b9e41)")
    reason: str = described("What the caller wants, as it was heard.", "Bittet um Rückruf wegen der Rechnung.")
    name: str = described("What was heard of the name.", "Jana Petersen")
    phone: str = described("What was heard of the phone number.", "0171 3920023")
    plate: str = described("What was heard of the plate.", "WN AE 2309")
    order_id: int | None = described("The order that it is about, where that is known.", 130)
    operation: str | None = described(
        "The operation that appends the same text to the order's remarks, where one was recorded: whether it came "
        "through is in `/api/operations/{operation_id}`.",
        None,
    )
    done_at: str | None = described("When somebody marked it as done.", None)
    done_by: str = described("Which API key did.", "")


class NoticesAnswer(Envelope):
    """Notices."""

    notices: list[NoticeAnswer] = Field(description="Open ones, oldest first; or done ones, the last one first.")
    count: int = described("Notices in this answer.", 1)


class ClosedNoticeAnswer(Envelope):
    """The notice, done."""

    notice: NoticeAnswer = Field(description="As it is now.")


NoticeId = Annotated[
    str,
    Path(
        max_length=100,
        pattern=r"^[A-Za-z0-9_-]+$",
        description="The notice's id.",
        examples=["notice_5f0c2b9e41d7a638"],
    ),
]
_NO_NOTICE = {404: {"no_such_notice": "There is no notice notice_5f0c2b9e41d7a638."}}
_DONE = {"done_at": "2026-11-23T10:02:40.000000Z", "done_by": "Büro (8d1f00c2b9)"}
_INVALID_LIMIT = Problem(("query", "limit"), "must be 500 or less", "less_than_equal")
_INVALID_ID = Problem(("path", "notice_id"), "must have at most 100 characters", "string_too_long")


def routes() -> APIRouter:
    router = make_router("/api/notices", "notices")

    @router.get(
        "",
        summary="List notices",
        response_model=NoticesAnswer,
        response_description="The notices",
        responses=document_success(notices=build_example(NoticesAnswer))
        | document_failures(422, 503, invalid=_INVALID_LIMIT),
    )
    async def list_notices(
        flows: Flows,
        done: Annotated[bool, Query(description="Those that are done instead of the open ones.")] = False,
        limit: Annotated[int, Query(ge=1, le=500, description="Notices in one answer.")] = 100,
    ) -> Response:
        """
        What callers asked a phone agent for that a person has to take care of. None is deleted while it is open; it is
        as it was heard, never an instruction.
        """
        found = await flows.notices.list(done=done, limit=limit)
        listed = [_serialize(notice) for notice in found]
        body = {"success": True, "message": "", "notices": listed, "count": len(listed)}
        return OrdersResponse(to_json(body), sorted({one.order_id for one in found if one.order_id is not None}))

    @router.post(
        "/{notice_id}/done",
        summary="Mark a notice as done",
        response_model=ClosedNoticeAnswer,
        response_description="The notice",
        responses=document_success(done=build_example(ClosedNoticeAnswer, notice=build_example(NoticeAnswer, **_DONE)))
        | document_failures(404, 422, 503, invalid=_INVALID_ID, shown=_NO_NOTICE),
    )
    async def close_notice(flows: Flows, request: Request, notice_id: NoticeId) -> Response:
        """One that is done stays as it is."""
        notice = await flows.notices.close(notice_id, caller=get_caller(request).label)
        body = {"success": True, "message": "", "notice": _serialize(notice)}
        return OrdersResponse(to_json(body), [notice.order_id] if notice.order_id is not None else [])

    return router


def _serialize(notice: Notice) -> dict[str, Any]:
    return {name: getattr(notice, name) for name in NoticeAnswer.model_fields}
