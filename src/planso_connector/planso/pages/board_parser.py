"""Parse PlanSo's board, the list of all current orders. Source: the PlanSo protocol's section 2."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from planso_connector.domain.character_references import unescape_html
from planso_connector.domain.errors import PageChanged
from planso_connector.domain.fields import MAX_LISTED_LENGTH
from planso_connector.domain.order import BoardEntry, OversizedText
from planso_connector.planso.pages.text import collapse_whitespace

_ORDER_ID = re.compile(r"\s*([0-9]{1,18})\s*")
_MAX_DEPTH = 3
_ORDER_MEMBERS = frozenset({"short_name", "station", "employeeID", "theorder", "finish_date"})
"""What distinguishes an order from other things with an ID, such as stations."""


def parse_board(answer: Any) -> list[BoardEntry]:
    """
    The orders among the members of an object or list, each once; members that are no orders are passed over. Of an
    order's rows that differ the same one is taken each time, whatever their order in the list.

    Raises PageChanged for an answer that is neither, and for an error in an object without orders.
    """
    if not isinstance(answer, (Mapping, list)):
        raise PageChanged("the list of orders is neither an object nor a list")
    objects = list(_find_objects(answer, _MAX_DEPTH))
    orders = [order for order in objects if not _ORDER_MEMBERS.isdisjoint(order)] or objects
    entries: dict[int, BoardEntry] = {}
    for order in orders:
        entry = _parse_entry(order)
        if entry is not None:
            earlier = entries.get(entry.order_id)
            entries[entry.order_id] = entry if earlier is None else min(earlier, entry, key=_precedence)
    if not entries and isinstance(answer, Mapping) and answer.get("error"):
        raise PageChanged("the list of orders did not arrive: PlanSo reports an error instead")
    return list(entries.values())


def parse_order_id(given: Any) -> int | None:
    """An id of PlanSo: an integer, or digits in a string; None for anything else and for 0."""
    if isinstance(given, str):
        match = _ORDER_ID.fullmatch(given)
        given = int(match[1]) if match else None
    if isinstance(given, bool) or not isinstance(given, int):
        return None
    return given if 0 < given < 2**63 else None


def _find_objects(answer: Any, depth: int) -> Iterator[Mapping[str, Any]]:
    """Objects with an `ID`, nested up to `depth` levels."""
    if isinstance(answer, Mapping) and "ID" in answer:
        yield answer
        return
    if not depth:
        return
    for member in answer.values() if isinstance(answer, Mapping) else answer:
        if isinstance(member, dict) and "ID" in member:  # nearly all are such
            yield member
        elif isinstance(member, (Mapping, list)):
            yield from _find_objects(member, depth - 1)


def _parse_entry(order: Mapping[str, Any]) -> BoardEntry | None:
    order_id = parse_order_id(order["ID"])
    if order_id is None:
        return None
    station_id, _, state = _read_text(order, "station").partition("@")
    entry = BoardEntry(
        order_id=order_id,
        short_name=collapse_whitespace(unescape_html(_read_text(order, "short_name"))),
        station_id=station_id.strip(),
        station_state=state.strip(),
        employee_id=_read_text(order, "employeeID"),
        position=_read_text(order, "theorder"),
        finish_date=collapse_whitespace(unescape_html(_read_text(order, "finish_date"))),
    )
    return entry if max(map(len, entry[1:-1])) <= MAX_LISTED_LENGTH else _drop_oversized(entry)


def _drop_oversized(entry: BoardEntry) -> BoardEntry:
    """Empty and name the members that are too long to be stored."""
    texts = {name: str(text) for name, text in zip(entry._fields[1:-1], entry[1:-1], strict=True)}
    too_long = {name: OversizedText.from_text(text) for name, text in texts.items() if len(text) > MAX_LISTED_LENGTH}
    return BoardEntry(entry.order_id, **texts | dict.fromkeys(too_long, ""), too_long=tuple(too_long.items()))


def _precedence(entry: BoardEntry) -> tuple[object, ...]:
    """A row at a station that works on the order goes before others."""
    texts = (entry.station_id, entry.short_name, entry.station_state, entry.employee_id, entry.finish_date)
    return entry.station_state != "active", *texts, entry.position


def _read_text(order: Mapping[str, Any], name: str) -> str:
    """A text or number as text; empty for null and anything else."""
    value = order.get(name)
    if isinstance(value, str):
        return value.strip()
    return str(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else ""
