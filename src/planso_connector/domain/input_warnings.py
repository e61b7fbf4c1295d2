"""What looks wrong but is kept as given: a workshop would rather have a typo than no number."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from planso_connector.domain.fields import Value
from planso_connector.domain.notes import RequestNote

_PLATE = re.compile(r"[A-ZÄÖÜ]{1,3}[- ]?[A-Z]{1,2}[- ]?[1-9]\d{0,3}[ ]?[EH]?")
_FOREIGN_PLATE = re.compile(r"[A-Z0-9ÄÖÜ][A-Z0-9ÄÖÜ .·-]{1,11}")
_VIN = re.compile(r"[A-HJ-NPR-Z0-9]{17}")
_EMAIL = re.compile(r"[^@\s]+@[^@\s.]+(\.[^@\s.]+)+")


def looks_like_plate(text: str) -> bool:
    """Whether a German plate could be written so; `WN-AE 2309`, `wn ae 2309 E`."""
    return _PLATE.fullmatch(" ".join(text.upper().split())) is not None


def _plate(text: str) -> str | None:
    upper = " ".join(text.upper().split())
    if _PLATE.fullmatch(upper) or (_FOREIGN_PLATE.fullmatch(upper) and re.search(r"\d", upper)):
        return None
    return "does not look like a number plate"


def _vin(text: str) -> str | None:
    if _VIN.fullmatch(text.upper()):
        return None
    return "does not look like a VIN (17 letters and digits, without I, O and Q)"


def _phone(text: str) -> str | None:
    import phonenumbers  # here: commands should not wait for it

    try:
        number = phonenumbers.parse(text, "DE")
    except phonenumbers.NumberParseException:
        return "does not look like a phone number"
    return None if phonenumbers.is_possible_number(number) else "does not look like a phone number"


def _email(text: str) -> str | None:
    return None if _EMAIL.fullmatch(text) else "does not look like an e-mail address"


_CHECKS: dict[str, Callable[[str], str | None]] = {
    "vehicle_details.number_plate": _plate,
    "vehicle_details.vin": _vin,
    "phone": _phone,
    "email": _email,
}


def find_input_warnings(asked: Mapping[str, Value]) -> list[RequestNote]:
    """A sentence for each asked field that looks wrong, by field path; empty where all look right."""
    sentences = []
    for path, check in _CHECKS.items():
        value = asked.get(path)
        complaint = check(value) if isinstance(value, str) and value else None
        if complaint:
            sentences.append(RequestNote(f"{path} {complaint}; it was kept as given."))
    return sentences
