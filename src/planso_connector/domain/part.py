"""A spare part of an order, and when it is missing. Source: the PlanSo protocol's section 4."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from planso_connector.domain.fold import fold

NO_PARTS = "ohne E-Teile"
"""The parts status of an order that needs none."""

_MISSING = re.compile(r"\b(offen|fehlt|fehlend|rueckstand|backorder)")


@dataclass(frozen=True, slots=True)
class Part:
    """Dates are canonical (ISO 8601), prices in EUR, `qty` a decimal number; None where the table holds nothing."""

    order_id: int
    part_no: str | None = None
    description: str | None = None
    lead_no: str | None = None
    order_no: str | None = None
    """The order's number at the supplier."""
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
        """On backorder; or not delivered while to order or ordered, or when the status says so."""
        if self.is_backorder:
            return True
        if self.is_delivered:
            return False
        return self.is_to_order or self.is_ordered or _MISSING.search(fold(self.status or "")) is not None


def missing_count(parts: Sequence[Part]) -> int:
    return sum(part.is_missing for part in parts)
