"""
Answer failures of `POST /tools/{name}` as tools do: status 200, with a sentence to be read out.

Platforms ignore other statuses, or make the model apologise for a fault of its own. 401 and 429 stay: the first is for
whoever sets the agent up, the second for the platform, which asks again.
"""

import asyncio
from typing import Any

from pydantic_core import to_json
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from planso_connector.agents import failures
from planso_connector.agents.http.request_shapes import read_request
from planso_connector.agents.http.routes import PREFIX, language_headers, parse_body
from planso_connector.agents.tool_answer import Phrase, Reason
from planso_connector.agents.toolbox import TOOLS
from planso_connector.domain.language import negotiate_language

MAX_SECONDS = 2.9
"""For the whole request: what a tool has, and a little for authentication."""
_PASSED_ON = frozenset({200, 401, 429})
_DROPPED_HEADERS = frozenset({b"content-length", b"content-type", b"content-language", b"www-authenticate", b"vary"})
_BY_STATUS: dict[int, tuple[Reason, Phrase]] = {
    403: (Reason.NOT_ALLOWED, failures.NOT_ALLOWED),
    404: (Reason.UNKNOWN_TOOL, failures.NOT_POSSIBLE_HERE),
    421: (Reason.NOT_ALLOWED, failures.NOT_ALLOWED),
    **dict.fromkeys((400, 408, 413, 415, 422, 431), (Reason.INVALID, failures.NOT_UNDERSTOOD)),
}
"""Any other: the connector can't do it now."""
_TOO_SLOW = 0


class FailureAnswersMiddleware:
    """Outside of admission, whose refusals it answers; inside it are only those that change path and address."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["method"] == "POST" and scope["path"].startswith(f"{PREFIX}/"):
            await _Exchange(scope, receive, send).run(self._app)
        else:
            await self._app(scope, receive, send)


class _Exchange:
    """One request. The body is kept: the answer's shape depends on it."""

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self._scope, self._receive, self._send = scope, receive, send
        self._body = bytearray()
        self._failure: Message | None = None
        self._has_started = False

    async def run(self, app: ASGIApp) -> None:
        try:
            async with asyncio.timeout(MAX_SECONDS):
                await app(self._scope, self._receive_body, self._send_answer)
        except TimeoutError:
            if self._has_started:
                raise
            await self._answer(_TOO_SLOW, [])

    async def _receive_body(self) -> Message:
        message = await self._receive()
        self._body += message.get("body", b"")
        return message

    async def _send_answer(self, message: Message) -> None:
        if message["type"] == "http.response.start" and message["status"] not in _PASSED_ON:
            self._failure = message
        elif self._failure is None:
            self._has_started = True
            await self._send(message)
        elif not message.get("more_body"):
            await self._answer(self._failure["status"], self._failure["headers"], message.get("body", b""))

    async def _answer(self, status: int, headers: list[tuple[bytes, bytes]], body: bytes = b"") -> None:
        content = to_json(self._build_answers(status, _get_message(body)))
        language = language_headers(self._language)
        kept = [(name, value) for name, value in headers if name.lower() not in _DROPPED_HEADERS]
        kept += [(name.lower().encode(), value.encode()) for name, value in language.items()]
        kept += [(b"content-type", b"application/json"), (b"content-length", str(len(content)).encode())]
        self._has_started = True
        await self._send({"type": "http.response.start", "status": 200, "headers": kept})
        await self._send({"type": "http.response.body", "body": content})

    def _build_answers(self, status: int, message: str) -> Any:
        """In the shape of the request."""
        name = self._scope["path"].removeprefix(f"{PREFIX}/")
        parsed = read_request(parse_body(bytes(self._body)), name, TOOLS)
        reason, phrase = _BY_STATUS.get(status, (Reason.UNAVAILABLE, failures.UNAVAILABLE))
        answers = []
        for call in parsed.calls:
            tool = TOOLS.get(call.tool)
            answer = (
                failures.build_failure(tool, self._language, phrase, reason, problems=[message] if message else None)
                if status in _BY_STATUS
                else failures.from_fault(tool, self._language, is_sent=status in (_TOO_SLOW, 500, 504))
            )
            answers.append(answer.to_json())
        return parsed.render(answers)

    @property
    def _language(self) -> Any:
        values = [value for name, value in self._scope["headers"] if name == b"accept-language"]
        return negotiate_language(b",".join(values).decode("latin-1"))


def _get_message(body: bytes) -> str:
    """Of a failure in the API's envelope, which says what is accepted."""
    parsed = parse_body(body)
    message = parsed.get("message") if isinstance(parsed, dict) else None
    return message if isinstance(message, str) else ""
