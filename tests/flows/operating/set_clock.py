"""A machine's clock that a test sets."""

from __future__ import annotations

from datetime import datetime, timedelta

from planso_connector.domain.clock import now

DAYS = timedelta(days=2)


class SetClock:
    """The machine's clock; `ahead` is how far the test has set it ahead."""

    def __init__(self) -> None:
        self.ahead = timedelta(0)

    def __call__(self) -> datetime:
        return now() + self.ahead
