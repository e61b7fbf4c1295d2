"""All tools: which of them a caller may use, and calling one."""

import asyncio
from collections.abc import Mapping
from time import monotonic
from typing import Any

import structlog
from pydantic import ValidationError

from planso_connector.agents import failures
from planso_connector.agents.tool import Tool
from planso_connector.agents.tool_answer import Reason, ToolAnswer, ToolFailure
from planso_connector.agents.tool_session import ToolSession
from planso_connector.agents.tools.add_remark import ADD_REMARK
from planso_connector.agents.tools.book_appointment import BOOK_APPOINTMENT
from planso_connector.agents.tools.check_request import CHECK_REQUEST
from planso_connector.agents.tools.find_free_slots import FIND_FREE_SLOTS
from planso_connector.agents.tools.find_order import FIND_ORDER
from planso_connector.agents.tools.get_progress import GET_PROGRESS
from planso_connector.agents.tools.hand_over import HAND_OVER
from planso_connector.agents.tools.report_damage import REPORT_DAMAGE
from planso_connector.domain.caller import Caller
from planso_connector.domain.errors import ConnectorError

log = structlog.get_logger(__name__)

_ALL: tuple[Tool[Any, Any], ...] = (
    FIND_ORDER,
    GET_PROGRESS,
    FIND_FREE_SLOTS,
    BOOK_APPOINTMENT,
    REPORT_DAMAGE,
    ADD_REMARK,
    CHECK_REQUEST,
    HAND_OVER,
)
MAX_NAMED, MAX_NAME = 5, 60
"""Unknown arguments that an answer names, and characters of each."""

TOOLS = {tool.name: tool for tool in _ALL}
"""By name, in the order in which models see them."""


def list_tools(caller: Caller) -> list[Tool[Any, Any]]:
    """Those that the caller may use."""
    return [tool for tool in TOOLS.values() if tool.is_allowed(caller)]


async def call_tool(session: ToolSession, name: str, arguments: Mapping[str, Any]) -> ToolAnswer:
    """
    The tool's answer, within the session's time. Never raises: what is wrong with the call, faults and a time-out are
    answers whose `ok` is false.
    """
    tool = TOOLS.get(name)
    if tool is None:
        problems = [f"name: there is no such tool; accepted: {', '.join(TOOLS)}"]
        return failures.build_failure(
            None, session.language, failures.NOT_POSSIBLE_HERE, Reason.UNKNOWN_TOOL, problems=problems
        )
    if not tool.is_allowed(session.caller):
        problems = [f"the API key needs one of the scopes {', '.join(tool.scopes)}"]
        return failures.build_failure(
            tool, session.language, failures.NOT_ALLOWED, Reason.NOT_ALLOWED, problems=problems
        )
    started_at = monotonic()
    answer = _name_unknown(tool, await _run(tool, session, arguments), arguments)
    seconds = monotonic() - started_at
    outcome = answer.reason or "ok"
    session.record_call(tool.name, outcome, seconds)
    log.info("tool_called", tool=tool.name, outcome=outcome, ms=round(seconds * 1000, 1))
    return answer


def _name_unknown(tool: Tool[Any, Any], answer: ToolAnswer, arguments: Mapping[str, Any]) -> ToolAnswer:
    """Where the tool did nothing, it may be for arguments by other names."""
    unknown = [name[:MAX_NAME] for name in tool.find_unknown(arguments)][:MAX_NAMED]
    if answer.ok or answer.problems is not None or not unknown:
        return answer
    accepted = ", ".join(tool.arguments.model_fields)
    problems = [f"{name}: there is no such argument; accepted: {accepted}" for name in unknown]
    return answer.model_copy(update={"problems": problems})


async def _run(tool: Tool[Any, Any], session: ToolSession, given: Mapping[str, Any]) -> ToolAnswer:
    try:
        arguments = tool.arguments.model_validate(given)
    except ValidationError as error:
        return failures.from_invalid_arguments(tool, session, error)
    if not session.seconds_left():  # an earlier call of the same request took it all; nothing was begun
        return failures.from_fault(tool, session.language, is_sent=False)
    try:
        async with asyncio.timeout(session.seconds_left()):
            answer: ToolAnswer = await tool.run(session, arguments)
            return answer
    except ToolFailure as failure:
        return failures.from_tool_failure(tool, session, failure)
    except ConnectorError as error:
        return failures.from_error(tool, session, error)
    except TimeoutError:
        log.warning("tool_timed_out", tool=tool.name)
    except Exception:
        log.exception("tool_failed", tool=tool.name)
    return failures.from_fault(tool, session.language, is_sent=True)
