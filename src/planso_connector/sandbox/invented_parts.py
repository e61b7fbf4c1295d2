"""Invent spare parts in every combination of the states that section 4 of the protocol names."""

import random
from collections.abc import Iterator
from datetime import date, timedelta
from itertools import count, product

from planso_connector.sandbox.orders import DateStyle, SandboxPart

_NAMES = (
    "Stoßfänger vorn",
    "Kotflügel links",
    "Scheinwerfer rechts (LED)",
    "Tür hinten links",
    "Träger Stoßfänger",
    "Clips & Kleinteile, Satz",
    "Außenspiegelgehäuse",
    "Kühlergrill",
    "Seitenscheibe hinten",
    "Radlauf-Verbreiterung <links>",
    'Felge 17" 5-Loch',
    "Heckklappe",
    "Nebelscheinwerfer",
    "Zierleiste Tür",
)
_STYLES: tuple[DateStyle, ...] = ("titles", "single", "array", "spaces", "dash", "none")


def format_german(amount: float) -> str:
    """Two decimals in German notation: `1.234,50`."""
    return f"{amount:,.2f}".replace(",", " ").replace(".", ",").replace(" ", ".")


class PartInventor:
    """Invents parts with ascending row ids, through all combinations of the six boxes."""

    def __init__(self, dice: random.Random, today: date) -> None:
        self._dice = dice
        self._today = today
        self._rows = count(40_001)
        self._boxes = self._combinations()

    def _combinations(self) -> Iterator[tuple[bool, ...]]:
        while True:
            every = list(product((False, True), repeat=6))
            self._dice.shuffle(every)
            yield from every

    def next_part(self, position: int) -> SandboxPart:
        """The next part, at `position` in its order."""
        dice, row = self._dice, next(self._rows)
        to_order, ordered, delivered, backorder, mandatory, price_checked = next(self._boxes)
        price, quantity = round(dice.uniform(0.8, 1480), 2), dice.choice((1, 1, 1, 2, 4))
        ordered_on = self._today - timedelta(days=dice.randint(3, 30))
        expected_on = ordered_on + timedelta(days=dice.randint(2, 21))
        style = dice.choice(_STYLES) if ordered or delivered else _STYLES[4]
        # A cell with one title shows the delivery date only, and some cells are empty whatever the boxes say.
        shows_order, shows_delivery = ordered and style != "single", delivered and style != "none"
        status = _status_text(to_order, ordered, delivered, backorder)
        if row % 9 == 0:  # the status was forgotten, or set to another one
            status = dice.choice(("", "fehlt", "offen"))
        return SandboxPart(
            row_id=row,
            part_id=90_000 + row * 3,
            description=dice.choice(_NAMES),
            number=f"{dice.randint(1, 9)}{dice.choice('CGKN')}{dice.randint(0, 9)} {dice.randint(100, 999)} "
            f"{dice.randint(100, 999)}{dice.choice(('', ' A', ' GRU'))}",
            lead=str(10 * (position + 1)),
            price_each=format_german(price),
            quantity=str(quantity),
            price_total=format_german(price * quantity),
            ordered_on=_format_date(ordered_on) if shows_order and style != "none" else "",
            delivered_on=_format_date(expected_on) if shows_delivery else "",
            expected_on="" if delivered or not ordered else _format_date(expected_on),
            supplier_order=f"B-{dice.randint(10_000, 99_999)}" if ordered else "",
            to_order=to_order,
            ordered=ordered,
            delivered=delivered,
            backorder=backorder,
            mandatory=mandatory,
            price_checked=price_checked,
            status=status,
            status_code=str({"offen": 1, "bestellt": 2, "geliefert": 3, "Rückstand": 4, "fehlt": 5}.get(status, 0)),
            date_style=style,
        )


def _status_text(to_order: bool, ordered: bool, delivered: bool, backorder: bool) -> str:
    if backorder:
        return "Rückstand"
    if delivered:
        return "geliefert"
    if ordered:
        return "bestellt"
    return "offen" if to_order else ""


def _format_date(day: date) -> str:
    return f"{day:%d.%m.%Y}"
