"""
Logging setup: one JSON object per line on standard error, or one readable line on a terminal; secrets are redacted here
and nowhere else. Logging never raises: a line that can't be formatted or written is dropped and counted.

Allowed in a line: event names, order and operation ids, field names, counts, durations, error classes. Never a field's
value, a query, a cookie or a password; exception texts are dropped because they may hold them.
"""

import json
import logging
import re
import sys
import time
import traceback
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote, quote_plus

import structlog
from pydantic_core import to_json
from structlog.typing import EventDict, Processor, WrappedLogger

from planso_connector.log_output import LogOutput, LostLines
from planso_connector.rest.middleware import request_log, trace_context

# Below WARNING these log addresses, headers or statements, and with them cookies and customers' data.
_VERBOSE_LOGGERS = ("httpx2", "httpcore2", "uvicorn.access", "asyncio", "alembic", "sqlalchemy", "urllib3", "mcp")

_JSON = json.JSONEncoder(ensure_ascii=False, default=repr).encode
_REQUESTS = request_log.__name__
_INFO_LEVELS = frozenset({"debug", "info"})
"""Settings of the level with which lines of level `info` are written."""

_LEFT_OUT_OF_TEXT = frozenset({"timestamp", "level", "event", "logger", "trace_id", "span_id"})
_START = 4
"""Characters by which a secret is found in a line; shorter ones are not looked for."""

_FEW = 50
"""Encoded secrets up to which each is looked for in a line."""

_WORD = re.compile(r"[\w./:+-]+")


def _format_lost(lost: LostLines) -> str:
    """The line written before the first one that can be written again."""
    since, now = (f"{datetime.fromtimestamp(at, UTC):%Y-%m-%dT%H:%M:%S.%fZ}" for at in (lost.since, time.time()))
    event = {"event": "log_lines_lost", "lines": lost.lines, "since": since, "reason": lost.reason}
    return _JSON({**event, "level": "warning", "logger": __name__, "timestamp": now})


output = LogOutput(_format_lost)


def find_problem() -> tuple[str, float] | None:
    """Why log lines are being lost, for an operator, and since when (Unix time); None while they are written."""
    lost = output.losing
    if lost is None:
        return None
    remedy = "free space on the disk that standard error goes to, or check the program that reads it"
    return f"{lost.lines} log lines lost so far ({lost.reason}); {remedy}. Everything else continues.", lost.since


def configure(level: str, secrets: Iterable[str], *, as_text: bool = False) -> None:
    """
    Send all log lines, including the libraries', through the same processors. `secrets` never appear. `as_text`: lines
    for a person, with local times and without logger and trace ids.
    """
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        _add_current_trace,
        structlog.processors.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _strip_exception_text,
    ]
    _secrets.clear()
    _secrets.add(secrets)
    render = _RenderRedacted(_format_text if as_text else _format_json)
    _request_lines.begin(render, is_written=level.lower() in _INFO_LEVELS)
    # Our own lines bypass the standard library's logging: every request writes one and would pay for it.
    output.start()
    structlog.configure(
        processors=[*shared, render],
        wrapper_class=_never_raising(structlog.make_filtering_bound_logger(level)),
        logger_factory=_StructlogOutput,
        cache_logger_on_first_use=False,
    )
    handler = _QueueHandler()
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared, processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, render]
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    for name in _VERBOSE_LOGGERS:
        logging.getLogger(name).setLevel(logging.WARNING)
    for name in ("uvicorn", "uvicorn.error", "uvicorn.access"):
        logger = logging.getLogger(name)
        logger.handlers[:] = []
        logger.propagate = True


class _StructlogOutput:
    """structlog's logger: puts each rendered line into the output queue."""

    def __init__(self, name: str = "") -> None:
        self.name = name

    def msg(self, line: str) -> None:
        output.put(line)

    debug = info = warning = error = critical = msg


def _never_raising(logger: Any) -> Any:
    """A subclass of `logger` that drops and counts a line that can't be formatted."""

    class NeverRaising(logger):  # type: ignore[misc]
        def _proxy_to_logger(self, method_name: str, event: str | None = None, **values: Any) -> None:
            try:
                super()._proxy_to_logger(method_name, event, **values)
            except Exception as error:  # noqa: BLE001 - a log line must not break the work it reports
                output.lose(1, type(error).__name__)

    return NeverRaising


class _QueueHandler(logging.Handler):
    """Puts the libraries' lines into the output queue."""

    def emit(self, record: logging.LogRecord) -> None:
        try:
            output.put(self.format(record))
        except Exception as error:  # noqa: BLE001 - as above; the default prints the arguments
            output.lose(1, type(error).__name__)


