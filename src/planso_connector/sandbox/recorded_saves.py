"""Detect how a recorded installation saves: style, addresses, answers."""

import re
from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, replace
from typing import Any

from selectolax.lexbor import LexborHTMLParser

from planso_connector.sandbox.forms import SaveRefusedError
from planso_connector.sandbox.php import Pairs, parse_pairs
from planso_connector.sandbox.recording import RecordedExchange
from planso_connector.sandbox.save_calls import (
    ANY_PLACEHOLDER,
    ID_PLACEHOLDER,
    SAVE_ACTIONS,
    TOKEN_PLACEHOLDER,
    SaveAction,
    SaveCall,
    SaveCalls,
    build_save_calls,
)
from planso_connector.sandbox.save_request import parse_body
from planso_connector.sandbox.save_style import AnswerShape, Body, SaveStyle, Space, Token, TokenSource

_BODIES: tuple[Body, ...] = ("json", "multipart", "fields_json", "fields_json_pairs", "fields", "plain")
_CODE_WORD = re.compile(r"[01]|ok|OK|success|saved|done|true|updated?|inserted|deleted|created")
_NOT_TOKENS = frozenset({"cookie", "user-agent", "referer", "origin", "accept", "content-type", "accept-language"})


@dataclass(frozen=True)
class _Save:
    """One recorded save, parsed in its style. `order_id`: "" for a new order."""

    exchange: RecordedExchange
    kind: SaveAction
    style: SaveStyle
    outer: dict[str, str]
    pairs: Pairs
    order_id: str


@dataclass(frozen=True)
class RecordedSaves:
    """Style and calls of a recording; calls that it does not contain are derived from the others."""

    style: SaveStyle
    calls: SaveCalls
    answers: Mapping[SaveAction, Any] = field(default_factory=dict)
    """The JSON objects that mean success, with `{id}` for the order's id and without other values."""


def parse_recorded_saves(
    exchanges: list[RecordedExchange], form: RecordedExchange, names: AbstractSet[str], table_id: int
) -> RecordedSaves:
    """Detect how the recording saves; the usual style for a recording without a save.

    `form` is the reading of the order's form, `names` are those of its controls.
    """
    saves = list(_find_saves(exchanges, form, names))
    updates = [save for save in saves if save.kind == "update"] or saves
    if not updates:
        return RecordedSaves(SaveStyle(), build_save_calls(SaveStyle(), table_id))
    first = updates[0]
    style = replace(
        first.style,
        sends="whole" if len({name for name, _ in first.pairs} & names) > 0.6 * len(names) else "changed",
        answer=_detect_answer_shape(first.exchange),
        space=_detect_space(first),
        line_break="lf" if any("\n" in value.replace("\r\n", "") for _, value in first.pairs) else "crlf",
    )
    found = _find_token(exchanges, form, first)
    if found is not None:
        style = _with_token(replace(style, token_from=found[0], token_source=found[1]), first, found[2])
    calls = {save.kind: _build_template(save, found[2] if found else "") for save in reversed(saves)}
    calls |= {
        kind: call for kind in SAVE_ACTIONS if (call := _derive_call(calls, kind)) is not None and kind not in calls
    }
    answers = {
        save.kind: _strip_values(save.exchange.json, _find_answered_id(exchanges, save)) for save in reversed(saves)
    }
    return RecordedSaves(style, calls, {kind: answer for kind, answer in answers.items() if isinstance(answer, dict)})


def _detect_space(save: _Save) -> Space:
    if save.style.body in ("json", "multipart"):
        return "%20"
    # In `fields` the form is escaped twice, so a plus is `%2B`.
    is_plus = b"+" in save.exchange.body or (save.style.body == "fields" and b"%2B" in save.exchange.body)
    return "+" if is_plus else "%20"


def _find_answered_id(exchanges: list[RecordedExchange], save: _Save) -> str:
    """The id that the answer may contain: of a new order that of the next opened form."""
    if save.order_id:
        return save.order_id
    after = exchanges[next(at for at, one in enumerate(exchanges) if one is save.exchange) + 1 :]
    return next((one.query["dataID"] for one in after if one.query.get("dataID")), "")


def _strip_values(answer: Any, order_id: str, depth: int = 0) -> Any:
    """An answer without its values, except code words, flags and the order's id."""
    if isinstance(answer, dict) and depth < 5:
        return {name: _strip_values(value, order_id, depth + 1) for name, value in answer.items()}
    if order_id and not isinstance(answer, (bool, list, dict)) and str(answer) == order_id:
        return ID_PLACEHOLDER
    if isinstance(answer, str):
        return answer if _CODE_WORD.fullmatch(answer) else ""
    if isinstance(answer, bool) or answer is None or answer in (0, 1):
        return answer
    return 0 if isinstance(answer, (int, float)) else []


def _find_saves(exchanges: list[RecordedExchange], form: RecordedExchange, names: AbstractSet[str]) -> Iterable[_Save]:
    """The requests that submit the form's controls, and those that delete an order."""
    ids = {form.query.get("dataID", ""), *_listed_ids(exchanges)} - {""}
    for exchange in exchanges:
        if exchange.method == "GET" or "system_login_password" in exchange.body.decode("utf-8", "replace"):
            continue
        read = _parse_save_body(exchange, names)
        given = {*exchange.query.values(), *(read[1].values() if read else ())}
        about = next((value for value in given if value in ids), "")
        if read is not None and any(name in names for name, _ in read[2]):
            is_new = about == "" or "insert" in given
            yield _Save(exchange, "insert" if is_new else "update", read[0], read[1], read[2], about)
        elif "delete" in given:
            numbers = [value for value in given if value.isdigit() and value != exchange.query.get("tableID")]
            outer = dict(parse_pairs(exchange.body)) if read is None else read[1]
            yield _Save(exchange, "delete", SaveStyle(), outer, [], about or next(iter(numbers), ""))


