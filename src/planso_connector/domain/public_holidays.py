"""Germany's public holidays, by federal state."""

from collections.abc import Mapping
from datetime import date
from functools import lru_cache

FEDERAL_STATES = frozenset(
    ("BB", "BE", "BW", "BY", "HB", "HE", "HH", "MV", "NI", "NW", "RP", "SH", "SL", "SN", "ST", "TH")
)
"""Of Germany. A holiday of only some towns of a state, such as Augsburg's, does not count."""


@lru_cache(maxsize=128)
def list_holidays(state: str | None, year: int) -> Mapping[date, str]:
    """The holidays of a year with their German names; those of no state are nationwide."""
    # Imported at first use: it loads every country of the world, 0.6 s and 45 MB.
    from holidays import country_holidays

    return dict(country_holidays("DE", subdiv=state, years=year, language="de"))


def find_holiday(state: str | None, day: date) -> str | None:
    """The name of the holiday on this day; None on others."""
    return list_holidays(state, day.year).get(day)
