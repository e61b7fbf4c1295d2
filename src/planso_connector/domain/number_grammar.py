"""
Numbers that callers send as texts, where a member of a request is a number.

    number  = decimal | grouped
    decimal = digits [ ("," | ".") digits ]
    grouped = group "." three { "." three } "," digits      12.345,5   1.234,50
            | group "." three "." three { "." three }       1.234.567
    digits  = digit { digit }, digit = "0" ... "9"
    group   = one to three digits, the first not 0;  three = digit digit digit

One dot before exactly three digits, behind what may be a group, has two readings (`1.500` is 1.5 or 1500) and is no
number here. Nothing else is one: no sign, blank, unit, exponent, underscore or apostrophe, no digits of other scripts.
`german_formats` reads what PlanSo's pages show, by other rules: there a price's `1.500` is certain.
"""

import re
from decimal import Decimal

from planso_connector.domain.fields import MAX_NOTATION_LENGTH
from planso_connector.domain.messages import InvalidValue
from planso_connector.domain.notes import shorten

_DECIMAL = re.compile(r"[0-9]+(?:[.,][0-9]+)?")
_GROUPED = re.compile(r"[1-9][0-9]{0,2}(?:(?:\.[0-9]{3})+,[0-9]+|(?:\.[0-9]{3}){2,})")
_AMBIGUOUS = re.compile(r"[1-9][0-9]{0,2}\.[0-9]{3}")
_MAX_QUOTED = 40


def parse_number(text: str) -> Decimal:
    """The number, 0 or more. Raises InvalidValue for any other text, with both readings for one that has two."""
    if len(text) <= MAX_NOTATION_LENGTH:
        if _AMBIGUOUS.fullmatch(text):
            decimal, grouped = f"{Decimal(text).normalize():f}", text.replace(".", "")
            readings = {"decimal": decimal, "comma": decimal.replace(".", ","), "grouped": grouped}
            raise InvalidValue("ambiguous_number", text=text, **readings)
        if _DECIMAL.fullmatch(text):
            return Decimal(text.replace(",", "."))
        if _GROUPED.fullmatch(text):
            return Decimal(text.replace(".", "").replace(",", "."))
    raise InvalidValue("not_a_number", text=shorten(text, _MAX_QUOTED))


def parse_whole_number(text: str) -> int:
    """The same, for ids and counts: `123`, also `123,0`. Raises InvalidValue."""
    try:
        number = parse_number(text)
    except InvalidValue as error:
        if error.key != "not_a_number":
            raise
        raise InvalidValue("not_whole", text=shorten(text, _MAX_QUOTED)) from error
    if number != number.to_integral_value():
        raise InvalidValue("not_whole", text=text)
    return int(number)
