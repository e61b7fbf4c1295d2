"""
The log: one JSON object a line on standard error, and the one place where secrets are taken out of it. Logging raises
nothing into what it tells of: a line that can't be made or written is lost and counted.

What may stand in a line: names of events, order and operation ids, field names, counts, durations, classes of errors.
Never a field's value, a query, a cookie, a password: the texts of exceptions are left out for the same reason.
"""

from __future__ import annotations

import json
import logging
import sys
import time
import traceback
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote, quote_plus

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from planso_connector.log_output import LogOutput, Lost
from planso_connector.rest.middleware import trace_context

# They log addresses, headers or statements when asked for more than warnings, and so cookies and customers.
_TALKATIVE = ("httpx2", "httpcore2", "uvicorn.access", "asyncio", "alembic", "sqlalchemy", "urllib3")

_JSON = json.JSONEncoder(ensure_ascii=False, default=repr).encode


def _lines_lost(lost: Lost) -> str:
    """The line that precedes the first one that can be written again."""
    since, now = (f"{datetime.fromtimestamp(at, UTC):%Y-%m-%dT%H:%M:%S.%fZ}" for at in (lost.since, time.time()))
    told = {"event": "log_lines_lost", "lines": lost.lines, "since": since, "reason": lost.reason}
    return _JSON({**told, "level": "warning", "logger": __name__, "timestamp": now})


output = LogOutput(_lines_lost)


def trouble() -> tuple[str, float] | None:
    """What keeps lines from being written, for a person, and since when in seconds since 1970."""
    lost = output.trouble
    if lost is None:
        return None
    what = "make room where standard error goes, or let its reader read; all else goes on"
    return f"lines of the log are lost, {lost.lines} so far ({lost.reason}): {what}", lost.since


def configure(level: str, secrets: Iterable[str]) -> None:
    """Send every line of the process, the libraries' too, through the same processors. `secrets` never appear."""
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        _of_its_request,
        structlog.processors.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _exception_without_its_text,
    ]
    redacted = _Redacted(secrets)
    # Our own lines don't pass the standard library's logging too: every request writes one, and would pay for it.
    output.start()
    structlog.configure(
        processors=[*shared, redacted],
        wrapper_class=_harmless(structlog.make_filtering_bound_logger(level)),
        logger_factory=_Line,
        cache_logger_on_first_use=False,
    )
    handler = _Handler()
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, redacted],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    for name in _TALKATIVE:
        logging.getLogger(name).setLevel(logging.WARNING)
    for name in ("uvicorn", "uvicorn.error", "uvicorn.access"):
        logger = logging.getLogger(name)
        logger.handlers[:] = []
        logger.propagate = True


class _Line:
    """What structlog hands its lines to."""

    def __init__(self, name: str = "") -> None:
        self.name = name

    def msg(self, line: str) -> None:
        output.put(line)

    debug = info = warning = error = critical = msg


def _harmless(logger: Any) -> Any:
    """The same kind of logger, that raises nothing: a line that can't be made is lost."""

    class Harmless(logger):  # type: ignore[misc]
        def _proxy_to_logger(self, method_name: str, event: str | None = None, **told: Any) -> None:
            try:
                super()._proxy_to_logger(method_name, event, **told)
            except Exception as error:  # noqa: BLE001 - whatever it is, the work that tells of itself goes on
                output.lose(1, type(error).__name__)

    return Harmless


class _Handler(logging.Handler):
    """The libraries' lines."""

    def emit(self, record: logging.LogRecord) -> None:
        try:
            output.put(self.format(record))
        except Exception as error:  # noqa: BLE001 - as above; the standard's own would print it, with its arguments
            output.lose(1, type(error).__name__)


def _spellings(secrets: Iterable[str]) -> list[str]:
    found: set[str] = set()
    for secret in secrets:
        if len(secret) >= 4:
            found |= {secret, quote(secret), quote_plus(secret)}
            found |= {secret.encode("unicode_escape").decode(), json.dumps(secret)[1:-1]}
            found.add(json.dumps(secret, ensure_ascii=False)[1:-1])
    return sorted(found, key=len, reverse=True)


class _Redacted:
    """The last step: the line as JSON text, without any secret."""

    def __init__(self, secrets: Iterable[str]) -> None:
        self._spellings = _spellings(secrets)

    def __call__(self, _logger: WrappedLogger, _method: str, event: EventDict) -> str:
        line = _JSON(event)
        for spelling in self._spellings:
            line = line.replace(spelling, "***")
        return line


def _of_its_request(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """What has a span of its own within the request, a push or a sync, bears that one's ids."""
    its = trace_context.current_trace.get()
    if its is not None and "trace_id" not in event:
        event["trace_id"], event["span_id"] = its.trace_id, its.span_id
    return event


def _exception_without_its_text(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    info = event.pop("exc_info", None)
    if info is True:
        info = sys.exc_info()
    elif isinstance(info, BaseException):
        info = (type(info), info, info.__traceback__)
    if isinstance(info, tuple) and info[1] is not None:
        event["error"] = type(info[1]).__name__
        event["trace"] = [f"{f.filename}:{f.lineno} {f.name}" for f in traceback.extract_tb(info[2])][-12:]
    return event
