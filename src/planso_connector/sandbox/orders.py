"""What the workshop's PlanSo holds of one order, and how it is written to the state file."""

from dataclasses import asdict, dataclass, field
from typing import Any, Literal

DateStyle = Literal["titles", "single", "array", "spaces", "dash", "none"]
WireValues = dict[str, list[str]]
"""By usual label what goes over the wire: `[value]`; `[]` for an unchecked box; several for a multi-select."""


@dataclass
class SandboxPart:
    """One spare part. Dates and decimals are German texts; `""` is none."""

    row_id: int
    part_id: int
    description: str
    number: str
    lead: str
    price_each: str
    quantity: str
    price_total: str
    ordered_on: str
    delivered_on: str
    expected_on: str
    supplier_order: str
    to_order: bool
    ordered: bool
    delivered: bool
    backorder: bool
    mandatory: bool
    price_checked: bool
    status: str
    """In words: offen, bestellt, geliefert, Rückstand, fehlt; can be empty."""
    status_code: str
    date_style: DateStyle
    """How the date cell is written: see `parts_markup`."""

    @property
    def missing(self) -> bool:
        """On backorder, or not delivered while to-order or ordered or said to be (protocol, section 4)."""
        if self.backorder:
            return True
        return not self.delivered and (self.to_order or self.ordered or self.status in ("offen", "Rückstand", "fehlt"))


@dataclass
class SandboxOrder:
    """One order. `row_id` and `token` are the form's hidden inputs."""

    id: int
    row_id: str
    token: str
    values: WireValues
    station: str
    """`"<station id>@<state>"`, or empty."""
    employee: str
    position: int
    finish_style: Literal["class", "date", "both", "empty"]
    """What the list's `finish_date` carries."""
    finish_class: str = ""
    """The damage class in the list when the form has none."""
    archived: bool = False
    parts: list[SandboxPart] = field(default_factory=list)
    parts_badge: Literal["button", "select", "none"] = "button"
    rows: list[list[str]] | None = None
    """Child rows (id, text, amount), with the knob `child_rows`; None until the first save."""

    def as_json(self) -> dict[str, Any]:
        """The order as JSON values."""
        return asdict(self)

    @classmethod
    def from_json(cls, given: dict[str, Any]) -> "SandboxOrder":
        """The opposite of `as_json`. Raises KeyError or TypeError on what `as_json` didn't write."""
        order = cls(**{**given, "parts": [SandboxPart(**part) for part in given["parts"]]})
        _check(given["id"], given["values"])
        return order


def _check(order_id: Any, values: Any) -> None:
    fits = isinstance(order_id, int) and all(
        isinstance(kept, list) and all(isinstance(text, str) for text in kept) for kept in values.values()
    )
    if not fits:
        raise TypeError("an order with an id and lists of texts was expected")
