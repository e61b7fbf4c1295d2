"""/api/auth: the connector's login with PlanSo."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Body
from fastapi.responses import JSONResponse
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr

from planso_connector.domain import values
from planso_connector.domain.clock import stamp
from planso_connector.domain.errors import LoginRejected
from planso_connector.flows.status import Status
from planso_connector.rest.bodies import JsonRoute
from planso_connector.rest.problems import answers, failure
from planso_connector.rest.schemas import Envelope


def _one_line(text: str) -> str:
    return values.checked_text(text, line_breaks=False)


def _secret_line(text: SecretStr) -> SecretStr:
    _one_line(text.get_secret_value())
    return text


class Credentials(BaseModel):
    """A PlanSo user to try. The connector goes on with its configured one."""

    model_config = ConfigDict(strict=True)

    username: Annotated[str, Field(min_length=1, max_length=200, examples=["werkstatt"]), AfterValidator(_one_line)]
    password: Annotated[
        SecretStr, Field(min_length=1, max_length=200, examples=["ein-langes-Passwort"]), AfterValidator(_secret_line)
    ]


class SessionAnswer(Envelope):
    state: str = Field(
        description="`logged_in`, `unknown` (not tried yet), or `rejected`: nothing is tried until it is changed.",
        examples=["logged_in"],
    )
    last_login_at: str | None = Field(description="UTC.")


def routes(status: Status) -> APIRouter:
    router = APIRouter(prefix="/api/auth", tags=["PlanSo session"], route_class=JsonRoute)

    @router.post(
        "/login", summary="Log in to PlanSo", response_model=Envelope, responses=answers(401, 413, 415, 422, 502, 504)
    )
    async def log_in(
        credentials: Annotated[Credentials | None, Body(description="None: the configured user.")] = None,
    ) -> JSONResponse:
        """One try, with the configured user or with the one in the body. A rejected password is tried once."""
        try:
            if credentials is None:
                await status.log_in()
                said = "PlanSo accepted the configured user."
            else:
                await status.try_credentials(credentials.username, credentials.password.get_secret_value())
                said = "PlanSo accepted this user. The connector goes on with its configured one."
        except LoginRejected as error:
            answer = failure(401, str(error))
            answer.headers["WWW-Authenticate"] = 'PlanSo realm="PlanSo"'
            return answer
        return JSONResponse({"success": True, "message": said})

    @router.get("/status", summary="Login with PlanSo", response_model=SessionAnswer)
    async def login_status() -> JSONResponse:
        """How the last login went; nothing is sent to PlanSo."""
        login = status.login
        at = stamp(login.last_login_at) if login.last_login_at is not None else None
        return JSONResponse({"success": True, "message": login.message, "state": login.state, "last_login_at": at})

    return router
