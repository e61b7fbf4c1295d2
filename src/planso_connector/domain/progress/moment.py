"""Days and times of the workshop's wall clock."""

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, time

from planso_connector.domain.fields import Value
from planso_connector.domain.german_formats import BERLIN

_CANONICAL = re.compile(r"(?P<day>(?:19|2[01])\d\d-\d\d-\d\d)(?:T(?P<time>\d\d:\d\d(?::\d\d)?))?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Moment:
    """A date with a precision: a day, or a day and a time of the workshop's wall clock."""

    day: date
    time: time | None
    canonical: str

    def is_past(self, now: datetime) -> bool:
        """A day is past from the next midnight on; an hour that comes twice, after the second time."""
        if self.time is None:
            return self.day < now.astimezone(BERLIN).date()
        wall = datetime.combine(self.day, self.time, BERLIN)
        return max(wall.replace(fold=fold).astimezone(UTC) for fold in (0, 1)) < now


def parse_moment(value: Value) -> Moment | None:
    """Parse a field's canonical value; None for anything else, also for a month alone."""
    match = _CANONICAL.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        return None
    try:
        clock = time.fromisoformat(match["time"]) if match["time"] else None
        return Moment(date.fromisoformat(match["day"]), clock, match[0])
    except ValueError:
        return None
