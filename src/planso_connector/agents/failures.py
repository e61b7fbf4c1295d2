"""Answers for what goes wrong: bad arguments, faults and time-outs, each with a sentence that can be read out."""

from typing import Any

from pydantic import ValidationError

from planso_connector.agents.tool import Tool
from planso_connector.agents.tool_answer import Phrase, Reason, ToolAnswer, ToolFailure
from planso_connector.agents.tool_session import ToolSession
from planso_connector.domain import errors
from planso_connector.domain.errors import ConnectorError
from planso_connector.domain.language import Language
from planso_connector.domain.reported_problems import translate_problem

NOT_UNDERSTOOD = Phrase(
    "Das habe ich nicht richtig verstanden. Können Sie es bitte noch einmal sagen?",
    "I did not quite get that. Could you say it again, please?",
)
NOT_ALLOWED = Phrase(
    "Das darf ich leider nicht. Ein Kollege hilft Ihnen weiter.",
    "I am afraid I may not do that. A colleague will help you.",
)
NOT_POSSIBLE_HERE = Phrase(
    "Das kann ich leider nicht. Ein Kollege hilft Ihnen weiter.",
    "I am afraid I can't do that. A colleague will help you.",
)
UNAVAILABLE = Phrase(
    "Das kann ich gerade nicht nachsehen. Bitte versuchen Sie es in ein paar Minuten noch einmal.",
    "I can't look that up at the moment. Please try again in a few minutes.",
)
NOT_DONE = Phrase(
    "Das konnte ich gerade nicht eintragen. Bitte versuchen Sie es in ein paar Minuten noch einmal.",
    "I could not enter that just now. Please try again in a few minutes.",
)
UNSURE = Phrase(
    "Ich kann noch nicht sagen, ob das eingetragen ist. Das sehen wir gleich noch einmal nach.",
    "I can't tell yet whether that has been entered. We will check again in a moment.",
)
STOPPED = Phrase(
    "Ich kann gerade nichts eintragen. Ein Kollege muss sich darum kümmern.",
    "I can't enter anything at the moment. A colleague has to take care of it.",
)
NO_SUCH_ORDER = Phrase(
    "Den Auftrag habe ich nicht gefunden. Wie lautet das Kennzeichen?",
    "I did not find that order. What is the number plate?",
)
REFUSED = Phrase(
    "Das ließ sich so nicht eintragen. Ein Kollege sieht es sich an.",
    "That could not be entered like this. A colleague will look at it.",
)
MAX_PROBLEMS, MAX_QUOTED = 10, 60

_BY_ERROR: tuple[tuple[type[ConnectorError], Reason, Phrase], ...] = (
    (errors.NotAllowed, Reason.NOT_ALLOWED, NOT_ALLOWED),
    (errors.NotFound, Reason.NOT_FOUND, NO_SUCH_ORDER),
    (errors.Invalid, Reason.INVALID, NOT_UNDERSTOOD),
    (errors.WritesStopped, Reason.STOPPED, STOPPED),
    (errors.WritesShadowed, Reason.STOPPED, STOPPED),
    (errors.WorkshopPaused, Reason.STOPPED, STOPPED),
    (errors.CommitUnknown, Reason.UNSURE, UNSURE),
    (errors.PlansoUnsure, Reason.UNSURE, UNSURE),
    (errors.StoreUnavailable, Reason.UNAVAILABLE, UNAVAILABLE),
    (errors.PlansoUnavailable, Reason.UNAVAILABLE, UNAVAILABLE),
    (errors.TooManyWaiting, Reason.UNAVAILABLE, UNAVAILABLE),
    (ConnectorError, Reason.REFUSED, REFUSED),
)
"""The first that fits."""


def build_failure(
    tool: Tool[Any, Any] | None, language: Language, phrase: Phrase, reason: Reason, **members: Any
) -> ToolAnswer:
    """An answer of the tool's own kind, so that it fits the output schema."""
    kind: type[ToolAnswer] = tool.answer if tool is not None else ToolAnswer
    return kind(say=phrase.render(language), ok=False, reason=reason, **members)


def from_tool_failure(tool: Tool[Any, Any], session: ToolSession, failure: ToolFailure) -> ToolAnswer:
    kind: type[ToolAnswer] = tool.answer
    say = session.render(failure.phrase, **failure.values)
    return kind(say=say, ok=False, reason=failure.reason, **failure.members)


def from_error(tool: Tool[Any, Any], session: ToolSession, error: ConnectorError) -> ToolAnswer:
    """The error's own text is left out: it is for operators, and may quote PlanSo."""
    _, reason, phrase = next(entry for entry in _BY_ERROR if isinstance(error, entry[0]))
    if reason is Reason.UNAVAILABLE and not (tool.is_read_only or tool.only_holds):
        phrase = NOT_DONE
    problems = None
    if isinstance(error, errors.Invalid):
        problems = [f"{problem.field}: {problem.msg}" for problem in error.problems][:MAX_PROBLEMS]
    return build_failure(tool, session.language, phrase, reason, problems=problems)


def from_invalid_arguments(tool: Tool[Any, Any], session: ToolSession, error: ValidationError) -> ToolAnswer:
    """Names each argument and what is accepted; not what was given, which may be long."""
    problems = [_describe(problem) for problem in error.errors(include_url=False, include_input=False)]
    return build_failure(tool, session.language, NOT_UNDERSTOOD, Reason.INVALID, problems=problems[:MAX_PROBLEMS])


def _describe(problem: Any) -> str:
    translated = translate_problem(problem)
    where = ".".join(str(step)[:MAX_QUOTED] for step in translated.loc) or "arguments"
    return f"{where}: {translated.msg}"


def from_unreadable_arguments(tool: Tool[Any, Any] | None, language: Language) -> ToolAnswer:
    problems = ["arguments: must be a JSON object"]
    return build_failure(tool, language, NOT_UNDERSTOOD, Reason.INVALID, problems=problems)


def from_fault(tool: Tool[Any, Any] | None, language: Language, *, is_sent: bool) -> ToolAnswer:
    """A fault or a time-out. `is_sent`: a write may have been recorded by then."""
    if tool is None or tool.is_read_only or tool.only_holds:
        return build_failure(tool, language, UNAVAILABLE, Reason.UNAVAILABLE)
    if is_sent:
        return build_failure(tool, language, UNSURE, Reason.UNSURE)
    return build_failure(tool, language, NOT_DONE, Reason.UNAVAILABLE)
