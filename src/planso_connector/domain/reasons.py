"""Why the standing of an order is what it is said to be: each word stands in answers, for programs."""

from __future__ import annotations

from enum import StrEnum


class Why(StrEnum):
    """Why a promised date holds, doesn't, or can't be said to."""

    NOTHING_AGAINST_IT = "nothing_against_it"
    """True: it lies ahead, and no value of the order speaks against it."""
    READY = "ready"
    """True: the vehicle is ready before."""
    DATE_PASSED = "date_passed"
    """False: the date had passed when the order was last read, and the vehicle was not ready."""
    PART_EXPECTED_LATER = "part_expected_later"
    """False for a mandatory part, null for another: a missing part is expected only after the date."""
    NO_DATE = "no_date"
    """Null: no field holds a date."""
    CLOSED = "closed"
    """Null: the vehicle was handed over, or the order left PlanSo's list."""
    READY_SINCE_UNKNOWN = "ready_since_unknown"
    """Null: the vehicle is ready and the date has passed; PlanSo doesn't say which came first."""
    NOT_READ_SINCE = "not_read_since"
    """Null: the date has passed since the order was last read."""
    READINESS_UNKNOWN = "readiness_unknown"
    """Null: whether the vehicle is ready can't be said; `can_be_fetched` says why."""
    DUE_TODAY = "due_today"
    """Null: it is today's, and the vehicle isn't ready yet."""
    PARTS_UNKNOWN = "parts_unknown"
    """Null: the order's parts were not read, or its parts status contradicts them."""
    PART_WITHOUT_DATE = "part_without_date"
    """Null: a missing part has no expected date."""
    PART_OVERDUE = "part_overdue"
    """Null: a missing part's expected date has passed."""
    PART_ON_THE_DAY = "part_on_the_day"
    """Null: a missing part is expected on the very day."""
    DATES_CONTRADICT = "dates_contradict"
    """Null: another date of the order lies after it."""
    BEHIND_PLAN = "behind_plan"
    """Null: an earlier date of the order has passed, and what was planned for it is not done."""
    STALE = "stale"
    """Null: no sync ended well for longer than it should."""


class Fetch(StrEnum):
    """Why a vehicle can be fetched, can't, or can't be said to."""

    RELEASED = "released"
    """True: the workshop's words say that it can be fetched."""
    NOT_DONE = "not_done"
    """False: it is on an earlier step."""
    HANDED_OVER = "handed_over"
    """False: it was handed over."""
    ARCHIVED = "archived"
    """Null: the order left PlanSo's list; no word says that the vehicle was handed over."""
    NOT_RELEASED = "not_released"
    """Null: the work is done; no word says that it can be fetched."""
    PART_MISSING = "part_missing"
    """Null: the words say that it can, but a mandatory part is missing."""
    STAGE_UNKNOWN = "stage_unknown"
    """Null: the workshop's words are not known, or there are none."""
