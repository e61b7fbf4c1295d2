"""Which column of a parts table is what, by the words of its header. Pure. Source: the PlanSo protocol's section 4."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import lru_cache

from selectolax.lexbor import LexborNode

from planso_connector.domain.fields import MAX_LABEL_LENGTH
from planso_connector.planso.pages.part_cells import read_header_text
from planso_connector.planso.pages.text import label_key
from planso_connector.planso.profile import PartsVocabulary

_SHORT = 4
"""Header words of up to so many letters must be a word of the header: `Teil` is in `Abteilung` too."""
_PLURALS = ("", "e", "en", "s")
_BARE = frozenset({"teil", "teile", "part", "parts"})
"""Headers that are the part's description, or its number beside a column that is called its description."""


def find_columns(cells: Iterable[tuple[int, LexborNode]], words: PartsVocabulary) -> dict[str, int]:
    """
    Column by name, for the header's cells with their columns. What a column is says the longest word that its header
    contains; of several columns of one kind the one whose header is that word alone comes first.
    """
    found: dict[str, list[tuple[bool, int, str]]] = {}
    for column, cell in cells:
        text = read_header_text(cell)
        key = label_key(text[:MAX_LABEL_LENGTH])
        fits = _fitting(text, words.header_keys)
        if "order_date" in fits and "delivery_date" in fits and "/" in text:
            name: str | None = "dates"
        else:
            name = max(fits, key=lambda each: fits[each], default=None)
        if name is not None:
            found.setdefault(name, []).append((fits.get(name) == len(key), column, key))
    described = found.get("description", [])
    bare = [entry for entry in described if entry[2] in _BARE]
    if "part_no" not in found and bare and len(bare) < len(described):
        found["part_no"] = bare[:1]
        found["description"] = [entry for entry in described if entry not in bare]
    return {name: next((e for e in entries if e[0]), entries[0])[1] for name, entries in found.items()}


def is_parts_table(columns: Mapping[str, int], *, is_like_sums: bool) -> bool:
    """
    Whether a table with these columns lists parts. One that looks like PlanSo's sums, which name orders and amounts,
    must also say what no sum has: number and quantity, status or dates.
    """
    if len(columns) < 2 or not {"part_no", "description"} & columns.keys():
        return False
    of_part = columns.keys() - {"description", "order_no", "price_total", "price_each"}
    return not is_like_sums or len(of_part) > 1


def _fitting(text: str, header_keys: tuple[tuple[str, str], ...]) -> Mapping[str, int]:
    """By name, the length of its longest word that is in the header. One that is longer than a label says nothing."""
    return _remembered_fit(text, header_keys) if len(text) <= MAX_LABEL_LENGTH else {}


@lru_cache(maxsize=1024)
def _remembered_fit(text: str, header_keys: tuple[tuple[str, str], ...]) -> Mapping[str, int]:
    key, tokens = label_key(text), {label_key(token) for token in re.split(r"[\W_]+", text)}
    fits: dict[str, int] = {}
    for word, name in header_keys:
        is_there = word in key if len(word) > _SHORT else any(word + ending in tokens for ending in _PLURALS)
        if is_there:
            fits[name] = max(fits.get(name, 0), len(word))
    return fits
