"""
What PlanSo's answer to a save means: it was taken, it was refused, or neither is known. Pure.

Once a save was sent, no answer but a refusal says that nothing was done: a proxy or a second layer of PHP may write the
login page, a redirect, 429, 425 or HTML after PlanSo has applied the save.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx2

from planso_connector.domain.errors import PlansoRefused, PlansoUnsure
from planso_connector.planso.http.decoding import NotJson, parse_json
from planso_connector.planso.pages.board import parse_order_id
from planso_connector.planso.pages.text import to_one_line
from planso_connector.planso.saving.save_style import ResponseStyle

_PROVES_NOTHING = frozenset({408, 425, 429})
"""Statuses of the 400s that are about the moment, not about the save."""


def parse_save_response(response: httpx2.Response, style: ResponseStyle, page: str) -> Any:
    """The answer's JSON, None where there is none. Raises PlansoRefused, PlansoUnsure."""
    status = response.status_code
    if 400 <= status < 500 and status not in _PROVES_NOTHING:
        raise PlansoRefused(f"{page}: PlanSo answered {status}")
    if "redirect" in style.success and response.has_redirect_location:
        return None
    if not response.is_success:
        # A status of the 400s or 500s may come from something in front of PlanSo, which goes on.
        raise PlansoUnsure(f"{page}: PlanSo answered {status}; it may have been applied", is_over=status < 400)
    if "empty" in style.success and not response.content.strip():
        return None
    try:
        answer = parse_json(response)
    except NotJson as error:
        told = f"{page}: PlanSo answered with something else than JSON; it may have been applied"
        raise PlansoUnsure(told, is_over=True) from error
    refusal = next((rule for rule in style.refusal if _applies(rule, answer)), None)
    if refusal is not None:
        raise PlansoRefused(f"{page}: PlanSo refused: {to_one_line(_words_of_refusal(answer, refusal))}")
    if style.success and not any(_is_success(answer, rule) for rule in style.success):
        usual = " or ".join(style.success)
        raise PlansoUnsure(f"{page}: PlanSo's answer is not the usual one after a save ({usual})", is_over=True)
    return answer


def find_new_order_id(answer: Any, location: str, style: ResponseStyle) -> int | None:
    """The id that the answer names where the style says that it stands; None without one."""
    if style.new_id.startswith("location:"):
        found = parse_qs(urlsplit(location).query).get(style.new_id.removeprefix("location:"), [""])
        return parse_order_id(found[-1])
    if style.new_id:
        return parse_order_id(get_member(answer, style.new_id))
    return find_data_id(answer)


def get_member(answer: Any, path: str) -> Any:
    """What stands at `data.id` or `items.0.id`; None where nothing does."""
    for key in path.split("."):
        if isinstance(answer, Mapping):
            answer = answer.get(key)
        elif isinstance(answer, list) and key.isdecimal() and int(key) < len(answer):
            answer = answer[int(key)]
        else:
            return None
    return answer


def format_scalar(value: Any) -> str:
    """A JSON scalar as a profile writes it: `true`, `1`, `ok`."""
    return str(value).lower() if isinstance(value, bool) else "" if value is None else str(value)


def is_truthy_in_php(error: Any) -> bool:
    """Whether PHP would call it true."""
    return bool(error) and str(error).strip().casefold() not in ("", "0", "false", "none", "null")


def join_error_texts(error: Any) -> str:
    """The texts in whatever PlanSo sent as its error."""
    if isinstance(error, (Mapping, list)):
        members = error.values() if isinstance(error, Mapping) else error
        return "; ".join(filter(None, map(join_error_texts, members)))
    return error if isinstance(error, str) else "" if error is None or isinstance(error, bool) else str(error)


def find_data_id(answer: Any, depth: int = 8) -> int | None:
    """The first `dataID` that is an id, at the top or nested anywhere."""
    if isinstance(answer, Mapping):
        own = parse_order_id(answer.get("dataID"))
        if own is not None:
            return own
    members = answer.values() if isinstance(answer, Mapping) else answer if isinstance(answer, list) else ()
    nested = (find_data_id(member, depth - 1) for member in members) if depth else ()
    return next((found for found in nested if found is not None), None)


def _applies(rule: str, answer: Any) -> bool:
    if not isinstance(answer, Mapping):
        return False
    path, equals, value = rule.partition("=")
    held = get_member(answer, path)
    return format_scalar(held).casefold() == value.casefold() and held is not None if equals else is_truthy_in_php(held)


def _words_of_refusal(answer: Mapping[str, Any], rule: str) -> str:
    path, equals, _ = rule.partition("=")
    if not equals:
        return join_error_texts(get_member(answer, path))
    return next(filter(None, (join_error_texts(answer.get(key)) for key in ("error", "errors", "message", "msg"))), "")


def _is_success(answer: Any, rule: str) -> bool:
    if rule == "form":
        return isinstance(get_member(answer, "center.content"), str)
    path, equals, value = rule.partition("=")
    return bool(equals) and format_scalar(get_member(answer, path)).casefold() == value.casefold()