def _listed_ids(exchanges: list[RecordedExchange]) -> set[str]:
    """The order ids of the recorded boards."""
    ids = set()
    for exchange in exchanges:
        if exchange.query.get("m") == "resourceplanner_get_project_stations":
            listed = exchange.json
            entries = listed.values() if isinstance(listed, dict) else listed or ()
            ids |= {str(entry["ID"]) for entry in entries if isinstance(entry, dict) and "ID" in entry}
    return ids


def _parse_save_body(
    exchange: RecordedExchange, names: AbstractSet[str]
) -> tuple[SaveStyle, dict[str, str], Pairs] | None:
    """Parse the body in the first style that yields controls of the form."""
    if not exchange.body:
        return None
    parameters = [name for name, value in parse_pairs(exchange.body) if len(value) > 1] or ["fields"]
    for body in _BODIES:
        for parameter in parameters if body.startswith("fields") else ["fields"]:
            style = SaveStyle(body=body, parameter=parameter)
            try:
                outer, pairs = parse_body(
                    style, exchange.content_type, exchange.body, _outer_names(exchange, style, names)
                )
            except SaveRefusedError:
                continue
            if pairs and any(name in names for name, _ in pairs):
                return style, outer, pairs
    return None


def _outer_names(exchange: RecordedExchange, style: SaveStyle, names: AbstractSet[str]) -> set[str]:
    """The names in the body that are no controls of the form."""
    body = style.body
    if body == "json":
        sent = exchange.json_body()
        return {name for name in sent if name not in names} if isinstance(sent, dict) else set()
    if body == "multipart":
        try:
            _, pairs = parse_body(SaveStyle(body=body), exchange.content_type, exchange.body, set())
        except SaveRefusedError:
            return set()
        return {name for name, _ in pairs or () if name not in names}
    sent_names = {name for name, _ in parse_pairs(exchange.body)}
    return sent_names - (names if body == "plain" else {style.parameter})


def _find_token(
    exchanges: list[RecordedExchange], form: RecordedExchange, save: _Save
) -> tuple[TokenSource, str, str] | None:
    """The token of a save that a page provided: source, name there, value."""
    headers = {name: value for name, value in save.exchange.headers.items() if name not in _NOT_TOKENS}
    sent = {v for v in (*save.exchange.query.values(), *save.outer.values(), *headers.values()) if len(v) >= 8}
    for source, name, value in _find_tokens(exchanges, form, save):
        if value in sent:
            return source, name, value
    return None


def _with_token(style: SaveStyle, save: _Save, token: str) -> SaveStyle:
    """The style with the places where the token was sent."""
    places: tuple[tuple[Token, Mapping[str, str]], ...] = (
        ("header", save.exchange.headers),
        ("parameter", save.outer),
        ("query", save.exchange.query),
    )
    for place, given in places:
        name = next((name for name, value in given.items() if value == token), None)
        if name is not None:
            style = replace(
                style,
                tokens=(*style.tokens, place),
                token_header=name if place == "header" else style.token_header,
                token_parameter=name if place != "header" else style.token_parameter,
            )
    return style


def _find_tokens(
    exchanges: list[RecordedExchange], form: RecordedExchange, save: _Save
) -> Iterable[tuple[TokenSource, str, str]]:
    for exchange in exchanges:
        if exchange.path == "/app" and exchange.text:
            page = LexborHTMLParser(exchange.text)
            for node in page.css("meta[name], input[type=hidden][name]"):
                kind: TokenSource = "meta" if node.tag == "meta" else "input"
                value = node.attributes.get("content" if kind == "meta" else "value") or ""
                yield kind, node.attributes["name"] or "", value
    answer = form.json
    if isinstance(answer, dict):
        for name, value in answer.items():
            if isinstance(value, str) and name != "functions":
                yield "member", name, value
    for name, value in save.exchange.cookies.items():
        yield "cookie", name, value


def _build_template(save: _Save, token: str) -> SaveCall:
    def templates(given: Mapping[str, str]) -> dict[str, str]:
        return {name: _to_placeholder(value, save.order_id, token) for name, value in given.items() if name != "_"}

    headers = {name: TOKEN_PLACEHOLDER for name, value in save.exchange.headers.items() if token and value == token}
    return SaveCall(save.exchange.path, templates(save.exchange.query), templates(save.outer), headers)


def _to_placeholder(value: str, order_id: str, token: str) -> str:
    if value and value == order_id:
        return ID_PLACEHOLDER
    if value and value == token:
        return TOKEN_PLACEHOLDER
    return ANY_PLACEHOLDER if value.isdigit() and len(value) > 9 else value


def _derive_call(calls: SaveCalls, kind: SaveAction) -> SaveCall | None:
    """The call for an action that was not recorded: that of an update with the action's word."""
    update = calls.get("update")
    if update is None:
        return None

    def other(given: Mapping[str, str]) -> dict[str, str]:
        words = {"update": kind, ID_PLACEHOLDER: "" if kind == "insert" else ID_PLACEHOLDER}
        return {name: words.get(value, value) for name, value in given.items()}

    return replace(update, query=other(update.query), outer=other(update.outer))


def _detect_answer_shape(exchange: RecordedExchange) -> AnswerShape:
    """The shape nearest to a recorded success."""
    if exchange.status in (301, 302, 303):
        return "redirect"
    answer: Any = exchange.json
    if not isinstance(answer, dict):
        return "saved" if exchange.text else "empty"
    if "center" in answer:
        return "form"
    return "success" if "success" in answer else "status" if "status" in answer else "saved"
