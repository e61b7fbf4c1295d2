"""Give a workshop's invented orders plates, VINs and e-mail addresses that no other workshop has.

Ids, names of people and telephone numbers overlap between workshops, as they do in reality.
"""

import re
from collections.abc import Mapping

from planso_connector.sandbox.forms import OrderForm
from planso_connector.sandbox.invented_orders import README_ORDER
from planso_connector.sandbox.orders import SandboxOrder

MAX_WORKSHOPS = 1000
"""Of the numbers 1 to 9999 that each plate's letters go with, a workshop has every thousandth."""

_PLATE = re.compile(r"([A-ZÄÖÜ]+)-([A-Z]+) ([0-9]+)([EH]?)")
_VIN_LETTERS = "ABCDEFGHJKLMNPRSTUVWXYZ0123456789"


def make_distinct(form: OrderForm, orders: Mapping[int, SandboxOrder], number: int) -> None:
    """Rewrite the orders of workshop `number`, counted from 1; order 123 of the first stays as in the README."""
    for order in orders.values():
        if number == 1 and order.id == README_ORDER:
            continue
        for label, rewrite in (
            ("Kennzeichen", _distinct_plate),
            ("VIN", _distinct_vin),
            ("Kunden E-Mail", _distinct_email),
        ):
            text = form.to_text(label, order.values[label])
            order.values[label] = form.to_wire(label, rewrite(text, number))


def _distinct_plate(plate: str, number: int) -> str:
    """The letters decide with the workshop about the last three digits, so that they differ within a workshop too."""
    match = _PLATE.fullmatch(plate)
    if match is None:
        return plate
    district, letters, digits, ending = match.groups()
    last = (number + sum(ord(letter) * 31**at for at, letter in enumerate(district + letters))) % MAX_WORKSHOPS
    return f"{district}-{letters} {(int(digits) // MAX_WORKSHOPS) * MAX_WORKSHOPS + last or MAX_WORKSHOPS}{ending}"


def _distinct_vin(vin: str, number: int) -> str:
    high, low = divmod(number, len(_VIN_LETTERS))
    return f"{vin[:3]}{_VIN_LETTERS[high]}{_VIN_LETTERS[low]}{vin[5:]}" if vin else vin


def _distinct_email(address: str, number: int) -> str:
    box, at, domain = address.partition("@")
    return f"{box}@w{number:03d}.{domain}" if at else address
