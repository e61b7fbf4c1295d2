"""
Interpret PlanSo's response to a save: accepted, refused, or unknown. Pure.

Only a refusal proves that nothing was saved: a proxy or a second layer of PHP may send the login page, a redirect, 429,
425 or HTML after PlanSo has applied the save.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx2

from planso_connector.domain.errors import PlansoRefused, PlansoUnsure
from planso_connector.planso.http.decoding import NotJson, parse_json
from planso_connector.planso.pages.board_parser import parse_order_id
from planso_connector.planso.pages.text import to_one_line
from planso_connector.planso.saving.save_style import ResponseStyle

OUTCOME_MEMBERS = ("saved", "deleted", "success", "ok", "status", "result", "state", "done")
"""Members of a response that may say whether it was done."""
_MEMBER_NAME = re.compile(r"[\w-]{1,40}")
_TEMPORARY = frozenset({408, 425, 429})
"""Client errors that are no refusal of the save."""


def parse_save_response(response: httpx2.Response, style: ResponseStyle, page: str) -> Any:
    """The response's JSON, None where the style expects none. Raises PlansoRefused, PlansoUnsure."""
    status = response.status_code
    if 400 <= status < 500 and status not in _TEMPORARY:
        raise PlansoRefused(f"{page}: PlanSo answered {status}")
    if "redirect" in style.success and response.has_redirect_location:
        return None
    if not response.is_success:
        # From 400 it may come from a proxy while PlanSo is still working.
        raise PlansoUnsure(f"{page}: PlanSo answered {status}; it may have been applied", is_over=status < 400)
    if "empty" in style.success and not response.content.strip():
        return None
    try:
        answer = parse_json(response)
    except NotJson as error:
        message = f"{page}: PlanSo answered with something else than JSON; it may have been applied"
        raise PlansoUnsure(message, is_over=True) from error
    refusal = next((rule for rule in style.refusal if _is_refusal(answer, rule)), None)
    if refusal is not None:
        raise PlansoRefused(f"{page}: PlanSo refused: {to_one_line(_refusal_text(answer, refusal))}")
    if style.success and not any(_is_success(answer, rule) for rule in style.success):
        usual = " or ".join(style.success)
        raise PlansoUnsure(f"{page}: PlanSo's answer is not the usual one after a save ({usual})", is_over=True)
    return answer


def find_new_order_id(answer: Any, location: str, style: ResponseStyle) -> int | None:
    """The new order's id, where the style expects it: in the JSON or the `Location` header."""
    if style.new_id.startswith("location:"):
        parameter = style.new_id.removeprefix("location:")
        return parse_order_id(parse_qs(urlsplit(location).query).get(parameter, [""])[-1])
    if style.new_id:
        return parse_order_id(get_member(answer, style.new_id))
    return find_data_id(answer)


def get_member(answer: Any, path: str) -> Any:
    """The value at `data.id` or `items.0.id`; None where there is none."""
    for key in path.split("."):
        if isinstance(answer, Mapping):
            answer = answer.get(key)
        elif isinstance(answer, list) and key.isdecimal() and int(key) < len(answer):
            answer = answer[int(key)]
        else:
            return None
    return answer


def iter_members(answer: Any, path: str = "", depth: int = 4) -> Iterator[tuple[str, str | int]]:
    """The paths and values of all texts and numbers in a JSON value, without names that a path can't hold."""
    members = answer.items() if isinstance(answer, Mapping) else enumerate(answer) if isinstance(answer, list) else ()
    for key, value in members:
        if not _MEMBER_NAME.fullmatch(str(key)):
            continue
        if isinstance(value, str | int) and not isinstance(value, bool):
            yield f"{path}{key}", value
        elif depth:
            yield from iter_members(value, f"{path}{key}.", depth - 1)


def format_scalar(value: Any) -> str:
    """A JSON scalar as a profile writes it: `true`, `1`, `ok`; empty for null."""
    return str(value).lower() if isinstance(value, bool) else "" if value is None else str(value)


def is_truthy_in_php(error: Any) -> bool:
    """Also False for texts such as `false` and `null`."""
    return bool(error) and str(error).strip().casefold() not in ("", "0", "false", "none", "null")


def join_error_texts(error: Any) -> str:
    """All texts and numbers of an error member, which may be nested."""
    if isinstance(error, (Mapping, list)):
        members = error.values() if isinstance(error, Mapping) else error
        return "; ".join(filter(None, map(join_error_texts, members)))
    return "" if error is None or isinstance(error, bool) else str(error)


def find_data_id(answer: Any, depth: int = 8) -> int | None:
    """The first `dataID` that is an id, at the top or nested."""
    if isinstance(answer, Mapping):
        order_id = parse_order_id(answer.get("dataID"))
        if order_id is not None:
            return order_id
    members = answer.values() if isinstance(answer, Mapping) else answer if isinstance(answer, list) else ()
    nested = (find_data_id(member, depth - 1) for member in members) if depth else ()
    return next((order_id for order_id in nested if order_id is not None), None)


def _is_refusal(answer: Any, rule: str) -> bool:
    """`rule`: a member that is true, or `member=value`."""
    if not isinstance(answer, Mapping):
        return False
    path, equals, value = rule.partition("=")
    member = get_member(answer, path)
    return member is not None and _is_text(member, value) if equals else is_truthy_in_php(member)


def _refusal_text(answer: Mapping[str, Any], rule: str) -> str:
    if "=" not in rule:
        return join_error_texts(get_member(answer, rule))
    return next(filter(None, (join_error_texts(answer.get(key)) for key in ("error", "errors", "message", "msg"))), "")


def _is_success(answer: Any, rule: str) -> bool:
    """`rule`: `form` or `member=value`."""
    if rule == "form":
        return isinstance(get_member(answer, "center.content"), str)
    path, equals, value = rule.partition("=")
    return bool(equals) and _is_text(get_member(answer, path), value)


def _is_text(member: Any, value: str) -> bool:
    return format_scalar(member).casefold() == value.casefold()
