"""PlanSo's board, the list of current orders, is parsed in every shape."""

from __future__ import annotations

from typing import Any

import pytest

from planso_connector.domain.errors import PageChanged
from planso_connector.domain.order import BoardEntry
from planso_connector.domain.reconcile import fingerprint_entry
from planso_connector.planso.pages.board_parser import parse_board

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
def test_an_answer_that_is_no_list_is_refused(answer: Any) -> None:
    """An empty board would look as if every order was gone."""
    with pytest.raises(PageChanged, match="list of orders"):
        parse_board(answer)


def test_an_oversized_member_is_emptied_and_named() -> None:
    """It is not cut; the entry has its length, and another text makes another fingerprint."""
    answer = {"1": {"ID": "130", "short_name": "A" * 201, "station": "3@" + "b" * 100_000, "finish_date": "KL 2"}}
    (entry,) = parse_board(answer)
    assert (entry.short_name, entry.station_id, entry.station_state, entry.finish_date) == ("", "3", "", "KL 2")
    assert {name: doubt.length for name, doubt in entry.too_long} == {"short_name": 201, "station_state": 100_000}
    answer["1"]["short_name"] = "B" * 201
    assert fingerprint_entry(parse_board(answer)[0]) != fingerprint_entry(entry)
