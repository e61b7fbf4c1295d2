from __future__ import annotations

import json
from typing import Any

import httpx2
import pytest

from planso_connector.domain.errors import PageChanged
from planso_connector.domain.order import BoardEntry
from planso_connector.domain.reconcile import fingerprint_entry
from planso_connector.planso.http.decoding import NotJson, decode_response, parse_json
from planso_connector.planso.pages.board import parse_board

ORDER = {"ID": "123", "short_name": "WN-AE 2309 M&amp;uuml;ller", "station": "2@active@x", "employeeID": None,
         "theorder": 4, "finish_date": "KL 2-3"}  # fmt: skip
OTHER = {"ID": 7, "station": ""}


@pytest.mark.parametrize(
    "answer",
    [
        {"0": ORDER, "1": OTHER, "execution_time": 0.34, "ok": True, "filter": None},
        {"a": ORDER, "b": OTHER},
        [ORDER, OTHER],
        [[ORDER], {"x": OTHER}],
        {"orders": [ORDER, OTHER], "stations": {"2": {"ID": 2, "name": "Karo"}}, "user": {"ID": 5}},
        [ORDER, OTHER, ORDER, {"ID": "x1", "station": ""}, {"ID": True, "station": ""}, {"name": "x"}, 3, None],
    ],
)
def test_orders_are_found_in_every_shape(answer: Any) -> None:
    """Object or list, nested or not, beside members that are no orders; each order once."""
    assert parse_board(answer) == [
        BoardEntry(123, "WN-AE 2309 M&uuml;ller", "2", "active@x", "", "4", "KL 2-3"),
        BoardEntry(7),
    ]


@pytest.mark.parametrize("answer", [[], {}, {"execution_time": 0.1}])
def test_no_orders_are_an_empty_list(answer: Any) -> None:
    """PHP says `[]` for an empty object."""
    assert parse_board(answer) == []


@pytest.mark.parametrize("answer", [None, "x", 5, {"error": "keine Rechte"}])
def test_what_is_no_list_is_told(answer: Any) -> None:
    """An empty board would look as if every order had vanished."""
    with pytest.raises(PageChanged, match="list of orders"):
        parse_board(answer)


UMLAUTS = '{"a": "Müller – 5 €"}'


@pytest.mark.parametrize(
    ("content", "content_type"),
    [
        (UMLAUTS.encode(), "application/json"),
        (UMLAUTS.encode(), "application/json; charset=utf-8"),
        (b"\xef\xbb\xbf" + UMLAUTS.encode(), "text/html"),
        (UMLAUTS.encode("cp1252"), "application/json"),
        (UMLAUTS.encode("cp1252"), "text/html; charset=ISO-8859-1"),
        (UMLAUTS.encode("cp1252"), "text/html; charset=utf-8"),
        (UMLAUTS.encode("cp1252"), 'text/html; charset="klingon"'),
        (UMLAUTS.encode("utf-16"), "text/html; charset=utf-16"),
    ],
)
def test_umlauts_arrive_whatever_the_charset(content: bytes, content_type: str) -> None:
    """Declared, undeclared, wrongly declared, with a byte order mark."""
    response = httpx2.Response(200, content=content, headers={"Content-Type": content_type})

    assert parse_json(response) == json.loads(UMLAUTS)


def test_bytes_that_windows_1252_has_no_letter_for_are_kept() -> None:
    """No answer is lost for one odd byte."""
    assert decode_response(httpx2.Response(200, content=b"\x81\xe4\x80")) == "\x81ä€"


@pytest.mark.parametrize("content", [b"", b"<html>", b"{", b"[" * 100_000, b"9" * 5000])
def test_what_is_no_json_is_told(content: bytes) -> None:
    """Garbage of every kind is one error."""
    with pytest.raises(NotJson):
        parse_json(httpx2.Response(200, content=content))


def test_a_member_that_is_too_long_is_empty_and_named() -> None:
    """Not cut: the entry says what there is, and another text makes another fingerprint of it."""
    answer = {"1": {"ID": "130", "short_name": "A" * 201, "station": "3@" + "b" * 100_000, "finish_date": "KL 2"}}
    (entry,) = parse_board(answer)
    assert (entry.short_name, entry.station_id, entry.station_state, entry.finish_date) == ("", "3", "", "KL 2")
    assert {name: doubt.length for name, doubt in entry.too_long} == {"short_name": 201, "station_state": 100_000}
    answer["1"]["short_name"] = "B" * 201
    assert fingerprint_entry(parse_board(answer)[0]) != fingerprint_entry(entry)
