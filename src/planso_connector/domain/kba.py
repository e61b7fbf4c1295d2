"""
KBA key numbers: of the manufacturer (HSN, four digits) and of the model (TSN, three signs), fields 2.1 and 2.2 of the
vehicle papers. Written `0603/BGU`.
"""

import re
from typing import NamedTuple

_FILLING = r"(?:hsn|tsn|kba|nr|zu|[\s:./,;()_-])*"
_KEY_NUMBERS = re.compile(
    rf"{_FILLING}(?P<hsn>\d{{4}}|\d{{3}}(?=\D))"
    rf"{_FILLING}(?P<tsn>[a-z]{{3}}|[a-z\d]{{3}})(?P<check>\d{{5,6}})?{_FILLING}",
    re.IGNORECASE,
)
"""The papers add five digits to the TSN, for variant and version, and sometimes one to check them."""


class KeyNumbers(NamedTuple):
    hsn: str
    tsn: str

    def __str__(self) -> str:
        return f"{self.hsn}/{self.tsn}"


def parse_key_numbers(text: str) -> KeyNumbers | None:
    """The key numbers in any notation: `603 bgu`, `0603BGU`, `HSN: 0603 TSN: BGU00012`; None for anything else."""
    match = _KEY_NUMBERS.fullmatch(text.strip())
    return KeyNumbers(match["hsn"].zfill(4), match["tsn"].upper()) if match is not None else None


def normalize_key_numbers(text: str) -> str:
    """`0603/BGU` for any notation; a text that is none stays as it is."""
    found = parse_key_numbers(text)
    return text if found is None else str(found)
