"""Find what each column of a parts table holds, by its header. Source: the PlanSo protocol's section 4."""

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
    Columns by what they hold, from the header's cells with their columns. The longest word that a header contains
    decides; of several columns of one kind the one whose header is that word alone comes first.
    """
    found: dict[str, list[tuple[bool, int, str]]] = {}
    for column, cell in cells:
        text = read_header_text(cell)
        key = label_key(text[:MAX_LABEL_LENGTH])
        lengths = _match_words(text, words.header_keys) if len(text) <= MAX_LABEL_LENGTH else {}
        has_both_dates = "order_date" in lengths and "delivery_date" in lengths and "/" in text
        name = "dates" if has_both_dates else max(lengths, key=lambda name: lengths[name], default=None)
        if name is not None:
            found.setdefault(name, []).append((lengths.get(name) == len(key), column, key))
    descriptions = found.get("description", [])
    bare = [entry for entry in descriptions if entry[2] in _BARE]
    if "part_no" not in found and bare and len(bare) < len(descriptions):
        found["part_no"] = bare[:1]
        found["description"] = [entry for entry in descriptions if entry not in bare]
    return {name: next((e for e in entries if e[0]), entries[0])[1] for name, entries in found.items()}


def is_parts_table(columns: Mapping[str, int], *, is_like_sums: bool) -> bool:
    """
    Whether a table with these columns lists parts. One that looks like PlanSo's sums, which name orders and amounts,
    must also have what no sum has: number and quantity, status or dates.
    """
    if len(columns) < 2 or not {"part_no", "description"} & columns.keys():
        return False
    of_part = columns.keys() - {"description", "order_no", "price_total", "price_each"}
    return not is_like_sums or len(of_part) > 1


@lru_cache(maxsize=1024)
def _match_words(text: str, header_keys: tuple[tuple[str, str], ...]) -> Mapping[str, int]:
    """By column the length of its longest word that is in the header."""
    key, tokens = label_key(text), {label_key(token) for token in re.split(r"[\W_]+", text)}
    lengths: dict[str, int] = {}
    for word, name in header_keys:
        if word in key if len(word) > _SHORT else any(word + ending in tokens for ending in _PLURALS):
            lengths[name] = max(lengths.get(name, 0), len(word))
    return lengths
