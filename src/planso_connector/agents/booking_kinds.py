"""What an appointment is for, as an argument of tools."""

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator

from planso_connector.domain.folding import fold

_KINDS = {
    "estimate": (
        *("besicht", "gutacht", "kostenvoranschlag", "kva", "angebot", "schadensaufnahme"),
        *("estimate", "inspection", "quote"),
    ),
    "pick_up": ("abhol", "holen", "rueckgabe", "auslieferung", "pick", "collect"),
    "drop_off": ("abgab", "abgeb", "bring", "reparatur", "annahme", "drop", "repair", "werkstatt"),
}


def _read_kind(given: Any) -> Any:
    """One of the three also by what callers say: `Besichtigung`, `vorbeibringen`."""
    if not isinstance(given, str):
        return given
    said = fold(given)
    return next((kind for kind, words in _KINDS.items() if any(word in said for word in words)), given)


Kind = Annotated[Literal["drop_off", "estimate", "pick_up"], BeforeValidator(_read_kind)]
