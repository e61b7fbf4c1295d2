"""The stored data of an order and its parts, as JSON for the state file too."""

from dataclasses import asdict, dataclass, field
from typing import Any, Literal

DateStyle = Literal["titles", "single", "array", "spaces", "dash", "none"]
WireValues = dict[str, list[str]]
"""The submitted values by usual label: `[value]`; `[]` for an unchecked box; several for a multi-select."""


@dataclass
class SandboxPart:
    """One spare part. Dates and decimals are German texts; "" for none."""

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
    """offen, bestellt, geliefert, Rückstand, fehlt, or ""."""
    status_code: str
    date_style: DateStyle
    """How the date cell is written: see `parts_markup`."""

    @property
    def missing(self) -> bool:
        """On backorder; or not delivered, while to order, ordered, or missing by its status (protocol, section 4)."""
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
    """`<station id>@<state>`, or ""."""
    employee: str
    position: int
    finish_style: Literal["class", "date", "both", "empty"]
    """The content of the board's `finish_date`."""
    finish_class: str = ""
    """The damage class on the board where the form has none."""
    archived: bool = False
    parts: list[SandboxPart] = field(default_factory=list)
    parts_badge: Literal["button", "select", "none"] = "button"
    rows: list[list[str]] | None = None
    """Child rows (id, text, amount), with the knob `child_rows`; None until the first save."""

    def as_json(self) -> dict[str, Any]:
        """The order as JSON values."""
        return asdict(self)

    @classmethod
    def from_json(cls, content: dict[str, Any]) -> "SandboxOrder":
        """The inverse of `as_json`. Raises KeyError or TypeError for other content."""
        order = cls(**{**content, "parts": [SandboxPart(**part) for part in content["parts"]]})
        _check(content["id"], content["values"])
        return order


def _check(order_id: Any, values: Any) -> None:
    fits = isinstance(order_id, int) and all(
        isinstance(texts, list) and all(isinstance(text, str) for text in texts) for texts in values.values()
    )
    if not fits:
        raise TypeError("an order with an id and lists of texts was expected")
