"""Parse the headers of writes: preferences, idempotency key, preconditions."""

import inspect
import re
from collections.abc import Awaitable, Callable, Mapping
from typing import Annotated, TypeVar

from fastapi import Depends, Header, Query, Request

from planso_connector.domain.errors import Invalid, Problem
from planso_connector.domain.messages import MESSAGES
from planso_connector.flows.writing import disclosure
from planso_connector.flows.writing.write_request import WriteRequest
from planso_connector.rest.request_context import get_caller
from planso_connector.rest.routes.language import get_error_language
from planso_connector.rest.routes.sent_back import get_unwritable_members

MAX_WAIT = 60
"""Seconds."""

_ETAG = re.compile(r'(?:W/)?"(\d{1,18}(?:\.[0-9a-f]{1,64})?)"')

T = TypeVar("T")


def on_event_loop(dependency: Callable[..., T]) -> Callable[..., Awaitable[T]]:
    """The same dependency, run on the event loop: FastAPI runs each plain function or class in a thread."""

    async def call(*arguments: object, **options: object) -> T:
        return dependency(*arguments, **options)

    call.__signature__ = inspect.signature(dependency)  # type: ignore[attr-defined]  # what FastAPI looks at
    return call


WaitParam = Annotated[
    float | None,
    Query(ge=0, le=MAX_WAIT, allow_inf_nan=False, description="Seconds to wait for the operation to be settled."),
]


def matches_etag(header: str | None, tag: str) -> bool:
    """Whether `If-None-Match` names the tag, by weak comparison (RFC 9110, section 13.1.2)."""
    tags = [named.strip().removeprefix("W/") for named in (header or "").split(",")]
    return "*" in tags or tag in tags


class Preferences:
    """`Prefer` (RFC 7240). `applied` is the `Preference-Applied` header, empty where nothing was."""

    def __init__(
        self,
        request: Request,
        _prefer: Annotated[
            str | None,
            Header(
                alias="Prefer",
                max_length=1000,
                description="`wait=N`: seconds to wait for PlanSo's confirmation, at most 60. `respond-async`: don't "
                "wait. `handling=strict`: fields that are not known are 422 instead of left out, and a create for "
                "which there is an order already is 409.",
            ),
        ] = None,
    ) -> None:
        preferences: dict[str, str] = {}
        for preference in ",".join(request.headers.getlist("Prefer")).split(","):
            name, _, value = preference.partition(";")[0].partition("=")
            preferences.setdefault(name.strip().lower(), value.strip().strip('"').lower())
        self.is_strict = preferences.get("handling") == "strict"
        self.wait: float | None = None
        applied = ["handling=strict"] if self.is_strict else []
        if re.fullmatch(r"\d{1,9}", preferences.get("wait", "")):
            self.wait = float(min(int(preferences["wait"]), MAX_WAIT))
            applied.append(f"wait={self.wait:g}")
        if "respond-async" in preferences:
            self.wait = self.wait or 0.0
            applied.append("respond-async")
        self.applied = {"Preference-Applied": ", ".join(applied)} if applied else {}


class WriteHeaders:
    """The headers that every write takes, and its caller."""

    def __init__(
        self,
        request: Request,
        preferences: Annotated[Preferences, Depends(on_event_loop(Preferences))],
        idempotency_key: Annotated[
            str | None,
            Header(
                alias="Idempotency-Key",
                min_length=1,
                max_length=200,
                pattern=r"^[\x21-\x7e]+$",
                description="Makes a repeated request one write: the same key and request within 7 days get the same "
                "answer, another request 409. Any text of your own, such as a UUID; each API key has its own.",
                examples=["7c1e0c9e-4c0e-4f4c-9a8e-1f8f6d2a9b11"],
            ),
        ] = None,
        hold: Annotated[
            str | None,
            Header(
                alias="Availability-Hold",
                min_length=1,
                max_length=100,
                description="The `hold_id` of the slot that this booking takes up; see `/api/availability/holds`.",
                examples=["hold_5f0c2b9e41d7a6380c1e"],
            ),
        ] = None,
    ) -> None:
        self.hold = hold
        self.caller = get_caller(request)
        self.language = get_error_language(request)
        self.unwritable_members = get_unwritable_members(request)
        self.preferences = preferences
        self.idempotency_key = idempotency_key

    def build_request(
        self,
        *,
        notes: str = "",
        if_match: str | None = None,
        signed: bool = False,
        unknown: Mapping[str, object] | None = None,
    ) -> WriteRequest:
        return WriteRequest(
            caller=self.caller.label,
            wait=self.preferences.wait,
            idempotency_key=self.idempotency_key,
            if_match=if_match,
            is_strict=self.preferences.is_strict,
            notes=notes,
            signature=self.caller.name if signed else None,
            can_read_orders=disclosure.can_read_orders(self.caller),
            unknown=unknown or {},
            hold=self.hold,
        )


async def parse_if_match(
    if_match: Annotated[
        str | None,
        Header(
            alias="If-Match",
            max_length=400,
            description="The `ETag` of the order as you know it. Another version now is 412, and a field that somebody "
            "changes in PlanSo meanwhile is a conflict, 412 too. `*`: any version.",
            examples=['"4"'],
        ),
    ] = None,
) -> str | None:
    """The ETag of `If-Match` without its quotes, or `*`; None without the header. Raises Invalid."""
    if if_match is None:
        return None
    given = if_match.strip()
    if given == "*":
        return given
    match = _ETAG.fullmatch(given)
    if match is None:
        raise Invalid([Problem.of(("header", "If-Match"), MESSAGES["etag"], "etag")])
    return match[1]
