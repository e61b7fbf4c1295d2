"""Spare parts, and when they count as missing. Source: the PlanSo protocol's section 4."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from planso_connector.domain.folding import fold
from planso_connector.domain.phrase_search import contains_any_phrase

MAX_MEMBER_LENGTH = 200
MAX_DESCRIPTION_LENGTH = 2000
"""Characters of a part's members and of its description. A part has None where PlanSo holds more."""

_NEEDS_NONE = re.compile(
    r"(ohne|keine) ?(e ?|ersatz)?teile( (noetig|notwendig|benoetigt|erforderlich))|ohne ?(e ?|ersatz)?teile"
)
_MISSING = (
    *("offen", "fehlt", "fehlen", "fehlend", "Fehlteil", "ausstehend", "missing"),
    *("Rückstand", "Ruckstand", "Rückstände", "rückständig", "Lieferrückstand"),
    *("backorder", "backordered", "back order"),
    *("nicht geliefert", "nicht lieferbar", "nicht eingetroffen", "nicht angekommen", "nicht da", "nicht vorhanden"),
    *("nicht delivered", "nicht received"),
)
"""Phrases of a part's status, and of an order's parts status, that mean missing; `nicht` stands for any negation."""
_INCOMPLETE = ("unvollständig", "unvollst", "inkomplett", "incomplete", "nicht vollständig", "nicht komplett")
"""Further phrases of an order's parts status alone."""


@dataclass(frozen=True, slots=True)
class Part:
    """
    One row of the parts table. Dates are canonical (ISO 8601), prices in EUR, `qty` decimal; None where the cell is
    empty or too long.
    """

    order_id: int
    part_no: str | None = None
    description: str | None = None
    lead_no: str | None = None
    order_no: str | None = None
    """PlanSo's `A.Nummer`: likely the workshop's own order number, not the supplier's."""
    row_id: str | None = None
    part_id: str | None = None
    qty: float | None = None
    price_each: float | None = None
    price_total: float | None = None
    status: str | None = None
    status_code: str | None = None
    order_date: str | None = None
    delivery_date: str | None = None
    eta_date: str | None = None
    is_to_order: bool = False
    is_ordered: bool = False
    is_delivered: bool = False
    is_backorder: bool = False
    is_mandatory: bool = False
    is_price_checked: bool = False

    @property
    def is_missing(self) -> bool:
        """On backorder; or not delivered, and to order, ordered or missing by its status."""
        if self.is_backorder:
            return True
        if self.is_delivered:
            return False
        return self.is_to_order or self.is_ordered or contains_any_phrase(self.status or "", _MISSING)


def count_missing(parts: Sequence[Part]) -> int:
    return sum(part.is_missing for part in parts)


def needs_no_parts(status: object) -> bool:
    """Whether an order's parts status means that none are needed: `ohne E-Teile`, `Ohne Ersatzteile`."""
    words = " ".join(re.findall(r"[a-z0-9]+", fold(status))) if isinstance(status, str) else ""
    return _NEEDS_NONE.fullmatch(words) is not None


def says_parts_missing(status: object) -> bool:
    """Whether an order's parts status means that some are missing: `E-Teile offen`, `Rückstand`, `unvollständig`."""
    return isinstance(status, str) and contains_any_phrase(status, (*_MISSING, *_INCOMPLETE))
