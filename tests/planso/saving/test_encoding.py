"""Every save style encodes the form so that independent decoders read the same pairs."""

from __future__ import annotations

import json
from dataclasses import replace
from email import message_from_bytes, policy
from typing import Any
from urllib import parse
from urllib.parse import parse_qsl

import pytest
from hypothesis import given
from hypothesis import strategies as st

from planso_connector.planso.profile import Profile
from planso_connector.planso.saving.encoding import EncodedRequest, convert_line_breaks, encode_save, urlencode
from planso_connector.planso.saving.save_style import (
    BODIES,
    SPACES,
    TOKEN_PLACES,
    RequestTemplate,
    SaveStyle,
    SaveToken,
)

TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20)
NAME = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=8)
PAIRS = st.lists(st.tuples(NAME, TEXT), max_size=6)
BUILT_IN = Profile.load().save


def group_by_name(pairs: list[tuple[str, str]]) -> dict[str, Any]:
    members: dict[str, list[str]] = {}
    for name, value in pairs:
        members.setdefault(name, []).append(value)
    return {name: values[0] if len(values) == 1 else values for name, values in members.items()}


def decode_multipart(encoded: EncodedRequest) -> list[tuple[str, str]]:
    head = f"Content-Type: {encoded.headers['Content-Type']}\r\n\r\n".encode()
    message = message_from_bytes(head + encoded.body, policy=policy.HTTP)
    found = []
    for part in message.iter_parts():
        name = part.get_param("name", header="content-disposition")
        found.append((str(name), part.get_payload(decode=True).decode()))  # type: ignore[union-attr]
    return found


@given(PAIRS, st.sampled_from(BODIES), st.sampled_from(SPACES))
def test_every_body_carries_the_pairs(pairs: list[tuple[str, str]], body: str, space: str) -> None:
    """Any names and values arrive in their order, in every body and with both encodings of blanks."""
    sent = encode_save(pairs, replace(BUILT_IN, body=body, space=space), "update", 7, 12565, {})
    match body:
        case "fields":
            [(parameter, form)] = parse_qsl(sent.body.decode("ascii"), keep_blank_values=True)
            assert (parameter, parse_qsl(form, keep_blank_values=True)) == ("fields", pairs)
        case "plain":
            assert parse_qsl(sent.body.decode("ascii"), keep_blank_values=True) == pairs
        case "json":
            assert json.loads(sent.body) == group_by_name(pairs)
        case "json_pairs":
            assert json.loads(sent.body) == [{"name": name, "value": value} for name, value in pairs]
        case "fields_json":
            [(_, form)] = parse_qsl(sent.body.decode("ascii"))
            assert json.loads(form) == group_by_name(pairs)
        case "fields_json_pairs":
            [(_, form)] = parse_qsl(sent.body.decode("ascii"))
            assert [(pair["name"], pair["value"]) for pair in json.loads(form)] == pairs


@given(st.lists(st.tuples(st.from_regex(r"[a-z_]{1,8}(\[\])?", fullmatch=True), TEXT), min_size=1, max_size=6))
def test_multipart_carries_the_pairs(pairs: list[tuple[str, str]]) -> None:
    """Any values arrive, with their line breaks: the boundary stands in none of them."""
    sent = encode_save(pairs, replace(BUILT_IN, body="multipart"), "insert", None, 1, {})

    assert decode_multipart(sent) == pairs


ACTIONS = st.sampled_from(("update", "insert", "delete"))


@given(ACTIONS, st.sampled_from(TOKEN_PLACES), st.sampled_from(BODIES), TEXT.filter(bool))
def test_tokens_and_ids_go_where_the_style_says(action: str, place: str, body: str, value: str) -> None:
    """A token is sent in the query, the body or a header; ids replace their placeholders in path, query and body."""
    address = RequestTemplate("POST", "/orders/{order}/save", {"t": "{table}"}, {"id": "{order}", "mode": "x"})
    style = replace(SaveStyle(), body=body, update=address, insert=address, delete=address)
    style = replace(style, tokens=(SaveToken("X-Token", place, "cookie", "c"),))
    order = None if action == "insert" else 7
    sent = encode_save([] if action != "delete" else None, style, action, order, 12, {"X-Token": value})

    assert sent.path == ("/orders//save" if order is None else "/orders/7/save")
    assert dict(sent.query) == {"t": "12"} | ({"X-Token": value} if place == "query" else {})
    assert (sent.headers.get("X-Token") == value) == (place == "header")
    if body in ("fields", "plain", "fields_json", "fields_json_pairs"):
        held = dict(parse_qsl(sent.body.decode("ascii"), keep_blank_values=True))
        assert (held["id"], held["mode"]) == ("" if order is None else "7", "x")
        assert (held.get("X-Token") == value) == (place == "body")


def test_numbers_in_json_are_numbers() -> None:
    """A number placeholder in a JSON body gives a number, `"id": 7` and not `"id": "7"`."""
    address = RequestTemplate(body={"id": "{order_number}", "table": "{table}", "final": True})
    sent = encode_save(
        [("a", "1")], replace(BUILT_IN, body="json", parameter="data", update=address), "update", 7, 12, {}
    )

    assert json.loads(sent.body) == {"id": 7, "table": "12", "final": True, "data": {"a": "1"}}


def test_nothing_to_send_is_no_body() -> None:
    """A deletion whose parameters are all in the query has no body."""
    sent = encode_save(None, BUILT_IN, "delete", 7, 12565, {})

    assert (sent.body, sent.headers, sent.path) == (b"", {}, "/do")
    assert dict(sent.query)["submode"] == "delete"


@pytest.mark.parametrize(("line_break", "text"), [("crlf", "a\r\nb\r\nc\r\n"), ("lf", "a\nb\nc\n")])
def test_line_breaks_are_converted(line_break: str, text: str) -> None:
    """All line breaks become those of the style."""
    assert convert_line_breaks("a\nb\r\nc\r", line_break) == text


@given(PAIRS)
def test_blanks_are_encoded_in_one_way(pairs: list[tuple[str, str]]) -> None:
    """Blanks are encoded as `%20` or as `+`, and never both."""
    assert "+" not in urlencode(pairs)
    assert "%20" not in urlencode(pairs, "+")


_TEXTS = st.text() | st.text("ab%&=+ ~-_.!*'()ä")


@given(st.lists(st.tuples(_TEXTS, _TEXTS)), st.sampled_from(["%20", "+"]))
def test_any_pairs_are_encoded_as_by_urllib(pairs: list[tuple[str, str]], space: str) -> None:
    """Texts that are unreserved, urlencoded already, or anything else, lone surrogates too."""
    quote = parse.quote_plus if space == "+" else parse.quote
    expected = parse.urlencode(pairs, safe="-_.!~*'()", errors="replace", quote_via=quote)
    assert urlencode(pairs, space) == expected
