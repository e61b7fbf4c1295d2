"""/api/auth: the connector's login with PlanSo."""

from typing import Annotated

from fastapi import APIRouter, Body, Response
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr

from planso_connector.domain import values
from planso_connector.domain.clock import format_instant
from planso_connector.domain.errors import LoginRejected, Problem
from planso_connector.rest.json_body import JsonRoute
from planso_connector.rest.request_context import Flows
from planso_connector.rest.routes.router import make_router, success_response
from planso_connector.rest.schemas.errors import document_failures, failure_response
from planso_connector.rest.schemas.examples import build_example, build_examples, described, document_success
from planso_connector.rest.schemas.responses import Envelope


def _check_line(text: str) -> str:
    return values.check_text(text, line_breaks=False)


def _check_secret_line(text: SecretStr) -> SecretStr:
    _check_line(text.get_secret_value())
    return text


class Credentials(BaseModel):
    """A PlanSo user to try. The connector keeps its configured one."""

    model_config = ConfigDict(strict=True, defer_build=False)  # as WriteBody

    username: Annotated[
        str,
        Field(min_length=1, max_length=200, description="Name of a PlanSo user.", examples=["werkstatt"]),
        AfterValidator(_check_line),
    ]
    password: Annotated[
        SecretStr,
        Field(
            min_length=1,
            max_length=200,
            description="That user's password. It is sent to PlanSo and stored nowhere.",
            examples=["ein-langes-Passwort"],
        ),
        AfterValidator(_check_secret_line),
    ]


class SessionAnswer(Envelope):
    """The last login with PlanSo, and the connector's sessions there."""

    state: str = described(
        "`logged_in`, `unknown` (not tried yet), or `rejected`: not tried again until it is changed.", "logged_in"
    )
    last_login_at: str | None = described(
        "When PlanSo last accepted the configured user. UTC.", "2026-11-23T09:39:58.211000Z"
    )
    saving: str = described(
        "Where the way in which this PlanSo saves is known from: `assumed`, `learned` from a recording, or "
        "`tried` on an order.",
        "tried",
    )
    saving_reason: str = described(
        "Why, for a person.",
        "tried on order 130 on 2026-11-23: the whole form is sent, and nothing else of the order changed",
    )
    sessions: int = described("Open sessions: 2 (one for syncs, one for writes and live reads), 1 or 0.", 2)
    sessions_reason: str = described(
        "Why this number, for a person.", "two sessions: one for syncs, one for writes and live reads"
    )
    sessions_trouble: str = described(
        "What is wrong with them, for a person, such as PlanSo ending them repeatedly; else empty.", ""
    )


_CONFIGURED_ACCEPTED = "PlanSo accepted the configured user."
_OTHER_ACCEPTED = "PlanSo accepted this user. The connector continues with its configured one."
_INVALID_USERNAME = Problem(("body", "username"), "must not be empty", "string_too_short")


def routes() -> APIRouter:
    router = make_router("/api/auth", "auth", JsonRoute)

    @router.post(
        "/login",
        summary="Log in to PlanSo",
        response_model=Envelope,
        response_description="PlanSo accepted the user",
        responses=document_success(
            configured=build_example(Envelope, message=_CONFIGURED_ACCEPTED),
            other=build_example(Envelope, message=_OTHER_ACCEPTED),
        )
        | document_failures(401, 413, 415, 422, 502, 503, 504, invalid=_INVALID_USERNAME),
    )
    async def log_in(
        flows: Flows,
        credentials: Annotated[
            Credentials | None,
            Body(
                description="Null, or no body: the configured user.",
                openapi_examples=build_examples(configured_user=None, another_user=build_example(Credentials)),
            ),
        ] = None,
    ) -> Response:
        """One attempt, with the configured user or with the one in the body; a rejected password is not retried."""
        try:
            if credentials is None:
                await flows.calls.log_in()
                return success_response(_CONFIGURED_ACCEPTED)
            await flows.calls.log_in((credentials.username, credentials.password.get_secret_value()))
            return success_response(_OTHER_ACCEPTED)
        except LoginRejected as error:
            rejected = failure_response(401, str(error))
            rejected.headers["WWW-Authenticate"] = 'PlanSo realm="PlanSo"'
            return rejected

    @router.get(
        "/status",
        summary="Status of the PlanSo login",
        response_model=SessionAnswer,
        response_description="How the last login went",
        responses=document_success(logged_in=build_example(SessionAnswer)) | document_failures(503),
    )
    async def get_login_status(flows: Flows) -> Response:
        """The last login, and the open sessions; nothing is sent to PlanSo."""
        login, sessions = flows.planso.login_status, flows.planso.sessions.status
        saving = await flows.write_stops.get_save_knowledge()
        return success_response(
            login.message,
            state=login.state,
            last_login_at=format_instant(login.last_login_at) if login.last_login_at is not None else None,
            saving=saving.state,
            saving_reason=saving.reason,
            sessions=sessions.count,
            sessions_reason=sessions.reason,
            sessions_trouble=sessions.trouble,
        )

    return router
