"""Find the known name that a caller may have meant by an unknown one: `shopdate`, `page_size`, `Kennzeichen`."""

from collections.abc import Iterable
from difflib import get_close_matches

_OTHER_WORDS = {
    "archived": "include_archived show_archived",
    "before": "date_to end end_date to until",
    "after": "date date_from from shop_date since start start_date",
    "cursor": "next offset page page_token skip",
    "dry_run": "check dry preview simulate test validate_only",
    "email": "e_mail mail",
    "fields": "columns include members only select",
    "limit": "count max max_results n page_size per_page size top",
    "max_age": "fresh live max_stale refresh",
    "name": "customer driver fahrer kunde nachname person",
    "order_id": "id order",
    "person": "customer customer_name driver fahrer kunde name nachname",
    "phone": "handy mobile tel telefon telephone",
    "plate": "kennzeichen licence_plate license_plate number_plate registration",
    "q": "heard query search said text transcript",
    "sort": "order order_by sort_by",
    "text": "filter q query search",
    "total": "count_all with_total",
    "vehicle_details.number_plate": "kennzeichen licence_plate license_plate plate registration",
    "wait": "timeout",
}
"""Parameters and members, and what callers used to other services call them."""


def find_similar(name: str, known: Iterable[str]) -> str | None:
    """The one written most alike, else one meant alike, else one that it is part of or that is part of it."""
    folded, written = _fold(name), {_fold(one): one for one in known}
    if close := find_close(name, written.values()):
        return close
    parts = [one for one in written if _has_part(folded, one)]
    similar = [max(parts, key=len)] if parts else get_close_matches(folded, written, n=1)
    return written[similar[0]] if similar else None


def find_close(name: str, known: Iterable[str]) -> str | None:
    """The one written most alike, else one meant alike; None where neither is likely."""
    written = {_fold(one): one for one in known}
    meant = {_fold(word): one for one in written.values() for word in _OTHER_WORDS.get(one, "").split()}
    for spellings, cutoff in ((written, 0.75), (meant, 0.85)):
        if similar := get_close_matches(_fold(name), spellings, n=1, cutoff=cutoff):
            return spellings[similar[0]]
    return None


def _has_part(one: str, other: str) -> bool:
    shorter, longer = sorted((one, other), key=len)
    return len(shorter) > 3 and shorter in longer


def _fold(name: str) -> str:
    return "".join(character for character in name.casefold() if character.isalnum())
