"""Warnings about values that look wrong. They are written as given: a typo is worth more than no number."""

import re
from collections.abc import Callable, Mapping

from planso_connector.domain.fields import Value
from planso_connector.domain.kba import parse_key_numbers
from planso_connector.domain.notes import RequestNote

_PLATE = re.compile(r"[A-ZÄÖÜ]{1,3}[- ]?[A-Z]{1,2}[- ]?[1-9]\d{0,3}[ ]?[EH]?")
_FOREIGN_PLATE = re.compile(r"[A-Z0-9ÄÖÜ][A-Z0-9ÄÖÜ .·-]{1,11}")
_VIN = re.compile(r"[A-HJ-NPR-Z0-9]{17}")
_EMAIL = re.compile(r"[^@\s]+@[^@\s.]+(\.[^@\s.]+)+")


def looks_like_plate(text: str) -> bool:
    """Whether it has the form of a German plate: `WN-AE 2309`, `wn ae 2309 E`."""
    return _PLATE.fullmatch(" ".join(text.upper().split())) is not None


def _is_plate(text: str) -> bool:
    upper = " ".join(text.upper().split())
    return looks_like_plate(upper) or bool(_FOREIGN_PLATE.fullmatch(upper) and re.search(r"\d", upper))


def _is_phone(text: str) -> bool:
    import phonenumbers  # slow to import, and most commands never need it

    try:
        return phonenumbers.is_possible_number(phonenumbers.parse(text, "DE"))
    except phonenumbers.NumberParseException:
        return False


_CHECKS: dict[str, tuple[Callable[[str], object], str]] = {
    "vehicle_details.number_plate": (_is_plate, "a number plate"),
    "vehicle_details.vin": (
        lambda text: _VIN.fullmatch(text.upper()),
        "a VIN (17 letters and digits, without I, O and Q)",
    ),
    "vehicle_details.kba": (parse_key_numbers, "KBA key numbers (HSN and TSN, such as 0603/BGU)"),
    "phone": (_is_phone, "a phone number"),
    "email": (_EMAIL.fullmatch, "an e-mail address"),
}


def find_input_warnings(requested: Mapping[str, Value]) -> list[RequestNote]:
    """A sentence for each requested field, by path, whose value looks wrong."""
    return [
        RequestNote(f"{path} does not look like {expected}; it was written as given.")
        for path, (is_plausible, expected) in _CHECKS.items()
        if isinstance(value := requested.get(path), str) and value and not is_plausible(value)
    ]