def _encodings(secrets: Iterable[str]) -> list[str]:
    found: set[str] = set()
    for secret in secrets:
        if len(secret) >= _START:
            found |= {secret, quote(secret), quote_plus(secret)}
            found |= {secret.encode("unicode_escape").decode(), json.dumps(secret)[1:-1]}
            found.add(json.dumps(secret, ensure_ascii=False)[1:-1])
    return sorted(found, key=len, reverse=True)


def add_secrets(secrets: Iterable[str]) -> None:
    """From now on these don't appear either: passwords of workshops that were registered since the start."""
    _secrets.add(secrets)


class _Secrets:
    """
    What never appears in a line. Many are found by how they begin, 20 microseconds a line; looking for each of a
    thousand would take 400, for the few of one workshop half a microsecond.
    """

    def __init__(self) -> None:
        self.clear()

    def clear(self) -> None:
        self._known: frozenset[str] = frozenset()
        self._encoded: list[str] = []
        self._by_start: dict[str, list[str]] = {}

    def add(self, secrets: Iterable[str]) -> None:
        known = self._known | frozenset(secrets)
        if known == self._known:
            return
        encodings = _encodings(known)
        by_start: dict[str, list[str]] = {}
        for encoded in encodings:
            by_start.setdefault(encoded[:_START], []).append(encoded)
        # Lines of other threads see the old ones or the new ones.
        self._known, self._encoded, self._by_start = known, encodings, by_start

    def redact(self, line: str) -> str:
        found = self._encoded
        if len(found) > _FEW:
            by_start = self._by_start
            starts = {line[at : at + _START] for at in range(len(line) - _START + 1)} & by_start.keys()
            found = sorted((one for start in starts for one in by_start[start]), key=len, reverse=True)
        for encoded in found:
            line = line.replace(encoded, "***")
        return line


_secrets = _Secrets()


class _RequestLines:
    """The lines of requests, without structlog's processors, which take three times as long."""

    def __init__(self) -> None:
        self._render: Processor | None = None

    def begin(self, render: Processor, *, is_written: bool) -> None:
        self._render = render if is_written else None

    def write(self, members: Mapping[str, object]) -> None:
        if self._render is None:
            return
        try:
            timestamp = f"{datetime.now(UTC).isoformat(timespec='microseconds')[:-6]}Z"
            line = self._render(None, "info", {**members, "level": "info", "logger": _REQUESTS, "timestamp": timestamp})
            output.put(str(line))
        except Exception as error:  # noqa: BLE001 - as for all lines
            output.lose(1, type(error).__name__)


_request_lines = _RequestLines()
write_request = _request_lines.write
"""Write the line of one request, unless lines of level `info` are left out."""


class _RenderRedacted:
    """Last processor: the line as text, with every secret replaced by `***`."""

    def __init__(self, format_event: Callable[[EventDict], str]) -> None:
        self._format = format_event

    def __call__(self, _logger: WrappedLogger, _method: str, event: EventDict) -> str:
        return _secrets.redact(self._format(event))


def _format_json(event: EventDict) -> str:
    try:
        return to_json(event, fallback=repr).decode()
    except ValueError:  # text that is no UTF-8, as in the name of a file
        return _JSON(event)


def _format_text(event: EventDict) -> str:
    """`14:05:09 warning sync_failed error=PlansoUnavailable reason="..."`: values as JSON where they aren't words."""
    at = datetime.fromisoformat(str(event["timestamp"])).astimezone()
    words = [f"{at:%H:%M:%S}", f"{event['level']:7}", str(event["event"])]
    for name, value in event.items():
        if name not in _LEFT_OUT_OF_TEXT:
            is_word = isinstance(value, str) and _WORD.fullmatch(value)
            words.append(f"{name}={value if is_word else _JSON(value)}")
    return " ".join(words)


def _add_current_trace(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Add the request's trace ids, unless a span of its own (a push, a sync) has set them already."""
    trace = trace_context.current_trace.get()
    if trace is not None and "trace_id" not in event:
        event["trace_id"], event["span_id"] = trace.trace_id, trace.span_id
    return event


def _strip_exception_text(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    info = event.pop("exc_info", None)
    if info is True:
        info = sys.exc_info()
    elif isinstance(info, BaseException):
        info = (type(info), info, info.__traceback__)
    if isinstance(info, tuple) and info[1] is not None:
        event["error"] = type(info[1]).__name__
        event["trace"] = [f"{f.filename}:{f.lineno} {f.name}" for f in traceback.extract_tb(info[2])][-12:]
    return event
